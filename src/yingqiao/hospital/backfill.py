"""Reads history day by day into the slow lane of the spool (四(一): the last three months at first).

A day interrupted is read again from its beginning; the spool knows what it has, so nothing is sent twice for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import structlog

from yingqiao.exchange.clock import BEIJING
from yingqiao.exchange.windows import parse_windows
from yingqiao.hospital.config import Backfill
from yingqiao.hospital.errors import SpoolFullError
from yingqiao.hospital.reading import Throttle, batches
from yingqiao.hospital.source import Question, Source, SourceUnavailableError, Table
from yingqiao.hospital.spool import days
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import keep
from yingqiao.hospital.spool.outbox import waiting
from yingqiao.hospital.spool.store import Pressure, Spool, now_ms
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
_BATCH = 200
_IDLE_SECONDS = 2.0
_FAILED_SECONDS = 30.0


def today() -> date:
    """In Beijing."""
    return datetime.now(BEIJING).date()


def day_bounds(day: str) -> tuple[str, str]:
    """The first moment of a Beijing day, and of the next."""
    return f"{day} 00:00:00", f"{date.fromisoformat(day) + timedelta(days=1)} 00:00:00"


def months_ago(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last."""
    month = day.year * 12 + day.month - 1 - months
    first_of_next = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(month // 12, month % 12 + 1, min(day.day, last))


class Backfiller:
    """One thread; takes the newest day that is left, source by source."""

    def __init__(
        self, spool: Spool, sources: Sequence[Source], settings: Backfill, taken: Callable[[], None]
    ) -> None:
        self._spool, self._sources, self._settings = spool, sources, settings
        self._on_taken = taken
        self._windows = parse_windows(settings.windows)
        self._throttle = Throttle(settings.records_per_second)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)
        self.reason = ""
        """Why it stands still, for `status`."""

    def start(self) -> None:
        if self._settings.auto and not days.is_planned(self._spool):
            first = months_ago(today(), self._settings.months)
            self.plan(first, today())
        self._thread.start()

    def plan(self, first: date, last: date) -> int:
        """Puts days on the plan; how many are to be done."""
        return days.plan(self._spool, [source.name for source in self._sources], days.days(first, last))

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float = 10.0) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._turn())

    def _turn(self) -> float:
        """One day of each source; the seconds to wait then."""
        self.reason = ""
        pause = _IDLE_SECONDS
        for source in self._sources:
            planned = days.next_day(self._spool, source.name)
            if planned is None or self._stopping.is_set():
                continue
            try:
                pause = min(pause, self._day(source, planned))
            except (SourceUnavailableError, StoreError, SpoolFullError) as error:
                self._failed(planned, str(error))
                pause = min(_FAILED_SECONDS, pause * 5)
            except Exception as error:  # a defect with one day must not end the backfill unseen
                log.exception("backfill.failed", source=source.name, day=planned.day)
                self._failed(planned, f"本程序出错：{type(error).__name__}")
                pause = _FAILED_SECONDS
        return pause

    def _failed(self, planned: days.PlannedDay, reason: str) -> None:
        self.reason = reason
        log.warning("backfill.day_failed", source=planned.source, day=planned.day, reason=reason)
        days.day_failed(self._spool, planned, reason)

    def _day(self, source: Source, planned: days.PlannedDay) -> float:
        """All of a day, exams before reports; 0 when done."""
        start, end = day_bounds(planned.day)
        count = 0
        for table in Table:
            asked_at = now_ms()
            for rows in batches(source.ask(Question(table, start, end)), _BATCH):
                if not self._may_go_on(len(rows)):
                    return 0.0
                keep(self._spool, source.name, rows, Lane.BACKFILL, asked_at=asked_at)
                count += len(rows)
                self._on_taken()
        days.day_read(self._spool, planned, count)
        log.info("backfill.day_done", source=source.name, day=planned.day, records=count)
        return 0.0

    def _may_go_on(self, count: int) -> bool:
        """Waits for the window, the pace, room in the lane and on the disk; False when stopping."""
        wait = self._throttle.seconds(count)
        while not self._stopping.wait(wait):
            self.reason = self._obstacle()
            if not self.reason:
                return True
            wait = 1.0
        return False

    def _obstacle(self) -> str:
        if not self._windows.is_open(now_ms()):
            return "不在允许补传的时段"
        if self._spool.pressure() is not Pressure.FINE:
            return "本地暂存将满"
        if waiting(self._spool, Lane.BACKFILL) >= self._settings.queue:
            return "等待已读取的记录送达"
        return ""
