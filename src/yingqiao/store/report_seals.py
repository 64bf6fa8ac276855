"""What became of the seals on reports' PDFs: due when the linker saw an audited version with one, then done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Integer, Row, String, and_, exists, insert, literal, select, update

from yingqiao.exchange.report_seals import SealsJudged
from yingqiao.exchange.timeline import SealFacts
from yingqiao.store.schema import report_seals, reports
from yingqiao.store.text import storable

DUE, DONE, OFF = "due", "done", "off"
_CHUNK = 500
_c = report_seals.c


@dataclass(frozen=True, slots=True)
class DueSeals:
    """A report version whose PDF, the object, is to be judged."""

    submission_id: int
    hospital_code: str
    record_num: str
    object: str


def mark_due(connection: Connection, report_ids: Sequence[int]) -> None:
    """These reports are audited: the PDF of the version shown is due, unless it was judged before."""
    names = [*DueSeals.__dataclass_fields__, "state", "count", "indication", "code", "words"]
    for start in range(0, len(report_ids), _CHUNK):
        chosen = reports.c.id.in_(report_ids[start : start + _CHUNK])
        known = exists().where(_c.submission_id == reports.c.submission_id)
        wanted = select(
            reports.c.submission_id,
            reports.c.hospital_code,
            reports.c.record_num,
            reports.c.pdf_object,
            literal(DUE, String).label("state"),
            literal(0, Integer).label("count"),
            literal("", String).label("indication"),
            literal(0, Integer).label("code"),
            literal("", String).label("words"),
        ).where(and_(chosen, reports.c.pdf_object != "", ~known))
        connection.execute(insert(report_seals).from_select(names, wanted))


def due_seals(connection: Connection, limit: int) -> list[DueSeals]:
    """Those to be judged, oldest first."""
    wanted = select(*(_c[name] for name in DueSeals.__dataclass_fields__)).where(_c.state == DUE)
    return [
        DueSeals(*row) for row in connection.execute(wanted.order_by(_c.submission_id).limit(limit)).all()
    ]


def keep_seals(connection: Connection, submission_id: int, judged: SealsJudged | None) -> None:
    """The verdict; None when the hospital's profile asks for none. Where our registry was silent it is shown, and stays due."""
    values: dict[str, Any] = {"state": OFF, "verified_at": time.time_ns() // 10**6}
    if judged is not None:
        values |= {
            "state": DUE if judged.silent else DONE,
            "count": judged.count,
            "indication": judged.indication,
            "code": judged.code,
            "words": storable(judged.words),
            "details": storable(orjson.dumps(judged.details).decode()),
        }
    connection.execute(update(report_seals).where(_c.submission_id == submission_id).values(values))


def unknown_are_due(connection: Connection) -> None:
    """What is trusted changed: what was unknown is judged again."""
    connection.execute(update(report_seals).where(_c.indication == "unknown").values(state=DUE))


def seals_of(connection: Connection, hospital_code: str, record_num: str) -> list[Row[Any]]:
    """Verdicts on the PDFs of a report's versions, newest version first."""
    mine = (_c.hospital_code == hospital_code) & (_c.record_num == record_num)
    return list(connection.execute(select(report_seals).where(mine).order_by(_c.submission_id.desc())))


def seal_facts(connection: Connection, hospital_code: str, record_num: str) -> list[SealFacts]:
    """The same for an exam's timeline: what was judged."""
    return [
        SealFacts(row.verified_at, record_num, row.submission_id, row.indication, row.words)
        for row in seals_of(connection, hospital_code, record_num)
        if row.indication and row.verified_at is not None
    ]
