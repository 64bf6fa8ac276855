"""Everything a gateway serves over HTTP, put together: intake first and bare, the rest by Starlette."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, cast

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from yingqiao.spec import Edition
from yingqiao.spec.openapi import openapi
from yingqiao.spec.schema import json_schema
from yingqiao.store.errors import StoreUnavailable
from yingqiao.web.answers import MESSAGES, App, Handler, Receive, Scope, Send, body_of, header, send_json
from yingqiao.web.health import Health, live_app, ready_app
from yingqiao.web.intake import INTERFACES, Ask, Intake
from yingqiao.web.metrics import CONTENT_TYPE, Metrics
from yingqiao.web.pages import page_routes
from yingqiao.web.turned_away import incident_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may read what concerns patients: whoever has the token."""

    token: str
    loopback_without_token: bool = False

    def allows(self, scope: Mapping[str, Any]) -> bool:
        client = scope.get("client")
        if self.loopback_without_token and client and ipaddress.ip_address(client[0]).is_loopback:
            return True
        scheme, _, given = (header(scope, b"authorization") or b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self.token.encode())

    def around(self, app: App) -> App:
        """`app` for those it allows; 401 with JSON for others."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if self.allows(scope):
                await app(scope, receive, send)
            else:
                challenge = ((b"www-authenticate", b'Bearer realm="yingqiao"'),)
                await send_json(send, 401, body_of(0, MESSAGES["token-required"]), challenge)

        return guarded


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, beside intake."""

    edition: Edition
    health: Health
    metrics: Metrics
    guard: Guard
    api_routes: Sequence[BaseRoute]
    metrics_token: bool = False
    office: Sequence[BaseRoute] = ()
    """The signing office: its API and revocation lists, beside the pages."""


def intake_app(
    intake: Intake,
    edition: Edition,
    rest: App,
    questions: Mapping[str, tuple[str, Ask]] | None = None,
    more: Mapping[str, App] | None = None,
) -> App:
    """Intake by exact path or alias (T14); any other path goes to `rest`.

    `questions`: path -> name (of metrics and log) and what answers. `more`: path -> what serves it.
    """
    routes = {path: intake.app(name) for path, name in _paths(edition)}
    routes |= {path: intake.asking(name, ask) for path, (name, ask) in (questions or {}).items()}
    routes |= more or {}
    find = routes.get

    def dispatch(scope: Scope, receive: Receive, send: Send) -> Any:
        return (find(scope["path"]) or rest)(scope, receive, send)

    return dispatch


def intake_direct(intake: Intake, edition: Edition) -> dict[bytes, Handler]:
    """The same paths, as they stand in a request without a query, for small requests past ASGI."""
    return {path.encode(): intake.direct(name) for path, name in _paths(edition)}


def _paths(edition: Edition) -> list[tuple[str, str]]:
    """Path or alias (T14), interface."""
    interfaces = [edition.interfaces[name] for name in INTERFACES]
    return [(path, i.id) for i in interfaces for path in (i.path, *i.aliases)]


def public_app(site: Site) -> App:
    """Health, the standard as data, pages: nothing about patients."""
    return _safe(
        _starlette([*_health_routes(site), *_spec_routes(site.edition), *site.office, *page_routes()])
    )


def admin_app(site: Site) -> App:
    """Health, /metrics and /api."""
    return _safe(_starlette([*_health_routes(site), *_reading_routes(site)]))


def whole_app(site: Site) -> App:
    """All of it on one port."""
    routes = [
        *_health_routes(site),
        *_spec_routes(site.edition),
        *_reading_routes(site),
        *site.office,
        *page_routes(),
    ]
    return _safe(_starlette(routes))


def _health_routes(site: Site) -> list[BaseRoute]:
    return [
        Route("/health/live", endpoint=_Endpoint(live_app())),
        Route("/health/ready", endpoint=_Endpoint(ready_app(site.health))),
    ]


def _reading_routes(site: Site) -> list[BaseRoute]:
    def metrics(_: Request) -> Response:
        return Response(site.metrics.text(), media_type=CONTENT_TYPE)

    exposition = _starlette([Route("/metrics", endpoint=metrics)])
    if site.metrics_token:
        exposition = site.guard.around(exposition)
    api = _starlette(list(site.api_routes))
    return [
        Route("/metrics", endpoint=_Endpoint(exposition)),
        Mount("/api", app=_Endpoint(site.guard.around(api))),
    ]


def _spec_routes(edition: Edition) -> list[BaseRoute]:
    @cache
    def description() -> bytes:
        return orjson.dumps(openapi(edition))

    @cache
    def schema_of(table: str) -> bytes:
        return orjson.dumps(json_schema(edition, table))

    def openapi_json(_: Request) -> Response:
        return Response(description(), media_type="application/json")

    def schema_json(request: Request) -> Response:
        table = request.path_params["table"]
        if table not in edition.tables:
            raise HTTPException(404)
        return Response(schema_of(table), media_type="application/schema+json")

    return [
        Route("/openapi.json", endpoint=openapi_json),
        Route("/schema/{table}.json", endpoint=schema_json),
    ]


class _Endpoint:
    """An ASGI function where Starlette would take a plain function for a request handler."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


class _Application(Starlette):
    """Starlette without its own last resort: `_safe` has the last word."""

    def build_middleware_stack(self) -> Any:
        return ExceptionMiddleware(
            self.router, handlers={HTTPException: _said, StoreUnavailable: _unavailable}
        )


def _starlette(routes: list[BaseRoute]) -> App:
    return cast("App", _Application(routes=routes))


def _said(request: Request, error: Exception) -> Response:
    """The answer to an HTTPException in the one form of all answers."""
    if not isinstance(error, HTTPException):
        raise error
    words = {
        404: MESSAGES["not-found"].format(path=request.url.path[:100]),
        405: MESSAGES["method-not-allowed"].format(allowed=_allowed(error)),
    }
    message = words.get(error.status_code, error.detail) if _is_default(error) else error.detail
    answer = {"code": 0, "message": message, "content": None}
    return JSONResponse(answer, error.status_code, error.headers)


def _is_default(error: HTTPException) -> bool:
    return error.detail == HTTPStatus(error.status_code).phrase


def _unavailable(_: Request, error: Exception) -> Response:
    _log.error("store.unavailable", interface="api", reason=type(error).__name__)
    answer = {"code": 0, "message": MESSAGES["store-unavailable"], "content": None}
    return JSONResponse(answer, 503, {"retry-after": "5"})


def _allowed(error: Exception) -> str:
    headers = getattr(error, "headers", None) or {}
    return str(headers.get("Allow", "GET"))


def _safe(app: App) -> App:
    """A defect answers 500 with an incident id; its text, which may quote a record, is not logged."""

    async def safe(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 see above
            turned = incident_of(error)
            if not started:
                await send_json(send, 500, body_of(0, MESSAGES["internal"].format(**turned.params)))

    return safe
