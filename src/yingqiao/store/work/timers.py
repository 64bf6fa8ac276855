"""What is done every so often, by one process of all: whoever writes its name into the row first."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.store.database import Database
from yingqiao.store.schema import work_timers

_LOOK_MOST_S = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Timer:
    seconds: float
    name: str
    function: Callable[[], None]


class Timers:
    """A thread a timer."""

    def __init__(self, database: Database, executor: str, clock: Callable[[], int]) -> None:
        self._database = database
        self._executor = executor
        self._clock = clock
        self._stop = threading.Event()
        self._timers: list[_Timer] = []
        self._threads: list[threading.Thread] = []

    def add(self, seconds: float, name: str, function: Callable[[], None]) -> None:
        self._timers.append(_Timer(seconds, name, function))

    def start(self) -> None:
        for timer in self._timers:
            thread = threading.Thread(
                target=self._run, args=(timer,), name=f"timer-{timer.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """A function that runs is not waited for long: it is told of nothing, and runs again next time."""
        self._stop.set()
        for thread in self._threads:
            thread.join(5.0)

    def _run(self, timer: _Timer) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = min(timer.seconds / 4, _LOOK_MOST_S)
            try:
                with self._database.write() as connection:
                    mine = _claim(connection, timer, self._executor, self._clock())
                if mine:
                    timer.function()
            except Exception as error:  # noqa: BLE001 one failed time must not end all later ones
                frame = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{frame.name}:{frame.lineno}"
                _log.error("work.timer_failed", timer=timer.name, reason=type(error).__name__, at=place)


def _claim(connection: Connection, timer: _Timer, executor: str, now: int) -> bool:
    due = now - int(timer.seconds * 1000)
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(work_timers)
    fresh = insert.values(name=timer.name, started_at=0, executor="").on_conflict_do_nothing()
    connection.execute(fresh)
    claim = update(work_timers).where(work_timers.c.name == timer.name, work_timers.c.started_at <= due)
    return connection.execute(claim.values(started_at=now, executor=executor)).rowcount > 0
