"""A queue of 1,000,000 pending fetches can be listed, paused and resumed (issue 3, how good)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from yingqiao.exchange.fairness import Turns
from yingqiao.exchange.retry import BreakerRule
from yingqiao.exchange.work import ErrorClass, NewWork, Priority, WorkState
from yingqiao.store.database import Database
from yingqiao.store.queries.common import Range
from yingqiao.store.work import destinations, hand_over, ledger
from yingqiao.store.work.actions import Action, Order, act_on_all
from yingqiao.store.work.gauges import WorkGauges
from yingqiao.store.work.queries import WorkFilter, list_work

ROWS = 1_000_000
NOW = 1_795_400_000_000
_NUMBERS = {
    "sqlite": f"WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {ROWS})",
    "postgresql": f"WITH g AS (SELECT generate_series(1, {ROWS}) AS n)",
}
_FILL = f"""
INSERT INTO work (kind, key, hospital_code, destination, priority, payload, state, run, attempt, failures, again,
    executor, due_at, error_class, reason, progress_done, progress_total, progress_bytes, created_at, updated_at)
SELECT CASE WHEN n % 3 = 0 THEN 'pull' ELSE 'fetch' END, 'k' || n,
    'H' || (CASE WHEN n % 10 < 8 THEN 0 ELSE n % 5 END),
    'H' || (CASE WHEN n % 10 < 8 THEN 0 ELSE n % 5 END) || '/h' || (CASE WHEN n % 10 < 8 THEN 0 ELSE n % 50 END),
    CASE WHEN n % 1000 = 0 THEN 0 ELSE 5 END, '{{"list"' || chr || n || '}}',
    CASE WHEN n % 5000 = 0 THEN 'dead' WHEN n % 11 = 0 THEN 'retrying' ELSE 'waiting' END,
    1, 0, 0, 1 = 0, '', {NOW} + n, CASE WHEN n % 11 = 0 THEN 'passing' ELSE '' END, '', 0, 0, 0, {NOW} + n, {NOW} + n
FROM g CROSS JOIN (SELECT :colon AS chr) c
"""
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "waiting": {"state": WorkState.WAITING},
    "dead": {"state": WorkState.DEAD},
    "none done": {"state": WorkState.DONE},
    "hospital": {"hospital_code": "H0"},
    "no such hospital": {"hospital_code": "H99"},
    "dead of a hospital": {"hospital_code": "H0", "state": WorkState.DEAD},
    "destination": {"destination": "H0/h0"},
    "small destination": {"destination": "H4/h49"},
    "waiting of a destination": {"destination": "H4/h49", "state": WorkState.WAITING},
    "kind": {"kind": "pull"},
    "kind and state": {"kind": "pull", "state": WorkState.DEAD},
    "error class": {"error_class": ErrorClass.PASSING},
    "no poison": {"error_class": ErrorClass.POISON},
    "priority": {"priority": Priority.EMERGENCY},
    "key": {"key": "k777"},
    "kind and key": {"kind": "pull", "key": "k777"},
    "created": {"created": Range(NOW + 500_000, NOW + 500_100)},
    "due": {"due": Range(NOW + 500_000, NOW + 500_100)},
    "retrying, due": {"state": WorkState.RETRYING, "due": Range(NOW + 900_000, None)},
}


def timed(name: str, act: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    result = act()
    took = time.monotonic() - started
    print(f"{name:32} {took * 1000:8.1f} ms")
    return result, took


@pytest.mark.long
def test_a_million_rows_are_listed_paused_and_resumed(database: Database) -> None:
    with database.write() as connection:
        for number in range(50):
            hospital = f"H{number % 5}"
            destinations.ensure(connection, f"{hospital}/h{number}", hospital)
    with database.write() as connection:
        connection.execute(text(_NUMBERS[database.dialect] + _FILL), {"colon": ":"})
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE work"))
    lists_are_quick(database)
    the_engine_is_quick(database)
    pausing_everything_is_one_row(database)
    pausing_each_lets_others_write(database)


def lists_are_quick(database: Database) -> None:
    for name, wanted in FILTERS.items():
        with database.read() as connection:
            page, took = timed(name, lambda: list_work(connection, WorkFilter(**wanted), 50))  # noqa: B023
        assert took < 2.0, name
        assert len(page.items) == (0 if name.startswith("no") else 1 if "key" in name else 50), name
    with database.read() as connection:
        page, took = timed("with total", lambda: list_work(connection, None, 50, 0, with_total=True))
    assert (took < 2.0, page.total_is_exact) == (True, False)
    _, took = timed("gauges", WorkGauges(database).read)
    assert took < 3.0
    with database.read() as connection:
        _, took = timed("destinations", lambda: destinations.list_destinations(connection))
    assert took < 2.0


def the_engine_is_quick(database: Database) -> None:
    limits = hand_over.Limits(16, 8, BreakerRule())
    with database.read() as connection:
        assert timed("anything to do", lambda: hand_over.anything(connection, NOW))[1] < 0.5
        assert timed("next due", lambda: hand_over.next_due(connection))[1] < 0.5
    with database.write() as connection:
        tries, took = timed("admit", lambda: hand_over.admit(connection, "x", limits, Turns(), NOW))
    assert (len(tries), took < 0.5) == (16, True)
    with database.write() as connection:
        _, took = timed("promote 1,000", lambda: hand_over.promote(connection, NOW + ROWS))
    assert took < 2.0


def pausing_everything_is_one_row(database: Database) -> None:
    with database.write() as connection:
        assert timed("hold a hospital", lambda: destinations.hold(connection, "H0/*"))[1] < 0.5
    with database.read() as connection:
        assert {one.hospital_code for one, _ in hand_over.able(connection, NOW, {})} == {"H3", "H4"}
    with database.write() as connection:
        assert destinations.resume(connection, "H0/*")


def pausing_each_lets_others_write(database: Database) -> None:
    stop = threading.Event()
    waits: list[float] = []

    def others() -> None:
        while not stop.wait(0.02):
            started = time.monotonic()
            with database.write() as connection:
                ledger.add(connection, [NewWork("other", str(len(waits)), "H9")])
            waits.append(time.monotonic() - started)

    writer = threading.Thread(target=others)
    writer.start()
    most, wanted = 100_000, WorkFilter(hospital_code="H0")
    paused, _ = timed("pause 100,000", lambda: act_on_all(database, Order(Action.PAUSE), wanted, most=most))
    resumed, _ = timed("resume them", lambda: act_on_all(database, Order(Action.RESUME), wanted))
    stop.set()
    writer.join()
    print(f"{'worst wait of others':32} {max(waits) * 1000:8.1f} ms")
    assert paused == resumed == most
    assert max(waits) < 2.0
