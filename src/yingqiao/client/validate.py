"""Validation before anything leaves, by the same data and code the gateway judges with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from yingqiao.client.answer import Answer
from yingqiao.client.protocol import EXAM, IMAGES, MERGED, REPORT
from yingqiao.exchange import bounded_json
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.judge import judge
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import refusal_finding, validation_message
from yingqiao.spec import Edition, load_edition

Record = Mapping[str, Any]


def _anywhere(_: str) -> str:
    """Which hosts are registered for an images list only the gateway knows."""
    return ""


class Checker:
    """Checks records as the gateway of this edition would for this hospital. Immutable and thread-safe."""

    def __init__(
        self, hospital_code: str, *, profile: Profile | None = None, edition: Edition | None = None
    ) -> None:
        """`profile`: how strictly the gateway judges this hospital, if it is not the default."""
        self._code = hospital_code.strip()
        self._profile = profile or Profile()
        self._edition = edition or load_edition()

    def exam(self, exam: Record) -> Answer:
        return self.check(EXAM.id, exam)

    def report(self, report: Record) -> Answer:
        return self.check(REPORT.id, report)

    def merged(self, exam: Record, report: Record | None) -> Answer:
        return self.check(MERGED.id, {"patient": exam, "report": report or {}})

    def images_list(self, series: Record) -> Answer:
        """All but which addresses the gateway may fetch: their hosts are registered there."""
        return self.check(IMAGES.id, series)

    def check(self, interface: str, payload: Any) -> Answer:
        """What the gateway would say to `payload` at `interface` (an id of the edition): code, message and
        findings. The HTTP status is 0. Raises TypeError for what is no JSON at all.
        """
        try:
            # As it will be when the gateway has opened it: tuples are arrays, times are text.
            value = bounded_json.load(orjson.dumps(payload))
            table = self._edition.interfaces[interface].request
            findings = judge(self._edition, self._profile, self._code, table, value, None, _anywhere).findings
        except bounded_json.JsonError as error:
            return self._refused(Refusal("inner-not-json", detail=str(error)))
        except Refusal as refusal:
            return self._refused(refusal)
        return self._judged(findings)

    def _judged(self, findings: tuple[Finding, ...]) -> Answer:
        refused = [finding for finding in findings if finding.level is Level.REFUSE]
        message = validation_message(self._edition, findings)
        return Answer(int(not refused), message, None, findings, 0)

    def _refused(self, refusal: Refusal) -> Answer:
        finding = refusal_finding(refusal, self._edition)
        return Answer(0, finding.problem, None, (finding,), 0)
