"""The revocation lists of the built-in CAs, published on schedule, and the alarm when that fails.

A list that verifiers hold is good for a week; a new one comes daily, so that six days pass before anybody notices.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from yingqiao.store.signing.revocation_lists import RevocationLists, Standing

NAME = "revocation-list"
LOOK_S = 60.0
_GAUGE_S = 15.0
_LATE_MS = 48 * 3600 * 1000
_log = structlog.get_logger(__name__)


class ListPublisher:
    """`turn` is called every so often by one process of all; `gauges` by each. For every CA whose key is here: the one that
    issues, and earlier ones as long as what they issued may be asked about.
    """

    def __init__(
        self,
        lists: RevocationLists,
        every_ms: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self._lists = lists
        self._every_ms = every_ms
        self._now_ms = now_ms
        self._looked = 0.0
        self._due: int | None = None
        self._imported_due: int | None = None

    def turn(self) -> bool:
        """Publish where the newest list is old enough; whether it did. One CA does not wait for another whose device is
        away. Raises what kept the last from publishing, after telling.
        """
        published, failed = False, None
        for one in self._lists.standing():
            if not self._wanted(one):
                continue
            try:
                content = self._lists.publish(one.id)
            except Exception as error:  # noqa: BLE001 whatever it is, the others publish first; raised below
                left = self._left(one) // 1000
                _log.error(
                    "crl.not_published", authority=one.id, reason=type(error).__name__, seconds_left=left
                )
                failed = error
                continue
            _log.info("crl.published", authority=one.id, size=len(content or b""))
            published = True
        if failed is not None:
            raise failed
        return published

    def gauges(self) -> dict[str, float]:
        """Seconds until the list that ends first does, negative when it has; infinite without a CA of our own, and for
        the imported ones without one elsewhere whose lists are.
        """
        if time.monotonic() - self._looked > _GAUGE_S:
            self._look()
        return {
            "crl_seconds_left": self._seconds_until(self._due),
            "crl_imported_seconds_left": self._seconds_until(self._imported_due),
        }

    def _look(self) -> None:
        standing = self._lists.standing()
        publishing = [one for one in standing if one.publishes]
        imported = [one for one in standing if one.imported]
        self._due, self._imported_due = _first_end(publishing), _first_end(imported)
        self._looked = time.monotonic()
        for one in publishing:
            if self._left(one) < _LATE_MS:
                _log.error("crl.late", authority=one.id, seconds_left=self._left(one) // 1000)
        for one in imported:
            # no sooner: how long before the end a new list is due is that CA's to say
            if self._left(one) < 0:
                _log.error("crl.import_overdue", authority=one.id, seconds_left=self._left(one) // 1000)

    def _left(self, one: Standing) -> int:
        return (one.next_update or 0) - self._now_ms()

    def _seconds_until(self, due: int | None) -> float:
        return float("inf") if due is None else (due - self._now_ms()) / 1000

    def _wanted(self, one: Standing) -> bool:
        if not one.here:
            return False
        old = one.this_update is None or self._now_ms() - one.this_update >= self._every_ms
        return (one.publishes and old) or self._lists.owes(one.id)


def _first_end(standing: list[Standing]) -> int | None:
    return min((one.next_update or 0 for one in standing), default=None)
