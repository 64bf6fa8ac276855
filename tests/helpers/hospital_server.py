"""A hospital's query interfaces over a real socket, as good or as bad as a test wants them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = tuple[str, dict[str, Any]]


class HospitalServer:
    """`answer(path, body)` gives the whole answer's bytes; `rows(path, asked)` only its content."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.headers: list[dict[str, str]] = []
        self.rows: Callable[[str, dict[str, Any]], Any] = lambda path, asked: []
        self.answer: Callable[[str, bytes], bytes] = self._plain

    def _plain(self, path: str, body: bytes) -> bytes:
        asked = json.loads(body)
        self.asked.append((path, asked))
        return said(self.rows(path, asked))


def said(content: Any, code: Any = 1, message: str = "成功") -> bytes:
    return json.dumps({"code": code, "message": message, "content": content}).encode()


def paged(rows: list[Any]) -> Callable[[str, dict[str, Any]], Any]:
    """Pages as the standard means them."""

    def page(path: str, asked: dict[str, Any]) -> Any:
        start = (asked["pageNum"] - 1) * asked["pageSize"]
        return rows[start : start + asked["pageSize"]]

    return page


@contextmanager
def serve_hospital() -> Iterator[HospitalServer]:
    state = HospitalServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = state.answer(self.path, body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
