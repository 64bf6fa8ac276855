"""What becomes of a try: backoff, breaker, verdict (issue 3: retries that do not give up by themselves)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.retry import ASKED_AT_MOST_S, Backoff, Breaker, BreakerRule, RetryRule, verdict
from yingqiao.exchange.work import ErrorClass, WorkError, WorkState

RULE = RetryRule()
NOW = 1_795_400_000_000
AGAIN = [ErrorClass.PASSING, ErrorClass.THEIRS, ErrorClass.OURS]


@given(failures=st.integers(0, 10**6), drawn=st.floats(0, 1, exclude_max=True))
def test_delays_are_jittered_below_a_growing_capped_ceiling(failures: int, drawn: float) -> None:
    backoff = Backoff(2.0, 600.0)
    delay = backoff.delay(failures, lambda: drawn)
    assert 0 <= delay <= backoff.ceiling(failures) <= 600.0
    assert backoff.ceiling(failures) <= backoff.ceiling(failures + 1)
    assert backoff.ceiling(1) == 2.0
    assert backoff.ceiling(2) == 4.0


@pytest.mark.parametrize(
    ("error_class", "first", "most"), [("passing", 2, 600), ("theirs", 60, 21_600), ("ours", 5, 300)]
)
def test_each_class_has_its_own_spacing(error_class: str, first: float, most: float) -> None:
    backoff = RULE.backoffs[ErrorClass(error_class)]
    assert (backoff.ceiling(1), backoff.ceiling(100)) == (first, most)


@given(
    error_class=st.sampled_from(AGAIN),
    failures=st.integers(0, 10**5),
    drawn=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 10**9),
)
def test_retries_never_give_up(
    error_class: ErrorClass, failures: int, drawn: float, asked: float | None
) -> None:
    error = WorkError(error_class, "原因", retry_after=asked)
    after = verdict(error, failures, False, NOW, RULE, lambda: drawn)
    assert after.state is WorkState.RETRYING
    assert after.failures == failures + 1
    assert (after.error_class, after.reason) == (str(error_class), "原因")
    waits = (after.due_at - NOW) / 1000
    least = min(asked or 0.0, ASKED_AT_MOST_S)
    assert least - 0.001 <= waits <= max(RULE.backoffs[error_class].most, ASKED_AT_MOST_S)


def test_poison_is_a_dead_letter_at_once() -> None:
    after = verdict(WorkError(ErrorClass.POISON, "不是影像"), 0, False, NOW, RULE, lambda: 0.5)
    assert (after.state, after.reason) == (WorkState.DEAD, "不是影像")


def test_done_forgets_failures() -> None:
    after = verdict(None, 7, False, NOW, RULE, lambda: 0.5)
    assert (after.state, after.failures, after.error_class, after.reason) == (WorkState.DONE, 0, "", "")


def test_a_try_that_brought_something_is_not_slowed_down() -> None:
    after = verdict(WorkError(ErrorClass.PASSING, "断了"), 12, True, NOW, RULE, lambda: 0.99)
    assert after.failures == 1
    assert after.due_at - NOW <= 2_000


def fail(breaker: Breaker, times: int, now: int = NOW) -> Breaker:
    for _ in range(times):
        breaker = breaker.after(ErrorClass.PASSING, now, RULE.breaker, lambda: 0.0)
    return breaker


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    rule = BreakerRule(5, Backoff(30.0, 1800.0))
    breaker = fail(Breaker(), 4)
    assert breaker.slots(4, NOW, rule) == 4
    breaker = fail(breaker, 1)
    assert breaker.is_open(NOW)
    assert breaker.slots(4, NOW, rule) == 0
    later = breaker.open_until
    assert 15_000 <= later - NOW <= 30_000
    assert breaker.slots(4, later, rule) == 1
    worse = breaker.after(ErrorClass.PASSING, later, rule, lambda: 0.0)
    assert worse.open_until - later >= 30_000
    assert breaker.after(None, later, rule, lambda: 0.0) == Breaker()


def test_an_open_breaker_is_not_opened_further_by_tries_begun_before() -> None:
    opened = fail(Breaker(), 5)
    assert fail(opened, 3) == opened


@pytest.mark.parametrize("error_class", [ErrorClass.THEIRS, ErrorClass.POISON])
def test_an_answer_of_any_kind_closes_it(error_class: ErrorClass) -> None:
    assert fail(Breaker(), 5).after(error_class, NOW, RULE.breaker, lambda: 0.0) == Breaker()


def test_our_own_trouble_says_nothing_about_the_destination() -> None:
    opened = fail(Breaker(), 5)
    assert opened.after(ErrorClass.OURS, NOW, RULE.breaker, lambda: 0.0) == opened


@given(rounds=st.integers(1, 200), drawn=st.floats(0, 1, exclude_max=True))
def test_the_breaker_rests_at_most_its_cap(rounds: int, drawn: float) -> None:
    breaker, now = fail(Breaker(), 5), NOW
    for _ in range(rounds):
        now = breaker.open_until
        breaker = breaker.after(ErrorClass.PASSING, now, RULE.breaker, lambda: drawn)
        assert 0 < breaker.open_until - now <= 1_800_000
