"""An empty SQLite database is given our schema as one that was migrated has it: a hundred times a run, a fifth of a second."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, inspect

from yingqiao.store import migrations
from yingqiao.store.database import open_database

MIGRATED_REALLY = migrations._upgrade


@pytest.fixture(scope="session", autouse=True)
def _schema_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Connection], None]]:
    """Not in the tests of migrations themselves: they put `MIGRATED_REALLY` back."""
    statements: list[str] = []

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name != "sqlite" or inspect(connection).get_table_names():
            MIGRATED_REALLY(connection)
            return
        if not statements:
            statements.extend(_statements(tmp_path_factory))
        cursor = connection.connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    migrations._upgrade = upgrade
    yield upgrade
    migrations._upgrade = MIGRATED_REALLY


def _statements(folders: pytest.TempPathFactory) -> list[str]:
    folder = folders.mktemp("schema")
    database = open_database(folder)
    with database.write() as connection:
        MIGRATED_REALLY(connection)
    path = str(database.engine.url.database)
    database.close()
    copied = sqlite3.connect(path)
    try:
        return [line for line in copied.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;")]
    finally:
        copied.close()
