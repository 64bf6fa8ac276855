"""What a handler sees of the work it does, and how it is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yingqiao.exchange.work import Priority

_NAP_S = 0.25


class Interrupted(Exception):  # noqa: N818 not an error: the work is wanted no more, or not now
    """Raised by `Task.check`; a handler lets it pass. What it did so far stays."""


class Cancelled(Interrupted):
    """A person cancelled it."""


class Held(Interrupted):
    """A person paused it; it is begun again when it is resumed."""


class Stopping(Interrupted):
    """The gateway stops, or lost sight of its database: the work waits for whoever is next."""


class Pace:
    """A destination's bandwidth, shared by all who use it in this process, and evenly with other processes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.processes = 1
        """How many processes use it now, this one among them; kept true by whoever watches."""

    def reserve(self, n_bytes: int, bytes_per_second: int) -> float:
        """Seconds to wait before `n_bytes` more may pass; the limit is that of all processes together."""
        with self._lock:
            now = self._clock()
            start = max(now, self._free_at)
            self._free_at = start + n_bytes * self.processes / bytes_per_second
            return start - now


@dataclass(slots=True)
class Progress:
    """How far it is. `changed` since it was last written down."""

    done: int = 0
    total: int = 0
    bytes: int = 0
    changed: bool = False
    grew: bool = False
    """Something was brought in this try."""


@dataclass(frozen=True, slots=True)
class Task:
    """One try of a piece of work. Methods may be called from any thread of the handler."""

    id: int
    kind: str
    key: str
    hospital_code: str
    destination: str
    payload: Mapping[str, Any]
    run: int
    attempt: int
    priority: Priority
    failures: int = 0
    """Tries that failed in a row before this one."""
    bytes_per_second: int = 0
    """The destination's limit; 0 = none."""
    pace: Pace = field(default_factory=Pace)
    state: Progress = field(default_factory=Progress)
    _stop: list[Interrupted] = field(default_factory=list)

    def progress(self, done: int, total: int = 0, bytes_: int = 0) -> None:
        """How far it is: steps done, of how many (0 = as before), bytes so far. Written down about once a second.

        Handlers tell growth of `done` or of bytes within a try: such a try is not a failure like those before.
        """
        known = self.state
        known.grew = known.grew or done > known.done or bytes_ > known.bytes
        known.done, known.bytes = done, bytes_
        known.total = total or known.total
        known.changed = True

    def check(self) -> None:
        """Raises Cancelled, Held or Stopping when it must end. Cheap: call it between steps."""
        if self._stop:
            raise self._stop[0]

    def interrupt(self, why: Interrupted) -> None:
        """Make `check` raise; the first reason stays."""
        self._stop.append(why)

    def throttle(self, n_bytes: int) -> None:
        """Block until `n_bytes` more fit the destination's bandwidth. Raises like `check`."""
        self.check()
        if self.bytes_per_second <= 0:
            return
        left = self.pace.reserve(n_bytes, self.bytes_per_second)
        while left > 0:
            nap = min(left, _NAP_S)
            time.sleep(nap)
            left -= nap
            self.check()


Handler = Callable[[Task], None]
"""Does one try of a kind of work. Returns = done. Raises WorkError = failed, as its class says; Interrupted as
`Task.check` raised it; anything else is a defect of ours, logged, and tried again. It must be repeatable: after a
kill the same try, and after a failure the next, begins from the start."""
