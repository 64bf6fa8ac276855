"""The bounded process: what files of strangers may cost, and that one of them costs nobody else (D8)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.helpers import sandbox_work as work
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Busy, Crashed, Sandbox, SandboxError, SandboxLimits, TooBig, TooLong
from yingqiao.sandbox.limits import MIB
from yingqiao.signing.errors import SigningRefused

LIMITS = SandboxLimits(memory=400 * MIB, cpu_s=20, wall_s=120.0, answer=8 * MIB, workers=2, wait_s=120.0)
BOUNDS = {work.spin: {"cpu_s": 1}, work.sleep: {"wall_s": 1.0}}
"""What would go on for long is bounded closely; whatever else is asked of a worker may take its time on a busy machine."""
PACKAGES = ("yingqiao", "tests")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def works(box: Sandbox, worker: int) -> bool:
    """Whether somebody has taken it."""
    return worker not in [one._process.pid for one in box._pool._idle]


@pytest.fixture(scope="module")
def box():
    with Sandbox(LIMITS, preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as made:
        yield made


def test_it_is_as_if_called(box: Sandbox):
    assert box.call(work.double, b"ab", times=3) == work.Value("3", b"ababab")
    large = os.urandom(3 * MIB)
    assert box.call(work.double, large).data == large * 2


def test_a_worker_is_used_again(box: Sandbox):
    assert box.call(work.me) == box.call(work.me) != os.getpid()


def test_refusals_of_ours_come_back(box: Sandbox):
    with pytest.raises(GmError) as caught:
        box.call(work.refuse, "gm")
    assert (caught.value.code, caught.value.reason, str(caught.value)) == ("no", "不行", "不行")
    with pytest.raises(SigningRefused) as refused:
        box.call(work.refuse, "signing")
    assert refused.value.reason == "不行"


def test_other_errors_are_told_without_their_text(box: Sandbox):
    with pytest.raises(Crashed) as caught:
        box.call(work.refuse, "other")
    assert "refuse:" in caught.value.detail
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (work.spin, (), TooLong),
        (work.sleep, (), TooLong),
        (work.hoard, (), TooBig),
        (work.answer, (9 * MIB,), TooBig),
        (work.die, (), Crashed),
        (work.fault, (), Crashed),
        (work.trojan, (), Crashed),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_worker_may_not(box: Sandbox, function, args, error: type[SandboxError]):
    """And the next call is served."""
    begun = time.monotonic()
    with pytest.raises(error) as caught:
        box.line(**BOUNDS.get(function, {})).call(function, *args)
    assert time.monotonic() - begun < 60
    assert caught.value.reason
    assert box.call(work.double, b"x").data == b"xx"


def test_a_worker_killed_from_outside(box: Sandbox):
    worker = box.call(work.me)
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(Crashed):  # it takes one call with it at most
            if box.call(work.me) != worker:
                break
    assert box.call(work.me) != worker


def test_killed_while_it_works(box: Sandbox):
    worker = box.call(work.me)
    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(pytest.raises, Crashed, box.call, work.sleep)
        until(lambda: works(box, worker))
        os.kill(worker, signal.SIGKILL)
        sleeping.result()


def test_neither_secrets_nor_sockets_are_inherited(monkeypatch):
    monkeypatch.setenv("YINGQIAO_MASTER_KEY", "secret")
    with (
        socket.socket() as listening,
        Sandbox(LIMITS, preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as box,
    ):
        listening.bind(("127.0.0.1", 0))
        os.set_inheritable(listening.fileno(), True)
        seen = box.call(work.seen)
    assert "YINGQIAO_MASTER_KEY" not in seen["environment"]
    assert not [name for name in seen["descriptors"] if name.startswith("socket")]


def test_it_writes_no_files_and_prints_into_no_answer(box: Sandbox, tmp_path):
    with pytest.raises(SandboxError):
        box.call(work.write_file, str(tmp_path / "x"))
    assert not (tmp_path / "x").exists() or (tmp_path / "x").read_bytes() == b""
    assert box.call(work.talk) is None


def test_no_more_workers_than_said():
    limits = SandboxLimits(workers=1, wait_s=0.2, wall_s=120.0)
    with Sandbox(limits, preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as box:
        worker = box.call(work.me)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(pytest.raises, Crashed, box.call, work.sleep)
            until(lambda: works(box, worker))
            with pytest.raises(Busy):
                box.call(work.me)
            os.kill(worker, signal.SIGKILL)
            first.result()


def test_many_at_once(box: Sandbox):
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: box.call(work.double, b"%d" % number, 1).data, range(100)))
    assert found == [b"%d" % number for number in range(100)]


def test_a_worker_is_replaced_after_its_calls():
    with Sandbox(SandboxLimits(calls=2), preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as box:
        assert len({box.call(work.me) for _ in range(4)}) == 2


def test_closed():
    box = Sandbox(LIMITS)
    box.close()
    with pytest.raises(Crashed):
        box.call(work.me)


def test_a_line_takes_no_more_than_its_places():
    """Others find a worker whatever one kind of callers does: a hospital that waits is not behind a hundred files."""
    with Sandbox(LIMITS, preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as box:
        worker = box.call(work.me)
        crowd = box.line(at_once=1).line(wait_s=0.2)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(pytest.raises, Crashed, crowd.call, work.sleep)
            until(lambda: works(box, worker))
            with pytest.raises(Busy):
                crowd.call(work.me)
            assert box.line(wait_s=0.0).call(work.double, b"x").data == b"xx"
            os.kill(worker, signal.SIGKILL)
            first.result()
        assert crowd.call(work.double, b"x").data == b"xx"


def test_lines_have_their_own_bounds(box: Sandbox):
    """The same worker, another bound of CPU and of time."""
    begun = time.monotonic()
    with pytest.raises(TooLong):
        box.line(wall_s=0.3).call(work.sleep)
    assert time.monotonic() - begun < 60
    with pytest.raises(TooLong) as caught:
        box.line(cpu_s=0).call(work.spin)
    assert caught.value.detail == f"exit {-signal.SIGXCPU}"


def test_a_worker_outlives_the_thread_that_asked_for_it():
    """Threads of services come and go; the kernel takes the thread that made a process for its parent."""
    with Sandbox(LIMITS, preload=["tests.helpers.sandbox_work"], packages=PACKAGES) as box:
        with ThreadPoolExecutor(1) as pool:
            worker = pool.submit(box.call, work.me).result()
        time.sleep(0.2)
        assert box.call(work.me) == worker
