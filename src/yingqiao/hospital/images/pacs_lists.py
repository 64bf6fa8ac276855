"""Images that lie in a PACS which serves files (WADO-URI): found by C-FIND, listed to the gateway (四(二)2(3)).

The last days are looked at again and again; a series is listed once it did not grow for a while. A day further back
is looked at once, when it has exams: history needs its images too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import structlog

from yingqiao.hospital.backfill import today
from yingqiao.hospital.config import Images
from yingqiao.hospital.errors import SpoolFullError
from yingqiao.hospital.images.folder import SOURCE
from yingqiao.hospital.images.pacs import PacsSeries
from yingqiao.hospital.images.patient import is_whole, with_patient
from yingqiao.hospital.queries import BadRequestError, SeriesQuestion
from yingqiao.hospital.source import SourceUnavailableError
from yingqiao.hospital.spool.catalogue import exam_days
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import keep_series
from yingqiao.hospital.spool.store import Spool
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
_DONE = "images_days"
_SHORTEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class _Seen:
    """A study as it was: its number of instances as told and as listed, since when (`time.monotonic()`)."""

    told: int | None
    addresses: frozenset[str]
    since: float
    listed: bool = False


class PacsLister:
    """One thread; what it learned of the last days is forgotten with the process, the spool knows what was listed."""

    def __init__(self, settings: Images, pacs: PacsSeries, spool: Spool, taken: Callable[[], None]) -> None:
        self._settings, self._pacs, self._spool, self._on_taken = settings, pacs, spool, taken
        self._seen: dict[str, _Seen] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="images-pacs", daemon=True)
        self._reason = ""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(15)

    def alarms(self) -> list[str]:
        return [f"影像列表：{self._reason}"] if self._reason else []

    def scan(self) -> bool:
        """The last days once, then one day of history; whether there is more of that. Raises
        SourceUnavailableError, StoreError, SpoolFullError.
        """
        first = today() - timedelta(days=self._settings.days - 1)
        there: set[str] = set()
        for at in range(self._settings.days):
            there |= self._look(first + timedelta(days=at))
        self._seen = {uid: seen for uid, seen in self._seen.items() if uid in there}
        return self._look_back(first)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._settings.scan_seconds
            try:
                if self.scan():
                    pause = min(pause, _SHORTEST_PAUSE)
                self._reason = ""
            except (SourceUnavailableError, BadRequestError, StoreError, SpoolFullError) as error:
                self._failed(str(error))
                log.warning("images.pacs_failed", reason=self._reason)
            except Exception as error:  # one odd answer must not end the listing unseen
                self._failed(f"本程序出错：{type(error).__name__}")
                log.exception("images.pacs_broken")
            self._stopping.wait(pause)

    def _failed(self, reason: str) -> None:
        self._reason = reason

    def _look(self, day: date) -> set[str]:
        """Lists what is settled of a day; its studies. One that has as many instances as when it was listed is left
        alone.
        """
        there = set()
        for study_uid, told, series in self._pacs.studies(_of_day(day)):
            there.add(study_uid)
            known = self._seen.get(study_uid)
            if not (known and known.listed and told is not None and told == known.told):
                self._study(study_uid, told, _with_files(series), known)
        return there

    def _study(self, uid: str, told: int | None, lists: list[dict[str, Any]], known: _Seen | None) -> None:
        addresses = frozenset(path for one in lists for path in one["FILEPATH"])
        now = time.monotonic()
        since = known.since if known and (known.told, known.addresses) == (told, addresses) else now
        listed = now - since >= self._settings.settle_seconds
        if listed:
            listed = self._keep(lists, Lane.LIVE)
        self._seen[uid] = _Seen(told, addresses, since, listed)

    def _look_back(self, first: date) -> bool:
        done = self._done()
        wanted = [day for day in exam_days(self._spool, first.isoformat()) if day not in done]
        if not wanted or self._stopping.is_set():
            return False
        for _, _, series in self._pacs.studies(_of_day(date.fromisoformat(wanted[0]))):
            self._keep(_with_files(series), Lane.BACKFILL)
        self._spool.say(_DONE, sorted({*done, wanted[0]}))
        return len(wanted) > 1

    def _done(self) -> list[str]:
        said, _ = self._spool.heard().get(_DONE, ([], 0))
        return [str(day) for day in said] if isinstance(said, list) else []

    def _keep(self, lists: list[dict[str, Any]], lane: Lane) -> bool:
        """False when something of the patient is missing: the exam, which has it, may come after the images."""
        whole = with_patient(self._spool, lists)
        taken = keep_series(self._spool, SOURCE, whole, lane)
        if taken.new or taken.changed:
            self._on_taken()
        return all(map(is_whole, whole))


def _of_day(day: date) -> SeriesQuestion:
    return SeriesQuestion(start=day.isoformat(), end=(day + timedelta(days=1)).isoformat())


def _with_files(series: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in series if one["FILEPATH"]]
