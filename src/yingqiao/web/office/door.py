"""The door of the pages' API: who is there, whether the request is the page's own, how much may come, what went wrong.

A session is a cookie that scripts cannot read and other sites cannot send. What changes something must also carry a
header that a form of another site cannot set, and come from the page's own address.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yingqiao.gm.errors import GmError
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import DeviceError
from yingqiao.store.signing.cases import FormRefused
from yingqiao.store.signing.doctors import Doctor
from yingqiao.store.signing.logins import SESSION_MS
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.staff import Account, Role
from yingqiao.web.limits import TokenBuckets, peer_of

HEADER = "x-yingqiao"
SMALL = 64 * 1024
_LOGINS_AT_ONCE = 2
"""Each takes tens of megabytes and milliseconds on purpose (argon2id)."""
_STATUSES = {
    "wrong-password": 401,
    "locked": 423,
    "disabled": 403,
    "four-eyes": 409,
    "decided": 409,
    "revoked": 409,
    "name-taken": 409,
    "doctor-taken": 409,
    "no-account": 404,
    "no-case": 404,
    "no-certificate": 404,
    "no-doctor": 404,
    "no-authority": 409,
    "no-seal": 404,
    "seal-state": 409,
    "maker-revoked": 409,
    "case-used": 409,
}
_log = structlog.get_logger(__name__)


class TurnedAway(Exception):  # noqa: N818 a refusal, not a fault
    """Not for this caller, or not like this."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came through the door. `base` is the address the page was loaded from."""

    body: Mapping[str, Any]
    query: Mapping[str, str]
    path: Mapping[str, Any]
    token: str
    base: str

    def text(self, name: str, most: int = 256) -> str:
        """A member of the body that has to be text. Raises TurnedAway."""
        value = self.body.get(name)
        if not isinstance(value, str) or len(value) > most:
            raise TurnedAway(400, "bad-request", f"缺少 {name}，或不是文字")
        return value


@dataclass(frozen=True, slots=True)
class Came:
    """An answer that opens or ends a session as well; `token` '' ends it."""

    said: Any
    token: str


Handle = Callable[[Asked], Any]
"""Runs in a thread. Answers a Response, a Came or what becomes JSON. May raise TurnedAway, SigningRefused, GmError,
StoreUnavailable.
"""


class Door:
    """One kind of people: their cookie and how often they may try to come in."""

    def __init__(self, cookie: str, logins_per_minute: float, proxies: Collection[str], *, tls: bool) -> None:
        self._cookie = cookie
        self._tries = TokenBuckets(logins_per_minute / 60, max(1.0, logins_per_minute))
        self._proxies = frozenset(proxies)
        self._tls = tls
        self._at_once: asyncio.Semaphore | None = None

    def get(self, path: str, handle: Handle) -> Route:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._answer, handle, request, b"")

        return Route(path, endpoint, methods=["GET"])

    def post(self, path: str, handle: Handle, *, most: int = SMALL, tries: bool = False) -> Route:
        """`tries`: a password is tried, so that few at a time and few a minute get through."""

        async def endpoint(request: Request) -> Response:
            try:
                self._refuse_strangers(request)
                if tries:
                    self._take_try(request)
                raw = await _body(request, most)
            except TurnedAway as error:
                return self._turned(error)
            if not tries:
                return await run_in_threadpool(self._answer, handle, request, raw)
            async with self._slowly():
                return await run_in_threadpool(self._answer, handle, request, raw)

        return Route(path, endpoint, methods=["POST"])

    def _slowly(self) -> asyncio.Semaphore:
        if self._at_once is None:
            self._at_once = asyncio.Semaphore(_LOGINS_AT_ONCE)
        return self._at_once

    def _answer(self, handle: Handle, request: Request, raw: bytes) -> Response:
        try:
            said = handle(self._asked(request, raw))
        except TurnedAway as error:
            return self._turned(error)
        except FormRefused as error:
            problems = [{"field": p.field, "label": p.label, "reason": p.reason} for p in error.problems]
            return _json({"code": error.code, "message": error.reason, "problems": problems}, 422)
        except SigningRefused as error:
            return _json({"code": error.code, "message": error.reason}, _STATUSES.get(error.code, 422))
        except DeviceError as error:
            return _json({"code": error.code, "message": error.reason}, 503)
        except GmError as error:
            return _json({"code": error.code, "message": error.reason}, 422)
        if isinstance(said, Response):
            return said
        if isinstance(said, Came):
            return self._with_cookie(_json(said.said), said.token, request)
        return _json(said)

    def _asked(self, request: Request, raw: bytes) -> Asked:
        body: Any = {}
        if raw:
            try:
                body = orjson.loads(raw)
            except orjson.JSONDecodeError:
                body = None
            if not isinstance(body, dict):
                raise TurnedAway(400, "bad-request", "请求体应为 JSON 对象")
        base = f"{self._scheme(request)}://{request.headers.get('host', '')}"
        token = request.cookies.get(self._cookie, "")[:128]
        return Asked(body, request.query_params, request.path_params, token, base)

    def _refuse_strangers(self, request: Request) -> None:
        """Raises TurnedAway for what another site could have sent."""
        origin = urlsplit(request.headers.get("origin", ""))
        same = bool(origin.netloc) and origin.netloc == request.headers.get("host")
        if request.headers.get(HEADER) != "1" or not same:
            raise TurnedAway(403, "foreign", "请在本系统的网页上操作")

    def _take_try(self, request: Request) -> None:
        client = request.client.host if request.client else ""
        wait = self._tries.take(peer_of(client, dict(request.headers.raw), self._proxies))
        if wait:
            seconds = max(1, round(wait))
            raise TurnedAway(429, "too-many", f"登录尝试过多，请 {seconds} 秒后再试", seconds)

    def _scheme(self, request: Request) -> str:
        forwarded = bool(self._proxies) and request.headers.get("x-forwarded-proto") == "https"
        return "https" if self._tls or forwarded else "http"

    def _with_cookie(self, response: Response, token: str, request: Request) -> Response:
        response.set_cookie(
            self._cookie,
            token,
            max_age=SESSION_MS // 1000 if token else 0,
            path="/web/api",
            secure=self._scheme(request) == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @staticmethod
    def _turned(error: TurnedAway) -> Response:
        response = _json({"code": error.code, "message": error.message}, error.status)
        if error.retry_after:
            response.headers["retry-after"] = str(error.retry_after)
        return response


async def _body(request: Request, most: int) -> bytes:
    """Raises TurnedAway beyond `most` bytes."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > most:
            raise TurnedAway(413, "too-large", f"请求体超过上限 {most} 字节")
    return bytes(held)


def _json(value: object, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(value), status, headers, media_type="application/json; charset=utf-8")


def base64_of(text: str) -> bytes:
    """A file in a request. Raises TurnedAway."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TurnedAway(400, "bad-request", "文件内容不是 Base64") from error


def staff_of(office: Office, asked: Asked) -> Account | None:
    """Who of the staff is logged in."""
    who = office.sessions.who(asked.token, office.now_ms()) if asked.token else None
    if who is None or not who.startswith("staff:"):
        return None
    account = office.staff.get(who.removeprefix("staff:"))
    return None if account.disabled else account


def doctor_of(office: Office, asked: Asked) -> Doctor | None:
    """Which doctor is logged in."""
    who = office.sessions.who(asked.token, office.now_ms()) if asked.token else None
    if who is None or not who.startswith("doctor:"):
        return None
    doctor = office.doctors.get(int(who.removeprefix("doctor:")))
    return None if doctor.disabled else doctor


def need_doctor(office: Office, asked: Asked, *, changed: bool = True) -> Doctor:
    """Raises TurnedAway: nobody, or (with `changed`) somebody who has to set a password first."""
    doctor = doctor_of(office, asked)
    if doctor is None:
        raise _nobody()
    _refuse_first(changed and doctor.must_change)
    return doctor


def need_staff(office: Office, asked: Asked, *roles: Role, changed: bool = True) -> Account:
    """One of `roles` (any without). Raises TurnedAway."""
    account = staff_of(office, asked)
    if account is None:
        raise _nobody()
    _refuse_first(changed and account.must_change)
    if roles and account.role not in roles:
        words = "、".join(role.words for role in roles)
        raise TurnedAway(403, "role", f"此操作须由{words}进行")
    return account


def _nobody() -> TurnedAway:
    return TurnedAway(401, "login", "请先登录")


def _refuse_first(must_change: bool) -> None:
    if must_change:
        raise TurnedAway(403, "must-change", "请先设置新口令")


def audit(act: str, who: str, subject: object = "", hospital: str = "") -> None:
    """Who did what to which number; never whom it concerns."""
    _log.info("office.done", act=act, who=who, subject=str(subject), hospital=hospital)


@contextmanager
def audited(act: str, who: str, subject: object, hospital: str) -> Iterator[None]:
    """`audit` when the act is done, also when a refusal says that it stands."""
    try:
        yield
    except SigningRefused as refused:
        if refused.stands:
            audit(act, who, subject, hospital)
        raise
    audit(act, who, subject, hospital)
