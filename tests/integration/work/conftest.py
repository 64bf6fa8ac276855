"""The ledger and the engine on both databases, real."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.integration.store.conftest import database, url  # noqa: F401 the same databases
from yingqiao.exchange.work import NewWork, Priority
from yingqiao.store.database import Database
from yingqiao.store.schema import work
from yingqiao.store.work import ledger
from yingqiao.store.work.durable import system_url
from yingqiao.store.work.engine import EngineRule, WorkEngine
from yingqiao.store.work.task import Handler

EngineMaker = Callable[..., WorkEngine]


@pytest.fixture
def make_engine(database: Database, url: str, tmp_path: Path) -> Iterator[EngineMaker]:  # noqa: F811
    """Starts engines one after another: DBOS is one for each process."""
    made: list[WorkEngine] = []

    def make(handlers: Mapping[str, Handler], rule: EngineRule | None = None, **more: Any) -> WorkEngine:
        for old in made:
            old.close()
        engine = WorkEngine(database, system_url(url, tmp_path), handlers, rule, **more)
        made[:] = [engine]
        engine.start()
        return engine

    yield make
    for engine in made:
        engine.close()


def ask(database: Database, *keys: str, **more: Any) -> None:  # noqa: F811
    now = more.pop("now_ms", None)
    values = {"kind": "test", "hospital_code": "H1", "destination": "H1/http://a:80"} | more
    values["priority"] = Priority(values.get("priority", Priority.NORMAL))
    with database.write() as connection:
        ledger.add(connection, [NewWork(key=key, **values) for key in keys], now_ms=now)


def rows(database: Database) -> dict[str, Any]:  # noqa: F811
    """key -> row."""
    with database.read() as connection:
        return {row.key: row for row in connection.execute(select(work))}


def states(database: Database) -> dict[str, str]:  # noqa: F811
    return {key: row.state for key, row in rows(database).items()}


def wait_until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
