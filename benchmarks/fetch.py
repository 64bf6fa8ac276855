"""URL fetching beside curl in one run: `python -m benchmarks.fetch [--quick]`.

Workload: 1,000 CT files of 0.5 MB from nginx over loopback. Ours: the fetcher into nothing, and the fetcher
with every instance proven and appended to the landing area, flushed in groups. Beside: `curl --parallel
--parallel-max 16` writing the same files without fsync. They take turns; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.helpers.dicom_files import part10
from tests.peers.nginx import nginx
from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings
from yingqiao.client.fetch.contents import instances
from yingqiao.dicom.part10 import part10_head
from yingqiao.exchange.fetch import AllowedHost, parse_address
from yingqiao.exchange.model import Landed
from yingqiao.exchange.work import WorkError
from yingqiao.store.arrivals import Arrivals, Found, Group, Origin
from yingqiao.store.landing import LandingArea

COUNT, SIZE, TURNS, PARALLEL = 1000, 512 * 1024, 3, 16
TARGET = 0.70
MEMORY_TARGET = 300


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the files")
    parser.add_argument("--folder", type=Path, help="where to write; the disk measured")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _child(*options.child)
    count = COUNT // 5 if options.quick else COUNT
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-fetch-") as name:
        folder = Path(name)
        _make(folder / "www", count)
        with nginx(folder / "www", folder / "nginx") as port:
            measured = _alternate(folder, port, count)
    return _judge(measured, count)


def _make(www: Path, count: int) -> None:
    www.mkdir()
    noise = random.Random(1).randbytes(SIZE)
    for number in range(count):
        (www / f"{number}.dcm").write_bytes(part10(f"1.2.3.{number + 1}", noise))


def _alternate(folder: Path, port: int, count: int) -> dict[str, list[tuple[float, int]]]:
    measured: dict[str, list[tuple[float, int]]] = {"curl": [], "nothing": [], "landing": []}
    for turn in range(TURNS + 1):
        for name in measured:
            place = folder / f"{name}-{turn}"
            place.mkdir()
            result = _curl(place, port, count) if name == "curl" else _ours(name, place, port, count)
            subprocess.run(["rm", "-r", str(place)], check=True)
            os.sync()
            if turn:  # the first warms files and memory
                measured[name].append(result)
    return measured


def _curl(place: Path, port: int, count: int) -> tuple[float, int]:
    config = place / "config"
    lines = (f'url = "http://127.0.0.1:{port}/{n}.dcm"\noutput = "{place}/{n}.dcm"\n' for n in range(count))
    config.write_text("".join(lines))
    started = time.perf_counter()
    subprocess.run(
        [
            "curl",
            "-sS",
            "--no-progress-meter",
            "--fail",
            "--parallel",
            "--parallel-max",
            str(PARALLEL),
            "-K",
            str(config),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - started
    assert sum(1 for _ in place.glob("*.dcm")) == count
    return seconds, 0


def _ours(name: str, place: Path, port: int, count: int) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.fetch", "--child", name, str(place), str(port), str(count)]
    seconds, megabytes = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return seconds, megabytes


def _child(name: str, place: str, port: str, count: str) -> int:
    host = AllowedHost("http", "127.0.0.1", int(port), private=True)
    requests = (
        FetchRequest(str(n), parse_address(f"http://127.0.0.1:{port}/{n}.dcm"), (host,))
        for n in range(int(count))
    )
    settings = FetchSettings(Path(place) / "parts", connections=PARALLEL, connections_per_host=PARALLEL)
    with Fetcher(settings) as fetcher:
        started = time.perf_counter()
        sink = Landing(Path(place) / "landing") if name == "landing" else Nothing()
        fetcher.run(requests, sink)
        sink.close()
        seconds = time.perf_counter() - started
    assert sink.count == int(count), sink.count
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
    return 0


class Nothing:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def finished(self, _request: FetchRequest, file: FetchedFile) -> None:
        self.count += 1
        file.discard()

    def failed(self, request: FetchRequest, error: WorkError) -> None:
        raise AssertionError(f"{request.id}: {error.reason}")

    def close(self) -> None:
        return


class Landing(Nothing):
    """Two threads, as in the gateway: while one waits for the disk, the other proves and copies what came."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._area = LandingArea(root, reserve_bytes=0)
        self._arrivals = Arrivals(self._area, self._landed, part10_head)
        self._queue: queue.Queue[FetchedFile | None] = queue.Queue(32)
        self._pool = ThreadPoolExecutor(2)
        self._working = [self._pool.submit(self._work) for _ in range(2)]

    def finished(self, _request: FetchRequest, file: FetchedFile) -> None:
        self._queue.put(file)

    def close(self) -> None:
        self._queue.put(None)
        for work in self._working:
            work.result()
        self._area.close()

    def _landed(self, _: Landed) -> None:
        self.count += 1

    def _work(self) -> None:
        while files := self._next():
            with self._arrivals.group() as group:
                for file in files:
                    self._keep(group, file)
                group.settle()

    def _next(self) -> list[FetchedFile]:
        """What has come since the last flush; nothing at the end."""
        files: list[FetchedFile] = []
        file = self._queue.get()
        while file is not None:
            files.append(file)
            if self._queue.empty() or len(files) >= 32:
                return files
            file = self._queue.get()
        self._queue.put(None)
        return files

    def _keep(self, group: Group, file: FetchedFile) -> None:
        with file.view() as view:
            for one in instances(view, file.content_type):
                identity = (one.transfer_syntax_uid, one.sop_class_uid, one.sop_instance_uid)
                group.add(_ORIGIN, Found(one.prefix, one.dataset, *identity))
                del one
        file.discard()


_ORIGIN = Origin("URL", "YINGQIAO", "http://127.0.0.1")


def _judge(measured: dict[str, list[tuple[float, int]]], count: int) -> int:
    rates = {name: count / statistics.median(s for s, _ in turns) for name, turns in measured.items()}
    peak = max(megabytes for turns in measured.values() for _, megabytes in turns)
    for name, rate in rates.items():
        print(f"{name:<10}{rate:>8.0f} files/s  {rate * SIZE / 1e6:>7.0f} MB/s")
    ratio = rates["landing"] / rates["curl"]
    print(f"landed durably over curl without fsync: {ratio:.2f} (target {TARGET}); peak {peak} MB")
    return int(ratio < TARGET or peak > MEMORY_TARGET)


if __name__ == "__main__":
    sys.exit(main())
