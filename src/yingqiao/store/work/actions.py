"""What people do with work: pause, resume, cancel, replay, hurry. One piece, or all that a filter names.

Many are changed in batches, each its own short transaction, by id upwards: nobody waits long for the database,
and what was changed when it is interrupted stays changed. To pause all of a destination or hospital, hold that
(`destinations.hold`): one row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, case, select, update

from yingqiao.exchange.work import OPEN_STATES, Priority, WorkState
from yingqiao.store.database import Database
from yingqiao.store.schema import work
from yingqiao.store.work.queries import WorkFilter, conditions

BATCH = 2_000
_LATER = (WorkState.RETRYING, WorkState.DELAYED)
_AGAIN = (WorkState.DEAD, WorkState.CANCELLED)


class Action(StrEnum):
    """What may be done, and the word for it."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    PRIORITY = "priority"


ACTION_NAMES = {
    Action.PAUSE: "暂停",
    Action.RESUME: "恢复",
    Action.CANCEL: "取消",
    Action.RETRY: "重试",
    Action.PRIORITY: "调整优先级",
}
_APPLIES: Mapping[Action, frozenset[WorkState]] = {
    Action.PAUSE: OPEN_STATES - {WorkState.HELD},
    Action.RESUME: frozenset({WorkState.HELD}),
    Action.CANCEL: OPEN_STATES,
    Action.RETRY: frozenset({*_LATER, *_AGAIN}),
    Action.PRIORITY: OPEN_STATES,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One action; `priority` for that action only."""

    action: Action
    priority: Priority = Priority.NORMAL


def act(connection: Connection, order: Order, numbers: Sequence[int], now_ms: int | None = None) -> list[int]:
    """Do it to these, in the caller's transaction. Returns the ids it applied to: not those whose state it does not
    fit."""
    now = time.time_ns() // 10**6 if now_ms is None else now_ms
    statement = (
        update(work)
        .where(work.c.id.in_(numbers), work.c.state.in_(_states(order.action)))
        .values(**_changes(order, now), updated_at=now)
        .returning(work.c.id)
    )
    return sorted(connection.scalars(statement))


def act_on_all(
    database: Database,
    order: Order,
    wanted: WorkFilter,
    told: Callable[[int], None] = lambda _: None,
    *,
    batch: int = BATCH,
    most: int | None = None,
) -> int:
    """Do it to all that fit, in batches; `told` hears how many are done so far. Returns how many: once it is `most`
    or more it stops.

    Raises StoreUnavailable; batches before stay done.
    """
    done = 0
    for numbers in _batches(database, order, wanted, batch):
        with database.write() as connection:
            locked = _locked(connection, numbers)
            done += len(act(connection, order, locked))
        told(done)
        if most is not None and done >= most:
            break
    return done


def _batches(database: Database, order: Order, wanted: WorkFilter, batch: int) -> Iterator[list[int]]:
    """Ids that fit, upwards, read without holding anyone up."""
    last = 0
    while True:
        statement = (
            select(work.c.id)
            .where(*conditions(wanted), work.c.state.in_(_states(order.action)), work.c.id > last)
            .order_by(work.c.id)
            .limit(batch)
        )
        with database.read() as connection:
            numbers = list(connection.scalars(statement))
        if not numbers:
            return
        yield numbers
        last = numbers[-1]


def _locked(connection: Connection, numbers: Sequence[int]) -> list[int]:
    """PostgreSQL: row locks in one order, so that nobody blocks anybody for good."""
    if connection.dialect.name == "sqlite":
        return list(numbers)
    wanted = select(work.c.id).where(work.c.id.in_(numbers)).order_by(work.c.id).with_for_update()
    return list(connection.scalars(wanted))


def _states(action: Action) -> list[str]:
    return sorted(str(state) for state in _APPLIES[action])


def _changes(order: Order, now: int) -> dict[str, Any]:
    if order.action is Action.PAUSE:
        return {"state": str(WorkState.HELD)}
    if order.action is Action.CANCEL:
        return {"state": str(WorkState.CANCELLED), "finished_at": now, "again": False}
    if order.action is Action.PRIORITY:
        return {"priority": int(order.priority)}
    waits = {"state": str(WorkState.WAITING), "due_at": now}
    if order.action is Action.RESUME:
        return waits
    over = work.c.state.in_([str(state) for state in _AGAIN])
    return waits | {
        "failures": 0,
        "run": case((over, work.c.run + 1), else_=work.c.run),
        "attempt": case((over, 0), else_=work.c.attempt),
        "finished_at": None,
    }
