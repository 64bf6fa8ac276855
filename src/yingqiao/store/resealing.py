"""Sealing everything anew under the master key that seals now, while the gateway runs.

What is left to do is read off the sealed bytes themselves, which name their key: a kill at any moment loses nothing, and
the next run goes on. A row is changed only if it still holds what was opened, so nothing written meanwhile is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, func, literal, select, update

from yingqiao.gm.keystore import KEY_ID_AT, KEY_ID_LENGTH, KeystoreError, MasterKey
from yingqiao.store.database import Database
from yingqiao.store.sealed import SEALED, SealedColumn

BATCH = 100
_PASSES = 5


@dataclass(frozen=True, slots=True)
class Held:
    """How many secrets of a column are under which key (hex id; '?' when the bytes are no seal)."""

    place: str
    words: str
    by_key: dict[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """So far in one column: sealed anew (or, of a dry run, opened), of how many, and what does not open."""

    place: str
    words: str
    done: int
    total: int
    unreadable: tuple[str, ...] = ()
    """`table.column <primary key>: why` of each."""


Tell = Callable[[Step], None]


def held(database: Database) -> list[Held]:
    """What there is. Raises StoreUnavailable."""
    found = []
    with database.read() as connection:
        for one in SEALED:
            identifier = _key_of(one)
            counted = select(identifier, func.count()).where(one.column.is_not(None)).group_by(identifier)
            by_key = {bytes(row[0]).hex() or "?": row[1] for row in connection.execute(counted)}
            found.append(Held(one.place, one.words, by_key))
    return found


def left(database: Database, master_key: MasterKey) -> int:
    """Secrets that are under another key than the one that seals. Raises StoreUnavailable."""
    current = master_key.key_id.hex()
    return sum(count for one in held(database) for key, count in one.by_key.items() if key != current)


def reseal(database: Database, master_key: MasterKey, tell: Tell, *, dry_run: bool = False) -> list[Step]:
    """Every secret under the current key; how it ended, a step a column. Those that do not open stay as they are.

    A dry run opens all of them and changes nothing. Raises StoreUnavailable, StoreFull; calling again goes on.
    """
    return [
        _look_through(database, master_key, one, tell)
        if dry_run
        else _column(database, master_key, one, tell)
        for one in SEALED
    ]


def _column(database: Database, master_key: MasterKey, one: SealedColumn, tell: Tell) -> Step:
    """More than one pass: a process that did not know the new key yet may have sealed something behind us."""
    step = Step(one.place, one.words, 0, 0)
    done = 0
    for _ in range(_PASSES):
        stale = _key_of(one) != literal(master_key.key_id, LargeBinary)
        total = _count(database, one, stale)
        if total <= len(step.unreadable):
            break
        step = Step(one.place, one.words, done, done + total)
        for rows in _batches(database, one, stale):
            changed, unreadable = _reseal_rows(database, master_key, one, rows)
            done += changed
            step = Step(one.place, one.words, done, step.total, (*step.unreadable, *unreadable))
            tell(step)
    return Step(one.place, one.words, done, max(step.total, done), step.unreadable)


def _look_through(database: Database, master_key: MasterKey, one: SealedColumn, tell: Tell) -> Step:
    step = Step(one.place, one.words, 0, _count(database, one, one.column.is_not(None)))
    for rows in _batches(database, one, one.column.is_not(None)):
        troubles = [why for row in rows if (why := _trouble(master_key, one, row))]
        opened = step.done + len(rows) - len(troubles)
        step = Step(one.place, one.words, opened, step.total, (*step.unreadable, *troubles))
        tell(step)
    return step


def _reseal_rows(
    database: Database, master_key: MasterKey, one: SealedColumn, rows: Sequence[Row[Any]]
) -> tuple[int, list[str]]:
    unreadable: list[str] = []
    changed = 0
    with database.write() as connection:
        for row in rows:
            before = bytes(row.sealed_bytes)
            try:
                after = master_key.reseal(before, one.context(row))
            except KeystoreError as error:
                unreadable.append(_named(one, row, error))
                continue
            mine = (one.id == row.id_of_row) & (one.column == literal(before, LargeBinary))
            changed += connection.execute(
                update(one.column.table).where(mine).values({one.column: after})
            ).rowcount
    return changed, unreadable


def _trouble(master_key: MasterKey, one: SealedColumn, row: Row[Any]) -> str:
    try:
        master_key.unseal(bytes(row.sealed_bytes), one.context(row))
    except KeystoreError as error:
        return _named(one, row, error)
    return ""


def _named(one: SealedColumn, row: Row[Any], error: KeystoreError) -> str:
    return f"{one.place} {row.id_of_row}：{error.reason}"


def _batches(database: Database, one: SealedColumn, which: ColumnElement[bool]) -> Iterator[list[Row[Any]]]:
    """Rows in the order of the primary key, a few a time: no transaction is open between them."""
    needed = {column.name: column for column in (one.id, *one.needs)}
    columns = (*needed.values(), one.id.label("id_of_row"), one.column.label("sealed_bytes"))
    wanted = select(*columns).where(one.column.is_not(None), which).order_by(one.id).limit(BATCH)
    last: Any = None
    while True:
        with database.read() as connection:
            after = wanted if last is None else wanted.where(one.id > last)
            rows = list(connection.execute(after))
        if not rows:
            return
        yield rows
        last = rows[-1].id_of_row


def _count(database: Database, one: SealedColumn, which: ColumnElement[bool]) -> int:
    wanted = select(func.count()).select_from(one.column.table).where(one.column.is_not(None), which)
    with database.read() as connection:
        return connection.scalar(wanted) or 0


def _key_of(one: SealedColumn) -> ColumnElement[bytes]:
    """The id of the key, cut out of the sealed bytes by the database."""
    return func.substr(one.column, KEY_ID_AT + 1, KEY_ID_LENGTH, type_=LargeBinary)
