"""Statements read, opened, compared (四(二)5, T150–T159)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.model import BodyKind, Outcome
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import HospitalEntry, Kept
from yingqiao.exchange.reconcile import (
    MAX_KEYS,
    StatementReceiver,
    answer,
    compare,
    oddities,
    read_missing,
    unlisted,
    words,
)
from yingqiao.exchange.statement import (
    CLASSES,
    Counts,
    StatementError,
    class_of,
    day_of,
    read_statement,
)
from yingqiao.gm import sm4
from yingqiao.spec import load_edition

EDITION = load_edition("shanxi/v2_1")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def entry(code: str, *keys: str, disabled: bool = False) -> HospitalEntry:
    return HospitalEntry(code, code, disabled, tuple(bytes.fromhex(key) for key in keys), Profile())


class Directory:
    def __init__(self, *entries: HospitalEntry) -> None:
        self._entries = {one.code: one for one in entries}

    def get(self, code: str) -> HospitalEntry | None:
        return self._entries.get(code)

    def entries(self) -> tuple[HospitalEntry, ...]:
        return tuple(self._entries.values())


def receiver(*entries: HospitalEntry, keep_unknown: bool = True) -> StatementReceiver:
    return StatementReceiver(EDITION.id, EDITION.messages, Directory(*entries), keep_unknown=keep_unknown)


A, B = "a" * 32, "b" * 32


def body(said: Any, key: str = A, **outside: str) -> bytes:
    cipher = sm4.encrypt_ecb(bytes.fromhex(key), json.dumps(said).encode())
    return json.dumps({"content": base64.b64encode(cipher).decode(), **outside}).encode()


def stated(code: str = "H1", *ids: str) -> dict[str, Any]:
    info = [{"imgExamType": "CT", "pushExamNum": len(ids), "study_uids": list(ids)}]
    return {"hospitalCode": code, "date": "2026-01-02", "examInfo": info}


def test_the_samples_statement_is_read() -> None:
    """The printed sample: counts, repeated ids (T155)."""
    folder = EDITION.folder
    assert folder is not None
    said = json.loads((folder / "examples/statisticalData_upload_request_plain.json").read_text("utf-8"))
    read = read_statement(said | {"date": "2026-01-02"})
    assert read.ids == ("E14476538", "E14476577", "C102239516")
    assert read.by_class() == {"2": Counts(5), "3": Counts(5)}
    assert any("重复" in text for text in oddities(read))


@pytest.mark.parametrize(
    ("imaging", "modality", "code"),
    [
        ("CT", "", "2"),
        ("2", "DX", "2"),
        ("DX", "", "1"),
        ("dr", "", "1"),
        ("", "MR\\SR", "3"),
        ("PT", "", "5"),
        ("", "", "9"),
        ("9", "US", "4"),
        ("OT", "", "9"),
    ],
)
def test_classes_of_imaging(imaging: str, modality: str, code: str) -> None:
    """T152: DICOM modalities and codes of dictionary 十二."""
    assert class_of(imaging, modality) == code


@pytest.mark.parametrize(
    "text", ["2026-01-02", "2026/01/02", "20260102", "20260102080000", "2026-01-02 08:00:00", " 2026.01.02"]
)
def test_days_as_hospitals_write_them(text: str) -> None:
    """T55."""
    assert day_of(text) == "2026-01-02"


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        {"date": "2026-01-02"},
        {"date": "2026-13-02", "examInfo": []},
        {"date": "2026-02-30", "examInfo": []},
        {"date": "２０２６-01-02", "examInfo": []},
        {"date": "2026-01-02", "examInfo": "x"},
        {"date": "2026-01-02", "examInfo": [1]},
        {"date": "2026-01-02", "examInfo": [{"study_uids": [{}]}]},
        {"date": "2026-01-02", "examInfo": [{"study_uids": ["x" * 201]}]},
        {"date": "2026-01-02", "examInfo": [{"pushExamNum": -1, "study_uids": []}]},
        {"date": "2026-01-02", "examInfo": [{"pushExamNum": "many", "study_uids": []}]},
    ],
)
def test_what_is_no_statement(said: Any) -> None:
    with pytest.raises(StatementError):
        read_statement(said)


@given(JSON)
def test_any_json_is_read_or_refused(said: Any) -> None:
    for value in (said, {"date": "2026-01-02", "examInfo": said}, {"date": said, "examInfo": [said]}):
        try:
            read = read_statement(value)
        except StatementError:
            continue
        assert len(read.ids) == len(set(read.ids))


@given(st.binary(max_size=400))
def test_any_bytes_are_answered(raw: bytes) -> None:
    taken = receiver(entry("H1", A)).take(raw, peer="p", received_at=1)
    assert taken.statement is None
    assert taken.message
    assert taken.stranger


@given(st.binary(min_size=16, max_size=64))
def test_any_cipher_is_answered(raw: bytes) -> None:
    sealed = json.dumps({"content": base64.b64encode(raw).decode()}).encode()
    assert receiver(entry("H1", A), entry("H2", B)).take(sealed, peer="p", received_at=1).message


def test_the_key_and_the_code_inside_find_the_hospital() -> None:
    """T150: by trial; old keys too; two hospitals with one key; no early end that would tell which came first."""
    hospitals = receiver(entry("H1", A), entry("H2", A), entry("H3", "c" * 32, B))
    for code, key in (("H1", A), ("H2", A), ("H3", B)):
        taken = hospitals.take(body(stated(code, "E1"), key), peer="p", received_at=1)
        assert taken.submission is not None
        assert (taken.submission.hospital_code, taken.submission.outcome) == (code, Outcome.ACCEPTED)
        assert taken.key == bytes.fromhex(key)


def test_a_code_of_another_hospital_is_refused() -> None:
    """T17: with the right key, and another hospital's name inside."""
    hospitals = receiver(entry("H1", A), entry("H2", B))
    taken = hospitals.take(body(stated("H2"), A, hospitalCode="H1"), peer="p", received_at=1)
    assert taken.statement is None
    assert "H2" in taken.message
    assert taken.submission is not None
    assert taken.submission.body_kind is BodyKind.RECORD
    assert not taken.stranger


def test_disabled_and_too_many() -> None:
    taken = receiver(entry("H1", A, disabled=True)).take(body(stated()), peer="p", received_at=1)
    assert "停用" in taken.message
    many = [entry(f"H{n}", f"{n:032x}") for n in range(MAX_KEYS + 1)]
    taken = receiver(*many).take(body(stated()), peer="p", received_at=1)
    assert "hospitalCode" in taken.message
    taken = receiver(*many).take(body(stated("H7"), f"{7:032x}"), peer="p", received_at=1, claimed="H7")
    assert taken.statement is not None


def test_what_strangers_send_is_kept_only_where_wanted() -> None:
    taken = receiver(entry("H1", A), keep_unknown=False).take(body({}, B), peer="p", received_at=1)
    assert taken.submission is None


def test_a_kept_one_is_decided_anew() -> None:
    """Replay: with the key that has come since; and a plain one as it was opened."""
    raw = body(stated("H1", "E1"))
    first = receiver().take(raw, peer="p", received_at=1)
    assert first.submission is not None
    kept = Kept(7, first.submission.interface, "", "p", 1, BodyKind.ENVELOPE, raw, b"")
    again = receiver(entry("H1", A)).retake(kept, 2)
    assert again.submission is not None
    assert (again.submission.replay_of, again.submission.outcome) == (7, Outcome.ACCEPTED)
    opened = replace(kept, body=again.submission.body, body_kind=BodyKind.RECORD, hospital_code="H1")
    assert receiver(entry("H1", A)).retake(opened, 3).statement == again.statement
    assert receiver().retake(opened, 3).statement is None


def test_sides_are_compared_by_class() -> None:
    read = read_statement(stated("H1", "E1", "E2"))
    lines = compare(read, {"2": Counts(2, 5, 1), "1": Counts(1, 0, 0)})
    assert [(line.name, line.agrees) for line in lines] == [("X线", False), ("CT", True)]
    assert "X线：医院 未报，平台 检查 1" in words(read, lines, 0)
    assert words(read, lines[1:], 0) == "SUCCESS"
    assert set(CLASSES) >= set(read.by_class())


NAMES = st.text(alphabet="abcé中", min_size=1, max_size=3)


@given(
    st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2), st.lists(NAMES, max_size=2)), max_size=30),
    st.frozensets(NAMES),
)
def test_unlisted_is_what_no_name_of_is_listed(
    ledger: list[tuple[str, list[str], list[str]]], listed: frozenset[str]
) -> None:
    """T154, against its own definition."""
    rows = [(key, f",{','.join(uids)},", ",".join(numbers)) for key, uids, numbers in ledger]
    wanted = [key for key, uids, numbers in ledger if listed.isdisjoint((key, *uids, *numbers))]
    assert list(unlisted(iter(rows), listed)) == wanted


@given(st.lists(st.text(min_size=1), max_size=20), st.booleans())
def test_missing_ids_come_through(ids: list[str], as_object: bool) -> None:
    """T157."""
    key = bytes.fromhex(A)
    said = json.loads(answer("0", "SUCCESS", ids, key, as_object=as_object))
    assert list(read_missing(said["data"], key)) == ids
