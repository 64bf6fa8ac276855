"""Annex 7, certificate states: the edges at one month, to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.signing.certificates.states import CertificateState, add_months, state_of
from yingqiao.signing.moments import BEIJING

A_MOMENT = st.integers(946684800, 3471292800).map(lambda s: datetime.fromtimestamp(s, BEIJING))
BEGIN = datetime(2026, 5, 31, 10, 0, tzinfo=BEIJING)
END = datetime(2027, 5, 31, 10, 0, tzinfo=BEIJING)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (BEGIN - SECOND, CertificateState.NOT_YET),
        (BEGIN, CertificateState.NORMAL),
        (datetime(2027, 4, 30, 10, 0, tzinfo=BEIJING), CertificateState.NORMAL),
        (datetime(2027, 4, 30, 10, 0, 1, tzinfo=BEIJING), CertificateState.EXPIRING),
        (END, CertificateState.EXPIRING),
        (END + SECOND, CertificateState.RENEWABLE),
        (datetime(2027, 6, 30, 10, 0, tzinfo=BEIJING), CertificateState.RENEWABLE),
        (datetime(2027, 6, 30, 10, 0, 1, tzinfo=BEIJING), CertificateState.EXPIRED),
    ],
)
def test_the_states_of_annex_7(now: datetime, state: CertificateState) -> None:
    """不足一个月 is 临期, 不超过一个月 may be updated; 31 May less a month is 30 April."""
    assert state_of(BEGIN, END, now) is state


@pytest.mark.parametrize("now", [BEGIN - SECOND, BEGIN, END, END + SECOND, END + timedelta(days=90)])
def test_revoked_overrides_all_others(now: datetime) -> None:
    assert state_of(BEGIN, END, now, revoked_at=now) is CertificateState.REVOKED


def test_a_revocation_to_come_does_not_count_yet() -> None:
    assert state_of(BEGIN, END, BEGIN, revoked_at=BEGIN + SECOND) is CertificateState.NORMAL


def test_the_month_is_beijings_wherever_the_server_stands() -> None:
    """17:00 UTC on the 28th of February is the 1st of March in Beijing."""
    end = datetime(2027, 3, 31, 17, 0, tzinfo=UTC)  # 1 April 01:00 in Beijing
    assert add_months(end, -1) == datetime(2027, 3, 1, 1, 0, tzinfo=BEIJING)


@given(A_MOMENT, st.integers(-400, 400))
def test_months_add_up_to_the_clipped_day(here: datetime, months: int) -> None:
    there = add_months(here, months)
    assert (there.year * 12 + there.month) - (here.year * 12 + here.month) == months
    assert there.day == here.day or (there.day < here.day and (there + timedelta(days=1)).day == 1)
    assert there.time() == here.time()


@given(A_MOMENT)
def test_what_may_be_used_is_valid(now: datetime) -> None:
    state = state_of(BEGIN, END, now)
    assert state.is_usable == (BEGIN <= now <= END)
    assert state.words
