"""The demonstration's own decisions: what it may delete, and when numbers agree."""

from datetime import date

import pytest
from click.testing import CliRunner
from rich.console import Console

from yingqiao.cli import hospital, hospital_simulate, hospital_tables
from yingqiao.hospital import demo
from yingqiao.hospital.simulate.day import make_day
from yingqiao.hospital.simulate.plan import Kind
from yingqiao.hospital.simulate.push import Sent


@pytest.fixture(scope="module")
def day():
    return make_day(hospital_simulate.DEMO_CODE, exams=30, day=date(2026, 1, 5))


def _account(day, **changes):
    """What a gateway without mistakes would show."""
    expected = day.expected()
    outcomes = [o for o, count in expected.submissions.items() for _ in range(count)]
    states = [s for s, count in expected.exams.items() for _ in range(count)]
    studies = [{"orphan": n >= expected.linked_studies, "instanceCount": 0} for n in range(expected.studies)]
    studies[0]["instanceCount"] = expected.instances
    reports = [{"parked": n < expected.parked_reports} for n in range(expected.reports)]
    parts = {
        "submissions": [{"outcome": outcome, "interface": "exam-sync"} for outcome in outcomes],
        "exams": [{"state": state} for state in states],
        "studies": studies,
        "reports": reports,
    }
    return demo.Account(**(parts | changes))


def test_a_faithful_gateway_agrees_in_every_number(day):
    assert all(one.agrees for one in demo.compare(day.expected(), _account(day)))


@pytest.mark.parametrize("lost", ["submissions", "exams", "studies", "reports"])
def test_anything_lost_shows(day, lost):
    faithful = _account(day)
    account = _account(day, **{lost: getattr(faithful, lost)[1:]})
    compared = demo.compare(day.expected(), account)
    assert not all(one.agrees for one in compared)
    console = Console(record=True, width=100)
    assert not hospital_tables.print_comparison(console, compared)
    assert "不一致" in console.export_text()


def test_a_push_decided_otherwise_is_shown(day):
    step = next(step for step in day.steps if step.kind is Kind.EXAM)
    console = Console(record=True, width=100)
    assert hospital_tables.print_unplanned(console, [Sent(step, accepted=step.accepted, message="")])
    assert not hospital_tables.print_unplanned(
        console, [Sent(step, accepted=not step.accepted, message="怪")]
    )
    assert "怪" in console.export_text()


def test_only_the_demonstrations_own_folders_are_replaced(tmp_path):
    data = tmp_path / "demo"
    demo.fresh_folder(data)
    (data / "kept").touch()
    demo.fresh_folder(data)
    assert not (data / "kept").exists()
    assert (tmp_path / "demo.previous" / "kept").exists()
    demo.fresh_folder(data)
    assert not (tmp_path / "demo.previous" / "kept").exists()


def test_other_folders_are_never_touched(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "yingqiao.sqlite").write_text("precious")
    with pytest.raises(demo.DemoError, match="不是演示数据目录"):
        demo.fresh_folder(data)
    assert (data / "yingqiao.sqlite").read_text() == "precious"
    other = tmp_path / "demo"
    demo.fresh_folder(other)
    (tmp_path / "demo.previous").mkdir()
    with pytest.raises(demo.DemoError, match="previous"):
        demo.fresh_folder(other)
    assert other.exists()


def test_a_gateway_that_is_not_there_ends_the_simulation_with_3():
    words = ["simulate", "--gateway", "http://127.0.0.1:9", "--dicom", "YQ@127.0.0.1:9", "--exams", "1"]
    done = CliRunner().invoke(
        hospital.command,
        [*words, "--code", hospital_simulate.DEMO_CODE, "--sm4-key", hospital_simulate.DEMO_KEY],
    )
    assert done.exit_code == 3
    assert "无法与网关通信" in done.stderr


def test_wrong_use_ends_with_2():
    done = CliRunner().invoke(hospital.command, ["simulate", "--gateway", "x", "--dicom", "nowhere"])
    assert done.exit_code == 2
