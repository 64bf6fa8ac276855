"""JSON services by POST beside intake: bounded bodies, time limits, answers {"status", "message", "data"} (四(二)4).

A request that was judged is answered with HTTP 200 and its result in `status` (200 = success, T10); other HTTP
statuses say that it was not, and `status` says the same number.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from yingqiao.settings import HttpSettings
from yingqiao.web.answers import (
    MESSAGES,
    App,
    Direct,
    Handler,
    Receive,
    Scope,
    Send,
    header_lines,
    send_json,
)
from yingqiao.web.limits import InFlight, TokenBuckets, peer_of
from yingqiao.web.metrics import Metrics
from yingqiao.web.turned_away import headers_of, later, turned_away
from yingqiao.web.visit import ClientGoneError, Line, TurnedAwayError, Visit

SUCCESS = 200
_HOST = re.compile(rb"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_log = structlog.get_logger(__name__)
_WORDS = MESSAGES | {
    "too-large": "请求体超过上限 {limit} 字节",
    "too-slow": "请求体没有在 {seconds} 秒内收齐",
    "too-many": "请求过多，请 {seconds} 秒后重试",
    "took-too-long": "处理超时，请稍后重试",
    "store-unavailable": "平台暂时无法保存或读取数据，请 {seconds} 秒后重试",
}


@dataclass(frozen=True, slots=True)
class Posted:
    """One request. `origin` is the address the client used, `http(s)://host[:port]`; '' when it did not say."""

    pieces: Sequence[bytes]
    """The body as it came."""
    peer: str
    origin: str
    visit: Visit
    """For the log and the metrics; a handler may set `hospital` and `stage`."""

    @property
    def raw(self) -> bytes:
        """The body."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; members with None are left out, but `data`."""

    data: Any = None
    status: int = SUCCESS
    message: str = "SUCCESS"
    trans_id: str | None = None

    def body(self) -> bytes:
        answer: dict[str, Any] = {"status": self.status, "message": self.message}
        if self.trans_id:
            answer["transId"] = self.trans_id
        return orjson.dumps(answer | {"data": self.data})


def common(reply: Reply) -> bytes:
    """The common response (status, message, data)."""
    return reply.body()


Handle = Callable[[Posted], Awaitable[Reply]]
"""Answers one request on the event loop. May raise StoreUnavailable, TurnedAwayError; anything else is a defect."""


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is that of metrics and log."""

    path: str
    name: str
    handle: Handle
    max_bytes: int
    seconds: float = 30.0
    anywhere: bool = False
    """Pages of any origin may call it (CORS); nothing about it goes by cookies."""
    form: Callable[[Reply], bytes] = common
    """How its answers are written, those to what was not judged as well."""
    at_once: int = 0
    """So many are read and judged at once, others wait unread for `seconds`; 0 = no bound of its own."""


class Services:
    """Serves them in one event loop, within the bounds of the port they share with intake."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: HttpSettings,
        in_flight: InFlight,
        metrics: Metrics,
        write_line: Callable[[Line], None] | None,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_full`: the disk has no room but the reserve; nothing is taken until that changes."""
        self._services = services
        self._is_full = is_full
        self._settings = settings
        self._in_flight = in_flight
        self._metrics = metrics
        self._write_line = write_line
        self._proxies = frozenset(settings.trusted_proxies)
        self._peers = TokenBuckets(settings.peer_rate)
        self._scheme = "https" if settings.tls_certificate else "http"
        self._tasks: set[asyncio.Task[None]] = set()
        self._gates = {one.path: asyncio.Semaphore(one.at_once) for one in services if one.at_once}

    def apps(self) -> dict[str, App]:
        """Path -> ASGI function."""
        return {service.path: self._app(service) for service in self._services}

    def direct(self) -> dict[bytes, Handler]:
        """Path -> what takes small requests past ASGI."""
        return {service.path.encode(): self._direct(service) for service in self._services}

    async def drain(self) -> None:
        """What was accepted is answered."""
        await asyncio.gather(*self._tasks)

    def _app(self, service: Service) -> App:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            client = scope.get("client")
            visit = Visit(service.name, peer_of(client[0] if client else "", headers, self._proxies))
            if service.anywhere and scope["method"] == "OPTIONS":
                await _preflight(send)
                return
            try:
                async with self._turn(service):
                    self._admit(visit, service, scope["method"], headers)
                    pieces = await self._read(visit, service, receive)
                    said = await self._answer(service, self._posted(visit, headers, pieces))
            except ClientGoneError:
                visit.outcome = "gone"
                said = None
            except Exception as error:  # noqa: BLE001 see _failed
                said = self._failed(visit, service, headers, error)
            try:
                if said is not None:
                    await send_json(send, *_open_to(service, said))
            finally:
                self._end(visit)

        return serve

    def _direct(self, service: Service) -> Handler:
        def handle(request: Direct) -> None:
            headers = request.headers
            visit = Visit(service.name, peer_of(request.client, headers, self._proxies))
            try:
                self._admit(visit, service, "POST", headers)
                self._count(visit, service, request.raw)
            except TurnedAwayError as error:
                self._respond(visit, request, _open_to(service, self._failed(visit, service, headers, error)))
            else:
                self._later(self._whole(service, visit, request))

        return handle

    async def _whole(self, service: Service, visit: Visit, request: Direct) -> None:
        try:
            async with self._turn(service):
                said = await self._answer(service, self._posted(visit, request.headers, (request.raw,)))
        except Exception as error:  # noqa: BLE001 see _failed
            said = self._failed(visit, service, request.headers, error)
        self._respond(visit, request, _open_to(service, said))

    @asynccontextmanager
    async def _turn(self, service: Service) -> AsyncIterator[None]:
        """Within the service's own bound; nothing of the body is read before. Raises TurnedAwayError."""
        gate = self._gates.get(service.path)
        if gate is None:
            yield
            return
        try:
            async with asyncio.timeout(service.seconds):
                await gate.acquire()
        except TimeoutError:
            raise self._busy(503, "too-many") from None
        try:
            yield
        finally:
            gate.release()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds it weakly
        task.add_done_callback(self._tasks.discard)

    def _respond(self, visit: Visit, request: Direct, said: _Said) -> None:
        status, body, headers = said
        request.respond(status, header_lines(headers), body)
        self._end(visit)

    async def _answer(self, service: Service, posted: Posted) -> _Said:
        visit = posted.visit
        visit.received = time.perf_counter()
        visit.stage = "open"
        try:
            async with asyncio.timeout(service.seconds):
                reply = await service.handle(posted)
        except TimeoutError:
            raise TurnedAwayError(
                503, "took-too-long", retry_after=self._settings.retry_after_seconds
            ) from None
        visit.status = 200
        visit.outcome = "accepted" if reply.status == SUCCESS else "refused"
        return 200, service.form(reply), ()

    def _posted(self, visit: Visit, headers: Mapping[bytes, bytes], pieces: Sequence[bytes]) -> Posted:
        host = headers.get(b"host", b"")
        scheme = self._scheme
        if headers.get(b"x-forwarded-proto") == b"https" and self._proxies:
            scheme = "https"
        origin = f"{scheme}://{host.decode()}" if _HOST.fullmatch(host) else ""
        return Posted(pieces, visit.peer, origin, visit)

    def _admit(self, visit: Visit, service: Service, method: str, headers: Mapping[bytes, bytes]) -> None:
        """What can be decided before the body is read. Raises TurnedAwayError."""
        if method != "POST":
            raise TurnedAwayError(405, "method-not-allowed", allowed="POST")
        encoding = headers.get(b"content-encoding")
        if encoding and encoding.lower() != b"identity":
            raise TurnedAwayError(415, "content-encoding", value=encoding.decode("latin-1")[:40])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise TurnedAwayError(400, "bad-length")
        if int(length) > service.max_bytes:
            raise TurnedAwayError(413, "too-large", limit=service.max_bytes)
        if self._is_full():
            raise self._busy(503, "store-unavailable")
        wait = self._peers.take(visit.peer)
        if wait:
            raise self._busy(429, "too-many", wait)
        if not self._in_flight.enter(int(length)):
            raise self._busy(503, "too-many")
        visit.entered = True

    async def _read(self, visit: Visit, service: Service, receive: Receive) -> list[bytes]:
        """The whole body, in `body_seconds` and what its size adds at `min_body_rate`."""
        settings, chunks = self._settings, list[bytes]()
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(settings.body_seconds) as limit:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    self._count(visit, service, message["body"])
                    chunks.append(message["body"])
                    if not message.get("more_body"):
                        return chunks
                    limit.reschedule(started + settings.body_seconds + visit.size / settings.min_body_rate)
        except TimeoutError:
            raise TurnedAwayError(408, "too-slow", seconds=round(settings.body_seconds)) from None

    def _count(self, visit: Visit, service: Service, chunk: bytes) -> None:
        visit.size += len(chunk)
        fits = self._in_flight.grow(len(chunk))
        if visit.size > service.max_bytes:
            raise TurnedAwayError(413, "too-large", limit=service.max_bytes)
        if not fits:
            raise self._busy(503, "too-many")

    def _busy(self, status: int, message_id: str, wait: float = 0.0) -> TurnedAwayError:
        return later(status, message_id, self._settings.retry_after_seconds, wait)

    def _failed(
        self, visit: Visit, service: Service, headers: Mapping[bytes, bytes], error: Exception
    ) -> _Said:
        """The answer to what was not judged."""
        turned = turned_away(visit, error, self._settings.retry_after_seconds)
        words = _WORDS[turned.message_id].format(**turned.params)
        reply = Reply(status=turned.status, message=words)
        return turned.status, service.form(reply), headers_of(turned, headers)

    def _end(self, visit: Visit) -> None:
        if visit.entered:
            self._in_flight.leave(visit.size)
        visit.ended = time.perf_counter()
        self._metrics.ended(visit)
        if self._write_line is not None:
            self._write_line(visit.line())


_Said = tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")


def _open_to(service: Service, said: _Said) -> _Said:
    """With the header by which a page of another origin may read the answer."""
    status, body, headers = said
    return (status, body, (*headers, _ANY_ORIGIN)) if service.anywhere else said


async def _preflight(send: Send) -> None:
    """What a browser asks before a page of another origin posts JSON (Fetch standard, CORS-preflight)."""
    headers = [
        _ANY_ORIGIN,
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", b"86400"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
