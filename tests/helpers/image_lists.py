"""Series of small CT instances behind URLs, lists of them, and waiting for a gateway to have them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select

from tests.helpers.dicom_files import part10
from tests.peers.gateway import RunningGateway
from yingqiao.store.database import open_database
from yingqiao.store.schema import instances

SERIES, STUDY = "1.2.3.1", "1.2.3"


def uid_of(number: int, series: int = 0) -> str:
    return f"1.2.826.0.1.3680043.10.77.{series}.{number}"


def write_series(folder: Path, count: int, series: int = 0, pixels: bytes = b"\1\2" * 500) -> list[str]:
    """`count` instances as files; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{series}-{number}.dcm" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(part10(uid_of(number, series), pixels))
    return names


def series_list(urls: Sequence[str] | str, **changes: object) -> dict[str, object]:
    """The data of /images/list (四(二)2(3))."""
    return {
        "PATIENT_ID": "P1",
        "MODALITY": "CT",
        "PATIENTSEX": "1",
        "ACCESS_NO": "A100",
        "PATIENTNAME": "张三",
        "PATIENTAGE": "35",
        "STUDYIUID": STUDY,
        "STUDYDATE": "2026-08-01",
        "SERIESIUID": SERIES,
        "SERIESNO": "1",
        "FILEPATH": urls if isinstance(urls, str) else list(urls),
    } | changes


def urls_of(port: int, names: Sequence[str], host: str = "127.0.0.1", scheme: str = "http") -> list[str]:
    return [f"{scheme}://{host}:{port}/{quote(name) if scheme == 'http' else name}" for name in names]


def allow(gateway: RunningGateway, address: str, *options: str, **environ: str) -> Any:
    """Register a host for the hospital; private, as all hosts of tests are on loopback."""
    from tests.acceptance.senders import HOSPITAL

    gateway.environ |= environ
    done = gateway.cli("hospitals", "hosts", "add", HOSPITAL, address, "--private", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until(holds: Callable[[], bool], seconds: float = 180.0, why: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why or "it did not happen in time"
        time.sleep(0.05)


def the_list(gateway: RunningGateway, number: int = 1) -> dict[str, Any]:
    shown: dict[str, Any] = gateway.json("lists", "show", str(number))
    return shown


def wait_done(gateway: RunningGateway, count: int, number: int = 1, seconds: float = 180.0) -> None:
    """Until `count` files of a list are done and indexed."""

    def holds() -> bool:
        return bool(summary(gateway, number)["done"] >= count)

    wait_until(holds, seconds, f"not {count} files done: {gateway.log[-1500:]}")


def summary(gateway: RunningGateway, number: int = 1) -> dict[str, Any]:
    """The list as its line says, straight from the database: quicker than a command."""
    from yingqiao.store.queries import show_image_list

    database = open_database(gateway.data)
    try:
        with database.read() as connection:
            found = show_image_list(connection, number)
        assert found is not None
        shown = found.list
        return {name: getattr(shown, name) for name in shown.__struct_fields__}
    finally:
        database.close()


def indexed(gateway: RunningGateway) -> dict[str, int]:
    """SOP instance UID -> rows in the index."""
    database = open_database(gateway.data)
    try:
        with database.read() as connection:
            counted = select(instances.c.sop_uid, func.count()).group_by(instances.c.sop_uid)
            return {row[0]: row[1] for row in connection.execute(counted)}
    finally:
        database.close()


def wait_indexed(gateway: RunningGateway, count: int, seconds: float = 180.0) -> dict[str, int]:
    """Until the index has so many; every one exactly once."""
    wait_until(lambda: len(indexed(gateway)) >= count, seconds, "not all are indexed")
    found = indexed(gateway)
    assert set(found.values()) == {1}
    assert len(found) == count
    return found


class SlowServer(ThreadingHTTPServer):
    """A plain web server that takes its time and counts."""

    daemon_threads = True

    def __init__(self, folder: Path, delay: float, hold_after: int) -> None:
        super().__init__(("127.0.0.1", 0), _SlowHandler)
        self.folder, self.delay, self.asked = folder, delay, 0
        self.hold_after, self.gate = hold_after, Event()
        self._counting = Lock()

    @property
    def port(self) -> int:
        return self.server_port

    def count(self) -> int:
        """Of the request that came now: who comes later does not make it later."""
        with self._counting:
            self.asked += 1
            return self.asked


class _SlowHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SlowServer

    def do_GET(self) -> None:
        number = self.server.count()
        time.sleep(self.server.delay)
        if number > self.server.hold_after:
            self.server.gate.wait()
        body = (self.server.folder / self.path[1:]).read_bytes()
        with suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def slow_server(folder: Path, delay: float = 0.0, hold_after: int = sys.maxsize) -> Iterator[SlowServer]:
    """`hold_after` so many requests the next wait until `gate` is set."""
    with SlowServer(folder, delay, hold_after) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()
