"""What a hospital's query services say against what the gateway has (四(二)3, T100–T105). Pure.

Both sides go through the same validator, so that only what differs in meaning is a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from yingqiao.exchange.documents import REFERENCE, NotPdfError, decode_pdf
from yingqiao.exchange.model import Validated
from yingqiao.exchange.values import fold_name, shorten, text_of
from yingqiao.spec import Table

SHOWN = 200
"""Characters of a value that are kept to be shown."""
_CHANGED = "lastChangeTime"
Validate = Callable[[dict[str, Any]], Validated]


class Kind(StrEnum):
    """What is different."""

    EXAM_MISSING = "exam-missing"
    EXAM_CHANGED = "exam-changed"
    REPORT_MISSING = "report-missing"
    REPORT_CHANGED = "report-changed"
    SERIES_MISSING = "series-missing"
    SERIES_SHORT = "series-short"


KIND_NAMES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.EXAM_MISSING: "缺检查",
        Kind.EXAM_CHANGED: "检查内容不一致",
        Kind.REPORT_MISSING: "缺报告",
        Kind.REPORT_CHANGED: "报告内容不一致",
        Kind.SERIES_MISSING: "缺影像序列",
        Kind.SERIES_SHORT: "影像序列不全",
    }
)


class State(StrEnum):
    """Where a difference stands."""

    OPEN = "open"
    MENDED = "mended"
    """The gateway has it now."""
    FAILED = "failed"
    """Mending was tried and refused."""
    ASKED = "asked"
    """Images are being pulled."""
    IGNORED = "ignored"


STATE_NAMES: Mapping[State, str] = MappingProxyType(
    {
        State.OPEN: "待处理",
        State.MENDED: "已补齐",
        State.FAILED: "补收未成",
        State.ASKED: "正在调取影像",
        State.IGNORED: "不处理",
    }
)


class FieldDifference(msgspec.Struct, frozen=True):
    """One member that differs."""

    name: str
    label: str
    """The standard's Chinese name."""
    ours: str
    theirs: str

    @property
    def words(self) -> str:
        return f"{self.label}（{self.name}）：网关“{self.ours}”，医院“{self.theirs}”"


class Difference(msgspec.Struct, frozen=True):
    """One thing the hospital has that the gateway has not, or has otherwise."""

    kind: Kind
    key: str
    """risStudyId, recordNum or series UID."""
    study_uid: str = ""
    fields: tuple[FieldDifference, ...] = ()
    record: Any = None
    """The hospital's record, as it came."""

    @property
    def words(self) -> str:
        return "；".join(field.words for field in self.fields) or KIND_NAMES[self.kind]


def differing_fields(table: Table, ours: Validated, theirs: Validated) -> tuple[FieldDifference, ...]:
    """The members the hospital gives that the gateway has otherwise.

    What its answer leaves out or leaves empty is not compared; nor is a record of which the gateway has a newer
    version by lastChangeTime. Embedded documents are compared by content.
    """
    mine, others = ours.values, theirs.values
    if _text(mine.get(_CHANGED)) > _text(others.get(_CHANGED)) > "":
        return ()
    found = [
        FieldDifference(field.name, field.label, _shown(mine.get(field.name)), _shown(others[field.name]))
        for field in table.fields
        if field.name in others
        and not _is_empty(others[field.name])
        and not _same(mine.get(field.name), others[field.name])
    ]
    return () if [field.name for field in found] == [_CHANGED] else tuple(found)


def compare_records(
    table: Table,
    key: str,
    kinds: tuple[Kind, Kind],
    validate: Validate,
    pairs: Iterable[tuple[dict[str, Any], dict[str, Any] | None]],
) -> Iterable[Difference | None]:
    """For each (theirs, ours or None): the difference, or None. `kinds`: missing, changed; `key`: the identifying member.

    A record without key is passed over as None: it cannot be told from others.
    """
    for theirs, ours in pairs:
        said = validate(theirs)
        name = _text(said.values.get(key))
        if not name:
            yield None
        elif ours is None:
            yield Difference(kinds[0], name, study_uid_of(theirs), record=theirs)
        else:
            fields = differing_fields(table, validate(ours), said)
            yield Difference(kinds[1], name, study_uid_of(theirs), fields, theirs) if fields else None


def compare_series(theirs: Mapping[str, Any], ours: int | None) -> Difference | None:
    """A series of /series/get against how many of its instances the gateway has; None = not the series at all.

    How many there should be is the number of its FILEPATH; without them only its absence is a difference.
    """
    said = {fold_name(name): value for name, value in theirs.items()}
    uid = _text(said.get("seriesiuid")) or _text(said.get("seriesinstanceuid"))
    if not uid:
        return None
    study = _text(said.get("studyiuid")) or _text(said.get("studyinstanceuid"))
    files = said.get("filepath")
    expected = len(set(map(str, files))) if isinstance(files, list) else 0
    counts = FieldDifference("FILEPATH", "影像数", str(ours or 0), str(expected) if expected else "未说明")
    if ours is None:
        return Difference(Kind.SERIES_MISSING, uid, study, (counts,), dict(theirs))
    if ours < expected:
        return Difference(Kind.SERIES_SHORT, uid, study, (counts,), dict(theirs))
    return None


def series_keys(theirs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The series UIDs named, '' where none is."""
    found = []
    for one in theirs:
        said = {fold_name(name): value for name, value in one.items()}
        found.append(_text(said.get("seriesiuid")) or _text(said.get("seriesinstanceuid")))
    return found


def key_of(record: Mapping[str, Any], name: str) -> str:
    """The identifying member of a record as it came, under whatever spelling (T63); '' when there is none."""
    if name in record:
        return _text(record[name])
    wanted = fold_name(name)
    return next((_text(value) for member, value in record.items() if fold_name(member) == wanted), "")


def study_uid_of(record: Mapping[str, Any]) -> str:
    return key_of(record, "studyUid")


def _same(mine: Any, theirs: Any) -> bool:
    if mine == theirs:
        return True
    if isinstance(mine, str) and mine.startswith(REFERENCE) and isinstance(theirs, str):
        return mine == theirs or mine.removeprefix(REFERENCE) == _digest(theirs)
    if isinstance(mine, list | dict) or isinstance(theirs, list | dict):
        return bool(mine == theirs)
    return _text(mine) == _text(theirs)


def _digest(document: str) -> str:
    try:
        return f"sha256:{hashlib.sha256(decode_pdf(document)).hexdigest()}"
    except NotPdfError:
        return ""


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _text(value: Any) -> str:
    return text_of(value) or ""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return shorten(f"{len(value)} 项：" + "，".join(map(str, value)), SHOWN)
    text = text_of(value) if not isinstance(value, dict) else str(value)
    return shorten(text or "", SHOWN) if text else ""


def names_of(kinds: Sequence[str]) -> str:
    """Kinds in Chinese."""
    return "、".join(KIND_NAMES[Kind(kind)] for kind in kinds)
