"""What all queries share: pages, ranges, matching, the record inside a kept submission."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, literal, or_, select

from yingqiao.store.compression import decompress
from yingqiao.store.errors import StoredBodyBroken
from yingqiao.store.schema import submissions

COUNT_AT_MOST = 100_000
"""Totals are counted up to here; beyond, `total_is_exact` is false."""
LIMIT_AT_MOST = 10_000
SLACK_MS = 60_000
"""How far apart the order of ids and of arrival may be: commits of one moment overtake each other."""

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    """Part of a list. `total` is None when it was not asked for."""

    items: tuple[T, ...]
    offset: int
    limit: int
    total: int | None = None
    total_is_exact: bool = True


class Range(msgspec.Struct, frozen=True):
    """From inclusive, to exclusive; None = open. Unix milliseconds, or the standard's own text."""

    start: Any = None
    end: Any = None


def page_of(
    connection: Connection,
    statement: Select[Any],
    shown: Callable[[Row[Any]], T],
    limit: int,
    offset: int,
    with_total: bool,
) -> Page[T]:
    """The rows of `statement` from `offset` on, each through `shown`.

    Raises ValueError when limit or offset is out of range.
    """
    if not 1 <= limit <= LIMIT_AT_MOST or offset < 0:
        raise ValueError(f"limit 1..{LIMIT_AT_MOST}, offset >= 0")
    rows = connection.execute(statement.limit(limit).offset(offset)).all()
    items = tuple(shown(row) for row in rows)
    if not with_total:
        return Page(items, offset, limit)
    if len(rows) < limit and (rows or offset == 0):
        return Page(items, offset, limit, offset + len(rows))
    counted = (
        statement.with_only_columns(literal(1), maintain_column_froms=True)
        .order_by(None)
        .limit(COUNT_AT_MOST + 1)
        .subquery()
    )
    total = connection.scalar(select(func.count()).select_from(counted)) or 0
    return Page(items, offset, limit, min(total, COUNT_AT_MOST), total <= COUNT_AT_MOST)


def within(column: ColumnElement[Any], wanted: Range | None) -> list[ColumnElement[bool]]:
    """Conditions for `column` to lie in the range."""
    if wanted is None:
        return []
    conditions = []
    if wanted.start is not None:
        conditions.append(column >= wanted.start)
    if wanted.end is not None:
        conditions.append(column < wanted.end)
    return conditions


def equal(table: Table, wanted: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Equality for every given (not None) value."""
    return [table.c[name] == value for name, value in wanted.items() if value is not None]


def in_list(column: ColumnElement[str], item: str) -> ColumnElement[bool]:
    """Whether one of the standard's comma lists, kept as ',a,b,' or 'a,b', holds the item."""
    escaped = escape(item)
    return or_(
        column == item,
        column.like(f"%,{escaped},%", escape="!"),
        column.like(f"{escaped},%", escape="!"),
        column.like(f"%,{escaped}", escape="!"),
    )


def escape(text: str) -> str:
    """`text` for LIKE with escape '!', wildcards meaning themselves."""
    return re.sub(r"([!%_])", r"!\1", text)


def items(comma_list: str) -> tuple[str, ...]:
    """The items of a kept comma list."""
    return tuple(item for item in comma_list.split(",") if item)


def record_of(body: bytes, part: str = "") -> dict[str, Any]:
    """The record in a kept submission's compressed body; of a merged upload the `part` patient or report
    (T26).

    {} when it cannot be read: what is shown must not fail with what is stored.
    """
    try:
        value = orjson.loads(decompress(body).removeprefix(b"\xef\xbb\xbf"))
    except (StoredBodyBroken, orjson.JSONDecodeError):
        return {}
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return {}
    inner = {str(name).lower(): member for name, member in value.items()}.get(part) if part else None
    return inner if isinstance(inner, dict) else value


def version_record(connection: Connection, submission_id: int, part: str) -> dict[str, Any]:
    """The record of the version with this submission."""
    body = connection.scalar(select(submissions.c.body).where(submissions.c.id == submission_id))
    return record_of(body, part) if body is not None else {}


def findings_of(text: str | None) -> tuple[dict[str, Any], ...]:
    """The kept findings of a submission."""
    return tuple(orjson.loads(text)) if text else ()


def first_id_since(connection: Connection, table: Table, time: str, ms: int) -> int:
    """The smallest id from which rows can be of `ms` or later, found without an index on the time.

    Ids are given in the order of arrival but for seconds; a minute is allowed for.
    """
    low, high = 1, (connection.scalar(select(func.max(table.c.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(table.c.id, table.c[time]).where(table.c.id >= middle).order_by(table.c.id).limit(1)
        ).first()
        if row is None or row[1] >= ms - SLACK_MS:
            high = middle
        else:
            low = row[0] + 1
    return low


def as_struct(kind: type[T], row: Row[Any], **more: object) -> T:
    """A row as a struct of the members they share, plus `more`."""
    shared = {name: value for name, value in row._mapping.items() if name in kind.__struct_fields__}  # type: ignore[attr-defined]  # noqa: SLF001
    return kind(**(shared | more))


def received_within(
    connection: Connection, table: Table, time: str, wanted: Range | None
) -> list[ColumnElement[bool]]:
    """Conditions for a row to have been received in the range of Unix ms, with bounds on the id for speed."""
    if wanted is None:
        return []
    conditions = within(table.c[time], wanted)
    if wanted.start is not None:
        conditions.append(table.c.id >= first_id_since(connection, table, time, wanted.start))
    if wanted.end is not None:
        conditions.append(table.c.id < first_id_since(connection, table, time, wanted.end + 2 * SLACK_MS))
    return conditions
