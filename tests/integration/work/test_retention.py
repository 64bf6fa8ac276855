"""The ledger does not grow for ever: what was done long ago goes, what waits for a person stays."""

from __future__ import annotations

import time

from sqlalchemy import update

from tests.integration.work.conftest import ask, rows
from yingqiao.exchange.work import WorkState
from yingqiao.store.database import Database
from yingqiao.store.schema import work
from yingqiao.store.work.retention import forget_done

DAY = 86_400_000
NOW = time.time_ns() // 10**6


def over(database: Database, key: str, state: WorkState, days: int) -> None:
    """Asked for 200 days ago, ended so many days ago."""
    ask(database, key, now_ms=NOW - 200 * DAY)
    at = NOW - days * DAY
    with database.write() as connection:
        values = {"state": str(state), "finished_at": at, "updated_at": at}
        connection.execute(update(work).where(work.c.key == key).values(**values))


def test_only_what_was_done_long_ago_is_forgotten(database: Database) -> None:
    """Dead letters never, and what a person cancelled would be asked for again."""
    for number in range(25):
        over(database, f"old{number}", WorkState.DONE, 91)
    over(database, "done anew", WorkState.DONE, 10)
    over(database, "dead", WorkState.DEAD, 150)
    over(database, "cancelled", WorkState.CANCELLED, 150)
    ask(database, "open", now_ms=NOW - 200 * DAY)
    over(database, "last", WorkState.DONE, 91)
    assert forget_done(database, NOW - 90 * DAY, batch=10) == 26
    assert set(rows(database)) == {"done anew", "dead", "cancelled", "open"}
    assert forget_done(database, NOW - 90 * DAY, batch=10) == 0


def test_what_is_asked_for_again_stays(database: Database) -> None:
    over(database, "again", WorkState.DONE, 120)
    ask(database, "again")
    assert forget_done(database, NOW - 90 * DAY) == 0
    assert rows(database)["again"].run == 2
