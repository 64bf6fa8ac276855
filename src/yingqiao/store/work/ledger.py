"""Asking for work: rows of the ledger, written in the transaction of whatever makes the work necessary.

After the commit a running engine may be told by `WorkEngine.wake()`; untold it looks within a second or so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, case, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.work import IN_HAND, OVER_STATES, NewWork, WorkState
from yingqiao.store.schema import work
from yingqiao.store.work.destinations import ensure_lines

_CHUNK = 2_000
_IN_HAND = sorted(IN_HAND)
_OVER = sorted(OVER_STATES)
_FRESH = (
    *("state", "attempt", "failures", "due_at", "error_class", "reason"),
    *("progress_done", "progress_bytes", "started_at", "finished_at"),
)
"""What a new run begins anew."""


def add(connection: Connection, asked: Sequence[NewWork], *, now_ms: int | None = None) -> None:
    """Ask for work; see NewWork for what asking again means. Inside the caller's transaction.

    Cheap for many at once (PostgreSQL and SQLite: one statement for 2,000 rows).
    """
    if not asked:
        return
    now = time.time_ns() // 10**6 if now_ms is None else now_ms
    wanted = _collapsed(asked)
    ensure_lines(connection, {one.line: one.hospital_code for one in wanted}, now)
    statement = _UPSERTS[connection.dialect.name]
    for start in range(0, len(wanted), _CHUNK):
        connection.execute(statement, [_row(one, now) for one in wanted[start : start + _CHUNK]])


def find(connection: Connection, kind: str, key: str) -> int | None:
    """The id of a piece of work; None when it was never asked for."""
    return connection.scalar(select(work.c.id).where(work.c.kind == kind, work.c.key == key))


def _collapsed(asked: Sequence[NewWork]) -> list[NewWork]:
    """Each (kind, key) once, in one order for all, so that two transactions cannot block each other for good."""
    latest: dict[tuple[str, str], NewWork] = {}
    for one in asked:
        before = latest.get((one.kind, one.key))
        latest[one.kind, one.key] = (
            one if before is None else replace(one, priority=min(one.priority, before.priority))
        )
    return [latest[name] for name in sorted(latest)]


def _row(one: NewWork, now: int) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "key": one.key,
        "hospital_code": one.hospital_code,
        "destination": one.line,
        "priority": int(one.priority),
        "payload": one.payload,
        "state": str(WorkState.DELAYED if one.not_before > now else WorkState.WAITING),
        "run": 1,
        "attempt": 0,
        "failures": 0,
        "again": False,
        "executor": "",
        "due_at": max(one.not_before, now),
        "error_class": "",
        "reason": "",
        "progress_done": 0,
        "progress_total": one.total,
        "progress_bytes": 0,
        "created_at": now,
        "updated_at": now,
        "started_at": None,
        "finished_at": None,
    }


def _upsert(dialect: str) -> Any:
    insert = (sqlite if dialect == "sqlite" else postgresql).insert(work)
    new, old = insert.excluded, work.c
    over = old.state.in_([literal_column(f"'{state}'") for state in _OVER])
    in_hand = old.state.in_([literal_column(f"'{state}'") for state in _IN_HAND])
    changes: dict[str, Any] = {name: case((over, new[name]), else_=old[name]) for name in _FRESH}
    changes |= {
        "run": case((over, old.run + 1), else_=old.run),
        "priority": case((over | (new.priority < old.priority), new.priority), else_=old.priority),
        "again": case((over, new.again), (in_hand, True), else_=old.again),
        "destination": new.destination,
        "hospital_code": new.hospital_code,
        "payload": new.payload,
        "progress_total": case(
            (over | (new.progress_total > 0), new.progress_total), else_=old.progress_total
        ),
        "updated_at": new.updated_at,
    }
    return insert.on_conflict_do_update(index_elements=["kind", "key"], set_=changes)


_UPSERTS = {dialect: _upsert(dialect) for dialect in ("sqlite", "postgresql")}
