"""An acknowledgement means durable: killed at random, every instance answered 0000 is indexed, byte-exact."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.helpers.ports import free_port
from tests.integration.dicom.raw_sender import RawSender
from tests.peers.dcmtk import wait_for_port
from yingqiao.dicom.upper_layer import pdu
from yingqiao.store.database import open_database
from yingqiao.store.landing import LandingReader
from yingqiao.store.schema import instances

REPOSITORY = Path(__file__).parents[3]
KILLS = int(os.environ.get("YINGQIAO_KILLS", "5"))
HEAD = b"\x08\x00\x60\x00CS\x02\x00CT\xe0\x7f\x10\x00OW\0\0"


def dataset(uid: str, size: int) -> bytes:
    """A dataset that belongs to its UID."""
    return HEAD + size.to_bytes(4, "little") + random.Random(uid).randbytes(size)


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.dicom.receiver", str(port), str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    wait_for_port(port, process=process)
    return process


class Load:
    """Senders on several associations, one with an operations window, one with large instances."""

    def __init__(self, port: int, round_number: int, acknowledged: dict[str, int]) -> None:
        self.acknowledged = acknowledged
        self.threads = [
            threading.Thread(target=self._run, args=(port, f"1.2.{round_number}.{n}", *kind))
            for n, kind in enumerate([(1, 20_000), (1, 300_000), (8, 20_000), (1, 9_500_000)])
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, port: int, root: str, window: int, size: int) -> None:
        try:
            with RawSender(port, window=(window, 1)) as sender:
                for start_number in range(0, 1_000_000, window):
                    self._batch(sender, root, start_number, window, size)
        except (OSError, EOFError):
            pass  # killed

    def _batch(self, sender: RawSender, root: str, first: int, window: int, size: int) -> None:
        numbers = [n % 60_000 for n in range(first, first + window)]
        parts = [
            sender.store_bytes(dataset(f"{root}.{n}", size), f"{root}.{n}", n, fragment=100_000)
            for n in numbers
        ]
        sender.socket.sendall(b"".join(parts))
        for n in numbers:
            answer = sender.receive_command()
            assert (answer.message_id, answer.status) == (n, 0)
            self.acknowledged[f"{root}.{n}"] = size


def indexed(folder: Path) -> dict[str, tuple[str, int, int, bytes]]:
    database = open_database(folder)
    with database.read() as connection:
        rows = list(connection.execute(select(instances)))
    database.close()
    return {
        r.sop_uid: (r.segment, r.offset + r.dataset_offset, r.length - r.dataset_offset, r.digest)
        for r in rows
    }


def test_killed_at_random_nothing_acknowledged_is_lost(tmp_path):
    """SIGKILL under load, again and again on one folder. A long run: YINGQIAO_KILLS=300."""
    acknowledged: dict[str, int] = {}
    for round_number in range(KILLS):
        port = free_port()
        process = start(tmp_path, port)
        before, load = len(acknowledged), Load(port, round_number, acknowledged)
        while len(acknowledged) < before + 2 and any(thread.is_alive() for thread in load.threads):
            time.sleep(0.01)
        time.sleep(random.uniform(0.05, 0.7))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for thread in load.threads:
            thread.join(120)
    process = start(tmp_path, free_port())
    process.terminate()
    assert process.wait(120) == 0
    found = indexed(tmp_path)
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= set(found)
    reader = LandingReader(tmp_path / "landing")
    for uid, (segment, offset, length, digest) in found.items():
        raw = b"".join(reader.chunks(segment, offset, length))
        assert hashlib.sha256(raw).digest() == digest  # none half, acknowledged or not
        if uid in acknowledged:
            assert raw == dataset(uid, acknowledged[uid])


@pytest.mark.parametrize("size", [2_000_000_000])
def test_two_gigabytes_arrive_in_little_memory(tmp_path, size):
    """Under 200 MB of process memory."""
    port = free_port()
    process = start(tmp_path, port)
    try:
        piece = bytes(250_000)
        with RawSender(port) as sender:
            sender.socket.sendall(sender.store_bytes(HEAD, "1.2.3")[: -len(HEAD) - 12])
            middle = pdu.encode(pdu.PData((pdu.Pdv(1, False, False, piece),)))
            for _ in range(size // len(piece)):
                sender.socket.sendall(middle)
            sender.socket.sendall(pdu.encode(pdu.PData((pdu.Pdv(1, False, True, piece),))))
            assert sender.receive_command().status == 0
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
        assert peak < 200
    finally:
        process.terminate()
        process.wait(120)
    assert indexed(tmp_path)["1.2.3"][2] == size + len(piece)
