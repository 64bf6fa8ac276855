"""A batch of entries into SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.ledger_rows import (
    DOCUMENT_COLUMNS,
    DOCUMENT_INSERT,
    DOCUMENT_REST,
    EXAM_UPSERT,
    REPORT_UPSERT,
    SUBMISSION_COLUMNS,
    Entry,
)
from yingqiao.store.list_rows import FILE_COLUMNS, FILE_ZEROS, ListRows, plan, upsert_sql

T = TypeVar("T")
HELPER_BYTES = 1024 * 1024
"""Batches larger than this, or with images lists, are inserted by the helper thread: the loop must not stand
still."""
BEGIN_PATIENCE_S = 15.0


def _values(columns: Sequence[str]) -> str:
    return f"VALUES ({', '.join('?' * len(columns))})"


_SUBMISSION = (
    f"INSERT INTO submissions (id, {', '.join(SUBMISSION_COLUMNS)}) {_values(('id', *SUBMISSION_COLUMNS))}"
)
_EXAM = EXAM_UPSERT.sql(_values(EXAM_UPSERT.columns))
_REPORT = REPORT_UPSERT.sql(_values(REPORT_UPSERT.columns))
_DOCUMENT = f"{DOCUMENT_INSERT} VALUES (?, {', '.join('?' * len(DOCUMENT_COLUMNS))}, {DOCUMENT_REST})"
_LIST = upsert_sql("?")
_FILE = (
    f"INSERT INTO image_files ({', '.join(FILE_COLUMNS)}, {FILE_ZEROS})"  # noqa: S608 our own names
    f" VALUES ({', '.join('?' * len(FILE_COLUMNS))}, 0, '', 0, 0)"
)
_REOPEN = (
    "UPDATE image_files SET state = 'pending', reason = '', error_class = '', attempts = 0, updated_at = ?"
    " WHERE list_id = ? AND url_digest = ?"
)


def insert(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[int]:
    """Insert within a transaction begun IMMEDIATE; ids in the entries' order."""
    # Under BEGIN IMMEDIATE nobody else can take these ids; executemany then needs no answer per row.
    last: int = connection.execute("SELECT coalesce(max(id), 0) FROM submissions").fetchone()[0]
    ids = range(last + 1, last + 1 + len(entries))
    connection.executemany(_SUBMISSION, [e.numbered(i) for i, e in zip(ids, entries, strict=True)])
    exams = [(i, *e.exam) for i, e in zip(ids, entries, strict=True) if e.exam]
    if exams:
        connection.executemany(_EXAM, exams)
    reports = [(i, *e.report) for i, e in zip(ids, entries, strict=True) if e.report]
    if reports:
        connection.executemany(_REPORT, reports)
    for number, entry in zip(ids, entries, strict=True):
        if entry.document:
            connection.execute(_DOCUMENT, (number, *entry.document))
        if entry.images:
            _insert_list(connection, number, entry.images)
    return list(ids)


def _insert_list(connection: sqlite3.Connection, submission_id: int, rows: ListRows) -> None:
    columns = (*rows.columns, submission_id, rows.now, rows.now)
    list_id = connection.execute(_LIST, columns).fetchone()[0]
    found = connection.execute("SELECT url_digest, state FROM image_files WHERE list_id = ?", (list_id,))
    change = plan(rows, list_id, dict(found.fetchall()))
    rows.known = change.known
    connection.executemany(_FILE, change.fresh)
    connection.executemany(_REOPEN, [(rows.now, list_id, digest) for digest in change.reopened])
    connection.execute(
        "UPDATE image_lists SET file_count = file_count + ?, relay_due = relay_due OR ? WHERE id = ?",
        (len(change.fresh), change.due, list_id),
    )


class SqliteWriter:
    """Statements in the event loop's thread, the commit (the fsync) in a helper thread.

    The loop collects the next batch meanwhile; a writer thread that also ran the statements would fight
    the loop
    for the interpreter lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = database.write_lock
        self._thread = ThreadPoolExecutor(1, "ledger-commit")
        self._connection: sqlite3.Connection | None = None

    async def write(self, entries: Sequence[Entry]) -> list[int]:
        if self._connection is None:
            await self._helped(self._connect)
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("no connection")
        await self._lock.acquire()
        try:
            await self._begin(connection)
            if sum(entry.size for entry in entries) > HELPER_BYTES or any(entry.images for entry in entries):
                ids = await self._helped(lambda: insert(connection, entries))
            else:
                ids = insert(connection, entries)
            await self._helped(lambda: connection.execute("COMMIT"))
        except BaseException:  # a cancelled task too must not leave the transaction open
            self._roll_back(connection)
            raise
        finally:
            self._lock.release()
        return ids

    async def reconnect(self) -> bool:
        self._drop()
        try:
            await self._helped(self._connect)
            await self._helped(self._probe)
        except Exception:  # noqa: BLE001 -- whatever it is, the database cannot be written yet
            self._drop()
            return False
        return True

    def close(self) -> None:
        self._thread.submit(self._drop).result()
        self._thread.shutdown()

    async def _begin(self, connection: sqlite3.Connection) -> None:
        # Another process (a command) may hold the file: wait without holding up the loop.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BEGIN_PATIENCE_S
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or loop.time() > deadline:
                    raise
                await asyncio.sleep(0.002)
            else:
                return

    async def _helped(self, work: Callable[[], T]) -> T:
        future: Future[T] = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # The thread must be done with the connection before anyone else touches it.
            if not future.cancel():
                future.exception()
            raise

    def _connect(self) -> None:
        self._connection = self._database.sqlite_connection()
        self._connection.execute("PRAGMA busy_timeout = 0")
        # A checkpoint falls into a COMMIT: rather often 5 ms than seldom 20.
        self._connection.execute("PRAGMA wal_autocheckpoint = 1000")

    def _probe(self) -> None:
        """Writes a page durably and takes it back: a full disk answers here, not with a hospital's record."""
        with self._lock, closing(self._database.sqlite_connection()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE alembic_version SET version_num = version_num")
            connection.execute("COMMIT")

    @staticmethod
    def _roll_back(connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
