"""Debian's Orthanc as a peer, with its own configuration and folder; never the system's service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    http_port: int
    dicom_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def upload(self, content: bytes) -> str:
        """Give it an instance; its id there."""
        answer = httpx.post(f"{self.url}/instances", content=content, timeout=120)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def register(self, name: str, aet: str, port: int) -> None:
        """Make a modality on loopback known: it may query and retrieve, and be a destination of C-MOVE."""
        body = [aet, "127.0.0.1", port]
        httpx.put(f"{self.url}/modalities/{name}", json=body, timeout=120).raise_for_status()

    def send(self, aet: str, port: int, resources: list[str]) -> dict[str, object]:
        """C-STORE instances to a receiver; what its job says."""
        name = f"to{port}"
        self.register(name, aet, port)
        body = {"Resources": resources, "Synchronous": True, "Timeout": 60}
        answer = httpx.post(f"{self.url}/modalities/{name}/store", json=body, timeout=300)
        answer.raise_for_status()
        return dict(answer.json())


def orthanc_configuration(folder: Path, http_port: int, dicom_port: int) -> dict[str, object]:
    """Defaults but for ports and folders."""
    return {
        "Name": "peer",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    }


def start_orthanc(
    folder: Path, nodelay: bool = True, **settings: object
) -> tuple[subprocess.Popen[bytes], Orthanc]:
    """Start one in `folder`, with further `settings`. End it with `dcmtk.end`."""
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    assert Path(program).exists(), "Orthanc is missing: run scripts/peers.sh"
    folder.mkdir(parents=True, exist_ok=True)
    orthanc = Orthanc(free_port(), free_port())
    configuration = folder / "orthanc.json"
    defaults = orthanc_configuration(folder, orthanc.http_port, orthanc.dicom_port)
    configuration.write_text(json.dumps(defaults | settings))
    with (folder / "log").open("wb") as log:
        environment = os.environ | ({"TCP_NODELAY": "1"} if nodelay else {})
        process = subprocess.Popen([program, str(configuration)], env=environment, stdout=log, stderr=log)
    wait_for_port(orthanc.http_port, process=process)
    wait_for_port(orthanc.dicom_port, process=process)
    return process, orthanc


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    process, peer = start_orthanc(tmp_path_factory.mktemp("orthanc"))
    try:
        yield peer
    finally:
        end(process)
