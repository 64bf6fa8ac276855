"""The chain of closed days, receipts, and comparing records: pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.senders import exam
from yingqiao.exchange.balance import Balance, Entry, EntryKind, Side, changes_since, faults, link
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.query import Kind, compare_records, compare_series, differing_fields
from yingqiao.exchange.receipt import LEAF, Receipt, ReceiptKind, leaf_of, pack
from yingqiao.exchange.statement import Counts
from yingqiao.exchange.validate import compile_validator
from yingqiao.spec import load_edition

EDITION = load_edition("shanxi/v2_1")
EXAM = EDITION.tables["exam"]
VALIDATE = compile_validator(EDITION, "exam", Profile())


def balance(day: str = "2026-01-02", exams: int = 1, missing: tuple[str, ...] = ()) -> Balance:
    side = Side({"2": Counts(exams, 0, 0)}, Counts(exams, 0, 0), "ledger")
    return Balance("H1", day, side, side, None, missing, (), 0, ())


def receipt(number: int, **more: Any) -> Receipt:
    return Receipt(ReceiptKind.SUBMISSION, number, "H1", 5, "10.0.0.1", "aa", "bb", **more)


def chain(count: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(count):
        before = entries[-1] if entries else None
        entries.append(
            link(
                balance(f"2026-01-{number + 1:02d}"), pack([receipt(number)]), number, before, EntryKind.CLOSE
            )
        )
    return entries


def test_a_chain_as_made_has_no_faults() -> None:
    assert faults(chain(5)) == []
    assert faults([]) == []


@given(st.integers(0, 4), st.sampled_from(["content", "leaves", "previous", "digest"]), st.data())
def test_any_changed_byte_shows(place: int, member: str, data: st.DataObject) -> None:
    entries = chain(5)
    old: bytes = getattr(entries[place], member)
    at = data.draw(st.integers(0, len(old) - 1))
    changed = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    entries[place] = replace(entries[place], **{member: changed})
    assert faults(entries)


@given(st.permutations(range(5)), st.integers(1, 5))
def test_any_other_order_or_gap_shows(order: list[int], count: int) -> None:
    entries = chain(5)
    kept = order[:count]
    assert bool(faults([entries[i] for i in kept])) == (kept != list(range(count)))


def test_what_changed_since_is_named() -> None:
    entry = link(balance(missing=("X",)), b"", 1, None, EntryKind.CLOSE)
    said = orjson.loads(entry.content)
    assert changes_since(said, balance(missing=("X",)), b"") == []
    found = changes_since(said, balance(exams=2), pack([receipt(1)]))
    assert [text.partition("：")[0] for text in found] == ["医院清单", "平台台账", "缺少的检查", "当日凭证"]


def test_a_leaf_is_found_again_and_depends_on_everything() -> None:
    receipts = [receipt(number, edition="e") for number in range(20)]
    leaves = pack(receipts)
    assert len(leaves) == 20 * LEAF
    assert leaf_of(leaves, ReceiptKind.SUBMISSION, 7) == receipts[7].leaf()
    assert leaf_of(leaves, ReceiptKind.INSTANCE, 7) is None
    assert receipt(1).leaf() != receipt(1, edition="f").leaf() != receipt(1, documents=("x",)).leaf()


def compared(theirs: dict[str, Any], ours: dict[str, Any] | None) -> Any:
    kinds = (Kind.EXAM_MISSING, Kind.EXAM_CHANGED)
    return next(iter(compare_records(EXAM, "risStudyId", kinds, VALIDATE, [(theirs, ours)])))


@given(st.sets(st.sampled_from(sorted(exam("E1").keys() - {"risStudyId", "lastChangeTime"}))))
def test_what_the_answer_leaves_empty_is_not_compared(names: set[str]) -> None:
    """A query service need not give every member."""
    theirs = exam("E1", lastChangeTime="2026-11-20 12:00:00") | dict.fromkeys(names, "")
    assert compared(theirs, exam("E1")) is None


def test_spelling_is_no_difference() -> None:
    """T16, T55, T63: numbers as texts, dates in another form, names in another case."""
    theirs = exam("E1", patientFrom="1", checkFinishTime="2026/11/20 10:00")
    theirs["PATNAME"] = theirs.pop("patName")
    assert compared(theirs, exam("E1")) is None


def test_a_difference_is_in_chinese() -> None:
    theirs = exam("E1", patName="李四", lastChangeTime="2026-11-20 12:00:00")
    found = compared(theirs, exam("E1"))
    assert found.kind is Kind.EXAM_CHANGED
    assert "姓名（patName）：网关“张三丰”，医院“李四”" in found.words
    assert compared(theirs, None).kind is Kind.EXAM_MISSING
    assert compared({"patName": "x"}, None) is None


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))
)
def test_any_record_is_compared(theirs: dict[str, Any]) -> None:
    compared(theirs | {"risStudyId": "E1"}, exam("E1"))
    assert differing_fields(EXAM, VALIDATE(dict(theirs)), VALIDATE(dict(theirs))) == ()
    compare_series(theirs, 3)


def test_series_by_their_files() -> None:
    """/series/get: as many as FILEPATH has; without it only absence counts."""
    one = {"SERIESIUID": "1.2", "STUDYIUID": "1", "FILEPATH": ["a", "b", "b"]}
    assert compare_series(one, 2) is None
    short = compare_series(one, 1)
    assert short is not None
    assert (short.kind, short.key, short.study_uid) == (Kind.SERIES_SHORT, "1.2", "1")
    missing = compare_series({"seriesInstanceUID": "1.2"}, None)
    assert missing is not None
    assert missing.kind is Kind.SERIES_MISSING
    assert compare_series({}, None) is None
