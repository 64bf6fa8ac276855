"""The ledger's side of handing work over: what is due, who may have more, the row before and after a try.

All of it inside the caller's transaction. A row that is with a process carries its name in `executor` from the
admission until its handler has really ended, whatever people do to its state meanwhile: so no row is begun
while an earlier try of it still runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, literal, select, text, update

from yingqiao.exchange.fairness import Line, Turns, choose
from yingqiao.exchange.retry import BreakerRule, Random, RetryRule, verdict
from yingqiao.exchange.windows import parse_windows
from yingqiao.exchange.work import IN_HAND, Priority, WorkError, WorkState
from yingqiao.store.schema import work, work_destinations
from yingqiao.store.work.destinations import EVERYTHING, Destination, is_local, shown

PROMOTED_AT_ONCE = 1_000
_LINES_PER_ROOM = 4
_ADVISORY_KEY = 0x59_51_57_4B  # "YQWK"
_IN_HAND = work.c.state.in_([str(state) for state in sorted(IN_HAND)])
_LATER = work.c.state.in_([str(WorkState.RETRYING), str(WorkState.DELAYED)])
_TAKEN = text("executor <> ''")
_SUCCESS_EVERY_MS = 10_000


@dataclass(frozen=True, slots=True)
class Try:
    """Names one try for ever."""

    id: int
    run: int
    attempt: int

    @property
    def name(self) -> str:
        return f"{self.id}.{self.run}.{self.attempt}"

    @property
    def is_it(self) -> Any:
        """The condition that the row still is at this try."""
        return and_(work.c.id == self.id, work.c.run == self.run, work.c.attempt == self.attempt)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one admission."""

    room: int
    per_hospital: int
    breaker: BreakerRule


def leads(connection: Connection) -> bool:
    """Whether this transaction may admit: on PostgreSQL one at a time over all processes."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_ADVISORY_KEY))))


def anything(connection: Connection, now: int) -> bool:
    """Whether an admission would find something: due rows, or a line that may move."""
    due = select(literal(1)).where(_LATER, work.c.due_at <= now).limit(1)
    return connection.scalar(due) is not None or bool(able(connection, now, {}))


def next_due(connection: Connection) -> int | None:
    """When the next retry or delayed row is due, Unix ms."""
    found = [
        connection.scalar(select(func.min(work.c.due_at)).where(work.c.state == str(state)))
        for state in (WorkState.RETRYING, WorkState.DELAYED)
    ]
    return min((at for at in found if at is not None), default=None)


def promote(connection: Connection, now: int) -> int:
    """Rows whose time has come wait from now on. Returns how many; at most 1,000 at a time."""
    due = (
        select(work.c.id).where(_LATER, work.c.due_at <= now).order_by(work.c.due_at).limit(PROMOTED_AT_ONCE)
    )
    ids = _locked(connection, due)
    if ids:
        connection.execute(
            update(work)
            .where(work.c.id.in_(ids), _LATER)
            .values(state=str(WorkState.WAITING), updated_at=now)
        )
    return len(ids)


def admit(connection: Connection, executor: str, limits: Limits, turns: Turns, now: int) -> list[Try]:
    """Take the best rows of every line that may move, in turns; they are `executor`'s from here on."""
    in_hand, loads = _in_hand(connection)
    lines = able(connection, now, in_hand, limits.breaker)
    lines = sorted(lines, key=lambda pair: _urgency(pair, loads, turns))[: limits.room * _LINES_PER_ROOM]
    chosen = choose(
        [_line(connection, each, best, limits, in_hand, now) for each, best in lines],
        limits.room,
        loads,
        limits.per_hospital,
        turns,
    )
    ids = (
        _locked(connection, select(work.c.id).where(work.c.id.in_(chosen)).order_by(work.c.id))
        if chosen
        else []
    )
    if not ids:
        return []
    admitted = (
        update(work)
        .where(work.c.id.in_(ids), work.c.state == str(WorkState.WAITING), work.c.executor == "")
        .values(state=str(WorkState.ADMITTED), attempt=work.c.attempt + 1, executor=executor, updated_at=now)
        .returning(work.c.id, work.c.run, work.c.attempt)
    )
    tries = {row.id: Try(*row) for row in connection.execute(admitted)}
    return [tries[number] for number in chosen if number in tries]


def able(
    connection: Connection,
    now: int,
    in_hand: Mapping[str, int],
    breaker: BreakerRule | None = None,
) -> list[tuple[Destination, int]]:
    """(destination, priority of the best that waits there) of all that may begin something now."""
    best = (
        select(work.c.priority)
        .where(
            work.c.destination == work_destinations.c.name,
            work.c.state == str(WorkState.WAITING),
            work.c.executor == "",
        )
        .order_by(work.c.priority, work.c.id)
        .limit(1)
        .correlate(work_destinations)
        .scalar_subquery()
        .label("best")
    )
    held = set(connection.scalars(select(work_destinations.c.name).where(work_destinations.c.held)))
    if EVERYTHING in held:
        return []
    inner = select(work_destinations, best).where(work_destinations.c.open_until <= now).subquery()
    found = []
    for row in connection.execute(select(inner).where(inner.c.best.is_not(None))):
        values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
        priority = values.pop("best")
        one = Destination(**values)
        stopped = one.name in held or f"{one.hospital_code}/{EVERYTHING}" in held
        if not stopped and _slots(one, priority, in_hand, now, breaker) > 0:
            found.append((one, priority))
    return found


def closed_lines(connection: Connection, names: set[str]) -> Callable[[str, str, int, int], bool]:
    """Answers whether work in hand has to stop: (hospital, destination, priority, now) -> its line was paused, or its
    window closed."""
    columns = work_destinations.c
    held = set(connection.scalars(select(columns.name).where(columns.held)))
    texts = select(columns.name, columns.windows).where(columns.name.in_(names), columns.windows != "")
    windows = {name: parse_windows(text_) for name, text_ in connection.execute(texts)}

    def closed(hospital: str, destination: str, priority: int, now: int) -> bool:
        if held & {destination, f"{hospital}/{EVERYTHING}", EVERYTHING}:
            return True
        window = windows.get(destination)
        return window is not None and priority > Priority.MANUAL and not window.is_open(now)

    return closed


def sharers(connection: Connection, destinations: Collection[str]) -> dict[str, int]:
    """Destination -> how many processes have work of it in hand."""
    c = work.c
    counted = select(c.destination, func.count(c.executor.distinct())).where(
        _IN_HAND, c.executor != "", c.destination.in_(destinations)
    )
    return {row[0]: row[1] for row in connection.execute(counted.group_by(c.destination))}


def _slots(
    one: Destination, best: int, in_hand: Mapping[str, int], now: int, breaker: BreakerRule | None
) -> int:
    """急诊, and what a person waits for, need no open window."""
    if best > Priority.MANUAL and not one.open_windows.is_open(now):
        return 0
    most = one.max_parallel if breaker is None else one.breaker.slots(one.max_parallel, now, breaker)
    return most - in_hand.get(one.name, 0)


def _urgency(pair: tuple[Destination, int], loads: Mapping[str, int], turns: Turns) -> tuple[int, ...]:
    one, best = pair
    served = turns.of.get(one.hospital_code, 0), turns.of.get(one.name, 0)
    return (best, loads.get(one.hospital_code, 0), *served)


def _line(
    connection: Connection,
    one: Destination,
    best: int,
    limits: Limits,
    in_hand: Mapping[str, int],
    now: int,
) -> Line:
    slots = _slots(one, best, in_hand, now, limits.breaker)
    head: Select[Any] = (
        select(work.c.priority, work.c.id)
        .where(
            work.c.destination == one.name,
            work.c.state == str(WorkState.WAITING),
            work.c.executor == "",
        )
        .order_by(work.c.priority, work.c.id)
        .limit(min(slots, limits.room))
    )
    if not one.open_windows.is_open(now):
        head = head.where(work.c.priority <= int(Priority.MANUAL))
    rows = [(row.priority, row.id) for row in connection.execute(head)]
    return Line(one.name, one.hospital_code, slots, in_hand.get(one.name, 0), rows)


def _in_hand(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """What is with any process now: by destination, by hospital."""
    # Counted here: asked to group them, SQLite reads a million rows in the order of the groups to find these few.
    taken = connection.execute(select(work.c.destination, work.c.hospital_code).where(_TAKEN)).all()
    by_line = Counter(row.destination for row in taken)
    by_hospital = Counter(row.hospital_code for row in taken)
    return by_line, by_hospital


def begin(connection: Connection, what: Try, executor: str, now: int) -> Row[Any] | None:
    """The row, running here from now on; None when the try is no longer wanted."""
    statement = (
        update(work)
        .where(what.is_it, _IN_HAND)
        .values(state=str(WorkState.RUNNING), executor=executor, started_at=now, updated_at=now)
        .returning(work)
    )
    return connection.execute(statement).first()


def destination_of(connection: Connection, name: str) -> Destination | None:
    """The line of a row, without counts."""
    row = connection.execute(select(work_destinations).where(work_destinations.c.name == name)).first()
    return None if row is None else shown(row)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a try ended. `error` None = done; `stopped` = it was told to stop and did."""

    error: WorkError | None = None
    stopped: bool = False
    progressed: bool = False
    done: int = 0
    total: int = 0
    bytes: int = 0


def finish(
    connection: Connection,
    what: Try,
    ended: Ended,
    executor: str,
    began_here: bool,
    rule: RetryRule,
    random: Random,
    now: int,
) -> WorkState | None:
    """Write down what became of a try, and of its destination; None when the row was taken away meanwhile."""
    mine = (work.c.executor == executor,) if began_here else ()
    row = connection.execute(_for_update(connection, select(work).where(what.is_it, _IN_HAND, *mine))).first()
    if row is None:
        release(connection, what.id, executor)
        return None
    values = {"state": str(WorkState.WAITING)} if ended.stopped else _outcome(row, ended, rule, random, now)
    progress = {
        "progress_done": ended.done,
        "progress_total": ended.total,
        "progress_bytes": ended.bytes,
    }
    connection.execute(
        update(work).where(work.c.id == what.id).values(**progress, **values, executor="", updated_at=now)
    )
    if not ended.stopped and not is_local(row.destination):
        _judge(connection, row.destination, ended.error, rule.breaker, random, now)
    return WorkState(values["state"])


def _outcome(row: Row[Any], ended: Ended, rule: RetryRule, random: Random, now: int) -> dict[str, Any]:
    after = verdict(ended.error, row.failures, ended.progressed, now, rule, random)
    values: dict[str, Any] = {
        "state": str(after.state),
        "due_at": after.due_at,
        "failures": after.failures,
        "error_class": after.error_class,
        "reason": after.reason,
    }
    if after.state in (WorkState.DONE, WorkState.DEAD):
        values["finished_at"] = now
        if row.again:
            values |= {"state": str(WorkState.WAITING), "run": row.run + 1, "attempt": 0, "again": False}
    return values


def _judge(
    connection: Connection, name: str, error: WorkError | None, rule: BreakerRule, random: Random, now: int
) -> None:
    wanted = select(work_destinations).where(work_destinations.c.name == name)
    row = connection.execute(wanted).first()
    if row is None:
        return
    quiet = error is None and not row.failures and now - (row.last_success_at or 0) < _SUCCESS_EVERY_MS
    if quiet:
        return
    row = connection.execute(_for_update(connection, wanted)).one()
    after = shown(row).breaker.after(error.error_class if error else None, now, rule, random)
    told = {"last_success_at": now} if error is None else {"last_error": error.reason, "last_error_at": now}
    connection.execute(
        update(work_destinations)
        .where(work_destinations.c.name == name)
        .values(failures=after.failures, open_until=after.open_until, updated_at=now, **told)
    )


def release(connection: Connection, number: int, executor: str) -> None:
    """The handler ended after the row was taken away from it: it may be begun anew."""
    connection.execute(
        update(work).where(work.c.id == number, work.c.executor == executor).values(executor="")
    )


def put_back(connection: Connection, what: Try, now: int) -> None:
    """A try that nobody carries out any more: the row waits for the next."""
    connection.execute(
        update(work)
        .where(what.is_it, _IN_HAND)
        .values(state=str(WorkState.WAITING), executor="", updated_at=now)
    )


def tell_progress(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Members b_id, b_run, b_attempt, done, total, bytes, now."""
    connection.execute(_PROGRESS, list(rows))


_PROGRESS = (
    update(work)
    .where(
        work.c.id == bindparam("b_id"),
        work.c.run == bindparam("b_run"),
        work.c.attempt == bindparam("b_attempt"),
        _IN_HAND,
    )
    .values(
        progress_done=bindparam("done"),
        progress_total=bindparam("total"),
        progress_bytes=bindparam("bytes"),
        updated_at=bindparam("now"),
    )
)


def standing(connection: Connection, numbers: Sequence[int]) -> dict[int, Any]:
    """id -> (state, run, attempt, executor) of rows in hand here."""
    columns = (work.c.id, work.c.state, work.c.run, work.c.attempt, work.c.executor)
    return {row.id: row for row in connection.execute(select(*columns).where(work.c.id.in_(numbers)))}


def held_by(connection: Connection, executor: str, before: int) -> list[Try]:
    """Rows in hand of a process, not touched since `before`."""
    rows = connection.execute(
        select(work.c.id, work.c.run, work.c.attempt)
        .where(_TAKEN, work.c.executor == executor, _IN_HAND, work.c.updated_at <= before)
        .order_by(work.c.id)
    )
    return [Try(*row) for row in rows]


def holders(connection: Connection) -> set[str]:
    """The processes that have anything in hand, alive or not."""
    return set(connection.scalars(select(work.c.executor).where(_TAKEN).distinct()))


def adopt(connection: Connection, dead: str, executor: str, now: int) -> int:
    """What a process that is gone had in hand is `executor`'s. Returns how many rows."""
    mine = update(work).where(_TAKEN, work.c.executor == dead)
    over = mine.where(~_IN_HAND).values(executor="")
    connection.execute(over)
    # As untouched as if it had lain here all the time, so that the next look hands it over again.
    return connection.execute(mine.where(_IN_HAND).values(executor=executor, updated_at=now)).rowcount


def _locked(connection: Connection, wanted: Select[Any]) -> list[int]:
    """Ids; on PostgreSQL with their row locks, leaving out rows that others have."""
    if connection.dialect.name != "sqlite":
        wanted = wanted.with_for_update(skip_locked=True)
    return list(connection.scalars(wanted))


def _for_update(connection: Connection, wanted: Select[Any]) -> Select[Any]:
    return wanted if connection.dialect.name == "sqlite" else wanted.with_for_update()
