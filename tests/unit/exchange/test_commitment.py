"""What is committed and what is not (PS3.4 J.3.3, PS3.3 C.14), and what a request says of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from yingqiao.exchange.commitment import Asked, FailureReason, Known, Reference, expectations, judge

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def kept(
    sop_class: str = CT, series: str = "s1", study: str = "1.2.3", readable: bool = True, shown: bool = True
) -> Known:
    return Known(sop_class, series, study, readable, shown)


def asked(*uids: str) -> Asked:
    return Asked("1.9", "CT1", "YINGQIAO", "10.0.0.9", 1000, tuple(Reference(CT, uid) for uid in uids))


def reasons(known: dict[str, Sequence[Known]], *uids: str) -> list[FailureReason]:
    return [one.reason for one in judge(asked(*uids).references, known).failed]


def test_kept_and_indexed_is_committed() -> None:
    verdict = judge(asked("1", "2").references, {"1": [kept()], "2": [kept()]})
    assert (len(verdict.committed), verdict.failed, verdict.event_type) == (2, (), 1)


def test_missing_is_0112() -> None:
    verdict = judge(asked("1", "2").references, {"1": [kept()]})
    assert [(one.reference.sop_instance_uid, one.reason) for one in verdict.failed] == [("2", 0x0112)]
    assert verdict.event_type == 2


def test_another_class_is_0119() -> None:
    assert reasons({"1": [kept(MR)]}, "1") == [0x0119]


def test_a_landing_file_that_is_gone_is_0110() -> None:
    assert reasons({"1": [kept(readable=False)]}, "1") == [0x0110]


def test_any_content_of_the_class_will_do() -> None:
    """Two contents under one UID are both kept: the requester's is one of them."""
    assert reasons({"1": [kept(MR), kept(shown=False)]}, "1") == []


def test_a_request_tells_the_numbers_of_its_series() -> None:
    known = {"1": [kept()], "2": [kept(series="s2")], "3": [kept()]}
    told = expectations(asked("1", "2", "3"), "H1", known, {"1.2.3": {"s1": 2, "s2": 1}})
    assert [(e.series_uid, e.expected, e.origin, e.hospital_code) for e in told] == [
        ("s1", 2, "CT1", "H1"),
        ("s2", 1, "CT1", "H1"),
    ]


def test_missing_ones_make_the_study_s_total() -> None:
    told = expectations(asked("1", "2", "3"), "", {"1": [kept()], "2": [kept()]}, {"1.2.3": {"s1": 2}})
    assert [(e.series_uid, e.expected) for e in told] == [("s1", 2), ("", 3)]


def test_a_request_for_a_part_says_nothing() -> None:
    assert expectations(asked("1"), "", {"1": [kept()]}, {"1.2.3": {"s1": 120}}) == []


def test_missing_ones_of_several_studies_belong_to_none() -> None:
    known = {"1": [kept()], "2": [kept(study="9.9")]}
    told = expectations(asked("1", "2", "3"), "", known, {"1.2.3": {"s1": 1}, "9.9": {"s1": 1}})
    assert [(e.study_uid, e.series_uid, e.expected) for e in told] == [("1.2.3", "s1", 1), ("9.9", "s1", 1)]


def test_nothing_known_tells_nothing() -> None:
    assert expectations(asked("1", "2"), "", {}, {}) == []
