"""How often a PIN may be tried: counted on disk before the try, so that ending the program gives no more."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.tries import PinTries, WrongPin


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tries(folder: Path, clock: Clock) -> PinTries:
    return PinTries(folder / "state", most=3, lock_seconds=60, clock=clock)


def wrong(tries: PinTries, key: str = "a") -> Refused:
    with pytest.raises(Refused) as refused, tries.one(key):
        raise WrongPin
    return refused.value


def test_the_right_pin_forgets_the_wrong_ones(tmp_path: Path, clock: Clock):
    counted = tries(tmp_path, clock)
    assert "还可以试 2 次" in wrong(counted).reason
    assert "还可以试 1 次" in wrong(counted).reason
    with counted.one("a"):
        pass
    assert "还可以试 2 次" in wrong(counted).reason


def test_locked_and_longer_each_time(tmp_path: Path, clock: Clock):
    counted = tries(tmp_path, clock)
    for _ in range(3):
        last = wrong(counted)
    assert "已锁定" in last.reason
    locked = wrong(counted)
    assert (locked.status, locked.code, locked.retry_after) == (423, "pin-locked", 60)
    clock.now += 61
    assert wrong(counted).code == "wrong-pin"
    assert wrong(counted).retry_after == 120
    assert wrong(counted, "b").code == "wrong-pin"


def test_a_restart_gives_no_further_tries(tmp_path: Path, clock: Clock):
    for _ in range(3):
        wrong(tries(tmp_path, clock))
    assert wrong(tries(tmp_path, clock)).code == "pin-locked"
    assert (tmp_path / "state" / "pin-tries.json").stat().st_mode & 0o777 == 0o600


def test_a_kill_during_the_try_counts(tmp_path: Path, clock: Clock):
    class Killed(BaseException):
        pass

    for _ in range(3):
        with pytest.raises(Killed), tries(tmp_path, clock).one("a"):
            raise Killed
    assert wrong(tries(tmp_path, clock)).code == "pin-locked"


def test_a_damaged_count_is_not_none(tmp_path: Path, clock: Clock):
    tries(tmp_path, clock)
    (tmp_path / "state" / "pin-tries.json").write_bytes(b"{")
    with pytest.raises(msgspec.DecodeError):
        tries(tmp_path, clock)


def test_what_a_device_says_is_left_and_what_was_no_try(tmp_path: Path, clock: Clock):
    counted = tries(tmp_path, clock)
    with pytest.raises(Refused, match="还可以试 1 次"), counted.one("a"):
        raise WrongPin(1)
    with pytest.raises(Refused, match="不在"), counted.one("a"):
        raise Refused(503, "device-away", "不在")
    assert "还可以试 1 次" in wrong(counted).reason
