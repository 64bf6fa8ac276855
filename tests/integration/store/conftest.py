"""Both databases, real, behind one fixture: every behaviour holds on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from yingqiao.store.database import Database, open_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh database with our schema is."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    database = open_database(tmp_path)
    database.migrate()
    database.close()
    return str(tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()
