"""What became of the signatures that reports carry: due when the linker saw an audited, signed version, then done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, String, and_, exists, insert, literal, select, true, update

from yingqiao.exchange.timeline import SignatureFacts
from yingqiao.signing.verification.report import Report
from yingqiao.store.schema import report_signatures, reports
from yingqiao.store.text import storable

DUE, DONE, OFF = "due", "done", "off"
_CHUNK = 500
_c = report_signatures.c


@dataclass(frozen=True, slots=True)
class DueSignature:
    """A report version to be judged."""

    submission_id: int
    hospital_code: str
    record_num: str


def mark_due(connection: Connection, report_ids: Sequence[int]) -> None:
    """These reports are audited: the signature of the version shown is due, unless it was judged before."""
    empty = [literal("", String).label(name) for name in ("indication", "step", "reason", "words")]
    names = ["submission_id", "hospital_code", "record_num", "state", "indication", "step", "reason", "words"]
    for start in range(0, len(report_ids), _CHUNK):
        chosen = reports.c.id.in_(report_ids[start : start + _CHUNK])
        known = exists().where(_c.submission_id == reports.c.submission_id)
        wanted = select(
            reports.c.submission_id,
            reports.c.hospital_code,
            reports.c.record_num,
            literal(DUE, String).label("state"),
            *empty,
        ).where(and_(chosen, reports.c.signed == true(), ~known))
        connection.execute(insert(report_signatures).from_select(names, wanted))


def due_signatures(connection: Connection, limit: int) -> list[DueSignature]:
    """Those to be judged, oldest first."""
    wanted = select(_c.submission_id, _c.hospital_code, _c.record_num).where(_c.state == DUE)
    rows = connection.execute(wanted.order_by(_c.submission_id).limit(limit)).all()
    return [DueSignature(*row) for row in rows]


def keep_verdict(connection: Connection, submission_id: int, report: Report | None) -> None:
    """The verdict; None when the hospital's profile asks for none."""
    values: dict[str, Any] = {"state": OFF, "verified_at": time.time_ns() // 10**6}
    if report is not None:
        deciding, shown = report.deciding, report.shown()
        values |= {
            "state": DONE,
            "indication": str(report.indication),
            "step": deciding.name,
            "reason": deciding.reason,
            "words": storable(report.words),
            "details": storable(orjson.dumps(shown["details"]).decode()),
        }
    connection.execute(update(report_signatures).where(_c.submission_id == submission_id).values(values))


def signatures_of(connection: Connection, hospital_code: str, record_num: str) -> list[Row[Any]]:
    """Verdicts on a report's versions, newest version first."""
    mine = (_c.hospital_code == hospital_code) & (_c.record_num == record_num)
    return list(connection.execute(select(report_signatures).where(mine).order_by(_c.submission_id.desc())))


def signature_facts(connection: Connection, hospital_code: str, record_num: str) -> list[SignatureFacts]:
    """The same for an exam's timeline: what was judged."""
    return [
        SignatureFacts(row.verified_at, record_num, row.submission_id, row.indication, row.words)
        for row in signatures_of(connection, hospital_code, record_num)
        if row.indication and row.verified_at is not None
    ]
