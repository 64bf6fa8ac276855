"""A record as the spool keeps it: its digest, its compressed body, and what it is found by. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from yingqiao.exchange.values import canonical_datetime, split_list
from yingqiao.store.compression import compress, decompress

EXAM, REPORT, IMAGES = "exam", "report", "images"
_TIMES = {
    EXAM: ("checkFinishTime", "registerTime", "applyTime", "lastChangeTime"),
    REPORT: ("lastAuditTime", "confirmDate", "reportDate", "lastChangeTime"),
    IMAGES: ("STUDYDATE",),
}
"""The first that is there is what a query's window is compared with (T103)."""
_FOUND_BY = {
    EXAM: {
        "apply_id": "labNum",
        "patient_id": "patientId",
        "study_uid": "studyUid",
        "accession": "accessionNumber",
        "modality": "modality",
    },
    REPORT: {
        "apply_id": "labNum",
        "patient_id": "xno",
        "study_uid": "",
        "accession": "",
        "modality": "modality",
    },
    IMAGES: {
        "apply_id": "",
        "patient_id": "PATIENT_ID",
        "study_uid": "STUDYIUID",
        "accession": "ACCESS_NO",
        "modality": "MODALITY",
    },
}


class Lane(IntEnum):
    """The lowest goes first."""

    LIVE = 0
    BACKFILL = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be kept."""

    kind: str
    key: str
    digest: bytes
    plain: bytes
    """Canonical JSON of the values."""
    row: Mapping[str, Any]
    """The columns it is found by."""
    exams: Sequence[str]
    """Of a report: the exams it is about."""

    def body(self) -> bytes:
        """As it is kept, compressed: only of what is new."""
        return compress(self.plain)


def entry(kind: str, key: str, values: Mapping[str, Any]) -> Entry:
    """`values` are the members of the record, under the standard's names."""
    plain = orjson.dumps(values, option=orjson.OPT_SORT_KEYS, default=str)
    at = next((t for n in _TIMES[kind] if (t := canonical_datetime(_text(values.get(n))))), "")
    row: dict[str, Any] = {column: _text(values.get(name)) for column, name in _FOUND_BY[kind].items()}
    finished = canonical_datetime(_text(values.get("checkFinishTime"))) if kind == EXAM else ""
    row |= {"at": at, "day": finished[:10], "deleted": _text(values.get("disableFlag")) == "1"}
    exams = split_list(_text(values.get("risStudyId")), ",，") if kind == REPORT else ()
    return Entry(kind, key, hashlib.sha256(plain).digest(), plain, row, exams)


def values_of(body: bytes) -> dict[str, Any]:
    """The record in a kept body. Raises StoredBodyBroken."""
    values: dict[str, Any] = orjson.loads(decompress(body))
    return values


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
