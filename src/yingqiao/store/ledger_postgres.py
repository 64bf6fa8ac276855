"""A batch of entries into PostgreSQL: one multi-row statement a table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Table

from yingqiao.store.database import Database
from yingqiao.store.ledger_rows import (
    DOCUMENT_COLUMNS,
    DOCUMENT_INSERT,
    DOCUMENT_REST,
    EXAM_UPSERT,
    REPORT_UPSERT,
    SUBMISSION_COLUMNS,
    Entry,
    Row,
    Upsert,
    newest_of_each,
)
from yingqiao.store.list_rows import FILE_COLUMNS, FILE_ZEROS, ListRows, in_order, plan, upsert_sql
from yingqiao.store.schema import image_files, report_documents, submissions

_WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
_IDLE_S = 1.0
_IDS = "SELECT nextval('submissions_id_seq') FROM generate_series(1, %s)"


def _array_type(table: Table, column: str) -> str:
    kind = table.c[column].type
    if isinstance(kind, LargeBinary):
        return "bytea[]"
    if isinstance(kind, Boolean):
        return "bool[]"
    if isinstance(kind, BigInteger):
        return "int8[]"
    return "int4[]" if isinstance(kind, Integer) else "text[]"


def _unnest(table: Table, columns: Sequence[str], rest: str = "") -> str:
    """`rest`: further values of every row, as SQL."""
    arrays = ", ".join(f"%b::{_array_type(table, column)}" for column in columns)
    return f"SELECT *{rest} FROM unnest({arrays})"  # noqa: S608 our own names


_SUBMISSION = f"INSERT INTO submissions (id, {', '.join(SUBMISSION_COLUMNS)}) " + _unnest(
    submissions, ("id", *SUBMISSION_COLUMNS)
)
_UPSERTS = {
    upsert.table.name: upsert.sql(_unnest(upsert.table, upsert.columns), ' COLLATE "C"')
    for upsert in (EXAM_UPSERT, REPORT_UPSERT)
}
_DOCUMENT = f"{DOCUMENT_INSERT} " + _unnest(
    report_documents, ("submission_id", *DOCUMENT_COLUMNS), f", {DOCUMENT_REST}"
)
_LIST = upsert_sql("%s")
_FILES = f"INSERT INTO image_files ({', '.join(FILE_COLUMNS)}, {FILE_ZEROS}) " + _unnest(
    image_files, FILE_COLUMNS, ", 0, '', 0, 0"
)
_REOPEN = (
    "UPDATE image_files SET state = 'pending', reason = '', error_class = '', attempts = 0, updated_at = %s"
    " WHERE list_id = %s AND url_digest = ANY(%b::bytea[])"
)


def insert(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> list[int]:
    """Insert within the connection's transaction; ids in the entries' order.

    Rows are sorted by key, exams before reports: two processes with the same keys then wait, and do not
    deadlock.
    """
    ids = sorted(row[0] for row in connection.execute(_IDS, [len(entries)]))
    numbered = list(zip(ids, entries, strict=True))
    with connection.pipeline():
        connection.execute(_SUBMISSION, _arrays([e.numbered(i) for i, e in numbered]))
        _upsert(connection, EXAM_UPSERT, [(i, *e.exam) for i, e in numbered if e.exam])
        _upsert(connection, REPORT_UPSERT, [(i, *e.report) for i, e in numbered if e.report])
        documents = [(i, *e.document) for i, e in numbered if e.document]
        if documents:
            connection.execute(_DOCUMENT, _arrays(documents))
    for number, rows in in_order([(i, e.images) for i, e in numbered if e.images]):
        _insert_list(connection, number, rows)
    return ids


def _insert_list(connection: psycopg.Connection[Any], submission_id: int, rows: ListRows) -> None:
    row = connection.execute(_LIST, (*rows.columns, submission_id, rows.now, rows.now)).fetchone()
    list_id: int = row[0] if row else 0
    # The list's row is locked now: whoever else adds to it waits, and then sees what is here.
    found = connection.execute("SELECT url_digest, state FROM image_files WHERE list_id = %s", [list_id])
    change = plan(rows, list_id, {bytes(digest): state for digest, state in found})
    rows.known = change.known
    if change.fresh:
        connection.execute(_FILES, _arrays(change.fresh))
    if change.reopened:
        connection.execute(_REOPEN, (rows.now, list_id, change.reopened))
    connection.execute(
        "UPDATE image_lists SET file_count = file_count + %s, relay_due = relay_due OR %s WHERE id = %s",
        (len(change.fresh), change.due, list_id),
    )


def _upsert(connection: psycopg.Connection[Any], upsert: Upsert, rows: list[Row]) -> None:
    if rows:
        connection.execute(_UPSERTS[upsert.table.name], _arrays(newest_of_each(rows, upsert)))


def _arrays(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


class PostgresWriter:
    """Writes in a helper thread with a connection of its own; several of these may write at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, "ledger-postgres")
        self._pooled: Any = None
        self._used = 0.0

    async def write(self, entries: Sequence[Entry]) -> list[int]:
        return await asyncio.wrap_future(self._thread.submit(self._write, entries))

    async def reconnect(self) -> bool:
        return await asyncio.wrap_future(self._thread.submit(self._reconnected))

    def close(self) -> None:
        self._thread.submit(self._drop).result()
        self._thread.shutdown()

    def _write(self, entries: Sequence[Entry]) -> list[int]:
        # A connection that lay idle may have died meanwhile: better to learn it before a record depends on
        # it.
        if time.monotonic() - self._used > _IDLE_S:
            self._reconnected()
        may_renew = True
        while True:
            connection = self._connected()
            self._used = time.monotonic()
            inserted = False
            try:
                with connection.transaction():
                    ids = insert(connection, entries)
                    inserted = True
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                continue  # another transaction went first; ours was rolled back whole
            except psycopg.Error:
                if connection.closed:
                    self._drop()
                # The server came back while this lane was not looking: it lost its connection, not the
                # database. What was lost during COMMIT may be kept already: never written a second time.
                if inserted or not may_renew or self._pooled is not None:
                    raise
                may_renew = False
            else:
                return ids

    def _connected(self) -> psycopg.Connection[Any]:
        if self._pooled is None:
            self._pooled = self._database.engine.raw_connection()
            self._pooled.detach()
            self._pooled.dbapi_connection.autocommit = True
        connection: psycopg.Connection[Any] = self._pooled.dbapi_connection
        return connection

    def _reconnected(self) -> bool:
        try:
            answer = self._connected().execute(_WRITABLE).fetchone()
        except Exception:  # noqa: BLE001 -- whatever it is, the database cannot be written yet
            self._drop()
            return False
        return answer is not None and answer[0] is True

    def _drop(self) -> None:
        pooled, self._pooled = self._pooled, None
        if pooled is not None:
            pooled.close()
