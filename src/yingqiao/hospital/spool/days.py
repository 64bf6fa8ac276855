"""Days in the spool: the plan of a backfill and how far it is; reconciliations and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.store import Spool, now_ms


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """One day of one source that is to be read again."""

    day: str
    source: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a backfill. `seconds_left`: None while nothing tells."""

    planned: int
    done: int
    records: int
    first: str
    last: str
    seconds_left: float | None


def days(first: date, last: date) -> list[str]:
    """All from `first` to `last`, both included, newest first: what was done lately is asked for first."""
    count = (last - first).days + 1
    return [(last - timedelta(days=n)).isoformat() for n in range(count)]


def plan(spool: Spool, sources: Iterable[str], wanted: Sequence[str], *, again: bool = True) -> int:
    """Puts days on the plan; those done already once more when `again`. How many are to be done now."""
    rows = [
        {"day": day, "source": source, "state": "waiting", "records": 0}
        for source in sources
        for day in wanted
    ]
    put = upsert(s.backfill)
    if again:
        put = put.on_conflict_do_update(
            index_elements=["source", "day"], set_={"state": "waiting", "records": 0, "done_at": None}
        )
    else:
        put = put.on_conflict_do_nothing()
    with spool.database.write() as c:
        if rows:
            c.execute(put, rows)
        query = select(func.count()).select_from(s.backfill).where(s.backfill.c.state == "waiting")
        return int(c.execute(query).scalar_one())


def is_planned(spool: Spool) -> bool:
    """Whether there ever was a plan."""
    with spool.database.read() as c:
        return c.execute(select(s.backfill.c.day).limit(1)).first() is not None


def next_day(spool: Spool, source: str) -> PlannedDay | None:
    """The newest one of a source that is not done."""
    b = s.backfill.c
    query = select(b.day).where(b.state == "waiting", b.source == source).order_by(b.day.desc()).limit(1)
    with spool.database.read() as c:
        found = c.execute(query).scalar()
    return None if found is None else PlannedDay(found, source)


def day_read(spool: Spool, planned: PlannedDay, records: int) -> None:
    """All of the day is in the spool."""
    _update(spool, planned, state="done", records=records, done_at=now_ms(), reason="")


def day_failed(spool: Spool, planned: PlannedDay, reason: str) -> None:
    """It will be tried again."""
    _update(spool, planned, reason=reason)


def _update(spool: Spool, planned: PlannedDay, **values: Any) -> None:
    b = s.backfill.c
    with spool.database.write() as c:
        c.execute(update(s.backfill).where(b.day == planned.day, b.source == planned.source).values(**values))


def progress(spool: Spool) -> Progress | None:
    """None when nothing was ever planned. The estimate takes the pace of the last twenty days done."""
    b = s.backfill.c
    done = b.state == "done"
    query = select(
        func.count(),
        func.count().filter(done),
        func.coalesce(func.sum(b.records), 0),
        func.min(b.day),
        func.max(b.day),
    ).select_from(s.backfill)
    with spool.database.read() as c:
        planned, finished, records, first, last = c.execute(query).one()
        lately = c.execute(select(b.done_at).where(done).order_by(b.done_at.desc()).limit(20)).scalars().all()
    if not planned:
        return None
    left = None
    if planned == finished:
        left = 0.0
    elif len(lately) > 1:
        left = (planned - finished) * (lately[0] - lately[-1]) / 1000 / (len(lately) - 1)
    return Progress(planned, finished, records, first, last, left)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How a day's reconciliation ended. `state`: done | refused."""

    day: str
    state: str
    totals: Sequence[dict[str, Any]]
    missing: Sequence[str] = ()
    resent: int = 0
    unknown: Sequence[str] = ()
    message: str = ""


def keep_reconciled(spool: Spool, one: Reconciled) -> None:
    row = {
        "state": one.state,
        "sent_at": now_ms(),
        "totals": orjson.dumps(list(one.totals)).decode(),
        "missing": orjson.dumps(list(one.missing)).decode(),
        "resent": one.resent,
        "unknown": orjson.dumps(list(one.unknown)).decode(),
        "message": one.message,
    }
    put = upsert(s.reconciliations).values(day=one.day, **row)
    with spool.database.write() as c:
        c.execute(put.on_conflict_do_update(index_elements=["day"], set_=row))


def reconciled(spool: Spool, limit: int = 31) -> list[Reconciled]:
    """Newest first."""
    r = s.reconciliations.c
    with spool.database.read() as c:
        rows = c.execute(select(s.reconciliations).order_by(r.day.desc()).limit(limit)).all()
    return [
        Reconciled(
            row.day,
            row.state,
            orjson.loads(row.totals),
            orjson.loads(row.missing),
            row.resent,
            orjson.loads(row.unknown),
            row.message,
        )
        for row in rows
    ]
