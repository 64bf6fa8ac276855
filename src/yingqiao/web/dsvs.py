"""dsvs over HTTP: POST pkcs1/verifyDataSign and pkcs7/verifyDataSign (T110).

Small requests go past ASGI, as intake's do, and what is plainly right is answered at once: one SM2 verification is
shorter than handing it to a thread. What is large, has to be explained, or asks for certificates goes to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from yingqiao.exchange import bounded_json
from yingqiao.exchange.bounded_json import JsonError
from yingqiao.settings import HttpSettings
from yingqiao.signing import dsvs
from yingqiao.signing.dsvs import Asking, DsvsError, RequestSignature, Unsigned
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.policy import Policy
from yingqiao.web.answers import App, Direct, Handler, Receive, Scope, Send, header_lines, send_json

PKCS1_PATHS = ("/dsvs/v1/pkcs1/verifyDataSign", "/dsvs/pkcs1/verifyDataSign")
PKCS7_PATHS = ("/dsvs/v1/pkcs7/verifyDataSign", "/dsvs/pkcs7/verifyDataSign")
LARGE_AT_ONCE = 8
"""Bodies read and judged at once that are not small."""
_LINES = header_lines()
_BUSY = "验签服务繁忙，请稍后重试"
_log = structlog.get_logger(__name__)

Read = Callable[[Mapping[str, Any]], Asking]
Judge = Callable[[Asking, Trust, datetime, Policy], dict[str, Any]]
_KINDS: dict[str, tuple[Read, Judge]] = {
    **dict.fromkeys(PKCS1_PATHS, (dsvs.read_pkcs1, dsvs.judge_pkcs1)),
    **dict.fromkeys(PKCS7_PATHS, (dsvs.read_pkcs7, dsvs.judge_pkcs7)),
}


class Dsvs:
    """The service in one event loop."""

    def __init__(
        self,
        trust: Callable[[], Trust],
        settings: HttpSettings,
        signature: RequestSignature | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._trust = trust
        self._settings = settings
        self._signature = signature or Unsigned()
        self._now = now
        self._pool = ThreadPoolExecutor(settings.threads, "dsvs")
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
        read, judge = _KINDS[path]

        def handle(request: Direct) -> None:
            try:
                asking, policy = self._read(read, request.raw)
                if judge is dsvs.judge_pkcs1 and dsvs.is_plainly_valid(asking, policy):
                    said = dsvs.answer(dsvs.OK, "SUCCESS", asking.trans_id, result=True)
                    request.respond(200, _LINES, orjson.dumps(said))
                    return
            except DsvsError as error:
                request.respond(200, _LINES, _refusal(error))
                return
            except Exception as error:  # noqa: BLE001 a defect must not take the connection's protocol with it
                request.respond(200, _LINES, _defect(error))
                return
            self._later(request, judge, asking, policy)

        return handle

    def _later(self, request: Direct, judge: Judge, asking: Asking, policy: Policy) -> None:
        async def go() -> None:
            request.respond(200, _LINES, await self._judged(judge, asking, policy))

        task = asyncio.get_running_loop().create_task(go())
        self._tasks.add(task)  # the loop itself holds it weakly
        task.add_done_callback(self._tasks.discard)

    async def _judged(self, judge: Judge, asking: Asking, policy: Policy) -> bytes:
        if self._waiting >= self._settings.max_in_flight:
            return orjson.dumps(dsvs.answer(503, _BUSY))
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._answer, judge, asking, policy)
        finally:
            self._waiting -= 1

    def _answer(self, judge: Judge, asking: Asking, policy: Policy) -> bytes:
        try:
            return orjson.dumps(judge(asking, self._trust(), self._now(), policy))
        except Exception as error:  # noqa: BLE001 see _defect
            return _defect(error)

    def _read(self, read: Read, raw: bytes) -> tuple[Asking, Policy]:
        """Raises DsvsError."""
        try:
            parameters = bounded_json.load(raw)
        except JsonError as error:
            raise DsvsError(f"请求不是合法的 JSON：{error}") from error
        if not isinstance(parameters, dict):
            raise DsvsError("请求应为 JSON 对象")
        return read(parameters), self._signature.check(parameters, raw)

    def _app(self, path: str) -> App:
        read, judge = _KINDS[path]

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != "POST":
                words = orjson.dumps(dsvs.answer(405, "请使用 POST 方法"))
                await send_json(send, 405, words, ((b"allow", b"POST"),))
                return
            if self._large >= LARGE_AT_ONCE:
                await send_json(send, 503, orjson.dumps(dsvs.answer(503, _BUSY)), ((b"retry-after", b"1"),))
                return
            self._large += 1
            try:
                said = await self._served(read, judge, receive)
            finally:
                self._large -= 1
            if said is not None:
                await send_json(send, *said)

        return serve

    async def _served(self, read: Read, judge: Judge, receive: Receive) -> tuple[int, bytes] | None:
        try:
            raw = await self._body(receive)
            if raw is None:
                return None
            loop = asyncio.get_running_loop()
            asking, policy = await loop.run_in_executor(self._pool, self._read, read, raw)
        except TimeoutError:
            return 408, orjson.dumps(dsvs.answer(408, "请求体发送过慢"))
        except DsvsError as error:
            return (413 if error.status == 413 else 200), _refusal(error)
        return 200, await self._judged(judge, asking, policy)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None when the client went away. Raises DsvsError, TimeoutError."""
        chunks: list[bytes] = []
        size = 0
        async with asyncio.timeout(
            self._settings.body_seconds + dsvs.MAX_BODY / self._settings.min_body_rate
        ):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                size += len(message["body"])
                if size > dsvs.MAX_BODY:
                    raise DsvsError(f"请求体超过 {dsvs.MAX_BODY // 1024 // 1024} MiB", 413)
                chunks.append(message["body"])
                if not message.get("more_body"):
                    return b"".join(chunks)


def _refusal(error: DsvsError) -> bytes:
    return orjson.dumps(dsvs.answer(error.status, error.words))


def _defect(error: Exception) -> bytes:
    """Its text, which may quote a report, is not logged."""
    _log.error("dsvs.failed", reason=type(error).__name__)
    return orjson.dumps(dsvs.answer(500, "验签服务内部错误，请稍后重试"))
