"""What is left of DBOS when it is closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.postgres import PostgresServer
from yingqiao.store.work.durable import Durable, system_url


@pytest.mark.peer
def test_a_connection_given_back_after_the_close_is_closed(postgres: PostgresServer, tmp_path: Path):
    """Found: a try's end, noted while we closed, left a connection open until it was collected."""
    name = postgres.new_database()
    durable = Durable(system_url(postgres.url(name), tmp_path), "here", 2, _carry, _nothing, _nothing)
    durable.launch()
    try:
        assert durable._engine is not None
        late = durable._engine.connect()
        raw = late.connection.dbapi_connection
        assert raw is not None
    finally:
        durable.close()
    late.close()
    assert raw.closed  # type: ignore[attr-defined]
    postgres.drop_database(name)


def _carry(_work: int, _run: int, _attempt: int) -> dict[str, object]:
    return {}


def _nothing(*_: object) -> None:
    return
