"""uvicorn's httptools protocol with the limits a public port needs.

Time and size of a request's head, time to drain the rest of a refused body, time for a reader who does not
read, number of connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from yingqiao.settings import HttpSettings
from yingqiao.web.answers import MESSAGES, Handler, body_of

_LENGTH_DIGITS = 12
_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


class _Nobody:
    """Stands where uvicorn has an event somebody waits for."""

    def set(self) -> None:
        """Nobody waits."""


class DirectCycle:
    """A request that never becomes ASGI, where uvicorn keeps a connection's current request.

    uvicorn adds to `body`, and asks `response_complete` before it starts the next request or closes.
    """

    __slots__ = (
        "_handler",
        "_protocol",
        "body",
        "client",
        "disconnected",
        "headers",
        "keep_alive",
        "more_body",
        "raw",
        "response_complete",
    )
    message_event = _Nobody()

    def __init__(
        self, protocol: BoundedProtocol, handler: Handler, headers: Mapping[bytes, bytes], *, keep_alive: bool
    ) -> None:
        self._protocol = protocol
        self._handler = handler
        self.client = protocol.client[0] if protocol.client else ""
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.raw = b""
        self.more_body = True
        self.response_complete = False
        self.disconnected = False

    def whole(self) -> None:
        """All of the body is here."""
        self.raw, self.body = bytes(self.body), bytearray()
        self._handler(self)

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        self.response_complete = True
        transport = self._protocol.transport
        if self.disconnected or transport.is_closing():
            return
        close = b"" if self.keep_alive else b"connection: close\r\n"
        head = b"%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINE[status], headers, len(body), close)
        transport.write(head + body)
        if close:
            transport.close()
        self._protocol.answered()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `overdue` is asked about once a second by the server; nothing is timed per request."""

    limits: HttpSettings
    direct: Mapping[bytes, Handler]
    """Path -> who takes small POSTs to it past ASGI."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting_since: float | None = None
        """Loop time since when a request's head, or the rest of a refused body, is awaited."""
        self._stalled_since: float | None = None
        self._in_body = False
        self._head_bytes = 0
        self._direct: DirectCycle | None = None
        """A request past ASGI whose body is not all here yet."""
        self._idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            seconds = self.limits.retry_after_seconds
            self._refuse(503, "too-many-connections", retry_after=seconds, seconds=seconds)

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        if self._waiting_since is None and (self.cycle is None or self.cycle.response_complete):
            self._waiting_since = self.loop.time()
        super().data_received(data)
        if self._direct is not None:
            self._go_through_asgi(self._direct)
        if self._waiting_since is not None and not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.max_header_bytes:
                self._refuse(431, "header-too-large", limit=self.limits.max_header_bytes)

    def on_headers_complete(self) -> None:
        self._waiting_since = None
        self._in_body = True
        self._head_bytes = 0
        handler = self.direct.get(self.url)
        headers = dict(self.headers) if handler else {}
        if handler is None or not self._is_plain(headers):
            super().on_headers_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        self._direct = DirectCycle(self, handler, headers, keep_alive=keep_alive)
        self.cycle = self._direct  # type: ignore[assignment]

    def _is_plain(self, headers: Mapping[bytes, bytes]) -> bool:
        """A small POST of a known length, the only one under way, from a client that reads its answers."""
        length = headers.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and len(length) <= _LENGTH_DIGITS
            and length.isdigit()
            and int(length) <= self.limits.thread_above_bytes
            and b"expect" not in headers
            and b"transfer-encoding" not in headers
            and not self.parser.should_upgrade()
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        )

    def _go_through_asgi(self, direct: DirectCycle) -> None:
        """The rest of the body is still to come: ASGI's side knows how long to wait for it."""
        self._direct = self.cycle = None  # type: ignore[assignment]
        super().on_headers_complete()
        self.cycle.body += direct.body

    def on_message_complete(self) -> None:
        self._waiting_since = None
        self._in_body = False
        super().on_message_complete()
        direct, self._direct = self._direct, None
        if direct is not None:
            direct.whole()

    def answered(self) -> None:
        """A direct request was. As uvicorn's on_response_complete, but that `overdue` notices who stays idle:
        a timer set and cancelled for each request costs as much as parsing it.
        """
        if self.pipeline or self.transport.is_closing():
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._idle_since = self.loop.time()

    def pause_writing(self) -> None:
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 our words are Chinese JSON
        self._refuse(400, "bad-request")

    def overdue(self, now: float) -> bool:
        """Whether the client was too slow at loop time `now`."""
        if self._stalled_since is not None and now - self._stalled_since > self.limits.write_seconds:
            return True
        if self._idle_since is not None:
            return now - self._idle_since > self.limits.keep_alive_seconds
        if self._waiting_since is None:
            return False
        allowed = self.limits.body_seconds if self._in_body else self.limits.header_seconds
        return now - self._waiting_since > allowed

    def abort(self) -> None:
        self.transport.abort()

    def _refuse(self, status: int, message_id: str, *, retry_after: int = 0, **params: object) -> None:
        if self.transport.is_closing():
            return
        body = body_of(0, MESSAGES[message_id].format(**params))
        head = [
            b"HTTP/1.1 %d %s" % (status, _REASONS[status]),
            b"content-type: application/json; charset=utf-8",
        ]
        if retry_after:
            head.append(b"retry-after: %d" % retry_after)
        head += [b"content-length: %d" % len(body), b"connection: close", b"", b""]
        self.transport.write(b"\r\n".join(head) + body)
        self.transport.close()


def bounded(limits: HttpSettings, direct: Mapping[bytes, Handler] | None = None) -> type[BoundedProtocol]:
    """The protocol class with these limits and ways past ASGI, as uvicorn wants it: a class."""
    return type("Protocol", (BoundedProtocol,), {"limits": limits, "direct": direct or {}})
