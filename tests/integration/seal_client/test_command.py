"""`yingqiao seal-client`: checked, started, stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.helpers import seal_desk
from yingqiao.cli import main

COMMAND = [sys.executable, "-c", "from yingqiao.cli import main; main()", "seal-client", "--config"]


def configured(folder: Path, more: str = "") -> Path:
    (folder / "wallets").mkdir()
    (folder / "wallets" / "a.seal.json").write_bytes(seal_desk.wallet())
    (folder / "wallets" / "broken.seal.json").write_bytes(b"{")
    path = folder / "seal-client.toml"
    path.write_text(f'[client]\norigins = ["https://pacs.hospital.cn"]\nport = 0\n{more}', "utf-8")
    return path


def test_checked(tmp_path: Path):
    reports = tmp_path / "reports"
    path = configured(tmp_path, f'[open]\nfolders = ["{reports}"]\n')
    missing = CliRunner().invoke(main, ["seal-client", "--config", str(path), "--check"])
    assert missing.exit_code == 1
    assert f"不通过  目录：{reports} 不存在" in missing.output
    reports.mkdir()
    good = CliRunner().invoke(main, ["seal-client", "--config", str(path), "--check"])
    assert good.exit_code == 0, good.output
    assert f"通过  印章：{seal_desk.SEAL_NAME}：可用" in good.output


def test_what_is_wrong_in_the_file_is_said(tmp_path: Path):
    path = configured(tmp_path, "[seal]\npin_trys = 3\n")
    result = CliRunner().invoke(main, ["seal-client", "--config", str(path)])
    assert result.exit_code == 2
    assert "是否想写 seal.pin_tries" in result.output


def test_started_and_stopped(tmp_path: Path):
    path = configured(tmp_path)
    with subprocess.Popen(
        [*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        line = program.stdout.readline()
        assert line.startswith("影桥签章客户端已就绪：http://localhost:")
        page = httpx.get(line.partition("：")[2].strip(), params={"fileUrl": "x"})
        assert "yingqiao-session" in page.text
        program.send_signal(signal.SIGTERM)
        assert program.wait(120) == 0


@pytest.mark.long
def test_it_starts_where_nothing_of_posix_is(tmp_path: Path):
    """As far as that can be told here: the modules and flags that Windows lacks taken away, the page still comes."""
    path = configured(tmp_path, '[open]\nhosts = ["https://pacs.hospital.cn"]\n')
    words = [sys.executable, "-m", "tests.helpers.another_system", str(path.parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "200 True" in done.stdout
    assert f"印章 True {seal_desk.SEAL_NAME}：可用" in done.stdout
