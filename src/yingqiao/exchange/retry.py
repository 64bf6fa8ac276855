"""What becomes of a try: when the next one is due, and whether the destination rests. Pure.

Retries never give up by themselves: the delay grows to its cap and stays there. Full jitter (each delay is
drawn between 0 and the current ceiling) keeps a thousand rows that failed together from coming back together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yingqiao.exchange.work import ErrorClass, WorkError, WorkState

Random = Callable[[], float]
"""Uniform in [0, 1)."""
_MOST_DOUBLINGS = 40
ASKED_AT_MOST_S = 86_400.0
"""A destination that asks us to wait longer is asked again after a day."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds, doubling from `first` to `most`."""

    first: float
    most: float

    def ceiling(self, failures: int) -> float:
        """The longest delay after so many failures in a row (1 = the first)."""
        return min(self.most, self.first * 2.0 ** min(max(failures, 1) - 1, _MOST_DOUBLINGS))

    def delay(self, failures: int, random: Random) -> float:
        return self.ceiling(failures) * random()


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """After `failures` passing failures in a row a destination rests, longer each time, up to a cap."""

    failures: int = 5
    rest: Backoff = Backoff(30.0, 1800.0)


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a destination stands. Closed: failures below the rule's. Open: until `open_until` (Unix ms).
    Afterwards one probe at a time goes through; its success closes it, its failure opens it for longer.
    """

    failures: int = 0
    open_until: int = 0

    def is_open(self, now_ms: int) -> bool:
        return self.open_until > now_ms

    def slots(self, most: int, now_ms: int, rule: BreakerRule) -> int:
        """How many tries may be in hand at once."""
        if self.is_open(now_ms):
            return 0
        return most if self.failures < rule.failures else min(1, most)

    def after(
        self, error_class: ErrorClass | None, now_ms: int, rule: BreakerRule, random: Random
    ) -> Breaker:
        """How it stands after a try; None = success. An answer of any kind closes it: it is there."""
        if error_class is ErrorClass.OURS:
            return self
        if error_class is not ErrorClass.PASSING:
            return Breaker()
        failures = self.failures + 1
        if failures < rule.failures:
            return Breaker(failures, self.open_until)
        if self.is_open(now_ms):
            return Breaker(self.failures, self.open_until)  # a try begun before it opened: nothing new
        longest = rule.rest.ceiling(failures - rule.failures + 1)
        return Breaker(failures, now_ms + int(1000 * longest * (0.5 + 0.5 * random())))


def _backoffs() -> dict[ErrorClass, Backoff]:
    return {
        ErrorClass.PASSING: Backoff(2.0, 600.0),
        ErrorClass.THEIRS: Backoff(60.0, 21_600.0),
        ErrorClass.OURS: Backoff(5.0, 300.0),
    }


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How the engine retries."""

    backoffs: Mapping[ErrorClass, Backoff] = field(default_factory=_backoffs)
    breaker: BreakerRule = BreakerRule()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The row after the try."""

    state: WorkState
    due_at: int
    failures: int
    error_class: str = ""
    reason: str = ""


def verdict(
    error: WorkError | None, failures: int, progressed: bool, now_ms: int, rule: RetryRule, random: Random
) -> Verdict:
    """What becomes of a row after a try that ended in `error` (None = done) and `failures` failed ones before.

    A try that brought something (`progressed`) counts as the first failure: what moves is not slowed down.
    """
    if error is None:
        return Verdict(WorkState.DONE, now_ms, 0)
    count = 1 if progressed else failures + 1
    told = (str(error.error_class), error.reason)
    if error.error_class is ErrorClass.POISON:
        return Verdict(WorkState.DEAD, now_ms, count, *told)
    delay = rule.backoffs[error.error_class].delay(count, random)
    asked = min(error.retry_after or 0.0, ASKED_AT_MOST_S)
    return Verdict(WorkState.RETRYING, now_ms + int(1000 * max(delay, asked)), count, *told)
