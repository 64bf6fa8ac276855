"""Judging the seals on reports' PDFs, embedded or fetched, after their arrival: a timer's work, in batches.

A verdict is written once; one that is unknown becomes due again when what is trusted changes (`store.trust`), and where our
own registry was silent it stays due: one report at a time asks whether the registry speaks again, less and less often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from yingqiao.exchange.profile import DEFAULT as DEFAULT_PROFILE
from yingqiao.exchange.receive import Hospitals
from yingqiao.exchange.report_seals import UNSEALED, JudgeSeals, SealsJudged, is_judged
from yingqiao.sandbox import Busy
from yingqiao.signing.verification.report import Indication
from yingqiao.store.database import Database
from yingqiao.store.errors import StoredBodyBroken
from yingqiao.store.objects import Objects
from yingqiao.store.report_seals import DueSeals, due_seals, keep_seals

EVERY_S = 1.0
NAME = "report-seals"
BATCH = 10
MOST_BATCHES = 10
"""So many a turn; the rest waits for the next, so that the gateway stops soon."""
SILENT_FIRST_S, SILENT_MOST_S = 2.0, 300.0
"""How long nothing is judged after the registry was silent: doubled each time."""
_GONE = SealsJudged(0, "unknown", 1099, "报告 PDF 不在对象存储中，没有验证其签章", [])
_log = structlog.get_logger(__name__)


class SealWatch:
    """Call `turn` every so often, in one process of all."""

    def __init__(
        self,
        database: Database,
        hospitals: Hospitals,
        objects: Objects,
        judge: JudgeSeals,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._hospitals = hospitals
        self._objects = objects
        self._judge = judge
        self._now = now
        self._clock = clock
        self._silent_s, self._again_at = 0.0, 0.0

    def turn(self) -> int:
        """Judge what is due; how many. Raises StoreUnavailable."""
        count = 0
        if self._clock() < self._again_at:
            return count
        for _ in range(MOST_BATCHES):
            with self._database.read() as connection:
                due = due_seals(connection, BATCH)
            if not due:
                break
            for one in due:
                began = time.monotonic()
                try:
                    judged = self._judged(one)
                except Busy:  # it stays due
                    return count
                with self._database.write() as connection:
                    keep_seals(connection, one.submission_id, judged)
                count += 1
                if self._is_silent(judged):
                    return count
                time.sleep(min(time.monotonic() - began, 1.0))  # half of the time is intake's
        return count

    def _is_silent(self, judged: SealsJudged | None) -> bool:
        """Whether the registry was, to this one and so to all: then there is a pause."""
        silent = judged is not None and judged.silent
        self._silent_s = min(max(self._silent_s * 2, SILENT_FIRST_S), SILENT_MOST_S) if silent else 0.0
        self._again_at = self._clock() + self._silent_s
        return silent

    def _judged(self, one: DueSeals) -> SealsJudged | None:
        entry = self._hospitals.get(one.hospital_code)
        profile = entry.profile if entry is not None else DEFAULT_PROFILE
        if not is_judged(profile):
            return None
        try:
            with self._objects.open(one.object) as opened:
                data = opened.read()
        except (FileNotFoundError, ValueError, StoredBodyBroken):
            return _GONE
        judged = self._judge(data, profile.verification, self._now())
        if judged.indication not in (Indication.PASSED, UNSEALED):
            _log.warning(
                "seal.not_passed",
                hospital=one.hospital_code,
                submission=one.submission_id,
                indication=judged.indication,
                code=judged.code,
            )
        return judged
