"""A clock that may be stamped by: the wall clock, as long as it goes as the monotonic one does (GM/T 0033)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_READINGS = 10
"""So often is a pair of readings tried that lie close together."""
SLEW = 0.001
"""Share by which the wall clock may be drawn to the right time (NTP draws by half of that at most)."""


class ClockError(Exception):
    """The time is not to be trusted; the text is Chinese."""


class TrustedClock:
    """Unix milliseconds that never go back. Safe from any thread.

    A jump of more than `tolerance_s` between two readings is refused, then and until the wall clock is back where
    it should be or the process starts again: somebody has to look which of the times is right.
    """

    def __init__(
        self,
        not_before_ms: int = 0,
        tolerance_s: float = 1.0,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """`not_before_ms`: the latest time stamped so far, by whichever process."""
        steady = monotonic or _since_boot
        self._wall, self._monotonic, self._tolerance = wall, steady, tolerance_s
        self._lock = threading.Lock()
        self._anchor = self._read()
        self._latest = not_before_ms

    def now_ms(self) -> int:
        """Raises ClockError."""
        with self._lock:
            wall, monotonic = self._read()
            expected = self._anchor[0] + monotonic - self._anchor[1]
            allowed = self._tolerance + SLEW * (monotonic - self._anchor[1])
            if abs(wall - expected) > allowed:
                raise ClockError(f"系统时钟跳变了 {wall - expected:+.1f} 秒，已停发时间戳；请核对时间后重启")
            now = int(wall * 1000)
            if now < self._latest - int(self._tolerance * 1000):
                behind = (self._latest - now) / 1000
                raise ClockError(f"系统时钟比已签发的时间戳落后 {behind:.1f} 秒，已停发时间戳；请核对时间")
            self._latest = max(self._latest, now)
            if monotonic - self._anchor[1] > 60:
                self._anchor = wall, monotonic
            return self._latest

    def _read(self) -> tuple[float, float]:
        """Both clocks at one moment: a process that was stopped between the two readings reads them again."""
        for _ in range(_READINGS):
            before, wall, after = self._monotonic(), self._wall(), self._monotonic()
            if after - before <= self._tolerance / 4:
                break
        return wall, after


def _since_boot() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts those."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
