"""C-STORE receivers beside each other in one run: `python -m benchmarks.dicom [--quick] [--only NAME ...]`.

Workload: 1,000 CT of 0.5 MB and 2,000 instances of 20 KB at 1, 4 and 8 associations, sent by a C program on
raw sockets. Peers: Debian's Orthanc (defaults), DCMTK's storescp (not durable), and two floors in C: a file an
instance with fsync, and one appended file with fdatasync. All with TCP_NODELAY; `as shipped` rows without.

All receivers run from the start and take turns load by load (A B C A B C A B C); each figure is the median of
its turns, so that a machine that drifts hits all alike.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dicom.peers import RECEIVERS, Running, build, machine, send, start, versions
from yingqiao.store.landing import LandingReader

WORKLOADS = {"CT": (1000, 512 * 1024), "small": (2000, 20 * 1024)}
ASSOCIATIONS = (1, 4, 8)
TURNS = 3
FRESH_MEMORY = (
    "Receivers take turns; medians. On a virtual machine whose free pages go back to the host, a page costs much\n"
    "more the first time it is touched: what is written to fresh page cache is slower than what reuses warm pages."
)


@dataclass(frozen=True)
class Load:
    name: str
    count: int
    size: int
    """Pixel bytes of an instance."""
    associations: int = 1
    window: int = 1
    nagle: bool = False
    once: bool = False
    """A side remark: one turn is enough."""


def main() -> int:
    """Run, print, judge. Exit code 1 when a target of the design is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the instances")
    parser.add_argument("--only", nargs="*", default=list(RECEIVERS), choices=list(RECEIVERS))
    parser.add_argument("--folder", type=Path, help="where to receive; the disk measured")
    options = parser.parse_args()
    print(f"machine: {machine()}\npython {platform.python_version()}; {versions()}\n{FRESH_MEMORY}\n")
    rates: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-dicom-") as folder:
        tools = build(Path(folder))
        print(f"{'receiver':<14}{'load':<11}{'per s':>8}{'CPU s':>8}{'us/inst':>9}{'RSS MB':>8}")
        for name, load, rate, cpu, peak, count in _runs(tools, Path(folder), options):
            rates[name, load] = rate
            rates[name, load + " cpu"] = cpu
            print(
                f"{name:<14}{load:<11}{rate:>8.0f}{cpu:>8.2f}{cpu / count * 1e6:>9.0f}{peak:>8}", flush=True
            )
    return _judge(rates)


def _runs(
    tools: Path, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[str, str, float, float, int, int]]:
    receivers: list[Running] = []
    numbers = itertools.count(1)
    try:
        for name in options.only:
            (folder / name).mkdir()
            receivers.append(start(name, tools, folder / name))
        for load in _loads(options.quick):
            turns = 1 if options.quick or load.once else TURNS
            yield from _alternate(tools, receivers, load, turns, numbers)
    finally:
        for running in receivers:
            running.stop()
    if "yingqiao" in options.only:
        _verify(tools, folder / "yingqiao", options.quick)


def _loads(quick: bool) -> Iterator[Load]:
    """The workloads, then CT as shipped with Nagle on, and for us a window of asynchronous operations."""
    for kind, (count, size) in WORKLOADS.items():
        for associations in ASSOCIATIONS:
            yield Load(f"{kind} x{associations}", count // (5 if quick else 1), size, associations)
    count, size = WORKLOADS["CT"]
    yield Load("CT Nagle", count // 5, size, nagle=True, once=True)
    yield Load("CT window8", count // 5, size, window=8, once=True)


def _alternate(
    tools: Path, receivers: Sequence[Running], load: Load, turns: int, numbers: Iterator[int]
) -> Iterator[tuple[str, str, float, float, int, int]]:
    """One row a receiver: medians over the turns of instances a second and of CPU seconds."""
    able = [r for r in receivers if load.window == 1 or r.name == "yingqiao"]
    measured: dict[str, list[tuple[float, float]]] = {r.name: [] for r in able}
    for _ in range(turns):
        for running in able:
            measured[running.name].append(_measure(tools, running, load, next(numbers)))
    for running in able:
        seconds, cpu = map(statistics.median, zip(*measured[running.name], strict=True))
        yield running.name, load.name, load.count / seconds, cpu, running.peak_megabytes(), load.count


def _measure(tools: Path, running: Running, load: Load, number: int) -> tuple[float, float]:
    """Seconds until all is answered, and the receiver's CPU seconds until it has come to rest."""
    before = running.cpu_seconds()
    seconds = send(tools, running, load.associations, load.count, load.size, number, load.window, load.nagle)
    return seconds, running.cpu_seconds() - before


def _verify(tools: Path, place: Path, quick: bool) -> None:
    """Every instance sent is in our index, and samples of them are what the sender says it sent."""
    with sqlite3.connect(place / "yingqiao.sqlite") as connection:
        rows = connection.execute(
            'select sop_uid, segment, "offset" + dataset_offset, length - dataset_offset, digest from instances'
        ).fetchall()
    expected = sum(load.count * (1 if quick or load.once else TURNS) for load in _loads(quick))
    assert len(rows) == expected, f"{len(rows)} indexed, {expected} sent"
    reader = LandingReader(place / "landing")
    for uid, segment, offset, length, digest in rows[:: max(1, len(rows) // 50)]:
        run, index = int(uid.split(".")[8]), int(uid.split(".")[10]) - 1
        pixels = WORKLOADS["CT"][1] if length > 100_000 else WORKLOADS["small"][1]
        command = [tools / "sender", "dump", str(pixels), str(run), str(index)]
        sent = subprocess.run(command, check=True, capture_output=True).stdout
        assert reader.read(segment, offset, length) == sent
        assert hashlib.sha256(sent).digest() == digest
    print(f"verified: {len(rows)} indexed, samples byte-exact")


TARGETS = {
    ("orthanc", "CT"): 2.4,
    ("orthanc", "small"): 2.0,
    ("sink-file", "CT"): 0.7,
    ("sink-file", "small"): 0.6,
}
"""Ours over the peer's instances a second, at least."""
CPU_TARGET = 1 / 3


def _judge(rates: dict[tuple[str, str], float]) -> int:
    """Print the ratios beside the targets; 1 when one is missed."""
    missed = 0
    for (peer, kind), target in TARGETS.items():
        for load in (f"{kind} x{n}" for n in ASSOCIATIONS):
            if (peer, load) in rates and ("yingqiao", load) in rates:
                ratio = rates["yingqiao", load] / rates[peer, load]
                missed += ratio < target
                verdict = "" if ratio >= target else "  MISSED"
                print(f"yingqiao / {peer:<10}{load:<10}{ratio:6.2f}  target {target}{verdict}")
    used = {
        peer: sum(rates.get((peer, f"{k} x{n} cpu"), 0) for k in WORKLOADS for n in ASSOCIATIONS)
        for peer in RECEIVERS
    }
    if used["orthanc"] and used["yingqiao"]:
        ratio = used["yingqiao"] / used["orthanc"]
        missed += ratio > CPU_TARGET
        print(
            f"CPU of yingqiao / orthanc: {ratio:.2f}  target 0.33{'' if ratio <= CPU_TARGET else '  MISSED'}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
