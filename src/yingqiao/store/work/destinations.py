"""Whom work goes to: one row a destination, with all that holds for the work in its line.

Names: `<hospital>/<scheme>://<host>:<port>`, `<hospital>/pacs/<node>`, `<hospital>/gateway` (the gateway itself).
Two kinds of row stand for many lines: `<hospital>/*` for all of a hospital, `*` for everything; holding one
pauses them all at once, however much waits there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.retry import Breaker
from yingqiao.exchange.windows import Windows, parse_windows
from yingqiao.exchange.work import IN_HAND, LOCAL, LineLimits, WorkState
from yingqiao.store.schema import work, work_destinations

EVERYTHING = "*"
PARALLEL = 4
"""Tries at once that a destination gets unless told otherwise."""
COUNTED_AT_MOST = 10_000


class Destination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line, its limits and how it stands."""

    name: str
    hospital_code: str
    held: bool
    held_reason: str
    max_parallel: int
    bytes_per_second: int
    """0 = no limit."""
    windows: str
    failures: int
    open_until: int
    """Unix ms until which the breaker lets nothing through; 0 = closed."""
    last_error: str
    last_error_at: int | None
    last_success_at: int | None
    updated_at: int
    waiting: int = 0
    """Counted up to 10,000; so are the others."""
    retrying: int = 0
    in_hand: int = 0

    @property
    def breaker(self) -> Breaker:
        return Breaker(self.failures, self.open_until)

    @property
    def open_windows(self) -> Windows:
        return parse_windows(self.windows)


def everything_of(hospital_code: str) -> str:
    """The name under which all lines of a hospital are held."""
    return f"{hospital_code}/{EVERYTHING}"


def is_local(name: str) -> bool:
    """Whether the line is the gateway's own: no breaker stands before it."""
    return name.endswith(f"/{LOCAL}")


def ensure(connection: Connection, name: str, hospital_code: str, limits: LineLimits | None = None) -> None:
    """The destination is there afterwards; with `limits` if they are given, else with those it has.

    Raises WindowError (Chinese) for windows that cannot be read.
    """
    ensure_lines(connection, {name: hospital_code}, _now())
    if limits is not None:
        set_limits(
            connection,
            name,
            max_parallel=limits.parallel,
            bytes_per_second=limits.bytes_per_second,
            windows=limits.windows,
        )


def ensure_lines(connection: Connection, lines: Mapping[str, str], now_ms: int) -> None:
    """Rows for lines (name -> hospital), with default limits where they are new."""
    known = set(
        connection.scalars(
            select(work_destinations.c.name).where(work_destinations.c.name.in_(sorted(lines)))
        )
    )
    rows = [_row(name, lines[name], now_ms) for name in sorted(lines) if name not in known]
    if rows:
        connection.execute(_INSERTS[connection.dialect.name], rows)


def set_limits(connection: Connection, name: str, **limits: Any) -> bool:
    """Set max_parallel, bytes_per_second, windows. False when there is no such destination.

    Raises WindowError.
    """
    if "windows" in limits:
        parse_windows(limits["windows"])
    return not limits or _change(connection, name, limits)


def hold(connection: Connection, name: str, reason: str = "") -> bool:
    """Pause a line, or with `<hospital>/*` or `*` many. False when there is no such destination."""
    hospital, _, all_of = name.rpartition("/")
    if all_of == EVERYTHING:
        ensure_lines(connection, {name: hospital}, _now())
    return _change(connection, name, {"held": True, "held_reason": reason})


def resume(connection: Connection, name: str) -> bool:
    """Let it go on, and try at once even if the breaker would wait. False when there is no such destination."""
    return _change(connection, name, {"held": False, "held_reason": "", "failures": 0, "open_until": 0})


def read(connection: Connection, name: str) -> Destination | None:
    """One destination with its counts; None when there is none."""
    row = connection.execute(_counted().where(work_destinations.c.name == name)).first()
    return None if row is None else shown(row)


def list_destinations(
    connection: Connection,
    hospital_code: str | None = None,
    held: bool | None = None,
    limit: int = 1_000,
    offset: int = 0,
) -> Sequence[Destination]:
    """Destinations by name, with counts."""
    columns = work_destinations.c
    statement = _counted().order_by(columns.name).limit(limit).offset(offset)
    if hospital_code is not None:
        statement = statement.where(columns.hospital_code == hospital_code)
    if held is not None:
        statement = statement.where(columns.held == held)
    return [shown(row) for row in connection.execute(statement)]


def shown(row: Row[Any]) -> Destination:
    return Destination(**row._mapping)  # noqa: SLF001 SQLAlchemy's public name


def _counted() -> Any:
    def count(*states: WorkState) -> Any:
        some = select(literal(1)).where(
            work.c.destination == work_destinations.c.name, work.c.state.in_([str(s) for s in states])
        )
        bounded = some.correlate(work_destinations).limit(COUNTED_AT_MOST).subquery()
        return select(func.count()).select_from(bounded).scalar_subquery()

    return select(
        work_destinations,
        count(WorkState.WAITING, WorkState.DELAYED).label("waiting"),
        count(WorkState.RETRYING).label("retrying"),
        count(*sorted(IN_HAND)).label("in_hand"),
    )


def _change(connection: Connection, name: str, values: Mapping[str, Any]) -> bool:
    statement = update(work_destinations).where(work_destinations.c.name == name)
    return connection.execute(statement.values(**values, updated_at=_now())).rowcount > 0


def _row(name: str, hospital_code: str, now: int) -> dict[str, Any]:
    return {
        "name": name,
        "hospital_code": hospital_code,
        "held": False,
        "held_reason": "",
        "max_parallel": PARALLEL,
        "bytes_per_second": 0,
        "windows": "",
        "failures": 0,
        "open_until": 0,
        "last_error": "",
        "updated_at": now,
    }


def _now() -> int:
    return time.time_ns() // 10**6


_INSERTS = {
    "sqlite": sqlite.insert(work_destinations).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(work_destinations).on_conflict_do_nothing(),
}
