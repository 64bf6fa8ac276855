"""`python -m tests.helpers.work_engine URL FOLDER EXECUTOR`: an engine in a process of its own, to be killed.

Its handler 'effect' writes its effect under a unique key and notes in `begins` when it began and ended, by which
process. What it says on standard output: `ready`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sqlalchemy import text

from yingqiao import logging
from yingqiao.exchange.retry import Backoff, BreakerRule, RetryRule
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.work.durable import system_url
from yingqiao.store.work.engine import EngineRule, WorkEngine
from yingqiao.store.work.task import Task

TABLES = (
    "CREATE TABLE IF NOT EXISTS effects (name TEXT PRIMARY KEY, times INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS begins (name TEXT, executor TEXT, began DOUBLE PRECISION, ended DOUBLE PRECISION)",
)


def make_tables(database: Database) -> None:
    with database.write() as connection:
        for statement in TABLES:
            connection.execute(text(statement))


def effect(database: Database, executor: str, seconds: float) -> None:
    def handler(task: Task) -> None:
        began = time.time()
        row = {"name": task.key, "executor": executor, "began": began}
        with database.write() as connection:
            connection.execute(
                text("INSERT INTO begins (name, executor, began) VALUES (:name, :executor, :began)"), row
            )
        until = time.monotonic() + float(task.payload.get("seconds", seconds))
        while time.monotonic() < until:
            time.sleep(0.005)
            task.check()
        with database.write() as connection:
            connection.execute(
                text("INSERT INTO effects (name, times) VALUES (:name, 1) ON CONFLICT (name) DO NOTHING"), row
            )
            connection.execute(
                text("UPDATE begins SET ended = :now WHERE name = :name AND began = :began"),
                row | {"now": time.time()},
            )

    def guarded(task: Task) -> None:
        try:
            handler(task)
        except StoreUnavailable as error:
            raise WorkError(ErrorClass.OURS, "数据库不可用") from error

    return guarded  # type: ignore[return-value]


def main(url: str, folder: str, executor: str, seconds: str = "0.02", lease: str = "3") -> None:
    logging.configure("info")
    database = open_database(url)
    retry = RetryRule({each: Backoff(0.1, 0.5) for each in ErrorClass}, BreakerRule(5, Backoff(0.5, 1.0)))
    rule = EngineRule(places=6, per_hospital=100, retry=retry, poll_s=0.2, lease_s=float(lease))
    handlers = {"effect": effect(database, executor, float(seconds))}
    engine = WorkEngine(database, system_url(url, Path(folder)), handlers, rule, executor=executor)  # type: ignore[arg-type]
    engine.start()
    print("ready", flush=True)
    sys.stdin.read()
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
