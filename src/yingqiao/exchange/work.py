"""What background work is, and when it may be done: errors in classes, backoff, windows, the breaker. Pure.

A piece of work is one row of the ledger (`work`). Each try ends in success, in an error of one of four
classes, or in a cancellation; the class decides what happens next:

| class   | whose                                | then                                             |
|---------|--------------------------------------|--------------------------------------------------|
| passing | nobody's for long: network, 5xx      | again after a capped backoff, for ever; breaker  |
| theirs  | the other side must change something | again, more slowly, for ever; shown as theirs    |
| ours    | our disk, our database, our defect   | again after a capped backoff; breaker untouched  |
| poison  | these bytes never will do            | dead letter at once, with the reason             |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

LOCAL = "gateway"
"""What work without a destination of its own is done at: `<hospital>/gateway`, so that hospitals stay apart."""


class WorkState(StrEnum):
    """Where a piece of work stands."""

    DELAYED = "delayed"
    """Not to be begun before `due_at`."""
    WAITING = "waiting"
    """May be done as soon as its destination lets it."""
    ADMITTED = "admitted"
    """Handed to the engine, not begun."""
    RUNNING = "running"
    RETRYING = "retrying"
    """Failed; due again at `due_at`."""
    HELD = "held"
    """Paused by a person, alone."""
    DONE = "done"
    DEAD = "dead"
    """Dead letter: it waits for a person, who mends and replays it."""
    CANCELLED = "cancelled"


STATE_NAMES = {
    WorkState.DELAYED: "未到时间",
    WorkState.WAITING: "等待",
    WorkState.ADMITTED: "已派出",
    WorkState.RUNNING: "进行中",
    WorkState.RETRYING: "待重试",
    WorkState.HELD: "已暂停",
    WorkState.DONE: "完成",
    WorkState.DEAD: "死信",
    WorkState.CANCELLED: "已取消",
}
OVER_STATES = frozenset({WorkState.DONE, WorkState.DEAD, WorkState.CANCELLED})
OPEN_STATES = frozenset(WorkState) - OVER_STATES
IN_HAND = frozenset({WorkState.ADMITTED, WorkState.RUNNING})
"""With the engine."""


class Priority(IntEnum):
    """The lowest goes first."""

    EMERGENCY = 0
    """急诊"""
    MANUAL = 1
    """A person asked for it and waits."""
    NORMAL = 5
    BACKFILL = 9


class ErrorClass(StrEnum):
    """Whose fault, and so what happens next; see the module."""

    PASSING = "passing"
    THEIRS = "theirs"
    OURS = "ours"
    POISON = "poison"


ERROR_CLASS_NAMES = {
    ErrorClass.PASSING: "暂时故障",
    ErrorClass.THEIRS: "需对方处理",
    ErrorClass.OURS: "本机问题",
    ErrorClass.POISON: "数据无法使用",
}


class WorkError(Exception):
    """A try that did not succeed. `reason` is Chinese, for people, and names no patient."""

    def __init__(self, error_class: ErrorClass, reason: str, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds the other side asked us to wait."""
        super().__init__(reason)
        self.error_class = error_class
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How much may go on at one destination at a time: a PACS node, a host of URLs."""

    parallel: int = 2
    """Pieces of work at a time: associations with a PACS; lists from a host, each over up to eight connections."""
    bytes_per_second: int = 0
    """0 = no limit."""
    windows: str = ""
    """`22:00-06:00,…`, Beijing time; '' = always."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """Work asked for. The same (kind, key) asked for again while open changes nothing but its priority, if
    higher, and its payload, and its destination; asked for while it is being done, it is done once more
    afterwards, because what is new may have come too late for this time. Once it is over, it starts a new run.
    """

    kind: str
    key: str
    hospital_code: str
    destination: str = ""
    """'' = the gateway itself."""
    priority: Priority = Priority.NORMAL
    payload: str = "{}"
    """JSON object; small: names of rows, never data."""
    total: int = 0
    """How many steps it has, when known."""
    not_before: int = 0
    """Unix ms."""

    @property
    def line(self) -> str:
        """The destination in whose line it stands."""
        return self.destination or f"{self.hospital_code}/{LOCAL}"
