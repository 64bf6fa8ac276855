"""One database, SQLite embedded or PostgreSQL: how to connect, read, write in a transaction, and close."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from yingqiao.store.errors import store_error
from yingqiao.store.locks import FairLock

if TYPE_CHECKING:
    import psycopg

SQLITE_FILE = "yingqiao.sqlite"
BUSY_TIMEOUT_MS = 15_000

_SQLITE_SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA mmap_size = 67108864",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
)
POSTGRES_SETTINGS = {
    "application_name": "yingqiao",
    "connect_timeout": 5,
    # A server that vanished without a word is noticed in about 15 s, not in hours.
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class Database:
    """Connections to one database. Reads never wait for writes; SQLite's writers take turns under
    `write_lock`.

    A process opens one Database per database: the lock is what keeps its own writers from meeting
    SQLITE_BUSY.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.write_lock = FairLock()
        self._mine = threading.local()

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with a consistent view. Raises StoreUnavailable."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed durably at the end, rolled back on any error.

        Raises StoreUnavailable, StoreFull. Keep it short on SQLite: every other writer waits. A thread that writes already
        would wait for itself for ever: that is a RuntimeError, on both databases alike.
        """
        if getattr(self._mine, "writes", False):
            raise RuntimeError("a write within a write of the same thread")
        self._mine.writes = True
        try:
            with self._write() as connection:
                yield connection
        finally:
            self._mine.writes = False

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        if not self.is_sqlite:
            with _translated(), self.engine.begin() as connection:
                yield connection
            return
        with self.write_lock, _translated(), self.engine.connect() as connection:
            connection.execution_options(immediate=True)
            with connection.begin():
                yield connection

    def sqlite_connection(self) -> sqlite3.Connection:
        """An own connection for a hot path, outside the pool, in autocommit mode, usable from any thread.

        Raises StoreUnavailable.
        """
        path = str(self.engine.url.database)
        with _translated():
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                _configure_sqlite(connection)
            except (
                BaseException
            ):  # whatever ends it, an open connection must not be left to the garbage collector
                connection.close()
                raise
        return connection

    def migrate(self) -> None:
        """Bring the database to this program's schema; quick when it is there. Raises StoreError."""
        from yingqiao.store.migrations import migrate  # the migrations need this module

        migrate(self)

    def close(self) -> None:
        self.engine.dispose()


def open_database(where: str | Path, *, pool_size: int = 8) -> Database:
    """The database of a data folder (SQLite file in it), or of a `postgresql://` or `sqlite:///` URL.

    Nothing is connected yet, and no table made: see `Database.migrate`. Raises ValueError for another kind
    of URL.
    """
    url = _url(where)
    if url.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(url, pool_size))
    if url.get_backend_name() == "postgresql":
        return Database(_postgres_engine(url, pool_size))
    raise ValueError(f"no such kind of database: {url.get_backend_name()}")


def _url(where: str | Path) -> URL:
    text = str(where)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text) / SQLITE_FILE))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("not a database URL") from None  # the text may hold a password
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(url, pool_size=pool_size, max_overflow=pool_size)

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        _configure_sqlite(connection)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        driver = connection.connection.driver_connection
        if driver is not None:  # past SQLAlchemy: its way to a bare word costs more than a small SELECT
            driver.execute("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _configure_sqlite(connection: sqlite3.Connection) -> None:
    for statement in _SQLITE_SETTINGS:
        connection.execute(statement).close()
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:  # SQLite does not wait by itself for this one, when two processes make the file at once
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _postgres_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args=POSTGRES_SETTINGS,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: psycopg.Connection, _record: object) -> None:
        # A server set to acknowledge before its disk does would break our promise; a stricter one is left
        # alone.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the driver's errors are known when they are here
        meant = store_error(error)
        if meant is None or meant is error:
            raise
        raise meant from error
