"""What can go wrong with the stores, in the words the edges answer with."""

# ruff: noqa: N818 -- named for what happened, as the edges speak of it

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING

import sqlalchemy.exc

if TYPE_CHECKING:
    import psycopg


class StoreError(Exception):
    """A store could not do what was asked; nothing of it is kept."""


class StoreUnavailable(StoreError):
    """The database or the object folder cannot be reached now. Retrying later is right (503)."""


class StoreBusy(StoreUnavailable):
    """More is waiting to be written than the bounds allow. Retrying shortly is right (429 or 503)."""


class StoreFull(StoreUnavailable):
    """No room: the disk, a quota or a file limit is reached. An operator must act."""


class RecordRejected(StoreError):
    """This one record cannot be stored; others are not concerned."""


class HospitalError(StoreError):
    """What was asked of the registry cannot be; the text is Chinese, for the operator."""


class StoredBodyBroken(StoreError):
    """Bytes kept earlier cannot be read back as what was put."""


_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
_POSTGRES_AWAY = ("08", "57P", "53", "25006", "58", "XX")


def store_error(error: BaseException) -> StoreError | None:
    """The store's word for a driver's error; None when it concerns the data or the program, not the store."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None:
        return store_error(error.orig)
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return StoreUnavailable("no database connection became free in time")
    if isinstance(error, sqlite3.Error):
        return _from_sqlite(error)
    driver = sys.modules.get("psycopg")  # slow to import, and not needed beside SQLite
    if driver is not None and isinstance(error, driver.Error):
        return _from_postgres(error)
    return None


def _from_sqlite(error: sqlite3.Error) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the Python module itself: a closed connection, a wrong binding
        return None
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return StoreFull(str(error))
    return StoreUnavailable(str(error)) if primary in _SQLITE_AWAY else None


def _from_postgres(error: psycopg.Error) -> StoreError | None:
    state = error.sqlstate or ""
    if state == "53100":
        return StoreFull(str(error))
    driver = sys.modules["psycopg"]
    lost = not state and isinstance(error, (driver.OperationalError, driver.InterfaceError))
    return StoreUnavailable(str(error)) if lost or state.startswith(_POSTGRES_AWAY) else None
