"""Files in memory are bounded: idle ones are forgotten, and the longest unused makes room for a new one."""

from __future__ import annotations

import pytest

from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.parameters import NOTHING
from yingqiao.seal_client.sessions import Session, Sessions


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(sessions: Sessions, *, saved: bool = True) -> Session:
    session = sessions.begin(NOTHING, "")
    sessions.room()
    session.current, session.saved = b"%PDF-", saved
    return session


def gone(sessions: Sessions, session: Session) -> bool:
    try:
        sessions.get(session.secret)
    except Refused as refused:
        return (refused.status, refused.code) == (401, "no-session")
    return False


def test_idle_ones_are_forgotten():
    clock = Clock()
    sessions = Sessions(4, 60, clock)
    session = opened(sessions)
    clock.now = 59
    assert not gone(sessions, session)
    clock.now = 120
    assert gone(sessions, session)


def test_the_longest_unused_makes_room_but_what_waits_to_be_saved_last():
    sessions = Sessions(2, 60, Clock())
    unsaved, first = opened(sessions, saved=False), opened(sessions)
    third = opened(sessions)
    assert gone(sessions, first)
    assert not gone(sessions, unsaved)
    assert not gone(sessions, third)


def test_one_that_is_busy_is_not_forgotten():
    clock = Clock()
    sessions = Sessions(1, 60, clock)
    session = opened(sessions)
    with session.alone():
        clock.now = 1000
        assert not gone(sessions, session)
        with pytest.raises(Refused) as refused, session.alone():
            pass
    assert refused.value.code == "busy"


def test_pages_that_never_ask_are_bounded():
    sessions = Sessions(2, 60, Clock())
    first = sessions.begin(NOTHING, "")
    for _ in range(64):
        sessions.begin(NOTHING, "")
    assert gone(sessions, first)
