"""Builds the C programs, starts the receivers, reads what they used."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECEIVERS = ("orthanc", "storescp", "sink-file", "sink-segment", "yingqiao")
_TICK = os.sysconf("SC_CLK_TCK")


def build(folder: Path) -> Path:
    """Compile sender and sink into `folder`. Raises CalledProcessError."""
    for name in ("sender", "sink"):
        command = ["cc", "-O2", "-pthread", "-o", str(folder / name), str(HERE / f"{name}.c")]
        subprocess.run(command, check=True)
    return folder


@dataclass(frozen=True)
class Running:
    """A receiver under measurement."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """User and system time of the process and its ended children, once it has come to rest."""
        used = self._cpu()
        while True:  # an index that follows the answers belongs to the price
            time.sleep(0.3)
            before, used = used, self._cpu()
            if used - before < 0.03:
                return used

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICK

    def peak_megabytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) // 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(120)


def start(name: str, tools: Path, folder: Path) -> Running:
    """Start a receiver that keeps into `folder`; with TCP_NODELAY in its environment."""
    port, http = _free_port(), _free_port()
    command = {
        "orthanc": lambda: [_orthanc(), _orthanc_configuration(folder, port, http)],
        "storescp": lambda: ["storescp", "--fork", "-od", folder, "-B", "+xa", port],
        "sink-file": lambda: [tools / "sink", port, folder, "file"],
        "sink-segment": lambda: [tools / "sink", port, folder, "segment"],
        "yingqiao": lambda: [sys.executable, "-m", "benchmarks.dicom.receiver", port, folder],
    }[name]()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=os.environ | {"TCP_NODELAY": "1"},
            stdout=log,
            stderr=log,
            cwd=HERE.parent.parent,
        )
    running = Running(name, port, process)
    _await(running)
    return running


def send(
    tools: Path,
    to: Running,
    associations: int,
    count: int,
    size: int,
    run: int,
    window: int = 1,
    nagle: bool = False,
) -> float:
    """Seconds until every instance is answered 0000. Raises CalledProcessError when one is not."""
    arguments = [to.port, "BENCH", associations, count, size, run, window, int(nagle)]
    os.sync()
    done = subprocess.run([str(tools / "sender"), *map(str, arguments)], check=True, capture_output=True)
    return float(json.loads(done.stdout)["seconds"])


def machine() -> str:
    """What it runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{os.cpu_count()} x {model}, {memory} GiB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"
    )


def versions() -> str:
    """Of the peers."""
    found = []
    for command in ([_orthanc(), "--version"], ["storescp", "--version"], ["cc", "--version"]):
        with contextlib.suppress(OSError, IndexError):
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            found.append((said.stdout + said.stderr).strip().splitlines()[0].strip("$ "))
    return "; ".join(found)


def _orthanc() -> str:
    return shutil.which("Orthanc") or "/usr/sbin/Orthanc"


def _orthanc_configuration(folder: Path, port: int, http: int) -> Path:
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomPort": port,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await(running: Running) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", running.port), 1).close()
        except OSError:
            if running.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{running.name} does not start") from None
            time.sleep(0.05)
        else:
            return
