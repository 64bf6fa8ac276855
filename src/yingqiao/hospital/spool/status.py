"""What `yingqiao hospital status` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool import worklist
from yingqiao.hospital.spool.days import Progress, Reconciled, progress, reconciled
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.store import Pressure, Spool


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """Where a source's table stands."""

    source: str
    kind: str
    position: str
    read_at: int


@dataclass(frozen=True, slots=True)
class Status:
    """Counts by kind; times Unix ms."""

    records: dict[str, int]
    sent: dict[str, int]
    waiting_live: int
    waiting_backfill: int
    oldest_waiting: int | None
    retrying: int
    refused: int
    troubles: int
    images: dict[str, int]
    used_bytes: int
    most_bytes: int
    pressure: Pressure
    positions: tuple[SourcePosition, ...]
    backfill: Progress | None
    reconciliations: tuple[Reconciled, ...]
    said: dict[str, tuple[Any, int]]


def status(spool: Spool) -> Status:
    """All at once, from the spool alone: the service need not run."""
    o, r, p, i = s.outbox.c, s.records.c, s.positions.c, s.images.c
    with spool.database.read() as c:
        records = {row[0]: row[1] for row in c.execute(select(r.kind, func.count()).group_by(r.kind))}
        sent = {
            row[0]: row[1]
            for row in c.execute(select(r.kind, func.count()).where(r.sent_version > 0).group_by(r.kind))
        }
        waiting = {
            row[0]: row[1]
            for row in c.execute(select(o.lane, func.count()).where(o.state == "waiting").group_by(o.lane))
        }
        oldest = c.execute(select(func.min(o.queued_at)).where(o.state == "waiting")).scalar()
        retrying = c.execute(
            select(func.count()).select_from(s.outbox).where(o.state == "waiting", o.failures > 0)
        ).scalar_one()
        positions = tuple(
            SourcePosition(*row)
            for row in c.execute(select(p.source, p.kind, p.position, p.read_at).order_by(p.source, p.kind))
        )
        images = {row[0]: row[1] for row in c.execute(select(i.state, func.count()).group_by(i.state))}
    refused, troubles = worklist.count(spool)
    return Status(
        records=records,
        sent=sent,
        waiting_live=waiting.get(int(Lane.LIVE), 0),
        waiting_backfill=waiting.get(int(Lane.BACKFILL), 0),
        oldest_waiting=oldest,
        retrying=retrying,
        refused=refused,
        troubles=troubles,
        images=images,
        used_bytes=spool.used_bytes(),
        most_bytes=spool.bounds.most,
        pressure=spool.pressure(),
        positions=positions,
        backfill=progress(spool),
        reconciliations=tuple(reconciled(spool, 7)),
        said=spool.heard(),
    )
