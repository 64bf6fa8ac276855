"""The state of a seal at a moment, from one function: its validity and what was done to it.

| 状态 | 何时 | 可否盖章 |
|---|---|---|
| 尚未生效 | 有效期之前 | 不可 |
| 正常 | 其余 | 可 |
| 已恢复 | 停用或挂失之后恢复 | 可 |
| 停用 | 暂时不用 | 不可，可恢复 |
| 已挂失 | 介质丢失 | 不可，找回后可恢复 |
| 已过期 | 有效期之后 | 不可 |
| 已更新 | 换成了新印章 | 不可 |
| 已吊销 | 永久作废 | 不可 |

What was sealed while a seal was in force stays valid: a state is always asked for a moment. Revoked comes before
renewed, renewed before lost and suspended, those before the validity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

from yingqiao.signing.errors import SigningRefused

MAX_REASON = 200


class SealState(StrEnum):
    NOT_YET = "not-yet"
    IN_FORCE = "in-force"
    RESUMED = "resumed"
    SUSPENDED = "suspended"
    LOST = "lost"
    EXPIRED = "expired"
    RENEWED = "renewed"
    REVOKED = "revoked"

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def is_usable(self) -> bool:
        """Whether one may seal with it."""
        return self in (SealState.IN_FORCE, SealState.RESUMED)


_WORDS = {
    SealState.NOT_YET: "尚未生效",
    SealState.IN_FORCE: "正常",
    SealState.RESUMED: "已恢复",
    SealState.SUSPENDED: "停用",
    SealState.LOST: "已挂失",
    SealState.EXPIRED: "已过期",
    SealState.RENEWED: "已更新",
    SealState.REVOKED: "已吊销",
}


STOPPED: Final = frozenset({SealState.SUSPENDED, SealState.LOST, SealState.RENEWED, SealState.REVOKED})
"""By what was done to the seal, whatever its validity says."""


class Act(StrEnum):
    """What is done to a seal, as its history keeps it."""

    MAKE = "make"
    SUSPEND = "suspend"
    RESUME = "resume"
    LOSE = "lost"
    REVOKE = "revoke"
    RENEW = "renew"
    EXPORT = "export"
    """Its key left as a wallet; changes no state."""

    @property
    def words(self) -> str:
        return _ACT_WORDS[self]


_ACT_WORDS = {
    Act.MAKE: "制作",
    Act.SUSPEND: "停用",
    Act.RESUME: "恢复",
    Act.LOSE: "挂失",
    Act.REVOKE: "吊销",
    Act.RENEW: "更新",
    Act.EXPORT: "导出",
}
_FROM = {
    Act.SUSPEND: (SealState.IN_FORCE, SealState.RESUMED, SealState.NOT_YET),
    Act.LOSE: (SealState.IN_FORCE, SealState.RESUMED, SealState.NOT_YET, SealState.SUSPENDED),
    Act.RESUME: (SealState.SUSPENDED, SealState.LOST),
    Act.RENEW: tuple(state for state in SealState if state not in (SealState.RENEWED, SealState.REVOKED)),
    Act.REVOKE: tuple(state for state in SealState if state is not SealState.REVOKED),
    Act.EXPORT: (SealState.IN_FORCE, SealState.RESUMED, SealState.NOT_YET),
}
"""In which states an act makes sense."""


@dataclass(frozen=True, slots=True)
class Change:
    """One act, by whom and when."""

    act: Act
    who: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A seal's state at the moment asked for, since when, and why. `since` is None where only the validity says so."""

    state: SealState
    since: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """A span in which a seal could not be used; `until` None: to this day."""

    state: SealState
    since: datetime
    until: datetime | None = None

    def covers(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


def state_of(start: datetime, end: datetime, changes: Iterable[Change], at: datetime) -> Standing:
    """The standing at `at`: `changes` in any order, those after `at` do not count. Validity includes its last second."""
    done = sorted((one for one in changes if one.at <= at), key=lambda one: one.at)
    for final, state in ((Act.REVOKE, SealState.REVOKED), (Act.RENEW, SealState.RENEWED)):
        first = next((one for one in done if one.act is final), None)
        if first is not None:
            return Standing(state, first.at, first.reason)
    last = _last_pause(done)
    if last is not None and last.act is not Act.RESUME:
        return Standing(_PAUSED[last.act], last.at, last.reason)
    if at < start:
        return Standing(SealState.NOT_YET)
    if at > end:
        return Standing(SealState.EXPIRED)
    return Standing(SealState.IN_FORCE) if last is None else Standing(SealState.RESUMED, last.at, last.reason)


def stops_of(changes: Sequence[Change]) -> list[Stop]:
    """Every span in which it was stopped by what was done to it, oldest first, whatever its validity."""
    times: list[datetime | None] = [*sorted({one.at for one in changes}), None]
    found = []
    for at, until in pairwise(times):
        assert at is not None  # noqa: S101 only the last is
        state = state_of(at, at, changes, at).state
        if state in STOPPED:
            found.append(Stop(state, at, until))
    return found


_PAUSED = {Act.SUSPEND: SealState.SUSPENDED, Act.LOSE: SealState.LOST}


def _last_pause(done: Sequence[Change]) -> Change | None:
    return next((one for one in reversed(done) if one.act in _PAUSED or one.act is Act.RESUME), None)


def change(
    act: Act, standing: Standing, changes: Sequence[Change], who: str, reason: str, at: datetime
) -> Change:
    """The act, when it may be done now by `who`.

    Raises SigningRefused: no such step from this state, no reason, or (resuming) the one who stopped the seal: another
    has to look (四眼原则).
    """
    if standing.state not in _FROM.get(act, ()):
        raise SigningRefused("seal-state", f"该印章{standing.state.words}，不能{act.words}")
    reason = reason.strip()
    if act in (Act.SUSPEND, Act.LOSE, Act.RESUME, Act.REVOKE) and not 0 < len(reason) <= MAX_REASON:
        raise SigningRefused("reason", f"{act.words}须写明原因，至多 {MAX_REASON} 个字")
    stopped = _last_pause(sorted(changes, key=lambda one: one.at))
    if act is Act.RESUME and stopped is not None and stopped.who == who:
        raise SigningRefused("four-eyes", "停用或挂失的人不能自己恢复，请由另一人恢复")
    return Change(act, who, at, reason)
