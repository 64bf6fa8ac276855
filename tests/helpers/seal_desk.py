"""A desk with a running seal client, a wallet, and the PACS beside it: its page, its reports, its upload service."""

from __future__ import annotations

import email
import email.policy
import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from tests.helpers import pki, seals
from yingqiao.cli.seal_client import BuiltPages
from yingqiao.client.fetch.model import Resolve
from yingqiao.gm import seal_wallet
from yingqiao.gm.issuing import Profile
from yingqiao.gm.seal_wallet import Cost
from yingqiao.gm.ses import Picture
from yingqiao.seal_client.config import Config, Loaded, load
from yingqiao.seal_client.device import Device
from yingqiao.seal_client.running import build

PIN = "Zx-314159"
SEAL_NAME = "影桥测试医院影像诊断专用章"
SEAL_MM = 42
SEAL_PIXELS = 496
"""42 mm at 300 dots an inch."""


@cache
def signer() -> pki.Entity:
    """Valid now, whenever that is."""
    now = datetime.now(UTC)
    times = {"not_before": now - timedelta(days=30), "not_after": now + timedelta(days=300)}
    return pki.make(Profile.SIGNING, "影桥测试医院", pki.world().ca, **times)


@cache
def seal(name: str = SEAL_NAME, days_left: int = 200) -> bytes:
    now = datetime.now(UTC)
    said = seals.info(
        name=name,
        created=now - timedelta(days=20),
        valid_from=now - timedelta(days=21),
        valid_to=now + timedelta(days=days_left),
        certificates=(signer().certificate.raw,),
        picture=Picture("PNG", seals.png(SEAL_PIXELS, SEAL_PIXELS), SEAL_MM, SEAL_MM),
    )
    return seals.make_seal(said)


@cache
def wallet(name: str = SEAL_NAME, days_left: int = 200) -> bytes:
    raw = seal(name, days_left)
    cost = Cost(1, 8 * 1024, 1)
    return seal_wallet.make_wallet(name, raw, signer().certificate.raw, signer().private, PIN, cost)


@dataclass
class Upload:
    """What the upload service was given."""

    method: str
    path: str
    fields: dict[str, str]
    name: str
    data: bytes


@dataclass
class Pacs:
    """Its web server. `pages`: path -> (type, body)."""

    server: http.server.ThreadingHTTPServer
    pages: dict[str, tuple[str, bytes]] = field(
        default_factory=lambda: {"/favicon.ico": ("image/x-icon", b"")}
    )
    uploads: list[Upload] = field(default_factory=list)
    upload_status: int = 200
    asked: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def url(self, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}"

    def put(self, path: str, body: bytes | str, kind: str = "text/html; charset=utf-8") -> None:
        self.pages[path] = kind, body.encode() if isinstance(body, str) else body


@contextmanager
def pacs(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Pacs]:
    """Raises PermissionError for a port that is not ours to take."""
    here: list[Pacs] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            here[0].asked.append(path)
            kind, body = here[0].pages.get(path, ("", b""))
            self._answer(200 if kind else 404, body, kind or "text/plain")

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
            fields, name, content = {}, "", b""
            for part in email.message_from_bytes(head + data, policy=email.policy.HTTP).iter_parts():
                payload = part.get_payload(decode=True)
                if part.get_filename() is not None:
                    name, content = part.get_filename(), payload
                else:
                    fields[part.get_param("name", header="content-disposition")] = payload.decode()
            here[0].uploads.append(Upload("POST", self.path, fields, name, content))
            self._answer(here[0].upload_status, '{"id":"影像-1"}'.encode(), "application/json")

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            here[0].uploads.append(Upload("PUT", self.path, {}, "", data))
            self._answer(here[0].upload_status, b"kept", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    here.append(Pacs(server))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield here[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class SealDesk:
    """A running client."""

    port: int
    folder: Path
    loaded: Loaded
    pages: list[DeskPage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def viewer(self, **parameters: str) -> str:
        return f"{self.url}/PDFClient/viewer.html?{urlencode(parameters)}"

    def uses(self) -> list[dict[str, Any]]:
        path = self.folder / "state" / "uses.jsonl"
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def page(self, **parameters: str) -> DeskPage:
        """As a PACS's frame loads it, without a browser."""
        self.pages.append(DeskPage(self, parameters))
        return self.pages[-1]


class DeskPage:
    """What the page does, said over HTTP."""

    def __init__(self, desk: SealDesk, parameters: Mapping[str, str]) -> None:
        self.http = httpx.Client(base_url=desk.url, timeout=120, trust_env=False)
        self.html = self.http.get("/PDFClient/viewer.html", params=dict(parameters))
        assert self.html.status_code == 200
        self.secret = self.html.text.partition('name="yingqiao-session" content="')[2].partition('"')[0]
        self.headers = {"origin": desk.url, "x-yingqiao-session": self.secret}

    def ask(self, name: str, body: Mapping[str, Any] | None = None, **headers: str) -> httpx.Response:
        said = self.headers | headers
        return self.http.post(f"/PDFClient/api/{name}", json=body or {}, headers=said)

    def open(self) -> dict[str, Any]:
        answer = self.ask("open")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def seal_id(self) -> str:
        return str(self.ask("seals").json()[0]["id"])

    def seal(
        self, base: str, *points: tuple[int, float, float], pin: str = PIN, **more: Any
    ) -> httpx.Response:
        wishes = {"points": [{"page": page, "x": x, "y": y} for page, x, y in points], **more}
        return self.ask("seal", {"seal": self.seal_id(), "base": base, "pin": pin, "wishes": wishes})


@contextmanager
def seal_desk(
    folder: Path,
    origins: Sequence[str],
    *,
    wallets: Sequence[bytes] | None = None,
    resolve: Resolve | None = None,
    held: Device | None = None,
    port: int = 0,
    **sections: Mapping[str, Any],
) -> Iterator[SealDesk]:
    """`sections` of seal-client.toml beside [client]."""
    (folder / "wallets").mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate([wallet()] if wallets is None else wallets):
        (folder / "wallets" / f"{number}.seal.json").write_bytes(raw)
    told = {"client": {"origins": list(origins), "port": port} | dict(sections.pop("client", {})), **sections}
    loaded = load(msgspec.convert(told, Config), folder)
    service = build(loaded, BuiltPages(), device=held, resolve=resolve)
    found = service.start()
    try:
        desk = SealDesk(found, folder, loaded)
        yield desk
        for page in desk.pages:
            page.http.close()
    finally:
        service.close()
