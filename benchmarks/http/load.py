"""The load: wrk (C, one thread) cycling pre-sealed bodies; and what the servers' processes cost meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Measured:
    """One row: requests a second, latencies in ms, CPU microseconds of server and database a request."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    refused: int
    errors: int


def run_load(
    url: str,
    route: str,
    bodies: Path,
    connections: int,
    seconds: int,
    processes: Iterable[int],
    mark: str = '"code":1,',
) -> Measured:
    """Load for so many seconds after one to warm up; the trees below `processes` are counted.

    An answer without `mark` counts as refused.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt-get install wrk)")
    roots = list(processes)
    environ = {"BODIES": str(bodies), "ROUTE": route, "MARK": mark}
    _wrk(url, environ, connections, 1)
    before = cpu_seconds(roots)
    result = _wrk(url, environ, connections, seconds)
    spent = cpu_seconds(roots) - before
    count = max(1, result["requests"])
    return Measured(
        requests=result["requests"],
        per_second=result["requests"] / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        cpu_us=spent / count * 1e6,
        refused=result["refused"],
        errors=result["errors"],
    )


def _wrk(url: str, environ: Mapping[str, str], connections: int, seconds: int) -> dict[str, float]:
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(_SCRIPT), url],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU seconds of these processes and everything below them, ended children included."""
    stats = {int(path.name): _stat(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    wanted, found = list(roots), 0.0
    while wanted:
        pid = wanted.pop()
        parent_and_ticks = stats.get(pid)
        if parent_and_ticks:
            found += parent_and_ticks[1] / _TICKS
        wanted += [child for child, stat in stats.items() if stat and stat[0] == pid]
    return found


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15]))
