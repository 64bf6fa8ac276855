"""The simulated day: deterministic, lifelike, and with one of every mistake (五(一), 五(二))."""

from datetime import date

import pytest

from yingqiao.exchange.timeline import ExamState
from yingqiao.exchange.values import is_credit_code, is_id_number
from yingqiao.hospital.simulate.catalogue import ITEMS, mutual_name
from yingqiao.hospital.simulate.day import make_day
from yingqiao.hospital.simulate.images import SYNTAXES
from yingqiao.hospital.simulate.people import AREA, check_digit, credit_code
from yingqiao.hospital.simulate.plan import FLAW_NAMES, Flaw, Kind
from yingqiao.spec import load_edition

CODE = credit_code("12149900000000001")
DAY = date(2026, 1, 5)


@pytest.fixture(scope="module")
def day():
    return make_day(CODE, exams=40, seed=1, day=DAY)


def test_the_same_seed_gives_the_same_day(day):
    assert make_day(CODE, exams=40, seed=1, day=DAY) == day
    assert make_day(CODE, exams=40, seed=2, day=DAY) != day


def test_every_flaw_occurs_once_and_has_a_name(day):
    flaws = [case.flaw for case in day.cases]
    assert all(flaws.count(flaw) == 1 for flaw in Flaw if flaw is not Flaw.NONE)
    assert set(FLAW_NAMES) == set(Flaw)
    assert len(make_day(CODE, exams=3, day=DAY).cases) == 3


def test_states_are_those_of_the_gateway(day):
    assert {case.state for case in day.cases} - {""} <= set(ExamState)


def test_people_are_fictitious_and_valid(day):
    """T34: check digits are right; the area is nobody's."""
    for case in day.cases:
        for step in case.steps:
            if step.kind is Kind.EXAM and "idCard" in step.record:
                number = step.record["idCard"]
                assert is_id_number(number)
                assert number.startswith(AREA)
                assert int(number[16]) % 2 == (step.record["sex"] == "1") or step.record["sex"] == "7"
    assert is_credit_code(CODE)
    assert check_digit("11010519491231002") == "X"  # the example of GB 11643


def test_items_are_those_of_the_code_lists():
    edition = load_edition()
    techniques = edition.code_lists["technique_code"].codes
    for item in ITEMS:
        assert item.body_code in techniques or item.modality in ("US", "NM")
        assert bool(mutual_name(item, edition)) == bool(item.mutual_code)


def test_the_day_is_varied(day):
    images = [image for step in day.steps for image in step.images]
    assert {image.visit.item.modality for image in images} == {item.modality for item in ITEMS}
    assert {image.transfer_syntax for image in images} == set(SYNTAXES)
    assert {image.charset.declared for image in images} == {"GB18030", "ISO_IR 192", "ISO_IR 100", ""}
    assert any(len({image.series_uid for image in step.images}) > 1 for step in day.steps)
    assert {step.kind for step in day.steps} == set(Kind)


def test_what_should_come_late_comes_late(day):
    cases = {case.flaw: case.steps for case in day.cases}
    assert [step.kind for step in cases[Flaw.REPORT_FIRST]] == [Kind.IMAGES, Kind.REPORT, Kind.EXAM]
    first, second = (s.record["lastChangeTime"] for s in cases[Flaw.STALE] if s.kind is Kind.EXAM)
    assert second < first
    assert [s.record["disableFlag"] for s in cases[Flaw.DELETED]] == [0, 0, 1]
    assert [s.accepted for s in cases[Flaw.WRONG_KEY] if s.kind is Kind.EXAM] == [False, True]


def test_the_totals_expected_are_those_of_the_cases(day):
    expected = day.expected()
    assert sum(expected.submissions.values()) == sum(step.kind is not Kind.IMAGES for step in day.steps)
    assert expected.submissions["refused"] == 4
    assert sum(expected.exams.values()) == 38  # without the two orphans
    assert expected.studies - expected.linked_studies == 1
    duplicates = [case for case in day.cases if case.flaw in (Flaw.DUPLICATE, Flaw.SAME_UID)]
    sent = sum(len(step.images) for step in day.steps)
    assert expected.instances == sent - len(duplicates)
