"""The state of a seal at a moment (one function), and who may change it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.states import STOPPED, Act, Change, SealState, change, state_of, stops_of

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def did(act: Act, on: int, who: str = "甲", reason: str = "因") -> Change:
    return Change(act, who, day(on), reason)


@pytest.mark.parametrize(
    ("changes", "on", "state"),
    [
        ([], -1, SealState.NOT_YET),
        ([], 0, SealState.IN_FORCE),
        ([], 365, SealState.IN_FORCE),
        ([], 366, SealState.EXPIRED),
        ([did(Act.SUSPEND, 5)], 4, SealState.IN_FORCE),
        ([did(Act.SUSPEND, 5)], 5, SealState.SUSPENDED),
        ([did(Act.SUSPEND, 5)], 400, SealState.SUSPENDED),
        ([did(Act.SUSPEND, 5), did(Act.RESUME, 7)], 6, SealState.SUSPENDED),
        ([did(Act.SUSPEND, 5), did(Act.RESUME, 7)], 8, SealState.RESUMED),
        ([did(Act.SUSPEND, 5), did(Act.RESUME, 7)], 400, SealState.EXPIRED),
        ([did(Act.LOSE, 5)], 6, SealState.LOST),
        ([did(Act.SUSPEND, 3), did(Act.LOSE, 5)], 6, SealState.LOST),
        ([did(Act.RENEW, 9)], 8, SealState.IN_FORCE),
        ([did(Act.RENEW, 9)], 10, SealState.RENEWED),
        ([did(Act.LOSE, 5), did(Act.RENEW, 9)], 10, SealState.RENEWED),
        ([did(Act.RENEW, 9), did(Act.REVOKE, 20)], 21, SealState.REVOKED),
        ([did(Act.REVOKE, 20)], 19, SealState.IN_FORCE),
        ([did(Act.REVOKE, 20)], 500, SealState.REVOKED),
        ([did(Act.MAKE, 0), did(Act.EXPORT, 2)], 3, SealState.IN_FORCE),
    ],
)
def test_a_state_follows_from_validity_and_history(changes: list[Change], on: int, state: SealState) -> None:
    found = state_of(START, END, changes, day(on))
    assert found.state is state
    assert state.words
    assert state.is_usable == (state in (SealState.IN_FORCE, SealState.RESUMED))


def test_since_when_and_why() -> None:
    found = state_of(START, END, [did(Act.LOSE, 5, reason="钥匙丢失")], day(9))
    assert (found.since, found.reason) == (day(5), "钥匙丢失")


@given(
    st.lists(st.tuples(st.sampled_from(list(Act)), st.integers(0, 400)), max_size=8), st.integers(-10, 500)
)
def test_what_comes_later_changes_nothing_before(acts: list[tuple[Act, int]], on: int) -> None:
    changes = [did(act, at) for act, at in acts]
    before = [one for one in changes if one.at <= day(on)]
    assert state_of(START, END, changes, day(on)) == state_of(START, END, before, day(on))


def asked(act: Act, changes: list[Change], who: str, reason: str = "因") -> str:
    with pytest.raises(SigningRefused) as refused:
        change(act, state_of(START, END, changes, day(30)), changes, who, reason, day(30))
    assert refused.value.reason
    return refused.value.code


def test_who_stopped_a_seal_does_not_start_it_again() -> None:
    """四眼: another has to look."""
    stopped = [did(Act.SUSPEND, 5, "甲")]
    assert asked(Act.RESUME, stopped, "甲") == "four-eyes"
    done = change(Act.RESUME, state_of(START, END, stopped, day(30)), stopped, "乙", "查明", day(30))
    assert (done.act, done.who, done.at) == (Act.RESUME, "乙", day(30))


@pytest.mark.parametrize(
    ("act", "changes"),
    [
        (Act.RESUME, []),
        (Act.SUSPEND, [did(Act.SUSPEND, 5)]),
        (Act.SUSPEND, [did(Act.REVOKE, 5)]),
        (Act.REVOKE, [did(Act.REVOKE, 5)]),
        (Act.RENEW, [did(Act.RENEW, 5)]),
        (Act.LOSE, [did(Act.RENEW, 5)]),
        (Act.EXPORT, [did(Act.LOSE, 5)]),
        (Act.MAKE, []),
    ],
)
def test_steps_that_make_no_sense(act: Act, changes: list[Change]) -> None:
    assert asked(act, changes, "乙") == "seal-state"


@pytest.mark.parametrize("act", [Act.SUSPEND, Act.LOSE, Act.REVOKE])
def test_a_reason_is_needed(act: Act) -> None:
    assert asked(act, [], "甲", " ") == "reason"
    assert asked(act, [], "甲", "长" * 201) == "reason"


@given(
    st.lists(st.tuples(st.sampled_from(Act), st.integers(0, 40)), max_size=12),
    st.integers(0, 45),
)
def test_the_stops_are_the_days_on_which_it_was_stopped(acts: list[tuple[Act, int]], on: int) -> None:
    """Both tell the same history."""
    changes = [did(act, number) for act, number in acts]
    state = state_of(day(0), day(50), changes, day(on)).state
    covering = [one for one in stops_of(changes) if one.covers(day(on))]
    assert [one.state for one in covering] == ([state] if state in STOPPED else [])
