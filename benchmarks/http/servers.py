"""The servers under load: ours, as shipped, and the naive one; each on fresh data."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.http.bodies import HOSPITAL, KEY_HEX
from tests.peers.gateway import RunningGateway, free_port
from tests.peers.postgres import PostgresServer, start_postgres


@contextmanager
def gateway(folder: Path, *flags: str, **environ: str) -> Iterator[tuple[str, int]]:
    """URL and process id of a running `yingqiao serve` with our hospital."""
    running = RunningGateway(folder, list(flags))
    running.environ = {f"YINGQIAO_{name}": value for name, value in environ.items()}
    running.start()
    running.add_hospital(HOSPITAL, KEY_HEX)
    time.sleep(1.2)
    try:
        assert running.process is not None
        yield running.url, running.process.pid
    finally:
        running.stop()


@contextmanager
def naive(folder: Path) -> Iterator[tuple[str, int]]:
    """URL and process id of the naive server."""
    folder.mkdir()
    port = free_port()
    module = [sys.executable, "-m", "benchmarks.http.naive", str(port), str(folder / "naive.sqlite")]
    process = subprocess.Popen(module)
    try:
        _wait(f"http://127.0.0.1:{port}/docs")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[PostgresServer, int]]:
    """A private PostgreSQL as Debian configures it (fsync on), and its process id."""
    folder.mkdir()
    folder.parent.chmod(0o755)
    server = start_postgres(folder)
    try:
        yield server, int((folder / "data" / "postmaster.pid").read_text().split()[0])
    finally:
        server.stop()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} did not start")
