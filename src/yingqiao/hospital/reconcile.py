"""The daily reconciliation (四(二)5): yesterday's totals are counted, sent, and what the gateway lacks is sent again.

Counting asks the sources anew, so that what the connector itself missed is found too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any, Protocol

import structlog

from yingqiao.client import ClientError
from yingqiao.exchange.clock import BEIJING
from yingqiao.hospital.backfill import day_bounds, today
from yingqiao.hospital.config import Reconcile
from yingqiao.hospital.errors import SpoolFullError
from yingqiao.hospital.reading import batches
from yingqiao.hospital.source import Question, Source, SourceRecord, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.spool import days
from yingqiao.hospital.spool.catalogue import ModalityTotals, match, totals
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.images import resend_studies
from yingqiao.hospital.spool.intake import Identity, keep, refill
from yingqiao.hospital.spool.outbox import let_go_of, resend
from yingqiao.hospital.spool.store import Spool, now_ms
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
_BATCH = 500
_SHOWN = 10
_LOOK_SECONDS = 5.0
_AGAIN_SECONDS, _AGAIN_AT_MOST = 20.0, 600.0
"""After a failure; doubled with each."""


class Platform(Protocol):
    """Whom totals are sent to."""

    def reconcile(self, day: str, found: Sequence[ModalityTotals]) -> Sequence[str]:
        """The ids it lacks. Raises ClientError."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Does one day; used by the daily thread and by the command."""

    spool: Spool
    sources: Sequence[Source]
    platform: Platform
    settings: Reconcile
    counts_images: bool = False

    def reconcile(self, day: str) -> days.Reconciled:
        """Counts, sends, queues again what is missing, keeps how it ended. Raises ClientError,
        SourceUnavailableError, StoreError, SpoolFullError.
        """
        self._ask_again(day)
        return self._send(day, totals(self.spool, day, images=self.counts_images))

    def look_again(self, before: days.Reconciled) -> bool:
        """A day that was told: once more when something was missing, or when it counts otherwise now (a late
        report, an exam the source told late); whether it was. Raises as `reconcile`.
        """
        self._ask_again(before.day)
        found = totals(self.spool, before.day, images=self.counts_images)
        if not before.missing and [_told(one) for one in found] == list(before.totals):
            return False
        self._send(before.day, found)
        return True

    def _send(self, day: str, found: Sequence[ModalityTotals]) -> days.Reconciled:
        missing = list(self.platform.reconcile(day, found))
        matched = match(self.spool, missing)
        gone = let_go_of(self.spool, matched.names)
        resent = resend(self.spool, matched.names) + self._read_again(day, gone)
        resend_studies(self.spool, matched.studies)
        told = [_told(one) for one in found]
        lost = let_go_of(self.spool, sorted(gone))
        done = days.Reconciled(day, "done", told, missing, resent, matched.unknown, _lost_words(lost))
        days.keep_reconciled(self.spool, done)
        log.info(
            "reconcile.done",
            day=day,
            exams=sum(len(one.exams) for one in found),
            missing=len(missing),
            resent=resent,
            unknown=len(matched.unknown),
            lost=len(lost),
        )
        return done

    def _ask_again(self, day: str) -> None:
        """What the sources have of the day, into the spool: new is only what was missed."""
        for source, table in product(self.sources, Table):
            asked_at = now_ms()
            for rows in self._rows(source, table, day):
                keep(self.spool, source.name, rows, Lane.LIVE, asked_at=asked_at)

    def _read_again(self, day: str, gone: set[Identity]) -> int:
        """Contents that `keep_days` let go, from the sources, and queued; how many."""
        if not gone:
            return 0
        return sum(
            refill(self.spool, source.name, rows, gone)
            for source, table in product(self.sources, Table)
            for rows in self._rows(source, table, day)
        )

    def _rows(self, source: Source, table: Table, day: str) -> Iterator[list[SourceRecord | Trouble]]:
        margin = timedelta(days=self.settings.margin_days)
        start = day_bounds((date.fromisoformat(day) - margin).isoformat())[0]
        end = day_bounds((date.fromisoformat(day) + margin).isoformat())[1]
        return batches(source.ask(Question(table, start, end)), _BATCH)


def _lost_words(lost: Collection[Identity]) -> str:
    if not lost:
        return ""
    shown = "、".join(key for _, key in sorted(lost)[:_SHOWN])
    return (
        f"{len(lost)} 条的内容已按 spool.keep_days 清除，来源里也没有这一天的这些记录，不能重发：{shown}"
        f"{'等' if len(lost) > _SHOWN else ''}。请由来源重新发送"
    )


def _told(one: ModalityTotals) -> dict[str, Any]:
    return {"modality": one.modality, "exams": len(one.exams), "reports": one.reports, "images": one.images}


class Daily:
    """A thread that does every day once it is over, and those missed while the machine was off."""

    def __init__(self, reconciler: Reconciler, resent: Callable[[], None]) -> None:
        """`resent` is called when something is queued again."""
        self._reconciler = reconciler
        self._on_resent = resent
        self._stopping = threading.Event()
        self._not_before = 0.0
        self._failures = 0
        self._looked: dict[str, float] = {}
        """When each day told was looked at last, `time.monotonic()`."""
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)
        self.reason = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float = 10.0) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            if time.monotonic() >= self._not_before:
                self._turn()

    def _turn(self) -> None:
        try:
            for day in due_days(self._reconciler.spool, self._reconciler.settings, datetime.now(BEIJING)):
                self._reconciler.reconcile(day)
                self._looked[day] = time.monotonic()
                self._on_resent()
            self._look_again()
            self.reason, self._failures = "", 0
        except (ClientError, SourceUnavailableError, StoreError, SpoolFullError) as error:
            self._failed(str(error))
            log.warning("reconcile.failed", reason=str(error))
        except Exception as error:  # tomorrow's has to be tried all the same
            self._failed(f"本程序出错：{type(error).__name__}")
            log.exception("reconcile.broken")

    def _failed(self, reason: str) -> None:
        self.reason = reason
        self._not_before = time.monotonic() + min(_AGAIN_SECONDS * 2**self._failures, _AGAIN_AT_MOST)
        self._failures = min(self._failures + 1, 16)

    def _look_again(self) -> None:
        settings = self._reconciler.settings
        earliest = (today() - timedelta(days=settings.catch_up_days)).isoformat()
        told = days.reconciled(self._reconciler.spool, settings.catch_up_days)
        for before in (one for one in told if one.state == "done" and earliest <= one.day):
            last = self._looked.setdefault(before.day, time.monotonic())
            if time.monotonic() - last >= settings.again_hours * 3600:
                if self._reconciler.look_again(before):
                    self._on_resent()
                self._looked[before.day] = time.monotonic()


def due_days(spool: Spool, settings: Reconcile, now: datetime) -> list[str]:
    """Days over and not reconciled yet, oldest first, from the first the connector was there for. `now` is
    Beijing time.
    """
    last = now.date() - timedelta(days=1 if now.strftime("%H:%M") >= settings.at else 2)
    wanted = [(last - timedelta(days=n)).isoformat() for n in range(settings.catch_up_days)]
    done = [one.day for one in days.reconciled(spool, 2 * settings.catch_up_days + 31) if one.state == "done"]
    if not done:
        return wanted[:1]
    return sorted(day for day in wanted if day not in done and day > min(done))


def yesterday() -> str:
    """In Beijing."""
    return (today() - timedelta(days=1)).isoformat()
