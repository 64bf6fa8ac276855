"""What a backfill costs live pushes: `python -m benchmarks.backfill.live [--exams N] [--seconds S]`.

One gateway; a live sender that pushes an exam every so often, as a hospital does during the day; beside it a connector
(a process of its own) that backfills three months of exams and reports. In one run: quiet, backfill, quiet again.
Exit code 1 when the p99 during the backfill is not under three times the quiet one (the worse of the two quiet ones
is left out of the judgement: the better one counts).
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam
from tests.helpers.connector import Hospital, beijing
from tests.peers.gateway import RunningGateway
from yingqiao.client import Gateway

DAYS = 88


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds."""

    count: int
    p50: float
    p99: float
    most: float

    @staticmethod
    def of(took: Sequence[float]) -> Latency:
        ordered = sorted(took)
        return Latency(
            len(ordered), ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))], ordered[-1]
        )

    def __str__(self) -> str:
        return (
            f"{self.count} pushes, p50 {1000 * self.p50:.1f} ms, p99 {1000 * self.p99:.1f} ms, "
            f"most {1000 * self.most:.1f} ms"
        )


def push(gateway: Gateway, name: str, every: float, going: Callable[[], bool]) -> Latency:
    """Pushes one exam after another, one each `every` seconds, while `going`."""
    took: list[float] = []
    due = time.perf_counter()
    while going():
        due = max(due + every, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        gateway.push_exam(exam(f"{name}{len(took):06}"))
        took.append(time.perf_counter() - began)
    return Latency.of(took)


def for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def history(hospital: Hospital, exams: int) -> None:
    """Over three months, none of the last two days."""
    each = -(-exams // DAYS)
    for at, first in enumerate(range(0, exams, each)):
        hospital.ris.add_exams(*range(first, min(first + each, exams)), at=beijing(days=2 + at))


def backfilled(gateway: RunningGateway) -> int:
    """Reports of the history that are there."""
    where = f"file:{gateway.data}/yingqiao.sqlite?mode=ro"
    with sqlite3.connect(where, uri=True, timeout=30) as db:
        return int(db.execute("SELECT count(*) FROM reports").fetchone()[0])


def run(folder: Path, exams: int, seconds: float, every: float) -> tuple[Latency, Latency, Latency, float]:
    """Quiet before, during, quiet after; records of the backfill a second."""
    gateway = RunningGateway(folder / "gateway")
    gateway.add_hospital()
    gateway.start()
    settings = {"reading": {"first_days": 1, "poll_seconds": 5}, "backfill": {"auto": True, "months": 3}}
    hospital = Hospital(folder / "hospital", gateway.url, settings)
    history(hospital, exams)
    try:
        with Gateway(gateway.url, HOSPITAL, KEY_HEX) as live:
            push(live, "W", every, for_seconds(2))
            before = push(live, "Q", every, for_seconds(seconds))
            hospital.start()
            while not backfilled(gateway):
                time.sleep(0.1)
            began, first = time.monotonic(), backfilled(gateway)
            during = push(live, "B", every, for_seconds(seconds))
            done = backfilled(gateway) - first
            rate = 2 * done / (time.monotonic() - began)
            if done + first >= exams:
                print("the backfill was over before the measurement: use more --exams", file=sys.stderr)
            hospital.stop()
            time.sleep(3)
            after = push(live, "A", every, for_seconds(seconds))
    finally:
        if hospital.process is not None and hospital.process.poll() is None:
            hospital.stop(signal.SIGKILL)
        gateway.stop()
    return before, during, after, rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--exams", type=int, default=30_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--every", type=float, default=0.02, help="seconds between two live pushes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, during, after, rate = run(Path(folder), asked.exams, asked.seconds, asked.every)
    print(f"quiet:    {before}")
    print(f"backfill: {during}; {rate:.0f} records/s beside")
    print(f"quiet:    {after}")
    ratio = during.p99 / min(before.p99, after.p99)
    print(f"p99 during / quiet: {ratio:.2f} (under 3)")
    raise SystemExit(0 if ratio < 3 else 1)


if __name__ == "__main__":
    main()
