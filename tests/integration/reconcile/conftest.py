"""Both databases, real, behind one fixture; a hospital's query service that answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from yingqiao.exchange.receive import Receiver
from yingqiao.gm.keystore import MasterKey
from yingqiao.spec import load_edition
from yingqiao.store.database import Database, open_database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.tasks.comparing import Comparing
from yingqiao.tasks.mending import Mender

CODE = "12140000MB00000005"
KEY = "2a77be8ebc9c90cd25ccd1d31dce7a77"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    database = open_database(tmp_path)
    database.migrate()
    database.close()
    return str(tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@dataclass
class Gateway:
    """The parts of a gateway that reconcile, without its processes."""

    database: Database
    hospitals: HospitalRegistry
    objects: LocalObjects
    receiver: Receiver
    mender: Mender
    comparing: Comparing


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Gateway:
    hospitals = HospitalRegistry(database, MasterKey(b"m" * 32))
    hospitals.add(CODE, "某某医院", KEY)
    edition = load_edition("shanxi/v2_1")
    (tmp_path / "objects").mkdir()
    objects = LocalObjects(tmp_path / "objects")
    receiver = Receiver(edition, hospitals)
    mender = Mender(receiver, database, objects)
    return Gateway(
        database, hospitals, objects, receiver, mender, Comparing(edition, database, hospitals, mender)
    )


@dataclass
class QueryServer:
    """A hospital's /exam/get, /report/get, /series/get, plain, with pages as the standard has them."""

    url: str = ""
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def hospital() -> Iterator[QueryServer]:
    made = QueryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.asked.append((self.path, said))
            page, size = int(said["pageNum"]), int(said["pageSize"])
            rows = made.records.get(self.path, [])[(page - 1) * size : page * size]
            body = json.dumps({"code": 1, "message": "成功", "content": rows}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
