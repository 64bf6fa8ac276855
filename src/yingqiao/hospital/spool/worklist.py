"""The worklist of people: what the gateway refused and why, and rows of sources that could not become records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, delete, func, literal, select

from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.entries import values_of
from yingqiao.hospital.spool.intake import Identity
from yingqiao.hospital.spool.outbox import REFUSED, resend
from yingqiao.hospital.spool.store import Spool


@dataclass(frozen=True, slots=True)
class Item:
    """One matter. `kind`: exam | report | images; `what`: refused (by the gateway) | trouble (of the source)."""

    what: str
    kind: str
    key: str
    source: str
    at: int
    """Unix ms."""
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A refused record with everything the gateway said and what was sent."""

    item: Item
    findings: tuple[dict[str, Any], ...]
    values: dict[str, Any]


def items(spool: Spool, *, kind: str = "", limit: int = 100, offset: int = 0) -> list[Item]:
    """Oldest first."""
    o, r, t = s.outbox.c, s.records.c, s.troubles.c
    refused = (
        select(literal("refused").label("what"), o.kind, o.key, r.source, o.due_at.label("at"), o.reason)
        .select_from(s.outbox.join(s.records, and_(r.kind == o.kind, r.key == o.key)))
        .where(o.state == REFUSED)
    )
    troubled = select(
        literal("trouble").label("what"), t.kind, t.place.label("key"), t.source, t.last_at, t.reason
    )
    if kind:
        refused, troubled = refused.where(o.kind == kind), troubled.where(t.kind == kind)
    both = refused.union_all(troubled).subquery()
    with spool.database.read() as c:
        rows = c.execute(select(both).order_by(both.c.at, both.c.key).limit(limit).offset(offset))
        return [Item(row.what, row.kind, row.key, row.source, row.at, row.reason) for row in rows]


def count(spool: Spool) -> tuple[int, int]:
    """Refused records, troubles."""
    with spool.database.read() as c:
        refused = select(func.count()).select_from(s.outbox).where(s.outbox.c.state == REFUSED)
        troubles = select(func.count()).select_from(s.troubles)
        return int(c.execute(refused).scalar_one()), int(c.execute(troubles).scalar_one())


def show(spool: Spool, kind: str, key: str) -> Shown | None:
    """A refused record; None when it is none."""
    o, r = s.outbox.c, s.records.c
    query = (
        select(o.kind, o.key, o.due_at, o.reason, o.findings, r.source, r.body)
        .select_from(s.outbox.join(s.records, and_(r.kind == o.kind, r.key == o.key)))
        .where(o.state == REFUSED, o.kind == kind, o.key == key)
    )
    with spool.database.read() as c:
        row = c.execute(query).first()
    if row is None:
        return None
    item = Item("refused", row.kind, row.key, row.source, row.due_at, row.reason)
    return Shown(item, tuple(orjson.loads(row.findings)), values_of(row.body) if row.body else {})


def resend_refused(spool: Spool, names: Sequence[Identity] | None = None) -> int:
    """Sends refused records once more, all without `names`; how many."""
    o = s.outbox.c
    query = select(o.kind, o.key).where(o.state == REFUSED)
    with spool.database.read() as c:
        refused = [(row.kind, row.key) for row in c.execute(query)]
    wanted = refused if names is None else [name for name in refused if name in set(names)]
    return resend(spool, wanted)


def drop_trouble(spool: Spool, kind: str, place: str) -> bool:
    """A trouble that a person has seen to."""
    t = s.troubles.c
    with spool.database.write() as c:
        return c.execute(delete(s.troubles).where(t.kind == kind, t.place == place)).rowcount > 0
