"""The migrations bring every database to the schema the program is written for."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tests.peers.schema import MIGRATED_REALLY
from yingqiao.store import migrations
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.migrations import HEAD, SchemaTooNew, configuration, current
from yingqiao.store.schema import metadata


@pytest.fixture(autouse=True)
def _really() -> Iterator[None]:
    """Other tests copy the schema of SQLite."""
    copied, migrations._upgrade = migrations._upgrade, MIGRATED_REALLY
    yield
    migrations._upgrade = copied


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where a database without tables is."""
    return request.getfixturevalue("postgres_empty_url") if request.param == "postgresql" else str(tmp_path)


def test_the_program_knows_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [HEAD]


def test_migrations_make_the_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_tests_copy_the_schema_as_it_is(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What `tests.peers.schema` gives the other tests is what the migrations make."""
    made = []
    for name in ("migrated", "copied"):
        (tmp_path / name).mkdir()
        database = open_database(tmp_path / name)
        database.migrate()
        with sqlite3.connect(str(database.engine.url.database)) as connection:
            made.append(list(connection.iterdump()))
        connection.close()
        database.close()
        migrations._upgrade = request.getfixturevalue("_schema_copied")
    assert made[0] == made[1]


def test_several_processes_migrate_at_once(empty: str) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            database = open_database(empty)
            database.migrate()
            database.close()
        except Exception as error:  # noqa: BLE001 -- shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    database = open_database(empty)
    assert current(database) == HEAD
    database.close()


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew):
        database.migrate()
    assert current(database) == "9999"


def test_no_database_there(tmp_path: Path) -> None:
    for where in (str(tmp_path / "missing"), "postgresql://nobody@127.0.0.1:1/nothing"):
        database = open_database(where)
        with pytest.raises(StoreUnavailable):
            database.migrate()
        database.close()
