"""The tutorial and the backup, done as their pages say; only ports and folders are others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.senders import exam, report
from tests.docs.pages import ROOT, page
from tests.helpers.days import wait_for_a_day_that_lasts
from tests.helpers.ports import free_port
from tests.peers.gateway import GatewayMaker

FIRST_EXAM = page("docs/tutorials/first-exam.md")
CONNECT = page("docs/tutorials/connect-a-hospital.md")
OPERATE = page("docs/howto/operate.md")


def run(script: str, folder: Path, **environ: str) -> str:
    """What a person who types the lines into a shell sees."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("YINGQIAO_")} | environ
    done = subprocess.run(
        ["bash", "-c", f"set -meo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the repository after `make setup`."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def test_the_tutorial_does_what_it_says(checkout: Path):
    http, dicom = str(free_port()), str(free_port())

    def placed(text: str) -> str:
        return text.replace("8080", http).replace("11112", dicom)

    (checkout / "tutorial-data").mkdir()
    shell = []
    for block in FIRST_EXAM.blocks:
        if block.language == "bash":
            shell.append(placed(block.text))
        else:
            name = {"python": "push.py", "json": "more.json"}[block.language]
            assert f"`tutorial-data/{name}`" in FIRST_EXAM.text
            (checkout / "tutorial-data" / name).write_text(placed(block.text), "utf-8")
    assert shell[0].startswith("make setup\n")
    shown = run("".join(shell).removeprefix("make setup\n").replace("\nwait\n", "\nwait || true\n"), checkout)
    assert "数据校验未通过" in shown
    assert "refuse bodyCode 检查部位编码" in shown
    assert "拒收" in shown
    assert "上传成功" in shown
    assert "待影像" in shown
    assert "收到检查数据" in shown


def test_connecting_a_hospital_does_what_it_says(checkout: Path):
    wait_for_a_day_that_lasts()
    http, dicom = str(free_port()), str(free_port())
    (checkout / "tutorial-data").mkdir()
    shell = "".join(block.text for block in CONNECT.blocks)
    assert {block.language for block in CONNECT.blocks} == {"bash"}
    assert shell.startswith("make setup\n")
    shell = shell.removeprefix("make setup\n").replace("\nwait\n", "\nwait || true\n")
    shown = run(shell.replace("8080", http).replace("11112", dicom), checkout)
    assert "setInfoList" in shown
    assert "不通过" not in shown
    assert "医院清单" in shown
    assert " 平" in shown
    assert "不平" not in shown


def test_a_backup_made_as_the_page_says_can_be_restored(make_gateway: GatewayMaker, checkout: Path):
    """While the gateway runs and receives; every record and document of before is there afterwards."""
    gateway = make_gateway()
    for number in range(5):
        assert gateway.push("/exam-sync", exam(f"B{number}"))["code"] == 1
        assert gateway.push("/report/sync", report(f"BR{number}", f"B{number}"))["code"] == 1
    before = gateway.json("reports", "list")
    (backup, restore) = (
        next(b.text for b in blocks_of(heading) if b.language == "bash") for heading in ("备份", "恢复")
    )
    places = {"/var/lib/yingqiao": str(gateway.data), "/backup/yingqiao": str(checkout / "backup")}
    run(in_places(backup, places), checkout)
    places["/var/lib/yingqiao"] = str(checkout / "restored")
    run(in_places(restore, places), checkout)
    gateway.stop()
    gateway.data = checkout / "restored"
    gateway.start()
    after = gateway.json("reports", "list")
    assert [row["recordNum"] for row in after] == [row["recordNum"] for row in before]
    assert [row["pdfObject"] for row in after] == [row["pdfObject"] for row in before]
    pdf = gateway.cli("reports", "show", before[0]["hospitalCode"], "BR0", "--pdf", str(checkout / "a.pdf"))
    assert pdf.returncode == 0
    assert (checkout / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert gateway.push("/exam-sync", exam("B9"))["code"] == 1


def blocks_of(heading: str):
    text = OPERATE.section(heading)
    return [block for block in OPERATE.blocks if block.text in text]


def in_places(script: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        script = script.replace(there, here)
    assert "systemctl" not in script
    return script
