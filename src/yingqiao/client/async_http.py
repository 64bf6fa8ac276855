"""HTTP/1.1 for the async face: POST, one request at a time on a connection, answers parsed by httptools (llhttp).

A tenth of a general client's processor time; a connector sends a million records. Everything is bounded: the head,
the body, every silence and the whole. A connection that was kept and turns out closed is made anew, once.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import httptools
import httpx

from yingqiao.client.errors import AnswerTooLarge, ClientError, Misunderstood, Unreachable
from yingqiao.client.limits import Limits, too_slow
from yingqiao.client.talk import Request, Response

_HEAD_BYTES = 100_000
_KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where to, from a base URL; `prefix` is its path."""

    host: str
    port: int
    tls: bool
    named: str
    """The Host header."""
    prefix: str
    authorization: str

    @staticmethod
    def of(base_url: str) -> Server:
        """Raises ValueError."""
        parts = urlsplit(base_url)
        tls = parts.scheme == "https"
        if not parts.hostname:
            raise ValueError(f"地址中没有主机：{base_url}")
        _, _, named = parts.netloc.rpartition("@")
        login = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        host = (
            parts.hostname.encode("idna").decode("ascii") if not parts.hostname.isascii() else parts.hostname
        )
        named = named.encode("idna").decode("ascii") if not named.isascii() else named
        return Server(host, parts.port or (443 if tls else 80), tls, named, parts.path.rstrip("/"), login)


class AsyncHttp:
    """Connections to one server; belongs to one event loop."""

    def __init__(
        self,
        base_url: str,
        limits: Limits,
        verify: bool | ssl.SSLContext,
        headers: Mapping[str, str],
        peer: str,
    ) -> None:
        """`peer` names the server in errors. Raises ValueError."""
        self._server = server = Server.of(base_url)
        self._limits = limits
        self._verify = verify
        self._peer = peer
        login = {"Authorization": server.authorization} if server.authorization else {}
        lines = {"Host": server.named, "Accept": "*/*", "User-Agent": "yingqiao", **headers, **login}
        self._lines = "".join(f"{name}: {_line(value)}\r\n" for name, value in lines.items())
        self._idle: deque[tuple[float, _Connection]] = deque()
        self._room = asyncio.Semaphore(limits.connections)
        self._trust: ssl.SSLContext | None = None

    async def ask(self, request: Request) -> Response:
        """Raises Unreachable, Misunderstood, AnswerTooLarge."""
        head = f"POST {self._server.prefix}{request.path} HTTP/1.1\r\n{self._lines}"
        message = f"{head}Content-Length: {len(request.body)}\r\n\r\n".encode("latin-1") + request.body
        async with self._room:
            kept = self._take()
            if kept is not None:
                try:
                    return await self._exchange(kept, message)
                except _Stale:
                    pass
            try:
                return await self._exchange(await self._connect(), message)
            except _Stale:
                raise Unreachable(f"无法与{self._peer}通信：连接中断", sent=True) from None

    async def _exchange(self, connection: _Connection, message: bytes) -> Response:
        loop = asyncio.get_running_loop()
        try:
            response = await connection.ask(message)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._idle.append((loop.time(), connection))
        return response

    def _take(self) -> _Connection | None:
        """The connection used last: others may grow old and are closed."""
        now = asyncio.get_running_loop().time()
        while self._idle and now - self._idle[0][0] > _KEPT_SECONDS:
            self._idle.popleft()[1].close()
        while self._idle:
            connection = self._idle.pop()[1]
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop, server = asyncio.get_running_loop(), self._server
        if server.tls and self._trust is None:
            given = self._verify
            self._trust = (
                given
                if isinstance(given, ssl.SSLContext)
                else httpx.create_ssl_context(verify=given, trust_env=False)
            )
        try:
            async with asyncio.timeout(self._limits.connect):
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop, self._limits, self._peer),
                    server.host,
                    server.port,
                    ssl=self._trust if server.tls else None,
                    server_hostname=server.host if server.tls else None,
                )
        except TimeoutError:
            raise Unreachable(f"无法与{self._peer}通信：连接超时", sent=False) from None
        except OSError as error:
            said = f"{type(error).__name__} {error.strerror or error}".rstrip()
            raise Unreachable(f"无法与{self._peer}通信：{said}", sent=False) from error
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()


class _Stale(Exception):  # noqa: N818 an event
    """The connection ended without a byte of an answer."""


class _Connection(asyncio.Protocol):
    """One request after another. What the parser says is gathered until the message is complete."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, peer: str) -> None:
        self._loop, self._limits, self._peer = loop, limits, peer
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._began = self._heard = 0.0
        self._unsent = 0
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._head_size = self._size = 0
        self._in_body = False
        self._failure: ClientError | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, message: bytes) -> Response:
        """Raises ClientError, _Stale."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise _Stale
        self._parser = httptools.HttpResponseParser(self)
        self._reset()
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._answer = answer
        self._began = self._heard = self._loop.time()
        transport.write(message)
        self._unsent = transport.get_write_buffer_size()
        self._timer = self._loop.call_later(min(self._limits.silence, self._limits.whole), self._look)
        try:
            return await answer
        finally:
            self._answer = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _look(self) -> None:
        """Whether it takes too long; sending on counts as a sign of life."""
        self._timer = None
        now, limits = self._loop.time(), self._limits
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        if unsent < self._unsent:
            self._unsent, self._heard = unsent, now
        whole, silent = self._began + limits.whole - now, self._heard + limits.silence - now
        if whole <= 0:
            self._fail(too_slow(limits))
        elif silent <= 0:
            self._fail(Unreachable(f"无法与{self._peer}通信：等待超时", sent=True))
        else:
            self._timer = self._loop.call_later(min(whole, silent), self._look)

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        self._heard = self._loop.time()
        if not self._in_body:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, UnicodeDecodeError):
            self._fail(self._failure or Misunderstood(f"{self._peer}的应答不是 HTTP", status=0))
            return
        if self._failure is None and not self._in_body and self._head_size > _HEAD_BYTES:
            self._failure = Misunderstood(f"{self._peer}的应答不是 HTTP", status=0)
        if self._failure is not None:
            self._fail(self._failure)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is None or self._answer.done():
            return
        ends_with_connection = not {"content-length", "transfer-encoding"} & self._headers.keys()
        if error is None and self._in_body and ends_with_connection:
            self.on_message_complete()
        elif self._head_size:
            self._answer.set_exception(Unreachable(f"无法与{self._peer}通信：连接中断", sent=True))
        else:
            self._answer.set_exception(_Stale())

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():  # more than was asked for
            self._headers = {}
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._in_body = True
        coding = self._headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            status = self._parser.get_status_code()
            self._failure = Misunderstood(f"应答用了没有要求的压缩 {coding[:40]}", status=status)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._limits.answer_bytes:
            self._chunks.append(body)
        elif self._failure is None:
            text = f"应答超过 {self._limits.answer_bytes} 字节"
            self._chunks.clear()
            self._failure = AnswerTooLarge(text, status=self._parser.get_status_code())

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:  # only a sign of life
            self._reset()
            return
        if self._failure is not None or self._answer is None or self._answer.done():
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._answer.set_result(Response(status, self._headers, b"".join(self._chunks)))


def _line(value: str) -> str:
    """A header's value. Raises ValueError for what would be another header."""
    if "\r" in value or "\n" in value:
        raise ValueError("请求头里有换行")
    return value
