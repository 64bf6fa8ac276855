"""Judging the signatures that reports carry, after the answer: a timer's work, in batches.

A verdict is written once; one that is unknown becomes due again when what is trusted changes (`store.trust`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from yingqiao.exchange.profile import DEFAULT as DEFAULT_PROFILE
from yingqiao.exchange.receive import Hospitals
from yingqiao.exchange.report_signature import RULE, judge_report
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.report import Indication, Report
from yingqiao.store.database import Database
from yingqiao.store.queries.common import version_record
from yingqiao.store.report_signatures import DueSignature, due_signatures, keep_verdict

EVERY_S = 1.0
NAME = "report-signatures"
BATCH = 50
MOST_BATCHES = 20
"""So many a turn; the rest waits for the next, so that the gateway stops soon."""
_log = structlog.get_logger(__name__)


class SignatureWatch:
    """Call `turn` every so often, in one process of all."""

    def __init__(
        self,
        database: Database,
        hospitals: Hospitals,
        trust: Callable[[], Trust],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._hospitals = hospitals
        self._trust = trust
        self._now = now

    def turn(self) -> int:
        """Judge what is due; how many. Raises StoreUnavailable."""
        count = 0
        for _ in range(MOST_BATCHES):
            with self._database.read() as connection:
                due = due_signatures(connection, BATCH)
                values = [version_record(connection, one.submission_id, "report") for one in due]
            if not due:
                break
            began = time.monotonic()
            judged = [(one, self._judge(one, said)) for one, said in zip(due, values, strict=True)]
            with self._database.write() as connection:
                for one, report in judged:
                    keep_verdict(connection, one.submission_id, report)
            count += len(due)
            time.sleep(time.monotonic() - began)  # half of the time is intake's
        return count

    def _judge(self, one: DueSignature, values: Mapping[str, Any]) -> Report | None:
        entry = self._hospitals.get(one.hospital_code)
        profile = entry.profile if entry is not None else DEFAULT_PROFILE
        if profile.grade("report", "", RULE) is None:
            return None
        report = judge_report(values, self._trust(), self._now(), profile.verification)
        if report.indication is not Indication.PASSED:
            step = report.deciding
            _log.warning(
                "signature.not_passed",
                hospital=one.hospital_code,
                submission=one.submission_id,
                indication=str(report.indication),
                step=step.name,
                reason=step.reason,
            )
        return report
