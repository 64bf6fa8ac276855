"""uvicorn's httptools protocol with the limits a public port needs.

Time and size of a request's head, time to drain the rest of a refused body, time for a reader who does not
read, number of connections.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from yingqiao.settings import HttpSettings
from yingqiao.web.answers import MESSAGES, WHOLE, body_of

_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


class WholeCycle:
    """A request whose body is here and its answer, one piece each: what ASGI's messages cost is saved.

    See `answers.Whole`.
    """

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def body(self) -> bytes | None:
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    def respond(self, status: int, headers: bytes, body: bytes) -> bool:
        cycle = self._cycle
        if cycle.flow.write_paused or cycle.disconnected or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        head = b"%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINE[status], headers, len(body), close)
        cycle.transport.write(head + body)
        cycle.message_event.set()
        if close:
            cycle.transport.close()
        cycle.on_response()
        return True


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `overdue` is asked about once a second by the server; nothing is timed per request."""

    limits: HttpSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting_since: float | None = None
        """Loop time since when a request's head, or the rest of a refused body, is awaited."""
        self._stalled_since: float | None = None
        self._in_body = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            seconds = self.limits.retry_after_seconds
            self._refuse(503, "too-many-connections", retry_after=seconds, seconds=seconds)

    def data_received(self, data: bytes) -> None:
        if self._waiting_since is None and (self.cycle is None or self.cycle.response_complete):
            self._waiting_since = self.loop.time()
        super().data_received(data)
        if self._waiting_since is not None and not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.max_header_bytes:
                self._refuse(431, "header-too-large", limit=self.limits.max_header_bytes)

    def on_headers_complete(self) -> None:
        self._waiting_since = None
        self._in_body = True
        self._head_bytes = 0
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope["extensions"] = {WHOLE: WholeCycle(cycle)}  # type: ignore[dict-item]
        super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        self._waiting_since = None
        self._in_body = False
        super().on_message_complete()

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


def bounded(limits: HttpSettings) -> type[BoundedProtocol]:
    """The protocol class with these limits, as uvicorn wants it: a class."""
    return type("Protocol", (BoundedProtocol,), {"limits": limits})
