"""Callbacks by a real server: only where an operator allowed, nothing followed, failures by class (T127)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from yingqiao.client.callback import post
from yingqiao.exchange.callbacks import callback_address, choose_host
from yingqiao.exchange.fetch import FetchError
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.signing.applications import CallbackHost


@dataclass
class Told:
    """What came: path and body of each request; how the next are answered."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, bytes, str]] = field(default_factory=list)


@pytest.fixture
def told() -> Iterator[Told]:
    seen = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.came.append((self.path, body, self.headers["content-type"]))
            self.send_response(seen.status)
            for name, value in ({"content-length": "2"} | seen.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def send(url: str, *hosts: CallbackHost) -> None:
    post(*choose_host(url, hosts), b'{"status":200}')


def failing(url: str, *hosts: CallbackHost) -> WorkError:
    with pytest.raises(WorkError) as raised:
        send(url, *hosts)
    return raised.value


def test_told(told: Told):
    """The path and query as given, JSON in the body."""
    host = CallbackHost(f"http://127.0.0.1:{told.port}/", private=True)
    send(f"http://127.0.0.1:{told.port}/done/检查?exam=7&x=%20", host)
    send(f"http://127.0.0.1:{told.port}", host)
    paths = [path for path, _, _ in told.came]
    assert paths == ["/done/%E6%A3%80%E6%9F%A5?exam=7&x=%20", "/"]
    assert {(body, kind) for _, body, kind in told.came} == {
        (b'{"status":200}', "application/json; charset=utf-8")
    }


def test_only_allowed_hosts(told: Told):
    """Another port, host, scheme, folder, a user, a metadata address: refused before any connection."""
    inside = f"http://127.0.0.1:{told.port}"
    host = CallbackHost(f"{inside}/pacs/", private=True)
    for url in (
        f"{inside}/other",
        f"{inside}/pacs/../other",
        f"http://127.0.0.1:{told.port + 1}/pacs/x",
        f"http://localhost:{told.port}/pacs/x",
        f"https://127.0.0.1:{told.port}/pacs/x",
        f"http://u:p@127.0.0.1:{told.port}/pacs/x",
        "ftp://127.0.0.1/pacs/x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "gopher://127.0.0.1/",
        "",
        "http://",
    ):
        assert failing(url, host).error_class in (ErrorClass.THEIRS, ErrorClass.POISON), url
    assert failing(f"{inside}/pacs/x").error_class is ErrorClass.THEIRS
    assert told.came == []


def test_a_name_that_leads_inside(told: Told):
    """Judged by the address really connected to, not by the name: no private address unless so registered."""
    url = f"http://localhost:{told.port}/x"
    refused = failing(url, CallbackHost(f"http://localhost:{told.port}/"))
    assert refused.error_class is ErrorClass.THEIRS
    assert "本机" in refused.reason
    assert told.came == []
    send(url, CallbackHost(f"http://localhost:{told.port}/", private=True))


def test_nothing_is_followed(told: Told):
    """A redirect is the other side's mistake, wherever it leads."""
    told.status, told.headers = 302, {"location": f"http://127.0.0.1:{told.port}/elsewhere"}
    host = CallbackHost(f"http://127.0.0.1:{told.port}/", private=True)
    assert failing(f"http://127.0.0.1:{told.port}/x", host).error_class is ErrorClass.THEIRS
    assert len(told.came) == 1


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        *((status, ErrorClass.PASSING) for status in (408, 429, 500, 502, 503)),
        *((status, ErrorClass.THEIRS) for status in (400, 401, 404, 413)),
    ],
)
def test_failures_by_class(told: Told, status: int, error_class: ErrorClass):
    """Again soon for what passes, slowly for what they must mend; never given up."""
    told.status, told.headers = status, {"retry-after": "7"}
    host = CallbackHost(f"http://127.0.0.1:{told.port}/", private=True)
    error = failing(f"http://127.0.0.1:{told.port}/secret-path", host)
    assert error.error_class is error_class
    assert error.retry_after == (7 if error_class is ErrorClass.PASSING else None)
    assert "secret-path" not in error.reason


def test_nobody_there():
    host = CallbackHost("http://127.0.0.1:9/", private=True)
    assert failing("http://127.0.0.1:9/x", host).error_class is ErrorClass.PASSING


def test_addresses_as_written():
    assert callback_address("http://Pacs.Example:8080").path == "/"
    assert callback_address("http://pacs.example?x=1").query == "x=1"
    with pytest.raises(FetchError):
        callback_address("pacs.example/x")
