"""`yingqiao hospital push`: what is wrong is shown before and after sending, and said by the exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.helpers.receiver_server import serve_receiver
from tests.unit.exchange.records import CODE, exam, report
from yingqiao.cli.hospital import command

KEY = "0123456789abcdeffedcba9876543210"


@pytest.fixture
def peer():
    with serve_receiver(CODE, KEY) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = {
        "good": exam(),
        "other": exam(risStudyId="R2"),
        "bad": exam(idCard="", bodyCode=None),
        "merged": {"patient": exam(), "report": report()},
        "list": [exam()],
    }
    for name, record in records.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    (tmp_path / "gbk.json").write_text('{"patName": "张三"}', "gbk")
    (tmp_path / "sm4.key").write_text(KEY + "\n")
    return tmp_path


def push(folder: Path, *words: str, url: str = "") -> Result:
    where = ["--url", url, "--key-file", str(folder / "sm4.key")] if url else []
    paths = [str(folder / word) if word.endswith(".json") else word for word in words]
    return CliRunner().invoke(command, ["push", *paths, "--code", CODE, *where])


def test_good_records_are_pushed(peer, folder: Path):
    done = push(folder, "exam", "good.json", "other.json", url=peer.url)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("网关接受：上传成功") == 2
    assert push(folder, "merged", "merged.json", url=peer.url).exit_code == 0
    assert peer.requests == 3


def test_findings_are_shown_and_nothing_is_sent(peer, folder: Path):
    done = push(folder, "exam", "bad.json", url=peer.url)
    assert done.exit_code == 1
    assert "本地检查拒收：数据校验未通过" in done.stdout
    for word in ("idCard", "bodyCode", "检查部位编码", "怎么改"):
        assert word in done.stdout
    assert peer.requests == 0
    assert push(folder, "exam", "good.json", "bad.json", "--check-only").exit_code == 1
    assert push(folder, "exam", "bad.json", "--no-check", url=peer.url).exit_code == 1
    assert peer.requests == 1


def test_for_programs(peer, folder: Path):
    done = push(folder, "exam", "good.json", "bad.json", "--json", url=peer.url)
    good, bad = json.loads(done.stdout)
    assert (good["accepted"], good["sent"], len(good["digest"])) == (True, True, 64)
    assert (bad["accepted"], bad["sent"]) == (False, False)
    assert {finding["field"] for finding in bad["findings"]} == {"idCard", "bodyCode"}
    csv = push(folder, "exam", "bad.json", "--check-only", "--csv").stdout
    assert csv.splitlines()[0] == "文件,级别,字段,名称,问题,怎么改"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exam", "none.json", "--check-only"], "无法读取"),
        (["exam", "gbk.json", "--check-only"], "GBK"),
        (["exam", "list.json", "--check-only"], "JSON 对象"),
        (["exam", "good.json"], "--check-only"),
        (["exam", "good.json", "--check-only", "--no-check"], "只能选一个"),
    ],
)
def test_wrong_use(folder: Path, words: list[str], said: str):
    done = push(folder, *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_nobody_there_and_others(peer, folder: Path):
    peer.fixed = (404, {}, b"<html>")
    done = push(folder, "exam", "good.json", url=peer.url)
    assert done.exit_code == 3
    assert "请核对地址" in done.stderr
    assert "已处理 0 个文件，共 1 个" in done.stderr
    (folder / "sm4.key").write_text("00")
    assert push(folder, "exam", "good.json", url=peer.url).exit_code == 2
