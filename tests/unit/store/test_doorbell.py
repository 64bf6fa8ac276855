"""The bell that wakes who fetches, between processes."""

from __future__ import annotations

import subprocess
import sys
import time
from threading import Timer

import pytest

from yingqiao.store.doorbell import Doorbell


@pytest.fixture
def bell(tmp_path):
    bell = Doorbell(tmp_path / "bell")
    bell.open()
    yield bell
    bell.close()


def test_who_waits_is_woken_at_once_and_once(bell, tmp_path):
    ringing = Timer(0.1, lambda: [Doorbell(tmp_path / "bell").ring() for _ in range(3)])
    ringing.start()
    started = time.monotonic()
    assert bell.wait(600)
    assert time.monotonic() - started < 120
    ringing.join()
    bell.wait(0)
    assert not bell.wait(0)


def test_a_ring_before_the_wait_is_kept_and_from_another_process_too(bell, tmp_path):
    code = (
        "import sys; from pathlib import Path; from yingqiao.store.doorbell import Doorbell;"
        " Doorbell(Path(sys.argv[1])).ring()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "bell")], check=True)
    assert bell.wait(0)


def test_ringing_where_nobody_waits_or_can_does_nothing(tmp_path):
    Doorbell(tmp_path / "none").ring()
    left = Doorbell(tmp_path / "left")
    left.open()
    left.close()
    left.ring()
    left.close()


def test_any_number_of_rings_never_waits(bell):
    for _ in range(70_000):  # more than a pipe holds
        bell.ring()
    while bell.wait(0):
        pass


def test_what_lies_at_its_place_is_replaced_and_a_bell_is_used_again(tmp_path):
    (tmp_path / "bell").write_text("x")
    for _ in range(2):
        bell = Doorbell(tmp_path / "bell")
        bell.open()
        assert not bell.wait(0.01)
        bell.close()
