"""The engine as handlers and people see it (issue 3, the work engine)."""

from __future__ import annotations

from typing import Any

from tests.integration.work.conftest import EngineMaker, ask, rows, states, wait_until
from yingqiao.store.database import Database


def test_work_is_done_once(database: Database, make_engine: EngineMaker) -> None:
    seen: list[tuple[str, Any]] = []
    engine = make_engine({"test": lambda task: seen.append((task.key, task.payload))})
    ask(database, "a", "b", payload='{"x":1}')
    engine.wake()
    wait_until(lambda: set(states(database).values()) == {"done"})
    assert sorted(seen, key=lambda pair: pair[0]) == [("a", {"x": 1}), ("b", {"x": 1})]
    row = rows(database)["a"]
    assert (row.attempt, row.run, row.executor) == (1, 1, "")
