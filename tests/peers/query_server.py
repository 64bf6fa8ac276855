"""A hospital's query services over plain HTTP, that answer what they are told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class QueryServer:
    """A hospital's /exam/get, /report/get, /series/get, plain, with pages as the standard has them."""

    url: str = ""
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def query_server() -> Iterator[QueryServer]:
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
