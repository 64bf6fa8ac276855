"""`yingqiao exams|reports|studies`: tables for people, JSON and CSV for programs, exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.integration.store.link_world import HOSPITAL, World
from yingqiao.app.stores import open_stores
from yingqiao.cli import exams, reports, studies, submissions
from yingqiao.settings import Settings
from yingqiao.store.linkage import link_all

PDF = b"%PDF-1.4 test"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A data folder with one complete exam, one without images, an orphan study and a parked report."""
    folder = str(tmp_path / "data")
    with open_stores(Settings(data=folder), create=True) as opened:
        world = World(opened.database)
        world.exam()
        world.report(pdf_object=opened.objects.put(PDF))
        world.images(2)
        world.exam(ris_study_id="RIS2", study_uids=(), accession_numbers=("A2",), patient_name="李四")
        world.images(1, study_uid="7.7", accession_number="A7")
        world.report(record_num="R9", ris_study_ids=("NONE",))
        link_all(opened.database)
    return folder


def run(command: object, data: str, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--data", data])  # type: ignore[arg-type]


def test_exams_list(data: str) -> None:
    shown = run(exams.command, data, "list")
    assert shown.exit_code == 0, shown.output
    assert "李四" in shown.output
    assert "影像、报告" in shown.output
    assert "齐全" in shown.output
    found = json.loads(run(exams.command, data, "list", "--json", "--state", "complete").output)
    assert [exam["risStudyId"] for exam in found] == ["RIS1"]
    page = json.loads(run(exams.command, data, "list", "--json", "--limit", "1", "--offset", "1").output)
    assert [exam["risStudyId"] for exam in page] == ["RIS1"]
    rows = list(csv.DictReader(io.StringIO(run(exams.command, data, "list", "--csv").output)))
    assert [row["检查唯一标识"] for row in rows] == ["RIS2", "RIS1"]


def test_wrong_use_is_exit_code_2(data: str) -> None:
    wrong = run(exams.command, data, "list", "--state", "nonsense")
    assert wrong.exit_code == 2
    assert "state" in wrong.output
    assert run(exams.command, data, "list", "--colour", "red").exit_code == 2
    assert run(exams.command, data, "list", "--json", "--csv").exit_code == 2


def test_exams_show_tells_the_story(data: str) -> None:
    shown = run(exams.command, data, "show", HOSPITAL, "RIS1")
    assert shown.exit_code == 0, shown.output
    for text in ("收到检查数据", "收到报告数据 R1", "关联影像 1.2.3", "已到 2 幅", "审核完成"):
        assert text in shown.output
    told = json.loads(run(exams.command, data, "show", HOSPITAL, "RIS1", "--json").output)
    assert told["exam"]["state"] == "complete"
    missing = run(exams.command, data, "show", HOSPITAL, "RIS2")
    assert "尚缺：影像、报告" in missing.output
    assert run(exams.command, data, "show", HOSPITAL, "NONE").exit_code == 1


def test_reports(data: str, tmp_path: Path) -> None:
    """T75: parked reports are a work list; T74: the PDF comes out as it came in."""
    parked = json.loads(run(reports.command, data, "list", "--parked", "true", "--json").output)
    assert [report["recordNum"] for report in parked] == ["R9"]
    assert run(reports.command, data, "list").exit_code == 0
    file = tmp_path / "out.pdf"
    shown = run(reports.command, data, "show", HOSPITAL, "R1", "--pdf", str(file))
    assert shown.exit_code == 0, shown.output
    assert file.read_bytes() == PDF
    assert run(reports.command, data, "show", HOSPITAL, "R9", "--pdf", str(file)).exit_code == 1
    assert run(reports.command, data, "show", HOSPITAL, "none").exit_code == 1


def test_studies(data: str) -> None:
    orphans = json.loads(run(studies.command, data, "list", "--orphan", "true", "--json").output)
    assert [study["studyUid"] for study in orphans] == ["7.7"]
    shown = run(studies.command, data, "show", "1.2.3", "--instances")
    assert shown.exit_code == 0, shown.output
    assert "RIS1" in shown.output
    assert "1.2.3.1.1" in shown.output
    assert (
        json.loads(run(studies.command, data, "show", "1.2.3", "--json").output)["exams"][0]["rule"]
        == "study-uid"
    )
    assert run(studies.command, data, "show", "none").exit_code == 1


def test_values_carry_the_names_of_the_standard(data: str) -> None:
    assert run(exams.command, data, "show", HOSPITAL, "RIS1", "--values").exit_code == 0


def test_submissions_are_exported_whole_and_pages_do_not_move(data: str, monkeypatch: pytest.MonkeyPatch):
    """CSV without a limit is everything, page by page, even beyond what a list shows at most."""
    monkeypatch.setattr(submissions, "_STEP", 2)
    with open_stores(Settings(data=data)) as opened:
        world = World(opened.database)
        for number in range(7):
            world.exam(ris_study_id=f"X{number}")
    rows = list(csv.reader(io.StringIO(run(submissions.command, data, "list", "--csv").output)))
    numbers = [int(row[0]) for row in rows[1:]]
    assert len(numbers) >= 7
    assert numbers == sorted(set(numbers), reverse=True)
    some = run(submissions.command, data, "list", "--csv", "--limit", "3", "--offset", "1").output
    assert [int(row[0]) for row in list(csv.reader(io.StringIO(some)))[1:]] == numbers[1:4]
    rest = run(submissions.command, data, "list", "--csv", "--offset", "2").output
    assert [int(row[0]) for row in list(csv.reader(io.StringIO(rest)))[1:]] == numbers[2:]
    assert run(submissions.command, data, "list", "--limit", "10000").exit_code == 0
    assert run(submissions.command, data, "list", "--limit", "10001").exit_code == 2
