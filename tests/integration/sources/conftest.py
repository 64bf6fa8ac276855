"""A hospital's RIS in each of the databases a source is tested on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from yingqiao.hospital.source import SourceRecord, Table, Trouble
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.database import DatabaseSource

_MOMENT = {"sqlite": "TEXT", "postgresql": "TIMESTAMP(6)", "mysql": "DATETIME(6)"}


@dataclass
class Ris:
    """A RIS with a table of exams and a view on it, written by its own connection."""

    url: str
    engine: Engine
    folder: Path
    opened: list[DatabaseSource] = field(default_factory=list)

    def execute(self, statement: str, *rows: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), list(rows) or None)

    def add(self, *exams: tuple[str, str, str]) -> None:
        """(id, changed at, patient)."""
        rows = [{"i": i, "c": c, "p": p} for i, c, p in exams]
        self.execute('INSERT INTO exams (id, changed, "姓名") VALUES (:i, :c, :p)', *rows)

    def source(self, **more: Any) -> DatabaseSource:
        exam: dict[str, Any] = {"view": "v_exams", "key": "id", "cursor": "changed"}
        exam |= {"fields": {"risStudyId": "id", "patName": "姓名", "lastChangeTime": "changed"}}
        exam |= more.pop("exam", {})
        source = open_source(
            {"name": "ris", "type": "database", "url": self.url, "exam": exam, **more}, self.folder
        )
        assert isinstance(source, DatabaseSource)
        self.opened.append(source)
        return source


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def ris(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ris]:
    fixtures = {"postgresql": "postgres_empty_url", "mysql": "mariadb_url"}
    server = fixtures.get(request.param)
    url = request.getfixturevalue(server) if server else f"sqlite:///{tmp_path / 'ris.db'}"
    driven = re.sub(r"^postgresql:", "postgresql+psycopg:", url)
    mode = {"init_command": "SET SESSION sql_mode='ANSI_QUOTES'"} if request.param == "mysql" else {}
    engine = create_engine(driven, connect_args=mode)
    made = Ris(url, engine, tmp_path)
    made.execute(
        f'CREATE TABLE exams (id VARCHAR(64) PRIMARY KEY, changed {_MOMENT[request.param]}, "姓名" VARCHAR(64))'
    )
    made.execute("CREATE VIEW v_exams AS SELECT * FROM exams")
    yield made
    for source in made.opened:
        source.close()
    engine.dispose()


def drain(
    source: DatabaseSource, position: str | None = None, limit: int = 3
) -> tuple[list[Any], str | None]:
    """Everything until the source says there is none, and the position then."""
    found: list[SourceRecord | Trouble] = []
    while told := source.changes(Table.EXAM, position, limit):
        assert len(told) <= limit
        found += told
        position = told[-1].position
    return found, position
