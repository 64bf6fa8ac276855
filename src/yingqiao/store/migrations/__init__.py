"""Bringing a database to this program's schema, one revision after the other."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from yingqiao.store.database import Database
from yingqiao.store.errors import StoreError, StoreUnavailable, store_error

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0011"
"""The newest revision; a test holds it to the scripts."""

_ADVISORY_LOCK = 0x59696E67  # "Ying"


class SchemaTooNew(StoreError):  # noqa: N818 -- as in store.errors
    """The database was made by a newer program."""


def migrate(database: Database) -> None:
    """Upgrade to HEAD; a quick look when it is there already. One process at a time does it, others wait.

    Raises StoreUnavailable, SchemaTooNew.
    """
    try:
        if current(database) == HEAD:
            return
        if database.is_sqlite:
            _migrate_sqlite(database)
        else:
            _migrate_postgres(database)
    except DBAPIError as error:
        raise store_error(error) or error from error


def current(database: Database) -> str | None:
    """The database's revision; None when it is empty. Raises StoreUnavailable."""
    with database.engine.connect() as connection:
        if not database.engine.dialect.has_table(connection, "alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our scripts, on `connection`."""
    from alembic.config import Config  # slow to import, and mostly there is nothing to migrate

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate_sqlite(database: Database) -> None:
    path = Path(str(database.engine.url.database))
    with _file_lock(path.with_name(path.name + ".migrate")), database.write() as connection:
        _upgrade(connection)


def _migrate_postgres(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    found = None
    if connection.dialect.has_table(connection, "alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found > HEAD:
        raise SchemaTooNew(f"the database is at {found}, this program knows {HEAD}")
    from alembic import command

    command.upgrade(configuration(connection), "head")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    try:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise StoreUnavailable(str(error)) from error
