"""The revocation list of the built-in CA, published on schedule, and the alarm when that fails.

A list that verifiers hold is good for a week; a new one comes daily, so that six days pass before anybody notices.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.store.signing.authority import CRL_VALID, CertificateAuthority

NAME = "revocation-list"
LOOK_S = 60.0
_GAUGE_S = 15.0
_LATE_MS = 48 * 3600 * 1000
_log = structlog.get_logger(__name__)


class ListPublisher:
    """`turn` is called every so often by one process of all; `gauges` by each."""

    def __init__(
        self,
        authority: CertificateAuthority,
        every_ms: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self._authority = authority
        self._every_ms = every_ms
        self._now_ms = now_ms
        self._looked = 0.0
        self._due: int | None = None

    def turn(self) -> bool:
        """Publish when the newest list is old enough; whether it did. Raises what kept it from that, after telling."""
        due = self._newest()
        if due is None or not (self._is_time(due) or self._authority.owes_list(self._authority.current().id)):
            return False
        try:
            content = self._authority.publish()
        except Exception as error:
            left = (due - self._now_ms()) // 1000
            _log.error("crl.not_published", reason=type(error).__name__, seconds_left=left)
            raise
        _log.info("crl.published", size=len(content or b""))
        return content is not None

    def gauges(self) -> dict[str, float]:
        """Seconds until the newest list ends, negative when it has; infinite without a CA of our own."""
        if time.monotonic() - self._looked > _GAUGE_S:
            self._due, self._looked = self._newest(), time.monotonic()
            if self._due is not None and self._due - self._now_ms() < _LATE_MS:
                _log.error("crl.late", seconds_left=(self._due - self._now_ms()) // 1000)
        return {
            "crl_seconds_left": float("inf") if self._due is None else (self._due - self._now_ms()) / 1000
        }

    def _is_time(self, due: int) -> bool:
        made = milliseconds(moment(due) - CRL_VALID)
        return self._now_ms() - made >= self._every_ms

    def _newest(self) -> int | None:
        """When the newest list of the CA that issues now ends; 0 when it has none yet; None without such a CA."""
        try:
            current = self._authority.current()
        except SigningRefused:
            return None
        if current.authority is None:
            return None
        found = self._authority.newest_list(current.id)
        return found[1] if found else 0
