"""Intake while 100 sealed 5 MB reports are verified at once: `python -m benchmarks.seals_beside [--seconds 6] [--rate 100]`.

One gateway as shipped (SQLite, one process), on one machine with its callers. Quiet and beside the files, in turn: exams
at a steady rate, timed from when each was due, and as fast as four connections send them (wrk). The crowd keeps 100
requests to SEF_VerifySeal open all the time. Targets: at the steady rate nothing is late (p99 of the answers below a
second) or refused, and the fastest sender keeps a quarter of its rate: what is left of the processors is shared.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.http import servers
from benchmarks.http.bodies import write_exams
from benchmarks.http.load import Measured, cpu_seconds, run_load
from tests.helpers import pdfs
from tests.helpers.pdfs import Sheet
from tests.helpers.sealed_files import trust_files
from tests.peers.gateway import YINGQIAO
from yingqiao.sandbox import SandboxLimits

ROUTE, SEF = "/exam-sync", "/sef/v1/SEF_VerifySeal"
SIZE, CROWD = 5 * 1000 * 1000, 100
LATEST_MS, KEPT = 1000.0, 0.25


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    parser.add_argument("--rate", type=int, default=100, help="exams a second")
    parser.add_argument("--crowd", nargs=2, metavar=("URL", "BODY"), help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.crowd:
        return _crowd(said.crowd[0], Path(said.crowd[1]).read_bytes())
    with tempfile.TemporaryDirectory() as name:
        return _measured(Path(name), said.seconds, said.rate)


def _measured(folder: Path, seconds: int, rate: int) -> int:
    exams, body = folder / "exams", folder / "body"
    write_exams(exams, 4000)
    body.write_bytes(_request(pdfs.sealed(pdfs.make([Sheet()] * 3, bulk=SIZE))))
    with servers.gateway(folder / "data", "--dicom", "off") as (url, pid):
        _trust(folder)
        quiet = _both(url, exams, seconds, rate, pid)
        crowd = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.seals_beside", "--crowd", url, str(body)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        time.sleep(3.0)  # workers start
        before = cpu_seconds([pid])
        begun = time.monotonic()
        beside = _both(url, exams, seconds, rate, pid)
        spent, took = cpu_seconds([pid]) - before, time.monotonic() - begun
        out, _ = crowd.communicate(b"\n")
    answers = Counter(json.loads(out))
    verified, lasted = answers.pop("0", 0), took + 3.0
    print(
        f"{CROWD} files at once: about {verified / lasted:.0f} a second verified, {sum(answers.values())} otherwise "
        f"{dict(answers) or ''}; the gateway and its workers used {spent / took:.2f} processors"
    )
    limits = SandboxLimits()
    print(f"bound: address space of {limits.memory >> 20} MiB a worker")
    return _judged(quiet, beside, rate, verified, sum(answers.values()))


def _judged(
    quiet: tuple[list[float], Measured],
    beside: tuple[list[float], Measured],
    rate: int,
    done: int,
    other: int,
) -> int:
    for words, (times, fastest) in (("quiet", quiet), ("beside", beside)):
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"{words:<7} {rate} exams/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {max(times):.0f} ms; "
            f"4 connections: {fastest.per_second:.0f}/s, p99 {fastest.p99_ms:.1f} ms, {fastest.refused} refused"
        )
    share = beside[1].per_second / quiet[1].per_second
    print(f"the fastest sender keeps {share:.0%} (at least {KEPT:.0%})")
    late = statistics.quantiles(beside[0], n=100)[98] > LATEST_MS
    return int(late or share < KEPT or beside[1].refused > 0 or done == 0 or other > 0)


def _both(url: str, exams: Path, seconds: int, rate: int, pid: int) -> tuple[list[float], Measured]:
    return _steadily(url, exams, seconds, rate), run_load(url, ROUTE, exams, 4, seconds, [pid])


def _steadily(url: str, exams: Path, seconds: int, rate: int) -> list[float]:
    """Milliseconds from when each exam was due to its answer; two connections send them in turn."""
    bodies = exams.read_bytes().splitlines()
    begun, times = time.monotonic() + 0.1, list[float]()

    def send(which: int) -> None:
        connection = _connect(url)
        for number in range(which, seconds * rate, 2):
            due = begun + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request(
                "POST", ROUTE, bodies[number % len(bodies)], {"Content-Type": "application/json"}
            )
            answer = connection.getresponse().read()
            assert b'"code":1,' in answer, answer[:200]
            times.append((time.monotonic() - due) * 1e3)

    threads = [threading.Thread(target=send, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)


def _request(pdf: bytes) -> bytes:
    said = {
        "transId": "beside",
        "requestTime": 1,
        "filename": "report.pdf",
        "fileDataType": 0,
        "fileData": b64encode(pdf).decode(),
    }
    return json.dumps(said).encode()


def _trust(folder: Path) -> None:
    own = folder / "trust"
    own.mkdir()
    for words in trust_files(own, datetime.now(UTC)):
        command = [YINGQIAO, *words, "--data", str(folder / "data")]
        subprocess.run(command, check=True, capture_output=True)
    time.sleep(1.2)


def _crowd(url: str, body: bytes) -> int:
    """Keeps CROWD requests open until a line comes in; then says how many were answered how. Callers are on other
    machines: what they cost stands back.
    """
    os.nice(10)
    answers: Counter[str] = Counter()
    stop = threading.Event()

    def ask() -> None:
        connection = _connect(url)
        while not stop.is_set():
            connection.request("POST", SEF, body, {"Content-Type": "application/json"})
            said = json.loads(connection.getresponse().read())
            found = said["fileVerifyInfo"]["signInfoList"]
            answers[str(found[0]["verifyResult"] if found else -said["resultCode"])] += 1

    threads = [threading.Thread(target=ask) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
