"""The whole program fetching by URL, beside curl in one run: `python -m benchmarks.fetch_program [--quick | --dead-host]`.

Workload: 1,000 CT files of 0.5 MB from nginx over loopback, one /images/list. Ours: from the push until every
file is fsynced in the landing area and in the index. Beside: `curl --parallel` writing the same files without
fsync. They take turns on the same disk; figures are medians. Also: how long the answer to 1,000 addresses takes.

With --dead-host: the same fetch with and without a list at a host that accepts and never answers, in turns, on
gateways of their own; the healthy host's throughput with it must be within 10 % of that without.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fetch import COUNT, MEMORY_TARGET, SIZE, TARGET, TURNS, _curl, _make
from tests.acceptance.senders import HOSPITAL
from tests.helpers.image_lists import series_list, urls_of
from tests.peers.gateway import RunningGateway
from tests.peers.nginx import nginx

ANSWER_TARGET_MS = 500
DEAD_TARGET, DEAD_FILES = 0.9, 1000


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the files")
    parser.add_argument("--dead-host", action="store_true", help="beside a host that never answers")
    parser.add_argument("--folder", type=Path, help="where to write; the disk measured")
    options = parser.parse_args()
    count = COUNT // 5 if options.quick else COUNT
    curls, ours, answers, peak = [], [], [], 0.0
    if options.dead_host:
        return _judge_dead(count, *_with_and_without(options.folder, count))
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-fetch-") as name:
        folder = Path(name)
        _make(folder / "www", count)
        with nginx(folder / "www", folder / "nginx") as port:
            for turn in range(TURNS + 1):
                curl = _curl_turn(folder / f"curl-{turn}", port, count)
                seconds, answered, megabytes = _program(folder / f"ours-{turn}", port, count)
                if turn:  # the first warms files and memory
                    curls.append(curl)
                    ours.append(seconds)
                    answers.append(answered)
                    peak = max(peak, megabytes)
    return _judge(count, curls, ours, answers, peak)


def _curl_turn(place: Path, port: int, count: int) -> float:
    place.mkdir()
    seconds, _ = _curl(place, port, count)
    shutil.rmtree(place)
    os.sync()
    return seconds


def _with_and_without(where: Path | None, count: int) -> tuple[list[float], list[float]]:
    """Seconds for the healthy host's files: alone, and beside a host that never answers."""
    alone, beside = [], []
    with tempfile.TemporaryDirectory(dir=where, prefix="bench-fetch-") as name:
        folder = Path(name)
        _make(folder / "www", count)
        with nginx(folder / "www", folder / "nginx") as port, socket.create_server(("127.0.0.1", 0)) as dead:
            silent = dead.getsockname()[1]
            for turn in range(TURNS + 1):
                without = _program(folder / f"alone-{turn}", port, count)[0]
                with_it = _program(folder / f"beside-{turn}", port, count, silent)[0]
                if turn:  # the first warms files and memory
                    alone.append(without)
                    beside.append(with_it)
    return alone, beside


def _judge_dead(count: int, alone: list[float], beside: list[float]) -> int:
    for name, turns in (("alone", alone), ("beside", beside)):
        print(f"{name:<10}{count / statistics.median(turns):>8.0f} files/s  {sorted(turns)}")
    ratio = statistics.median(alone) / statistics.median(beside)
    print(f"healthy host beside a dead one over alone: {ratio:.2f} (target {DEAD_TARGET})")
    return int(ratio < DEAD_TARGET)


def _program(place: Path, port: int, count: int, silent: int = 0) -> tuple[float, float, float]:
    """Seconds until all is indexed, seconds until the answer, peak memory in MB. `silent`: the port of a host
    that never answers, whose files are asked for first.
    """
    place.mkdir()
    gateway = RunningGateway(place / "data")
    gateway.add_hospital()
    for each in filter(None, (port, silent)):
        done = gateway.cli("hospitals", "hosts", "add", HOSPITAL, f"http://127.0.0.1:{each}", "--private")
        assert done.returncode == 0, done.stderr
    gateway.start()
    time.sleep(1)
    if silent:
        names = [f"{number}.dcm" for number in range(DEAD_FILES)]
        gateway.push("/images/list", series_list(urls_of(silent, names), SERIESIUID="1.2.3.9"))
        time.sleep(1)
    urls = urls_of(port, [f"{number}.dcm" for number in range(count)])
    started = time.perf_counter()
    answer = gateway.push("/images/list", series_list(urls))
    answered = time.perf_counter() - started
    assert answer["content"]["accepted"] == count, answer
    _wait(gateway.data / "yingqiao.sqlite", count)
    seconds = time.perf_counter() - started
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    gateway.stop()
    shutil.rmtree(place)
    os.sync()
    return seconds, answered, megabytes


def _wait(database: Path, count: int) -> None:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    deadline = time.monotonic() + 120
    while connection.execute("SELECT count(*) FROM instances").fetchone()[0] < count:
        assert time.monotonic() < deadline, "not all came"
        time.sleep(0.01)
    connection.close()


def _judge(count: int, curls: list[float], ours: list[float], answers: list[float], peak: float) -> int:
    for name, turns in (("curl", curls), ("gateway", ours)):
        rate = count / statistics.median(turns)
        print(f"{name:<10}{rate:>8.0f} files/s  {rate * SIZE / 1e6:>7.0f} MB/s")
    ratio = statistics.median(curls) / statistics.median(ours)
    answer = statistics.median(answers) * 1000
    print(f"fsynced and indexed over curl without fsync: {ratio:.2f} (target {TARGET}); peak {peak:.0f} MB")
    print(f"answer to {count} addresses: {answer:.0f} ms")
    return int(ratio < TARGET or answer > ANSWER_TARGET_MS or peak > MEMORY_TARGET)


if __name__ == "__main__":
    sys.exit(main())
