"""Days of hospitals: how each stands now, and the chain of those that are closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import orjson
from sqlalchemy import Connection, Row, insert, select, text

from yingqiao.exchange.balance import (
    ENTRY_NAMES,
    IDS_SHOWN,
    Balance,
    Entry,
    EntryKind,
    Side,
    changes_since,
    faults,
    link,
)
from yingqiao.exchange.clock import day_of_ms
from yingqiao.exchange.receipt import pack
from yingqiao.exchange.reconcile import compare, unlisted
from yingqiao.exchange.statement import Counts, Statement
from yingqiao.gm import sm3
from yingqiao.store.compression import compress, decompress
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError, StoredBodyBroken
from yingqiao.store.queries.common import Page, page_of
from yingqiao.store.receipts import of_day
from yingqiao.store.reconciliation import counts_of, exams_of, last_statement, missing_of, next_day, now_ms
from yingqiao.store.schema import balance_entries, day_statements, hospitals

_CHAIN_LOCK = 0x62616C  # "bal": one writer of chains at a time on PostgreSQL
_DAYS_AT_ONCE = 62


class DayShown(msgspec.Struct, frozen=True, rename="camel"):
    """A closed day, or its amendment, as lists show it."""

    hospital_code: str
    day: str
    sequence: int
    kind: str
    kind_name: str
    verdict: str
    made_at: int
    stated_exams: int | None
    gateway_exams: int
    missing: int
    unlisted: int
    receipts: int
    digest: str


def balance_of(connection: Connection, hospital_code: str, day: str) -> Balance:
    """How a day stands now; the ledger's rows stream. Raises StoredBodyBroken."""
    kept = last_statement(connection, hospital_code, day)
    found = counts_of(connection, hospital_code, day)
    listed = frozenset(kept.statement.ids) if kept else frozenset[str]()
    running, extra, extras = sm3.new(), list[str](), 0

    def counted() -> Iterator[tuple[str, str, str]]:
        for row in exams_of(connection, hospital_code, day):
            running.update(row[0].encode() + b"\n")
            yield row

    for one in unlisted(counted(), listed):
        extras += 1
        if extras <= IDS_SHOWN:
            extra.append(one)
    statement = kept.statement if kept else Statement(hospital_code, day, (), Counts(0, None, None))
    source = f"submission {kept.submission_id} sha256:{kept.digest.hex()}" if kept else ""
    total = sum(found.values(), start=Counts(0, 0, 0))
    return Balance(
        hospital_code,
        day,
        Side(statement.by_class(), statement.counts, source) if kept else None,
        Side(found, total, f"ledger sm3:{running.hexdigest()}"),
        None,
        tuple(missing_of(connection, hospital_code, statement.ids)),
        tuple(extra) if kept else (),
        extras if kept else 0,
        compare(statement, found),
    )


def close_day(database: Database, hospital_code: str, day: str, at: int | None = None) -> Entry | None:
    """Close a day; a closed one is amended when it has changed since, and never altered. None = nothing changed.

    Raises HospitalError (no such hospital, the day is not over), StoreUnavailable.
    """
    now = now_ms() if at is None else at
    if day >= day_of_ms(now):
        raise HospitalError(f"{day} 还没有过完（北京时间），不能结账")
    with database.read() as connection:
        if connection.scalar(select(hospitals.c.code).where(hospitals.c.code == hospital_code)) is None:
            raise HospitalError(f"没有医疗机构 {hospital_code}")
        balance = balance_of(connection, hospital_code, day)
        leaves = pack(of_day(connection, hospital_code, day))
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})
        before = _last(connection, hospital_code)
        closed = _last(connection, hospital_code, day)
        kind, changes = EntryKind.CLOSE, list[str]()
        if closed is not None:
            kind, changes = EntryKind.AMEND, changes_since(orjson.loads(closed.content), balance, leaves)
            if not changes:
                return None
        entry = link(balance, leaves, now, before, kind, changes)
        connection.execute(insert(balance_entries).values(_row(entry)))
    return entry


def due_days(connection: Connection, hospital_code: str, created_at: int, until: str) -> list[str]:
    """Days before `until` that are to be closed: since the hospital was registered, and older ones it stated."""
    b, s = balance_entries.c, day_statements.c
    closed = set(connection.scalars(select(b.day).where(b.hospital_code == hospital_code).distinct()))
    stated = connection.scalars(
        select(s.day).where(s.hospital_code == hospital_code, s.day < until).distinct()
    )
    days = {day for day in stated if day not in closed}
    day = day_of_ms(created_at)
    while day < until:
        if day not in closed:
            days.add(day)
        day = next_day(day)
    return sorted(days)[:_DAYS_AT_ONCE]


def closed_days(connection: Connection, hospital_code: str, since: str) -> list[str]:
    b = balance_entries.c
    mine = (b.hospital_code == hospital_code, b.day >= since, b.kind == str(EntryKind.CLOSE))
    return list(connection.scalars(select(b.day).where(*mine).order_by(b.day)))


def list_entries(
    connection: Connection,
    hospital_code: str | None = None,
    start: str | None = None,
    end: str | None = None,
    *,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[DayShown]:
    """Entries of chains, the newest days first; `end` is exclusive."""
    b = balance_entries.c
    statement = select(balance_entries).order_by(b.day.desc(), b.hospital_code, b.sequence)
    if hospital_code is not None:
        statement = statement.where(b.hospital_code == hospital_code)
    if start is not None:
        statement = statement.where(b.day >= start)
    if end is not None:
        statement = statement.where(b.day < end)
    return page_of(connection, statement, lambda row: shown_of(entry_of(row)), limit, offset, with_total)


def entries_within(
    connection: Connection, hospital_code: str | None = None, start: str | None = None, end: str | None = None
) -> list[Entry]:
    """Whole entries by hospital and place in its chain, of days from `start` to before `end`."""
    b = balance_entries.c
    statement = select(balance_entries).order_by(b.hospital_code, b.sequence)
    if hospital_code is not None:
        statement = statement.where(b.hospital_code == hospital_code)
    if start is not None:
        statement = statement.where(b.day >= start)
    if end is not None:
        statement = statement.where(b.day < end)
    return [entry_of(row) for row in connection.execute(statement)]


def entries_of_day(connection: Connection, hospital_code: str, day: str) -> list[Entry]:
    """Its closing, and its amendments after it."""
    b = balance_entries.c
    mine = select(balance_entries).where(b.hospital_code == hospital_code, b.day == day).order_by(b.sequence)
    return [entry_of(row) for row in connection.execute(mine)]


def verify_chain(connection: Connection, hospital_code: str) -> tuple[int, list[str]]:
    """How many entries it has, and what shows that it was altered; streams."""
    number = 0

    def counted() -> Iterator[Entry]:
        nonlocal number
        b = balance_entries.c
        mine = select(balance_entries).where(b.hospital_code == hospital_code).order_by(b.sequence)
        for row in connection.execution_options(stream_results=True, yield_per=50).execute(mine):
            number += 1
            try:
                yield entry_of(row)
            except StoredBodyBroken:
                yield _unreadable(row)

    found = faults(counted())
    return number, found


def chained_hospitals(connection: Connection) -> Sequence[str]:
    return list(
        connection.scalars(select(balance_entries.c.hospital_code).distinct().order_by("hospital_code"))
    )


def shown_of(entry: Entry) -> DayShown:
    said = orjson.loads(entry.content)
    return DayShown(
        entry.hospital_code,
        entry.day,
        entry.sequence,
        str(entry.kind),
        ENTRY_NAMES[entry.kind],
        said["verdict"],
        entry.made_at,
        said["stated"]["total"][0] if said["stated"] else None,
        said["gateway"]["total"][0],
        said["missing"]["count"],
        said["unlisted"]["count"],
        said["receipts"]["count"],
        entry.digest.hex(),
    )


def entry_of(row: Row[Any]) -> Entry:
    """A row as an entry. Raises StoredBodyBroken."""
    return Entry(
        row.hospital_code,
        row.sequence,
        row.day,
        EntryKind(row.kind),
        row.made_at,
        decompress(row.content),
        row.leaves,
        row.previous,
        row.digest,
    )


def _unreadable(row: Row[Any]) -> Entry:
    """An entry whose content cannot be unpacked any more: no digest fits it."""
    kind = EntryKind(row.kind)
    return Entry(
        row.hospital_code, row.sequence, row.day, kind, row.made_at, b"", row.leaves, row.previous, row.digest
    )


def _last(connection: Connection, hospital_code: str, day: str | None = None) -> Entry | None:
    b = balance_entries.c
    statement = select(balance_entries).where(b.hospital_code == hospital_code)
    if day is not None:
        statement = statement.where(b.day == day)
    row = connection.execute(statement.order_by(b.sequence.desc()).limit(1)).first()
    return None if row is None else entry_of(row)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "hospital_code": entry.hospital_code,
        "sequence": entry.sequence,
        "day": entry.day,
        "kind": str(entry.kind),
        "made_at": entry.made_at,
        "content": compress(entry.content),
        "leaves": entry.leaves,
        "previous": entry.previous,
        "digest": entry.digest,
    }
