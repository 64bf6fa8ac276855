"""C-STORE receivers beside each other in one run: `python -m benchmarks.dicom [--quick] [--only NAME ...]`.

Workload: 1,000 CT of 0.5 MB and 2,000 instances of 20 KB at 1, 4 and 8 associations, sent by a C program on
raw sockets. Peers: Debian's Orthanc (defaults), DCMTK's storescp (not durable), and two floors in C: a file an
instance with fsync, and one appended file with fdatasync. All with TCP_NODELAY; `as shipped` rows without.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.dicom.peers import RECEIVERS, Running, build, machine, send, start, versions
from yingqiao.store.landing import LandingReader

WORKLOADS = {"CT": (1000, 512 * 1024), "small": (2000, 20 * 1024)}
ASSOCIATIONS = (1, 4, 8)


def main() -> int:
    """Run, print, judge. Exit code 1 when a target of the design is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the instances")
    parser.add_argument("--only", nargs="*", default=list(RECEIVERS), choices=list(RECEIVERS))
    parser.add_argument("--folder", type=Path, help="where to receive; the disk measured")
    options = parser.parse_args()
    print(f"machine: {machine()}\npython {platform.python_version()}; {versions()}\n")
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
    number = 0
    for name in options.only:
        place = folder / name
        place.mkdir()
        running = start(name, tools, place)
        try:
            for load, (count, size) in WORKLOADS.items():
                count //= 5 if options.quick else 1
                for associations in ASSOCIATIONS:
                    number += 1
                    before = running.cpu_seconds()
                    seconds = send(tools, running, associations, count, size, number)
                    cpu = running.cpu_seconds() - before
                    yield (
                        name,
                        f"{load} x{associations}",
                        count / seconds,
                        cpu,
                        running.peak_megabytes(),
                        count,
                    )
            yield from _extras(tools, running, number)
        finally:
            running.stop()
        if name == "yingqiao":
            _verify(tools, place, options.quick)


def _extras(tools: Path, running: Running, number: int) -> Iterator[tuple[str, str, float, float, int, int]]:
    """As shipped with Nagle on, and for us a window of asynchronous operations."""
    count, size = WORKLOADS["CT"]
    count //= 5
    extras = {"CT Nagle": (1, True)} | ({"CT window8": (8, False)} if running.name == "yingqiao" else {})
    for offset, (load, (window, nagle)) in enumerate(extras.items()):
        before = running.cpu_seconds()
        seconds = send(tools, running, 1, count, size, 900 + number + offset, window, nagle)
        cpu = running.cpu_seconds() - before
        yield running.name, load, count / seconds, cpu, running.peak_megabytes(), count


def _verify(tools: Path, place: Path, quick: bool) -> None:
    """Every instance sent is in our index, and samples of them are what the sender says it sent."""
    with sqlite3.connect(place / "yingqiao.sqlite") as connection:
        rows = connection.execute(
            'select sop_uid, segment, "offset" + dataset_offset, length - dataset_offset, digest from instances'
        ).fetchall()
    expected = sum(count // (5 if quick else 1) for count, _ in WORKLOADS.values()) * len(ASSOCIATIONS)
    expected += 2 * (WORKLOADS["CT"][0] // 5)
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
