"""PACS to be asked: Debian's Orthanc and DCMTK's dcmqrscp, each with studies and a list of destinations."""

from __future__ import annotations

import io
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.helpers.ports import free_port
from tests.peers.dcmtk import Dcmtk, end, wait_for_port
from tests.peers.orthanc import orthanc_configuration

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.1617"


def instance(
    study: str, series: int = 1, number: int = 1, *, side: int = 16, charset: str = "GB18030", **given: Any
) -> bytes:
    """A small CT image as a Part 10 file. Attributes by keyword; Chinese names in the charset."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SpecificCharacterSet = charset
    made.SOPClassUID, made.SOPInstanceUID = CT, f"{study}.{series}.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = study, f"{study}.{series}"
    plain = {
        "PatientID": "P1",
        "PatientName": "张三",
        "AccessionNumber": "A1",
        "StudyDate": "20260301",
        "StudyTime": "090000",
        "Modality": "CT",
        "StudyID": "1",
        "SeriesNumber": series,
        "InstanceNumber": number,
        "Rows": side,
        "Columns": side,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": bytes([number % 256]) * (side * side * 2),
    }
    for keyword, value in (plain | given).items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def study(uid: str, series: int = 2, images: int = 3, **given: Any) -> list[bytes]:
    return [instance(uid, s, n, **given) for s in range(1, series + 1) for n in range(1, images + 1)]


@dataclass
class OrthancPacs:
    """An Orthanc that can be stopped and started on the same folder and ports."""

    folder: Path
    aet: str = "ORTHANC"
    settings: dict[str, Any] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def address(self) -> str:
        return f"{self.aet}@127.0.0.1:{self.port}"

    def start(self) -> OrthancPacs:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = orthanc_configuration(self.folder, self.http_port, self.port) | {
            "DicomAet": self.aet,
            "DefaultEncoding": "Chinese",
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowFind": True,
            "DicomModalitiesInDatabase": True,
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(configuration | self.settings))
        with (self.folder / "log").open("ab") as log:
            environment = os.environ | {"TCP_NODELAY": "1"}
            program = "/usr/sbin/Orthanc"
            self.process = subprocess.Popen([program, str(file)], env=environment, stdout=log, stderr=log)
        wait_for_port(self.http_port, process=self.process)
        wait_for_port(self.port, process=self.process)
        return self

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def knows(self, aet: str, port: int, **given: Any) -> None:
        """Register a destination."""
        body = {"AET": aet, "Host": "127.0.0.1", "Port": port} | given
        httpx.put(f"{self.url}/modalities/{aet}", json=body, timeout=120).raise_for_status()

    def keep(self, instances: list[bytes]) -> None:
        with httpx.Client(timeout=120) as client:
            for content in instances:
                client.post(f"{self.url}/instances", content=content).raise_for_status()


@dataclass
class Dcmqrscp:
    """A dcmqrscp with one storage area. `peers`: AE titles that may ask; empty = any."""

    folder: Path
    destinations: dict[str, int] = field(default_factory=dict)
    peers: tuple[str, ...] = ()
    aet: str = "QRSCP"
    port: int = field(default_factory=free_port)
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.aet}@127.0.0.1:{self.port}"

    def start(self) -> Dcmqrscp:
        area = self.folder / "area"
        area.mkdir(parents=True, exist_ok=True)
        hosts = [f"{aet.lower()} = ({aet}, 127.0.0.1, {port})" for aet, port in self.destinations.items()]
        hosts += [
            f"{aet.lower()} = ({aet}, 127.0.0.1, 9)" for aet in self.peers if aet not in self.destinations
        ]
        who = ", ".join(aet.lower() for aet in self.peers) or "ANY"
        lines = [
            f"NetworkTCPPort = {self.port}",
            "MaxPDUSize = 65536",
            "MaxAssociations = 16",
            "HostTable BEGIN",
            *hosts,
            "HostTable END",
            "VendorTable BEGIN",
            "VendorTable END",
            "AETable BEGIN",
            f"{self.aet} {area} RW (200, 1024mb) {who}",
            "AETable END",
        ]
        configuration = self.folder / "dcmqrscp.cfg"
        configuration.write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["dcmqrscp", "-v", "-c", str(configuration), *self.options],
                env=os.environ | {"TCP_NODELAY": "1"},
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.port, process=self.process)
        return self

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def keep(self, instances: list[bytes], sender: str = "STORESCU") -> None:
        folder = self.folder / "in"
        folder.mkdir(exist_ok=True)
        files = []
        for number, content in enumerate(instances):
            file = folder / f"{number}.dcm"
            file.write_bytes(content)
            files.append(file)
        done = Dcmtk().run("storescu", "-aet", sender, "-aec", self.aet, "127.0.0.1", str(self.port), *files)
        assert done.returncode == 0, done.stderr
