"""The clock that stamps: jumps are refused, slewing is not (GM/T 0033: no stamp from a time not trusted)."""

from __future__ import annotations

import pytest

from yingqiao.signing.clock import ClockError, TrustedClock


class Times:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000.0, 50.0

    def passes(self, seconds: float, wall: float | None = None) -> None:
        self.monotonic += seconds
        self.wall += seconds if wall is None else wall

    def clock(self, not_before_ms: int = 0) -> TrustedClock:
        return TrustedClock(not_before_ms, wall=lambda: self.wall, monotonic=lambda: self.monotonic)


def test_it_goes_with_the_wall_clock():
    times = Times()
    clock = times.clock()
    times.passes(2.5)
    assert clock.now_ms() == 1_000_002_500


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1.2, -1.2])
def test_a_jump_is_refused_until_it_is_undone(jump: float):
    times = Times()
    clock = times.clock()
    times.passes(10, 10 + jump)
    for _ in range(3):
        with pytest.raises(ClockError, match="跳变"):
            clock.now_ms()
        times.passes(1)
    times.wall -= jump
    assert clock.now_ms() == 1_000_013_000


def test_slewing_is_followed():
    """NTP draws the clock by up to 0.05 %: an hour's 1.8 s are no jump."""
    times = Times()
    clock = times.clock()
    for _ in range(3600):
        times.passes(1, 1.0005)
        clock.now_ms()
    assert clock.now_ms() == pytest.approx(1_003_601_800, abs=2)


def test_it_never_goes_back():
    times = Times()
    clock = times.clock()
    first = clock.now_ms()
    times.passes(0, -0.5)
    assert clock.now_ms() == first


def test_stamps_of_before_the_start_are_known():
    """Set back across a restart: the journal knows later times."""
    times = Times()
    with pytest.raises(ClockError, match="落后"):
        times.clock(not_before_ms=1_000_010_000).now_ms()
    assert times.clock(not_before_ms=1_000_000_500).now_ms() == 1_000_000_500


class Stopped(Times):
    """A process that gets no processor for a while, once, after it read the wall clock."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.stopped = seconds

    def read(self) -> float:
        read, seconds, self.stopped = self.wall, self.stopped, 0.0
        self.passes(seconds)
        return read


def test_a_process_stopped_between_the_two_readings_is_no_jump():
    """Nor is its start: both clocks are read again, until they are read at one moment."""
    times = Stopped(30.0)
    clock = TrustedClock(wall=times.read, monotonic=lambda: times.monotonic)
    assert clock.now_ms() == 1_000_030_000
    times.stopped = 12.0
    assert clock.now_ms() == 1_000_042_000
