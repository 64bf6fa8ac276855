"""What the page asks of the service: POST /PDFClient/api/…, JSON, with the page's own secret in a header.

Every answer is {…} or {code, message} in Chinese. PINs come in a body, which is never logged.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yingqiao.gm.errors import GmError
from yingqiao.sandbox import SandboxError
from yingqiao.seal_client.desk import Asked, Desk
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.guards import Guards, page_policy
from yingqiao.seal_client.parameters import read_parameters

PAGE = "/PDFClient/viewer.html"
CALLS = "/PDFClient/api/"
SESSION = "x-yingqiao-session"
_MAX_BODY = 64 * 1024
_BODY_SECONDS = 10.0
_STATUSES = {"busy": 503, "too-big": 413}
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_log = structlog.get_logger(__name__)


class Pages(Protocol):
    """The built page, and what it loads; `web.pages` has both."""

    def html(self) -> bytes:
        """Of the page, as built."""

    def routes(self) -> list[BaseRoute]:
        """Of scripts, styles, fonts and character maps (/ui/…)."""


class Api:
    """`origins`: who may embed the page, as `guards.read_origin` gives them."""

    def __init__(self, desk: Desk, pages: Pages, origins: tuple[str, ...]) -> None:
        self._desk, self._pages, self._origins = desk, pages, origins

    def app(self, port: int) -> ASGIApp:
        """For a service at `port`."""
        guards = Guards(port, self._origins)
        calls: Mapping[str, Callable[[Asked], Any]] = {
            "open": self._desk.open,
            "progress": self._desk.progress,
            "pdf": self._desk.pdf,
            "seals": self._desk.seals,
            "trust": self._desk.trust,
            "find": self._desk.find,
            "plan": self._desk.plan,
            "seal": self._desk.seal,
            "save": self._desk.save,
            "close": self._desk.close,
        }
        routes = [Route(PAGE, self._page(guards)), *self._pages.routes()]
        routes += [
            Route(CALLS + name, self._call(guards, name, call), methods=["POST"])
            for name, call in calls.items()
        ]
        return _Guarded(Starlette(routes=routes), guards)

    def _page(self, guards: Guards) -> Callable[[Request], Response]:
        headers = {
            **_ALWAYS,
            "content-security-policy": page_policy(guards.frame_ancestors),
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
            "cache-control": "no-store",
        }

        def page(request: Request) -> Response:
            """A new session for each load; its secret stands in the page, which no other site can read."""
            try:
                guards.check_page(request.headers)
            except Refused as error:
                return _refused_page(error)
            try:
                asked = read_parameters(request.url.query)
            except Refused as error:
                session = self._desk.begin(error, guards.opener(request.headers))
            else:
                session = self._desk.begin(asked, guards.opener(request.headers))
            mark = f'<head><meta name="yingqiao-session" content="{html.escape(session.secret)}">'.encode()
            body = self._pages.html().replace(b"<head>", mark, 1)
            return Response(body, headers=headers, media_type="text/html; charset=utf-8")

        return page

    def _call(self, guards: Guards, name: str, call: Callable[[Asked], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                guards.check_call(request.headers)
                session = self._desk.session(request.headers.get(SESSION, ""))
                asked = Asked(session, await _body(request))
            except Refused as error:
                return _refused(error)
            return await run_in_threadpool(_done, name, call, asked)

        return answer


def _done(name: str, call: Callable[[Asked], Any], asked: Asked) -> Response:
    try:
        said = call(asked)
    except Refused as error:
        _log.info("sealclient.refused", call=name, code=error.code)
        return _refused(error)
    except GmError as error:
        _log.info("sealclient.refused", call=name, code=error.code)
        return _refused(Refused(422, error.code, error.reason))
    except SandboxError as error:
        _log.info("sealclient.refused", call=name, code=error.code)
        return _refused(Refused(_STATUSES.get(error.code, 422), error.code, error.reason))
    except Exception as error:  # noqa: BLE001 the text of a defect may quote a report: its type alone is logged
        _log.error("sealclient.failed", call=name, error=type(error).__name__)
        return _refused(Refused(500, "internal", "签章客户端内部错误"))
    if isinstance(said, bytes):
        return Response(said, headers={**_ALWAYS, "cache-control": "no-store"}, media_type="application/pdf")
    return _json(said, 200)


class _Guarded:
    """Host and Origin of every request, before anything else is looked at."""

    def __init__(self, app: ASGIApp, guards: Guards) -> None:
        self._app, self._guards = app, guards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._guards.check(scope["method"], _headers(scope))
        except Refused as error:
            await _refused(error)(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in _ALWAYS.items() if k.encode() not in known]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, marked)


def _headers(scope: Scope) -> dict[str, str]:
    """Raises Refused for a header that came twice where it decides."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in found and key in ("host", "origin"):
            raise Refused(400, "twice", "请求头重复")
        found[key] = value.decode("latin-1")
    return found


async def _body(request: Request) -> dict[str, Any]:
    """Raises Refused."""
    raw = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > _MAX_BODY:
                    raise Refused(413, "too-large", "请求过大")
    except TimeoutError:
        raise Refused(408, "too-slow", "请求过慢") from None
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "bad-request", "请求体应为 JSON 对象")
    return body


def _refused(error: Refused) -> Response:
    response = _json({"code": error.code, "message": error.reason}, error.status)
    if error.retry_after:
        response.headers["retry-after"] = str(error.retry_after)
    return response


def _refused_page(error: Refused) -> Response:
    """Read by a person in the frame of a site that is not registered: words alone."""
    body = f'<!doctype html><meta charset="utf-8"><title>签章</title><p>{html.escape(error.reason)}</p>'
    policy = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    return Response(body, error.status, {**_ALWAYS, **policy}, media_type="text/html; charset=utf-8")


def _json(value: Any, status: int) -> Response:
    headers = {**_ALWAYS, "cache-control": "no-store"}
    return Response(orjson.dumps(value), status, headers, media_type="application/json")
