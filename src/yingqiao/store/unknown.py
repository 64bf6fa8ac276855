"""How much is kept of what nobody registered sent: enough to look into, not enough to fill the disk."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select

from yingqiao.exchange.model import Outcome
from yingqiao.store.database import Database
from yingqiao.store.schema import hospitals, submissions

RECOUNT_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UnknownBounds:
    """Of all refused submissions whose hospital is not registered; nothing kept is ever deleted for them."""

    count: int = 10_000
    bytes: int = 64 * 1024 * 1024
    """As received."""


class UnknownSenders:
    """Asked before such a submission goes to the ledger. Several processes overshoot by a minute's worth
    at most."""

    def __init__(self, database: Database, bounds: UnknownBounds | None = None) -> None:
        self._database = database
        self._bounds = bounds or UnknownBounds()
        self._mutex = threading.Lock()
        self._counted = float("-inf")
        self._count = 0
        self._bytes = 0
        self._told = False

    def admit(self, size: int) -> bool:
        """Whether a body of `size` bytes may still be kept; counts it when so. Raises StoreUnavailable.

        Reads the database once a minute: not for the event loop's thread.
        """
        with self._mutex:
            if time.monotonic() - self._counted > RECOUNT_S:
                self._recount()
                self._told = False
            if self._count >= self._bounds.count or self._bytes + size > self._bounds.bytes:
                self._tell()
                return False
            self._count += 1
            self._bytes += size
            return True

    def _tell(self) -> None:
        """Once between two counts: each of them would be a line a request."""
        if not self._told:
            _log.warning("unknown.bound_reached", kept=self._count, bytes=self._bytes)
        self._told = True

    def _recount(self) -> None:
        c = submissions.c
        kept = (
            select(func.count(), func.coalesce(func.sum(func.length(c.body)), 0))
            .where(c.outcome == str(Outcome.REFUSED))
            .where(c.hospital_code.not_in(select(hospitals.c.code)))
        )
        with self._database.read() as connection:
            self._count, stored = connection.execute(kept).one()
        self._bytes = max(self._bytes, int(stored))
        self._counted = time.monotonic()
