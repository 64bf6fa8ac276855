"""Serves /exam/get, /report/get, /series/get to the gateway (四(二)3), plain or in the SM4 envelope as agreed (T100)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import pybase64
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yingqiao.exchange import bounded_json
from yingqiao.exchange.envelope import Window, open_envelope, parse
from yingqiao.exchange.errors import Refusal
from yingqiao.gm import sm4
from yingqiao.hospital.config import Serve
from yingqiao.hospital.errors import ConnectorError
from yingqiao.hospital.queries import BadRequestError, Desk
from yingqiao.hospital.source import SourceUnavailableError, Table
from yingqiao.spec import load_edition
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
_BODY_AT_MOST = 256 * 1024
_READY_SECONDS = 60.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class QueryServer:
    """HTTP in a thread of its own. `start` returns the port once it listens."""

    def __init__(self, desk: Desk, settings: Serve, hospital_code: str, key: bytes) -> None:
        self._desk, self._settings, self._code, self._key = desk, settings, hospital_code, key
        self._messages = load_edition().messages
        self._server = _Server(
            uvicorn.Config(
                self._app(),
                host=settings.host,
                port=settings.port,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=64,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=10,
            )
        )
        self._thread = threading.Thread(target=self._run, name="query-server", daemon=True)

    def start(self) -> int:
        """Raises ConnectorError when the port cannot be had."""
        self._thread.start()
        until = time.monotonic() + _READY_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._server.started:
            self._desk.close()
            raise ConnectorError(f"不能监听 {self._settings.host}:{self._settings.port}（[serve]）")
        port = int(self._server.servers[0].sockets[0].getsockname()[1])
        log.info("queries.listening", host=self._settings.host, port=port)
        return port

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):  # how uvicorn says that the port is taken
            self._server.run()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        self._desk.close()

    def _app(self) -> Starlette:
        desk = self._desk
        return Starlette(
            routes=[
                self._route("/exam/get", lambda request: desk.records(Table.EXAM, request)),
                self._route("/report/get", lambda request: desk.records(Table.REPORT, request)),
                self._route("/series/get", desk.series),
            ]
        )

    def _route(self, path: str, ask: Callable[[Mapping[str, Any]], list[dict[str, Any]]]) -> Route:
        async def answer(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return _answer(0, "请求过大", None, 413)
            return await run_in_threadpool(self._answer, path, body, ask)

        return Route(path, answer, methods=["POST"])

    def _answer(
        self, path: str, body: bytes, ask: Callable[[Mapping[str, Any]], list[dict[str, Any]]]
    ) -> Response:
        try:
            found = ask(self._open(body))
        except Refusal as refusal:
            return _answer(0, refusal.message(self._messages), None, refusal.http_status)
        except BadRequestError as error:
            return _answer(0, str(error), None, 200)
        except (SourceUnavailableError, StoreError) as error:
            log.warning("queries.unavailable", path=path, reason=type(error).__name__)
            return _answer(0, f"暂时不能查询：{error}", None, 503)
        except Exception:  # the caller gets the standard's form, not a stack
            log.exception("queries.failed", path=path)
            return _answer(0, "内部错误", None, 500)
        log.info("queries.answered", path=path, records=len(found))
        return _answer(1, "成功", self._content(found), 200)

    def _content(self, found: list[dict[str, Any]]) -> Any:
        if not self._settings.seal_content:
            return found
        plain = orjson.dumps(found, default=str)
        return pybase64.b64encode(sm4.encrypt_ecb(self._key, plain)).decode("ascii")

    def _open(self, body: bytes) -> Mapping[str, Any]:
        """The request's parameters. Raises Refusal, BadRequestError."""
        agreed = self._settings.encryption
        if agreed == "plain" or (agreed == "either" and not _is_sealed(body)):
            return _object(_load(body))
        envelope = parse(body)
        if envelope.hospital_code != self._code:
            raise Refusal("unknown-hospital", code=envelope.hospital_code)
        window = Window(int(self._settings.window_seconds), "refuse")
        return _object(open_envelope(envelope, (self._key,), int(time.time() * 1000), window).value)


def _is_sealed(body: bytes) -> bool:
    said = _load(body)
    return isinstance(said, dict) and "data" in said and "signature" in said


def _load(body: bytes) -> Any:
    try:
        return bounded_json.load(body) if body.strip() else {}
    except bounded_json.JsonError as error:
        raise BadRequestError(f"请求不是合法的 JSON：{error}") from error


def _object(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise BadRequestError("请求应为 JSON 对象")
    return said


async def _body(request: Request) -> bytes | None:
    """None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_AT_MOST:
            return None
    return bytes(body)


def _answer(code: int, message: str, content: Any, status: int) -> Response:
    body = orjson.dumps({"code": code, "message": message, "content": content}, default=str)
    return Response(body, status, media_type="application/json")
