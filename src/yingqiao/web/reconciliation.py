"""`POST /statisticalData/upload` (四(二)5): a hospital's statement of a day, answered with what is missing.

The answer is `{"status", "message", "data"}`, status "0" success, "-1" failure (T151), whatever went wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from yingqiao.exchange.reconcile import FAILURE, INTERFACE, SUCCESS, StatementReceiver, answer
from yingqiao.store.database import Database
from yingqiao.store.ledger import Ledger
from yingqiao.store.reconciliation import keep
from yingqiao.web.intake import Said, Strangers
from yingqiao.web.limits import TokenBuckets
from yingqiao.web.visit import TurnedAwayError, Visit

_TRIALS_A_SECOND, _TRIALS_AT_ONCE = 2.0, 60.0
"""Bodies one address may send: each is tried with every hospital's key. A hospital sends one a day."""
_CODE_HEADERS = (b"hospitalcode", b"hospital-code", b"x-hospital-code")


@dataclass(frozen=True, slots=True)
class _Done:
    status: int
    body: bytes
    hospital: str
    submission: int
    accepted: bool


def failure(_: int, message: str) -> bytes:
    """The body of an answer to what could not be judged."""
    return orjson.dumps({"status": FAILURE, "message": message, "data": ""})


class Reconciliation:
    """Answers statements; belongs to one event loop, works in threads of its own: two days at once, no more."""

    def __init__(
        self,
        receiver: StatementReceiver,
        database: Database,
        ledger: Ledger,
        strangers: Strangers | None,
        *,
        as_object: bool = False,
    ) -> None:
        self._receiver = receiver
        self._database = database
        self._ledger = ledger
        self._strangers = strangers
        self._as_object = as_object
        self._trials = TokenBuckets(_TRIALS_A_SECOND, _TRIALS_AT_ONCE)
        self._pool = ThreadPoolExecutor(2, "reconcile")

    async def tell(self, visit: Visit, headers: Mapping[bytes, bytes], raw: bytes) -> Said:
        """The answer to a request whose body is here. Raises TurnedAwayError, StoreUnavailable."""
        visit.received = time.perf_counter()
        visit.stage = "open"
        wait = self._trials.take(visit.peer)
        if wait:
            raise TurnedAwayError(
                429, "too-many", retry_after=max(1, round(wait)), seconds=max(1, round(wait))
            )
        claimed = next((headers[name].decode("latin-1") for name in _CODE_HEADERS if name in headers), "")
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._pool, self._do, raw, visit.peer, claimed)
        visit.judged = time.perf_counter()
        visit.hospital, visit.submission, visit.status = done.hospital, done.submission, done.status
        visit.outcome = "accepted" if done.accepted else "refused"
        visit.stage = "record" if done.accepted else "open"
        return done.status, done.body, ()

    def close(self) -> None:
        self._pool.shutdown()

    def _do(self, raw: bytes, peer: str, claimed: str) -> _Done:
        taken = self._receiver.take(raw, peer=peer, received_at=int(time.time() * 1000), claimed=claimed)
        if taken.statement is not None and taken.submission is not None:
            done = keep(self._database, self._ledger, taken)
            body = answer(SUCCESS, done.message, done.missing, taken.key, as_object=self._as_object)
            return _Done(200, body, taken.submission.hospital_code, done.submission, accepted=True)
        number = 0
        submission = taken.submission
        if submission is not None and self._may_keep(len(raw), stranger=taken.stranger):
            number = self._ledger.record_now(submission)
        hospital = submission.hospital_code if submission is not None else ""
        return _Done(taken.http_status, failure(0, taken.message), hospital, number, accepted=False)

    def _may_keep(self, size: int, *, stranger: bool) -> bool:
        return not stranger or self._strangers is None or self._strangers.admit(size)


__all__ = ["INTERFACE", "Reconciliation", "failure"]
