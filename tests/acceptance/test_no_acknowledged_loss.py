"""An acknowledgement means durable: the whole program under SIGKILL at random moments, HTTP and DICOM together.

The gateway is killed `YINGQIAO_KILLS` times (a dozen by default, hundreds before a release) while senders push. In the end
every acknowledged record and instance is there, byte-exact, and nothing is half there.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from threading import Event

import orjson
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, Pushed, in_background, push_images, push_records
from yingqiao.store.compression import decompress
from yingqiao.store.landing import LandingReader
from yingqiao.store.objects import LocalObjects

KILLS = int(os.environ.get("YINGQIAO_KILLS", "12"))
YINGQIAO = str(Path(sys.executable).with_name("yingqiao"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """One `yingqiao serve` after another on the same data directory and ports."""

    def __init__(self, data: Path) -> None:
        self.data, self.http, self.dicom = data, free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [YINGQIAO, "serve", "--data", str(self.data), "--http", f"127.0.0.1:{self.http}"]
        command += ["--dicom", f"YINGQIAO@127.0.0.1:{self.dicom}"]
        with (self.data.parent / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "serve ended by itself; see serve.log"
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.http}/health/ready", timeout=2
                ) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.02)
        raise AssertionError("not ready within a minute")

    def end(self, how: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(how)
        self.process.wait(30)


@pytest.fixture
def gateway(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(
        [
            YINGQIAO,
            "hospitals",
            "add",
            HOSPITAL,
            "--name",
            "某某医院",
            "--sm4-key",
            KEY_HEX,
            "--data",
            str(data),
        ],
        check=True,
        capture_output=True,
    )
    running = Gateway(data)
    yield running
    if running.process and running.process.poll() is None:
        running.end(signal.SIGKILL)
    shutil.rmtree(data, ignore_errors=True)


def wait_until_indexed(database: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            if connection.execute("SELECT count(*) FROM instances").fetchone()[0] >= count:
                return
        time.sleep(0.1)


def record_of(connection: sqlite3.Connection, table: str, key: str, value: str) -> dict[str, object]:
    row = connection.execute(
        f"SELECT s.body FROM {table} t JOIN submissions s ON s.id = t.submission_id WHERE t.{key} = ?",
        (value,),
    ).fetchone()
    assert row, f"acknowledged {table} {value} is lost"
    return orjson.loads(decompress(row[0]))


def check_everything(data: Path, pushed: Pushed) -> None:
    database = data / "yingqiao.sqlite"
    wait_until_indexed(database, len(pushed.instances))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        for key, value in pushed.exams.items():
            assert record_of(connection, "exams", "ris_study_id", key)["illnessSummary"] == value
        for key, value in pushed.reports.items():
            assert record_of(connection, "reports", "record_num", key)["remark"] == value
        for (pdf,) in connection.execute("SELECT pdf_object FROM reports"):
            LocalObjects(data / "objects").verify(pdf)
        rows = connection.execute(
            'SELECT sop_uid, digest, segment, "offset", length, dataset_offset FROM instances'
        ).fetchall()
    landing = LandingReader(data / "landing")
    indexed = {}
    for sop_uid, digest, segment, offset, length, dataset_offset in rows:
        dataset = landing.read(segment, offset, length)[dataset_offset:]
        assert hashlib.sha256(dataset).digest() == digest, f"{sop_uid} is half there"
        indexed[sop_uid] = digest.hex()
    lost = {uid for uid, digest in pushed.instances.items() if indexed.get(uid) != digest}
    assert not lost, f"{len(lost)} acknowledged instances are lost"


def test_killed_at_random_nothing_acknowledged_is_lost(gateway: Gateway) -> None:
    pushed = Pushed()
    for round_ in range(KILLS):
        gateway.start()
        stop = Event()
        threads = [
            in_background(push_records, "127.0.0.1", gateway.http, f"R{round_}-{n}", stop, pushed)
            for n in range(4)
        ]
        threads += [
            in_background(push_images, "127.0.0.1", gateway.dicom, "YINGQIAO", f"CT{n}", stop, pushed)
            for n in range(3)
        ]
        time.sleep(random.uniform(0.05, 0.8))
        gateway.end(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(20)
    gateway.start()
    check_everything(gateway.data, pushed)
    assert len(pushed.exams) > KILLS
    assert len(pushed.instances) > KILLS
