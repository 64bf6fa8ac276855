"""Sends what is due: in order for each record, in parallel across records, live before backfill.

A thread with an event loop. Results are committed in groups, of some tens of milliseconds when there is much to do:
while they gather and are committed the next requests are on their way. A kill between the gateway's answer and the
commit sends a version twice, which an upsert makes harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
import uvloop

from yingqiao.client import AsyncGateway, ClientError
from yingqiao.exchange.retry import Backoff, Breaker, BreakerRule, RetryRule, verdict
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.hospital.calls import Failure, failure_of, push
from yingqiao.hospital.spool.entries import Lane
from yingqiao.hospital.spool.intake import Identity
from yingqiao.hospital.spool.outbox import (
    REFUSED,
    WAITING,
    Due,
    Outcome,
    claim,
    due_now_after_outage,
    settle,
)
from yingqiao.hospital.spool.store import Spool, now_ms
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
_CLAIM = 128
_LOOK_SECONDS = 1.0
"""What another process queued, and what became due, is found after so long."""
_REST_AT_MOST = 5.0
_GROUP, _GROUP_SECONDS = 64, 0.05
"""Results are committed when there are so many, or after so long, or when there is nothing else to do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many at once; when a failing gateway is asked again.

    A backfill rests between two requests as long as the gateway took for the answer: whoever is slow is asked less.
    """

    parallel: int = 8
    backfill_parallel: int = 4
    rest_seconds: float = 10.0
    rest_at_most: float = 300.0

    @property
    def rule(self) -> RetryRule:
        again = Backoff(2.0, self.rest_at_most)
        rest = BreakerRule(rest=Backoff(self.rest_seconds, self.rest_at_most))
        return RetryRule(dict.fromkeys(ErrorClass, again), rest)


@dataclass(slots=True)
class Health:
    """How the gateway stands, for `status` and alarms."""

    sent: int = 0
    refused: int = 0
    last_sent_at: int | None = None
    reason: str = ""
    """Why it rests or last failed; '' = fine."""
    identity: bool = False
    resting_until: int = 0
    in_hand: int = 0


@dataclass(slots=True)
class _Hands:
    """What is under way."""

    tasks: dict[asyncio.Task[Outcome], Due] = field(default_factory=dict)
    resting: int = 0
    """Places of the backfill that nothing may take yet."""
    ready: dict[Lane, deque[Due]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    unsettled: list[Outcome] = field(default_factory=list)
    since: float = 0.0
    """When the first of the unsettled came, `loop.time()`."""
    empty_until: dict[Lane, float] = field(default_factory=dict)
    """A lane where nothing was due is not looked at again before, `loop.time()`, unless something happens."""
    settling: tuple[asyncio.Task[None], list[Outcome]] | None = None
    """The commit under way, and what it commits."""

    def names(self) -> set[Identity]:
        """What must not be claimed again yet."""
        committing = self.settling[1] if self.settling else []
        outcomes = (one.due.name for one in (*self.unsettled, *committing))
        return {due.name for due in self.tasks.values()} | set(outcomes)

    def busy(self, lane: Lane) -> int:
        return sum(due.lane is lane for due in self.tasks.values())


class Sender:
    """One for a spool and a gateway."""

    def __init__(self, spool: Spool, connect: Callable[[], AsyncGateway], pace: Pace) -> None:
        """`connect` makes the client; it is called in the sender's own thread."""
        self._spool = spool
        self._connect = connect
        self._pace = pace
        self._rule = pace.rule
        self._breaker = Breaker()
        self._stopping = False
        self._woken = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._free: deque[AsyncGateway] = deque()
        self._thread = threading.Thread(target=self._loop_forever, name="sender", daemon=True)
        self.health = Health()

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 30.0) -> None:
        """Ends what is under way and commits it."""
        self._stopping = True
        self.wake()
        self._thread.join(timeout)

    def wake(self) -> None:
        """Something new is in the spool. From any thread."""
        self._woken.set()
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake.set)

    def _loop_forever(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        hands = _Hands()
        async with contextlib.AsyncExitStack() as opened:
            # A client for each request at a time: a pool looks at every connection it has, for every request.
            gateways = [await opened.enter_async_context(self._connect()) for _ in range(self._pace.parallel)]
            self._free = deque(gateways)
            while not self._stopping:
                try:
                    await self._turn(hands)
                except StoreError as error:
                    log.warning("sender.spool_unavailable", error=str(error))
                    await asyncio.sleep(1)
            if hands.tasks:
                await asyncio.wait(hands.tasks, timeout=10)
                await asyncio.sleep(0)  # their results are gathered
            await self._finish(hands)

    async def _turn(self, hands: _Hands) -> None:
        if self._woken.is_set():
            self._woken.clear()
            for queue in hands.ready.values():
                queue.clear()  # what is new may be more urgent, or newer than what was claimed
            hands.empty_until.clear()
        self._wake.clear()
        await self._fill(hands)
        self._settle(hands, all_=not hands.tasks)
        if not self._woken.is_set() and not self._stopping:
            await self._rest(_GROUP_SECONDS if hands.unsettled else _LOOK_SECONDS)

    async def _fill(self, hands: _Hands) -> None:
        """Starts as many as there is room for."""
        slots = self._breaker.slots(self._pace.parallel, now_ms(), self._rule.breaker)
        for lane in Lane:
            room = slots - len(hands.tasks)
            if lane is Lane.BACKFILL:
                room = min(room, self._pace.backfill_parallel - hands.busy(lane) - hands.resting)
            queue = hands.ready[lane]
            if room > 0 and not queue:
                queue.extend(await self._claim(hands, lane))
            taken = hands.names() if room > 0 and queue else set()
            while room > 0 and queue:
                due = queue.popleft()
                if due.name not in taken:
                    taken.add(due.name)
                    self._begin(hands, due)
                    room -= 1
        self.health.in_hand = len(hands.tasks)

    async def _claim(self, hands: _Hands, lane: Lane) -> list[Due]:
        now = asyncio.get_running_loop().time()
        if now < hands.empty_until.get(lane, 0.0):
            return []
        found = await asyncio.to_thread(claim, self._spool, lane, _CLAIM, hands.names())
        if not found:
            hands.empty_until[lane] = now + _LOOK_SECONDS
        return found

    def _begin(self, hands: _Hands, due: Due) -> None:
        task = asyncio.create_task(self._send(due))
        hands.tasks[task] = due
        began = asyncio.get_running_loop().time()
        task.add_done_callback(lambda done: self._gather(hands, done, began))

    def _gather(self, hands: _Hands, task: asyncio.Task[Outcome], began: float) -> None:
        due = hands.tasks.pop(task)
        if task.cancelled():
            return
        now = asyncio.get_running_loop().time()
        if due.lane is Lane.BACKFILL:
            self._let_rest(hands, min(now - began, _REST_AT_MOST))
        if not hands.unsettled:
            hands.since = now
        hands.unsettled.append(task.result())
        self._wake.set()

    def _let_rest(self, hands: _Hands, seconds: float) -> None:
        """A place of the backfill stays empty for so long."""

        def rested() -> None:
            hands.resting -= 1
            self._wake.set()

        hands.resting += 1
        asyncio.get_running_loop().call_later(seconds, rested)

    async def _rest(self, seconds: float) -> None:
        """Until something is done, or new."""
        alarm = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        await self._wake.wait()
        alarm.cancel()

    def _settle(self, hands: _Hands, *, all_: bool) -> None:
        """One commit at a time, in a thread; meanwhile others are sent. Raises StoreError when the last one
        failed: what it was to commit is tried again.
        """
        if hands.settling is not None:
            task, outcomes = hands.settling
            if not task.done():
                return
            hands.settling = None
            hands.empty_until.clear()  # reports may have waited for their exams
            if task.exception() is not None:
                hands.unsettled = [*outcomes, *hands.unsettled]
                task.result()
        gathered = asyncio.get_running_loop().time() - hands.since
        if hands.unsettled and (all_ or len(hands.unsettled) >= _GROUP or gathered >= _GROUP_SECONDS):
            outcomes, hands.unsettled = hands.unsettled, []
            task = asyncio.create_task(asyncio.to_thread(settle, self._spool, outcomes))
            task.add_done_callback(lambda _: self._wake.set())
            hands.settling = task, outcomes

    async def _finish(self, hands: _Hands) -> None:
        """All that is done is committed, before the end."""
        while hands.settling is not None or hands.unsettled:
            try:
                self._settle(hands, all_=True)
                if hands.settling is not None:
                    await asyncio.wait([hands.settling[0]])
            except StoreError as error:  # sent again after the next start
                log.warning("sender.spool_unavailable", error=str(error))
                return

    async def _send(self, due: Due) -> Outcome:
        gateway = self._free.popleft()
        try:
            left = await push(gateway, due.kind, due.values)
        except ClientError as error:
            return await self._failed(due, failure_of(error))
        except Exception as error:  # a defect of ours with one record must not stop the others
            log.exception("sender.record_failed", kind=due.kind)
            reason = f"本程序出错：{type(error).__name__}"
            return self._again(due, WorkError(ErrorClass.OURS, reason))
        finally:
            self._free.append(gateway)
        self.health.sent += 1
        self.health.last_sent_at = now_ms()
        await self._heard(None)
        if left is not None:
            log.warning("sender.addresses_refused")
            theirs = str(ErrorClass.THEIRS)
            return Outcome(due, REFUSED, now_ms(), due.failures, theirs, left.reason, left.findings)
        return Outcome(due, "sent")

    async def _failed(self, due: Due, failure: Failure) -> Outcome:
        if failure.refused:
            await self._heard(None)
            self.health.refused += 1
            log.warning("sender.record_refused", kind=due.kind, findings=failure.findings.count('"rule"'))
            return Outcome(
                due,
                REFUSED,
                now_ms(),
                due.failures,
                str(failure.error.error_class),
                failure.error.reason,
                failure.findings,
            )
        self.health.identity = failure.identity
        await self._heard(failure.error)
        return self._again(due, failure.error)

    def _again(self, due: Due, error: WorkError) -> Outcome:
        said = verdict(error, due.failures, False, now_ms(), self._rule, random.random)
        return Outcome(due, WAITING, said.due_at, said.failures, said.error_class, said.reason)

    async def _heard(self, error: WorkError | None) -> None:
        """The breaker after a try; when the gateway is back, what waits for it is due."""
        was_failing = self._breaker.failures > 0
        error_class = None if error is None else error.error_class
        self._breaker = self._breaker.after(error_class, now_ms(), self._rule.breaker, random.random)
        if error is None and was_failing:
            self.health.reason, self.health.identity = "", False
            log.info("sender.gateway_back")
            await asyncio.to_thread(due_now_after_outage, self._spool)
        elif error is not None:
            if not self.health.reason:
                log.warning("sender.gateway_failing", reason=error.reason)
            self.health.reason = error.reason
            if error.retry_after:
                until = now_ms() + int(1000 * min(error.retry_after, self._pace.rest_at_most))
                self._breaker = Breaker(
                    max(self._breaker.failures, self._rule.breaker.failures),
                    max(until, self._breaker.open_until),
                )
        self.health.resting_until = self._breaker.open_until
