"""DCMTK's programs as peers: real senders and a real receiver."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.ports import free_port


def wait_for_port(port: int, seconds: float = 120.0, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when something listens there. Raises AssertionError in vain."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 10.0).close()
        except OSError as error:
            ended = process is not None and process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"nothing listens on {port}") from error
            time.sleep(0.02)
        else:
            return


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a program this test started."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Dcmtk:
    """Runs DCMTK's command line programs. `nagle` leaves TCP_NODELAY off, as shipped."""

    nagle: bool = False

    def run(self, *command: str | Path, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        environment = os.environ | ({} if self.nagle else {"TCP_NODELAY": "1"})
        return subprocess.run(
            [str(c) for c in command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def storescu(self, port: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("storescu", "-v", "-aec", "YINGQIAO", "127.0.0.1", str(port), *arguments)

    def dcmsend(self, port: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("dcmsend", "-v", "-aec", "YINGQIAO", "127.0.0.1", str(port), *arguments)

    def echoscu(self, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("echoscu", "-v", "-aec", "YINGQIAO", *arguments, "127.0.0.1", str(port))


@pytest.fixture(scope="session")
def dcmtk() -> Dcmtk:
    """DCMTK with TCP_NODELAY, as anyone sets it who measures."""
    assert shutil.which("storescu"), "DCMTK is missing: run scripts/peers.sh"
    return Dcmtk()


@pytest.fixture(scope="session")
def dcmtk_as_shipped(dcmtk: Dcmtk) -> Dcmtk:
    return Dcmtk(nagle=True)


@pytest.fixture
def storescp(dcmtk: Dcmtk, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A receiving storescp: its port, and the folder it stores into."""
    port, folder = free_port(), tmp_path / "storescp"
    folder.mkdir()
    process = subprocess.Popen(
        ["storescp", "-od", str(folder), "+xa", "-B", str(port)], env=os.environ | {"TCP_NODELAY": "1"}
    )
    try:
        wait_for_port(port, process=process)
        yield port, folder
    finally:
        end(process)
