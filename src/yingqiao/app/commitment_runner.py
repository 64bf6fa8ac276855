"""Tells results of storage commitment requests until they are told: one thread, a backoff for each request.

What is to be done is in the ledger (`commitments.notified_at`); this keeps only when to try again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from yingqiao.app.commitments import Reporter
from yingqiao.exchange.work import NewWork, WorkError
from yingqiao.store.commitments import unreported
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable

_POLL_S = 1.0
_FIRST_S, _MOST_S = 2.0, 300.0
_log = structlog.get_logger(__name__)


class _Stopping(Exception):  # noqa: N818 an event
    pass


class CommitmentRunner:
    """`hand_over` is called by association threads; the thread does one report at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def hand_over(self, _connection: Connection, asked: Sequence[NewWork]) -> None:
        now = time.time()
        for one in asked:
            self._due[int(one.key)] = max(now, one.not_before / 1000)
            self._failures.pop(int(one.key), None)
        self._wake.set()

    def start(self, reporter: Reporter) -> None:
        self._thread = threading.Thread(target=self._run, args=(reporter,), name="commitments", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, reporter: Reporter) -> None:
        while not self._stop.is_set():
            self._wake.wait(_POLL_S)
            self._wake.clear()
            try:
                with self._database.read() as connection:
                    numbers = unreported(connection)
                for number in numbers:
                    self._try(reporter, number)
            except StoreUnavailable:
                _log.warning("dicom.commitments_paused")
            except _Stopping:
                return

    def _try(self, reporter: Reporter, number: int) -> None:
        if time.time() < self._due.get(number, 0.0):
            return
        try:
            reporter.tell(number, self._check)
        except WorkError as error:
            failures = self._failures[number] = self._failures.get(number, 0) + 1
            pause = min(_FIRST_S * 2 ** (failures - 1), _MOST_S) * random.uniform(0.8, 1.2)
            self._due[number] = time.time() + pause
            _log.warning(
                "dicom.commitment_not_told", number=number, cause=str(error.error_class), again_s=pause
            )
        else:
            self._due.pop(number, None)
            self._failures.pop(number, None)

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopping
