"""The gateway's pure middle behind http.server: enough of a gateway to be called over a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import HospitalEntry, Receiver
from yingqiao.spec import load_edition

PATHS = {
    "/exam-sync": "exam-sync",
    "/report/sync": "report-sync",
    "/examMergeReport-sync": "examMergeReport-sync",
    "/images/list": "images-list",
}


class ReceiverServer:
    """What the server knows and has seen. `fixed` = (status, headers, body) answers everything alike; `script` is
    what is answered first, one after the other; `clock` is its time and its answers' Date.
    """

    def __init__(self, code: str, key: str) -> None:
        self.clock: Callable[[], float] = time.time
        self.entry = HospitalEntry(code, "示范医院", False, (bytes.fromhex(key),), Profile())
        self.receiver = Receiver(load_edition(), self)
        self.submissions: list = []
        self.fixed: tuple[int, dict[str, str], bytes] | None = None
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.url = ""

    def get(self, code: str) -> HospitalEntry | None:
        return self.entry if code == self.entry.code else None

    @property
    def requests(self) -> int:
        return len(self.bodies)

    def profile(self, profile: Profile) -> None:
        self.entry = replace(self.entry, profile=profile)

    def answer(self, path: str, body: bytes, kind: str | None) -> tuple[int, dict[str, str], bytes]:
        self.bodies.append((path, body))
        if self.script:
            return self.script.pop(0)
        if self.fixed:
            return self.fixed
        now = int(self.clock() * 1000)
        taken = self.receiver.take(PATHS[path], body, peer="t", received_at=now, encryption_type=kind)
        self.submissions.extend(taken.submissions)
        return taken.http_status, {}, taken.answer.to_json()


@contextmanager
def serve_receiver(code: str, key: str) -> Iterator[ReceiverServer]:
    """A server on a free port for one hospital."""
    state = ReceiverServer(code, key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers, answer = state.answer(self.path, body, self.headers["encryption-type"])
            self.send_response_only(status)
            headers = {"Date": self.date_time_string(state.clock()), **headers}
            for name, value in {**headers, "content-length": str(len(answer))}.items():
                self.send_header(name, value)
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
