"""dsvs over HTTP: POST pkcs1/verifyDataSign and pkcs7/verifyDataSign (T110).

Small requests go past ASGI, as intake's do, and what is plainly right is answered at once: one SM2 verification is
shorter than handing it to a thread. What is large, has to be explained, or asks for certificates goes to a thread.

Counted and logged like every request: `record` = the signature is right, `validate` = it is not, `open` = the request
itself is wrong, `receive` = turned away before it was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson
import structlog

from yingqiao.exchange import bounded_json
from yingqiao.exchange.bounded_json import JsonError
from yingqiao.settings import CossSettings, HttpSettings
from yingqiao.signing import dsvs
from yingqiao.signing.dsvs import Asking, Caller, DsvsError, RequestSignature, Unsigned
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.policy import Policy
from yingqiao.web.answers import App, Direct, Handler, Receive, Scope, Send, header_lines, send_json
from yingqiao.web.limits import TokenBuckets, peer_of
from yingqiao.web.metrics import Metrics
from yingqiao.web.visit import Line, Visit

PKCS1_PATHS = ("/dsvs/v1/pkcs1/verifyDataSign", "/dsvs/pkcs1/verifyDataSign")
PKCS7_PATHS = ("/dsvs/v1/pkcs7/verifyDataSign", "/dsvs/pkcs7/verifyDataSign")
LARGE_AT_ONCE = 8
"""Bodies read and judged at once that are not small."""
_BUSY = "验签服务繁忙，请稍后重试"
_log = structlog.get_logger(__name__)

Read = Callable[[Mapping[str, Any]], Asking]
Judge = Callable[[Asking, Trust, datetime, Policy], dict[str, Any]]
_KINDS: dict[str, tuple[str, Read, Judge]] = {
    **dict.fromkeys(PKCS1_PATHS, ("dsvs-pkcs1", dsvs.read_pkcs1, dsvs.judge_pkcs1)),
    **dict.fromkeys(PKCS7_PATHS, ("dsvs-pkcs7", dsvs.read_pkcs7, dsvs.judge_pkcs7)),
}


@dataclass(frozen=True, slots=True)
class DsvsParts:
    """What the service needs of the rest."""

    trust: Callable[[], Trust]
    http: HttpSettings
    coss: CossSettings
    metrics: Metrics
    signature: RequestSignature = field(default_factory=Unsigned)
    write_line: Callable[[Line], None] | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer on its way out."""

    body: bytes
    stage: str
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def outcome(self) -> str:
        return "accepted" if self.stage == "record" else "failed" if self.status >= 500 else "refused"


class _Turned(Exception):  # noqa: N818 an answer
    """The request is answered as `said` before it is judged."""

    def __init__(self, said: _Said) -> None:
        super().__init__(said.stage)
        self.said = said


class Dsvs:
    """The service in one event loop."""

    def __init__(self, parts: DsvsParts) -> None:
        self._parts = parts
        self._settings = parts.http
        self._proxies = frozenset(parts.http.trusted_proxies)
        self._peers = TokenBuckets(parts.http.peer_rate)
        self._strangers = TokenBuckets(parts.coss.stranger_rate)
        self._apps = TokenBuckets(parts.coss.app_rate)
        self._pool = ThreadPoolExecutor(parts.http.threads, "dsvs")
        self._large = 0
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def apps(self) -> dict[str, App]:
        """Path -> ASGI function."""
        return {path: self._app(path) for path in _KINDS}

    def direct(self) -> dict[bytes, Handler]:
        """Path -> who takes small requests past ASGI."""
        return {path.encode(): self._handler(path) for path in _KINDS}

    def close(self) -> None:
        self._pool.shutdown()

    def _handler(self, path: str) -> Handler:
        name, read, judge = _KINDS[path]

        def handle(request: Direct) -> None:
            visit = Visit(name, peer_of(request.client, request.headers, self._proxies))
            visit.size = len(request.raw)
            try:
                self._admit_peer(visit)
                asking, caller = self._read(read, request.raw)
                visit.received = perf_counter()
                self._admit(visit, caller)
                if judge is dsvs.judge_pkcs1 and dsvs.is_plainly_valid(asking, caller.policy):
                    self._respond(
                        request,
                        visit,
                        _verdict(dsvs.answer(dsvs.OK, "SUCCESS", asking.trans_id, result=True)),
                    )
                    return
            except Exception as error:  # noqa: BLE001 a defect must not take the connection's protocol with it
                self._respond(request, visit, _failed(error))
                return
            self._later(request, visit, judge, asking, caller)

        return handle

    def _respond(self, request: Direct, visit: Visit, said: _Said) -> None:
        request.respond(said.status, header_lines(said.headers), said.body)
        self._end(visit, said)

    def _end(self, visit: Visit, said: _Said) -> None:
        visit.stage, visit.status, visit.outcome = said.stage, said.status, said.outcome
        visit.ended = perf_counter()
        self._parts.metrics.ended(visit)
        if self._parts.write_line is not None:
            self._parts.write_line(visit.line())

    def _admit_peer(self, visit: Visit) -> None:
        """Raises _Turned."""
        wait = self._peers.take(visit.peer)
        if wait:
            raise _Turned(_too_many(wait))

    def _admit(self, visit: Visit, caller: Caller) -> None:
        """An application by its id, anybody else by address. Raises _Turned."""
        visit.hospital = caller.hospital_code
        wait = self._apps.take(caller.app_id) if caller.app_id else self._strangers.take(visit.peer)
        if wait:
            raise _Turned(_too_many(wait))

    def _later(self, request: Direct, visit: Visit, judge: Judge, asking: Asking, caller: Caller) -> None:
        async def go() -> None:
            self._respond(request, visit, await self._judged(judge, asking, caller.policy))

        task = asyncio.get_running_loop().create_task(go())
        self._tasks.add(task)  # the loop itself holds it weakly
        task.add_done_callback(self._tasks.discard)

    async def _judged(self, judge: Judge, asking: Asking, policy: Policy) -> _Said:
        if self._waiting >= self._settings.max_in_flight:
            return _Said(orjson.dumps(dsvs.answer(503, _BUSY)), "open", 503, ((b"retry-after", b"1"),))
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._answer, judge, asking, policy)
        finally:
            self._waiting -= 1

    def _answer(self, judge: Judge, asking: Asking, policy: Policy) -> _Said:
        try:
            return _verdict(judge(asking, self._parts.trust(), self._parts.now(), policy))
        except Exception as error:  # noqa: BLE001 see _failed
            return _failed(error)

    def _read(self, read: Read, raw: bytes) -> tuple[Asking, Caller]:
        """Raises DsvsError."""
        try:
            parameters = bounded_json.load(raw)
        except JsonError as error:
            raise DsvsError(f"请求不是合法的 JSON：{error}") from error
        if not isinstance(parameters, dict):
            raise DsvsError("请求应为 JSON 对象")
        return read(parameters), self._parts.signature.check(parameters, raw)

    def _app(self, path: str) -> App:
        name, read, judge = _KINDS[path]

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            client = scope.get("client")
            visit = Visit(name, peer_of(client[0] if client else "", headers, self._proxies))
            said = await self._served(visit, read, judge, scope["method"], receive)
            if said is None:
                visit.outcome, visit.ended = "gone", perf_counter()
                self._parts.metrics.ended(visit)
                return
            try:
                await send_json(send, said.status, said.body, said.headers)
            finally:
                self._end(visit, said)

        return serve

    async def _served(
        self, visit: Visit, read: Read, judge: Judge, method: str, receive: Receive
    ) -> _Said | None:
        """None when the client went away."""
        if method != "POST":
            words = orjson.dumps(dsvs.answer(405, "请使用 POST 方法"))
            return _Said(words, "receive", 405, ((b"allow", b"POST"),))
        if self._large >= LARGE_AT_ONCE:
            return _Said(orjson.dumps(dsvs.answer(503, _BUSY)), "receive", 503, ((b"retry-after", b"1"),))
        self._large += 1
        try:
            self._admit_peer(visit)
            raw = await self._body(visit, receive)
            if raw is None:
                return None
            loop = asyncio.get_running_loop()
            asking, caller = await loop.run_in_executor(self._pool, self._read, read, raw)
            visit.received = perf_counter()
            self._admit(visit, caller)
            return await self._judged(judge, asking, caller.policy)
        except Exception as error:  # noqa: BLE001 see _failed
            return _failed(error)
        finally:
            self._large -= 1

    async def _body(self, visit: Visit, receive: Receive) -> bytes | None:
        """The whole body; None when the client went away. Raises DsvsError, TimeoutError."""
        chunks: list[bytes] = []
        async with asyncio.timeout(
            self._settings.body_seconds + dsvs.MAX_BODY / self._settings.min_body_rate
        ):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                visit.size += len(message["body"])
                if visit.size > dsvs.MAX_BODY:
                    raise DsvsError(f"请求体超过 {dsvs.MAX_BODY // 1024 // 1024} MiB", 413)
                chunks.append(message["body"])
                if not message.get("more_body"):
                    return b"".join(chunks)


def _verdict(answer: dict[str, Any]) -> _Said:
    right = (answer["data"] or {}).get("result") == "true"
    return _Said(orjson.dumps(answer), "record" if right else "validate")


def _too_many(wait: float) -> _Said:
    seconds = max(1, round(wait))
    words = orjson.dumps(dsvs.answer(429, f"请求过多，请 {seconds} 秒后重试"))
    return _Said(words, "receive", 429, ((b"retry-after", str(seconds).encode()),))


def _failed(error: Exception) -> _Said:
    """A refusal, or a defect: the text of one, which may quote a report, is not logged."""
    if isinstance(error, _Turned):
        return error.said
    if isinstance(error, DsvsError):
        status = 413 if error.status == 413 else 200
        return _Said(orjson.dumps(dsvs.answer(error.status, error.words)), "open", status)
    if isinstance(error, TimeoutError):
        return _Said(orjson.dumps(dsvs.answer(408, "请求体发送过慢")), "receive", 408)
    _log.error("dsvs.failed", reason=type(error).__name__)
    return _Said(orjson.dumps(dsvs.answer(500, "验签服务内部错误，请稍后重试")), "open", 500)
