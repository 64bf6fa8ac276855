"""The engine: hands work over, fair and within limits, and sees to it that nothing handed over is forgotten.

Two threads beside DBOS's own: `work` admits (due rows are promoted; the best rows of every line that may move are
marked and begun), `work-watch` beats, writes progress down, tells handlers to stop, adopts what processes that
are gone had in hand. Between them the ledger's row is the only truth; DBOS repeats a try after a kill, and a
look at the rows in hand here finds what DBOS never heard of.

Several machines on PostgreSQL run the same code: each admits for its own free places, one at a time by an
advisory lock.
"""

from __future__ import annotations

import random as chance
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from yingqiao.exchange.fairness import Turns
from yingqiao.exchange.retry import Random, RetryRule
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.work import hand_over
from yingqiao.store.work.durable import Durable
from yingqiao.store.work.hand_over import Limits
from yingqiao.store.work.task import Handler
from yingqiao.store.work.timers import Timers
from yingqiao.store.work.tries import Context, Tries
from yingqiao.store.work.watch import Watch

_RETRY_FIRST_S, _RETRY_MOST_S = 0.2, 5.0
_FORGET_EVERY_S = 60.0
_MORE_S = 0.01
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineRule:
    """Limits of one engine."""

    places: int = 16
    """Tries at once in this process."""
    per_hospital: int = 8
    """Tries at once for one hospital, over all processes."""
    retry: RetryRule = field(default_factory=RetryRule)
    poll_s: float = 1.0
    """How often the ledger is looked at untold."""
    lease_s: float = 20.0
    """A process that does not beat for so long is gone (PostgreSQL)."""
    stop_s: float = 15.0
    """How long handlers get to end when the engine stops."""
    keep_s: float = 3600.0
    """How long DBOS keeps finished tries."""


def now_ms() -> int:
    return time.time_ns() // 10**6


class WorkEngine:
    """One for each process. `executor` names the process: the same after a restart, different on every machine.

    `clock` gives Unix ms, `random` [0, 1); both are for tests.
    """

    def __init__(
        self,
        database: Database,
        system_database_url: str,
        handlers: Mapping[str, Handler],
        rule: EngineRule | None = None,
        *,
        executor: str = "gateway",
        clock: Callable[[], int] = now_ms,
        random: Random = chance.random,
    ) -> None:
        self._database = database
        self._rule = rule or EngineRule()
        self._executor = executor
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._turns = Turns()
        context = Context(database, executor, handlers, self._rule.retry, clock, random, self.wake)
        self._tries = Tries(context)
        connections = self._rule.places + 4
        tries = self._tries
        self._durable = Durable(
            system_database_url, executor, connections, tries.carry, tries.finish, tries.gone
        )
        self._watch = Watch(database, executor, self._tries, self._durable, self._rule.lease_s, clock)
        self._timers = Timers(database, executor, clock)
        self._thread = threading.Thread(target=self._run, name="work", daemon=True)
        self._forgot_at = time.monotonic()
        self.available = True
        """False from a failed look until one succeeds."""
        self.launched = False

    def start(self) -> None:
        """Returns at once; work begins as soon as the database is there."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was added or changed."""
        self._wake.set()

    def every(self, seconds: float, name: str, function: Callable[[], None]) -> None:
        """Call `function` about every so often, in one process of all, late rather than never (also over
        restarts). It runs in a thread of its own; what it raises is logged. Call before `start`.
        """
        self._timers.add(seconds, name, function)

    @property
    def in_hand(self) -> int:
        """Tries in hand here."""
        return len(self._tries)

    def close(self) -> None:
        """No new tries; those that run are told to stop and their rows wait for the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(self._rule.stop_s)
        self._timers.close()
        self._tries.close()
        deadline = time.monotonic() + self._rule.stop_s
        while len(self._tries) and time.monotonic() < deadline:
            time.sleep(0.02)
        if left := len(self._tries):
            _log.warning("work.left", tries=left, hint="重启后继续")
        self._watch.close()
        if self.launched:
            self._durable.close()

    def _run(self) -> None:
        retry = _RETRY_FIRST_S
        while not self._stop.is_set():
            try:
                pause = self._turn()
                retry = _RETRY_FIRST_S
                self._is_back()
            except Exception as error:  # noqa: BLE001 a thread that dies unseen would stop all work
                self._paused(error)
                pause, retry = retry, min(retry * 2, _RETRY_MOST_S)
            self._wake.wait(pause)
            self._wake.clear()

    def _turn(self) -> float:
        """One look; returns how long to rest after it, in seconds."""
        if not self.launched:
            self._launch()
        if time.monotonic() - self._forgot_at > _FORGET_EVERY_S:
            self._durable.forget(time.time() - self._rule.keep_s)
            self._forgot_at = time.monotonic()
        room = self._rule.places - len(self._tries)
        if room <= 0:
            return self._rule.poll_s
        with self._database.read() as connection:
            if not hand_over.anything(connection, self._clock()):
                return self._rest(hand_over.next_due(connection))
        return _MORE_S if self._admit(room) else self._rule.poll_s

    def _launch(self) -> None:
        self._durable.launch()
        self.launched = True
        self._watch.start()
        self._timers.start()
        _log.info("work.ready", executor=self._executor, places=self._rule.places)

    def _admit(self, room: int) -> bool:
        """Whether there may be more."""
        limits = Limits(room, self._rule.per_hospital, self._rule.retry.breaker)
        now = self._clock()
        with self._database.write() as connection:
            if not hand_over.leads(connection):
                return True
            promoted = hand_over.promote(connection, now)
            tries = hand_over.admit(connection, self._executor, limits, self._turns, now)
            for what in tries:
                self._tries.expect(what)
        for what in tries:
            if self._stop.is_set():
                self._tries.unexpect(what)
                continue
            try:
                self._durable.start(what.id, what.run, what.attempt)
            except (
                BaseException
            ):  # whatever DBOS or a driver raises, a try that was not begun is not to be waited for
                self._tries.unexpect(what)
                raise
        return bool(tries) or promoted == hand_over.PROMOTED_AT_ONCE

    def _rest(self, due: int | None) -> float:
        if due is None:
            return self._rule.poll_s
        return min(self._rule.poll_s, max(0.0, (due - self._clock()) / 1000))

    def _paused(self, error: Exception) -> None:
        if self.available:
            cause = "store" if isinstance(error, StoreUnavailable) else "unexpected"
            _log.warning("work.paused", cause=cause, reason=type(error).__name__)
        self.available = False

    def _is_back(self) -> None:
        if not self.available:
            _log.info("work.resumed")
        self.available = True
