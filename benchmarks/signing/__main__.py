"""`python -m benchmarks.signing [--seconds N]`: time stamps made, journaled and answered, on SQLite. Needs wrk.

Target: 1,000 a second at 64 connections, each durable before its answer. Requests are signed beforehand.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.http.load import Measured, run_load
from tests.peers.gateway import RunningGateway
from yingqiao.signing.hmac_signature import Parameters, sign
from yingqiao.store.database import open_database
from yingqiao.store.tokens import latest_gen_time

APP, SECRET = "APP_BENCH", "a secret for the bench"
ROUTE = "/coss/service/v1/createAndGetTssInfo"
BODIES, CONNECTIONS, TARGET = 500, 64, 1000.0


def main() -> int:
    """Run, print, judge. Exit code 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        with gateway(folder / "data") as running:
            assert running.process is not None
            rows = {
                attach: run(running, folder / attach, attach, seconds, running.process.pid)
                for attach in ("true", "false")
            }
        database = open_database(folder / "data")
        assert latest_gen_time(database) > 0
        database.close()
    for attach, row in rows.items():
        print(
            f"attachCert={attach}: {row.per_second:,.0f}/s · p50 {row.p50_ms:.1f} ms · p99 {row.p99_ms:.1f} ms"
            f" · {row.cpu_us:.0f} µs CPU · refused {row.refused} · errors {row.errors}"
        )
    good = all(row.per_second >= TARGET and not row.refused and not row.errors for row in rows.values())
    print(f"target {TARGET:,.0f}/s: {'met' if good else 'MISSED'}")
    return 0 if good else 1


@contextmanager
def gateway(folder: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(folder)
    added = running.cli("apps", "add", APP, "--secret", SECRET)
    assert added.returncode == 0, added.stderr
    running.start()
    try:
        yield running
    finally:
        running.stop()


def run(running: RunningGateway, bodies: Path, attach: str, seconds: int, pid: int) -> Measured:
    """One row."""
    with bodies.open("w") as stream:
        for number in range(BODIES):
            asked = {"version": "1.0", "appId": APP, "signAlgo": "HMAC", "attachCert": attach}
            asked["oriData"] = f"影像报告 {number}：双肺纹理清晰，未见明显实变影。" * 10
            signature = sign(SECRET.encode(), Parameters(asked).string_a())
            stream.write(json.dumps(asked | {"signature": signature}) + "\n")
    mark = '"status":200,'
    return run_load(running.url, ROUTE, bodies, CONNECTIONS, seconds, [pid], mark)


if __name__ == "__main__":
    sys.exit(main())
