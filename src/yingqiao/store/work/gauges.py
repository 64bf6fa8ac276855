"""How the work stands as a whole, for the metrics: asked seldom, and the more seldom the longer it takes."""

from __future__ import annotations

import time

from sqlalchemy import func, select

from yingqiao.exchange.work import OPEN_STATES, WorkState
from yingqiao.store.database import Database
from yingqiao.store.schema import work, work_destinations
from yingqiao.store.work.queries import count_by_kind

_EVERY_S = 10.0
_SHARE = 0.01
"""Of the time at most is spent counting."""
_SHOWN = sorted(OPEN_STATES | {WorkState.DEAD})


class WorkGauges:
    """Called once a second by the pulse; counts when it is time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._again_at = 0.0
        self._values: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """Gauge name -> value. Raises StoreUnavailable."""
        started = time.monotonic()
        if started >= self._again_at:
            gone = {name: 0.0 for name in self._values if name.startswith("work_rows")}
            self._values = gone | self._count()
            took = time.monotonic() - started
            self._again_at = started + max(_EVERY_S, took / _SHARE)
        return self._values

    def _count(self) -> dict[str, float]:
        now = time.time_ns() // 10**6
        columns = work_destinations.c
        with self._database.read() as connection:
            counts = count_by_kind(connection, _SHOWN)
            since = connection.scalar(
                select(func.min(work.c.due_at)).where(work.c.state == str(WorkState.WAITING))
            )
            held = connection.scalar(select(func.count()).select_from(work_destinations).where(columns.held))
            resting = connection.scalar(
                select(func.count()).select_from(work_destinations).where(columns.open_until > now)
            )
        rows = {f"work_rows{{kind={kind},state={state}}}": float(n) for (kind, state), n in counts.items()}
        return {
            **(rows or {"work_rows{kind=,state=waiting}": 0.0}),
            "work_oldest_waiting_seconds": max(0.0, (now - since) / 1000) if since is not None else 0.0,
            "work_destinations_held": float(held or 0),
            "work_breakers_open": float(resting or 0),
        }
