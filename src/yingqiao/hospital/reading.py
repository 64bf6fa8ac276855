"""Reads sources into the spool: a thread for each table of each source that can be asked; listeners are given the
spool to keep in before they acknowledge.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import structlog

from yingqiao.exchange.clock import clock
from yingqiao.hospital.config import Reading
from yingqiao.hospital.errors import SpoolFullError
from yingqiao.hospital.source import (
    Keep,
    Listener,
    Source,
    SourceRecord,
    SourceUnavailableError,
    Table,
    Trouble,
)
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import Taken, keep, position
from yingqiao.hospital.spool.store import Pressure, Spool, now_ms
from yingqiao.store.errors import StoreError

Row = TypeVar("Row")
log = structlog.get_logger(__name__)
_PAUSE_AT_MOST = 300.0
_DAY_MS = 86_400_000
_NEW_MS = 2 * _DAY_MS
_REST = 4
"""So many times as long as a reading took nothing is asked again: the hospital's own work goes first."""
_SLOW_SECONDS = 2.0


@dataclass(slots=True)
class SourceHealth:
    """How reading goes, for `status`."""

    source: str
    kind: str
    read_at: int | None = None
    taken: int = 0
    """New or changed records since the start."""
    reason: str = ""
    """Why it cannot be read; '' = fine."""


class Poller:
    """One table of one source."""

    def __init__(
        self,
        spool: Spool,
        source: Source,
        table: Table,
        taken: Callable[[], None],
        *,
        settings: Reading,
    ) -> None:
        """`taken` is called after something new was kept."""
        self._spool, self._source, self._table = spool, source, table
        self._on_taken = taken
        self._poll_seconds, self._batch = settings.poll_seconds, settings.batch
        self._first_days = settings.first_days
        self._caught_up = f"caught_up {source.name} {table.value}" in spool.heard()
        self._told_slow = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"read-{source.name}-{table.value}", daemon=True
        )
        self.health = SourceHealth(source.name, table.value)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float = 10.0) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        pause = self._poll_seconds
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                more = self._read()
            except (SourceUnavailableError, StoreError, SpoolFullError) as error:
                pause = self._failed(str(error), pause)
            except Exception as error:  # a defect in one source must not stop the others, nor stay unseen
                log.exception("source.failed", source=self._source.name, table=self._table.value)
                pause = self._failed(f"本程序出错：{type(error).__name__}", pause)
            else:
                self.health.reason = ""
                if more:
                    continue
                pause = self._pause_after(time.monotonic() - began)
            self._stopping.wait(pause)

    def _pause_after(self, took: float) -> float:
        """A view without an index on its cursor is searched whole each time: asked less often, and told once."""
        if took > _SLOW_SECONDS and not self._told_slow:
            self._told_slow = True
            log.warning(
                "source.slow", source=self._source.name, table=self._table.value, seconds=round(took, 1)
            )
        return max(self._poll_seconds, min(_REST * took, _PAUSE_AT_MOST))

    def _read(self) -> bool:
        """One batch; whether there may be more at once."""
        if self._spool.pressure() is Pressure.FULL:
            raise SpoolFullError("本地暂存已满，暂停读取")
        name, kind = self._source.name, self._table.value
        before = position(self._spool, name, kind)
        rows = self._source.changes(self._table, before, self._batch)
        self.health.read_at = now_ms()
        if not rows:
            self._reached_the_end()
            return False
        taken = keep(self._spool, name, rows, Lane.LIVE if self._caught_up else self._lane_at_first)
        self._count(taken)
        return bool(taken.new or taken.changed) or (len(rows) >= self._batch and rows[-1].position != before)

    def _reached_the_end(self) -> None:
        if not self._caught_up:
            self._spool.say(f"caught_up {self._source.name} {self._table.value}", True)
            self._caught_up = True
            log.info("source.caught_up", source=self._source.name, table=self._table.value)

    def _lane_at_first(self, at: str) -> Lane | None:
        """The first time through, history comes before today: it must not hold up what is new, and what is older
        than wanted is left to a backfill that asks for it.
        """
        now = now_ms()
        if not at or at >= clock(now - _NEW_MS):
            return Lane.LIVE
        return Lane.BACKFILL if at >= clock(now - self._first_days * _DAY_MS) else None

    def _count(self, taken: Taken) -> None:
        self.health.taken += taken.new + taken.changed
        if taken.new or taken.changed:
            self._on_taken()

    def _failed(self, reason: str, pause: float) -> float:
        if self.health.reason != reason:
            log.warning(
                "source.unavailable", source=self._source.name, table=self._table.value, reason=reason
            )
        self.health.reason = reason
        return min(max(pause, 0.5) * 2, _PAUSE_AT_MOST, max(self._poll_seconds * 12, 1.0))


def keeper(spool: Spool, listener: Listener, taken: Callable[[], None]) -> Keep:
    """What a listener keeps with: durable on return, else SpoolFullError or StoreError, which it answers with
    an error (HL7: AE) so that its sender comes again.
    """

    def keep_all(rows: Sequence[SourceRecord | Trouble]) -> None:
        kept = keep(spool, listener.name, rows)
        if kept.new or kept.changed:
            taken()

    return keep_all


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """The same, at most `size` at a time."""
    going = iter(rows)
    while batch := list(islice(going, size)):
        yield batch


class Throttle:
    """At most so many a second, spread evenly; 0 = any."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free_at = time.monotonic()

    def seconds(self, count: int) -> float:
        """How long to wait after `count` more."""
        if self._per_second <= 0:
            return 0.0
        self._free_at = max(self._free_at, time.monotonic()) + count / self._per_second
        return self._free_at - time.monotonic()
