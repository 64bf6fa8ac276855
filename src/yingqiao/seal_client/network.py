"""saveType=net: a PDF fetched from a registered host and uploaded to one, both through the guard of sockets.

Only hosts of the configuration, redirects of a download among them, none of an upload; what a name resolves to is asked
about when the socket is opened. Bounded in size and time.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pycurl

from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings, outcome
from yingqiao.client.fetch.gate import Gate
from yingqiao.client.fetch.model import Resolve
from yingqiao.client.fetch.options import prepare
from yingqiao.exchange.fetch import Address, FetchError, FileState, choose, parse_address
from yingqiao.exchange.work import WorkError
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.errors import Refused

_MAX_ANSWER = 64 * 1024
"""Bytes of the upload service's answer that are read; it is handed to the PACS's page."""
_STATUSES = {FileState.REFUSED: (403, "address-refused"), FileState.GONE: (404, "no-file")}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the upload service said."""

    status: int
    answer: Any
    """Its JSON, its text, or None."""


class Network:
    """`resolve` stands in for the system's resolver."""

    def __init__(self, loaded: Loaded, resolve: Resolve | None = None) -> None:
        self._loaded = loaded
        self._resolve = resolve

    def fetch(self, text: str, told: Callable[[int], None]) -> tuple[bytes, str]:
        """Bytes and name of what an address holds; `told` hears of bytes as they come. Raises Refused."""
        limits = self._loaded.config.open
        taken = _Taken()
        until = time.monotonic() + limits.seconds

        def check() -> None:
            if time.monotonic() > until:
                raise Refused(504, "too-slow", f"{limits.seconds:g} 秒内没有取回文件")

        with tempfile.TemporaryDirectory(prefix="yingqiao-") as folder:
            settings = self._settings(Path(folder), limits.seconds, limits.max_bytes)
            try:
                address = parse_address(text)
                request = FetchRequest("1", address, self._loaded.open_hosts)
                with Fetcher(settings, resolve=self._resolve) as fetcher:
                    fetcher.run([request], taken, check=check, throttle=told)
            except WorkError as error:
                raise _of(error, "取不到文件") from error
        if taken.error is not None:
            raise _of(taken.error, "取不到文件") from taken.error
        return taken.data, _name(address)

    def check_target(self, text: str) -> None:
        """Whether an upload may go there. Raises Refused."""
        try:
            choose(parse_address(text), self._loaded.save_hosts)
        except WorkError as error:
            raise _of(error, "保存地址不允许") from error

    def upload(self, text: str, data: bytes, name: str, token: str) -> Uploaded:
        """A PDF given to the upload service at an address. Raises Refused: nothing may be taken as saved then."""
        said = self._loaded.config.save
        curl = pycurl.Curl()
        try:
            address = parse_address(text)
            host = choose(address, self._loaded.save_hosts)
            with tempfile.TemporaryDirectory(prefix="yingqiao-") as folder:
                settings = self._settings(Path(folder), said.seconds, len(data))
                further = ("Expect:", *(("Content-Type: application/pdf",) if said.method == "put" else ()))
                prepare(curl, address, host, host.path_encoding, settings, *further)
            gate = Gate(host, host.host)
            gate.guard(curl)
            self._lead(curl, address)
            if said.method == "put":
                _put(curl, data)
            else:
                _post(curl, data, name, token, said.field)
            return _sent(curl, gate)
        except WorkError as error:
            raise _of(error, "没有保存") from error
        finally:
            curl.close()

    def _lead(self, curl: Any, address: Address) -> None:
        if self._resolve is not None:
            found = ",".join(self._resolve(address.host, address.port))
            curl.setopt(pycurl.RESOLVE, [f"+{address.host}:{address.port}:{found}"])

    @staticmethod
    def _settings(folder: Path, seconds: float, max_bytes: int) -> FetchSettings:
        """In memory only: no report is left in a temporary folder."""
        return FetchSettings(
            folder=folder,
            total_seconds=seconds,
            idle_seconds=min(60.0, seconds),
            max_bytes=max_bytes,
            small_bytes=max_bytes,
            memory_bytes=2 * max_bytes,
            tries=2,
        )


class _Taken:
    """Takes the one file."""

    def __init__(self) -> None:
        self.data = b""
        self.error: WorkError | None = None

    def finished(self, _: FetchRequest, file: FetchedFile) -> None:
        with file.view() as view:
            self.data = bytes(view)
        file.discard()

    def failed(self, _: FetchRequest, error: WorkError) -> None:
        self.error = error


def _put(curl: Any, data: bytes) -> None:
    curl.setopt(pycurl.UPLOAD, 1)
    curl.setopt(pycurl.READDATA, io.BytesIO(data))
    curl.setopt(pycurl.INFILESIZE_LARGE, len(data))


def _post(curl: Any, data: bytes, name: str, token: str, field: str) -> None:
    form = pycurl.CurlMime(curl)
    form.add_field("token", token.encode())
    form.add(field, data, filename=name.encode("utf-8", "replace"), content_type="application/pdf")
    curl.setopt(pycurl.MIMEPOST, form)


def _sent(curl: Any, gate: Gate) -> Uploaded:
    """Raises Refused, FetchError."""
    answer = io.BytesIO()

    def take(chunk: bytes) -> None:
        answer.write(chunk[: max(0, _MAX_ANSWER - answer.tell())])

    curl.setopt(pycurl.WRITEFUNCTION, take)
    try:
        curl.perform()
    except pycurl.error as error:
        raise gate.refusal or outcome.of_curl(error.args[0], 0) from error
    status = int(curl.getinfo(pycurl.RESPONSE_CODE))
    if not 200 <= status < 300:
        words = "上传服务转向别处" if 300 <= status < 400 else "上传服务没有接受文件"
        raise Refused(502, "upload-refused", f"没有保存：{words}（HTTP {status}）")
    return Uploaded(status, _read(answer.getvalue()))


def _read(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer.decode("utf-8", "replace") or None


def _of(error: WorkError, what: str) -> Refused:
    state = error.state if isinstance(error, FetchError) else FileState.FAILING
    status, code = _STATUSES.get(state, (502, "network"))
    return Refused(status, code, f"{what}：{error.reason}")


def _name(address: Address) -> str:
    """Last part of the path, for the upload's form and the page's title."""
    last = address.path_bytes().rpartition(b"/")[2].decode("utf-8", "replace")
    plain = "".join(c for c in last if c.isprintable() and c not in '"\\/')[:120]
    return plain if plain.lower().endswith(".pdf") else f"{plain or 'report'}.pdf"
