"""A request's way in: parameters, application, HMAC, fields by the standard's tables. The same for every service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from yingqiao.signing import hmac_signature
from yingqiao.signing.applications import OFF, OPTIONAL, Application
from yingqiao.signing.dsvs import Caller, DsvsError
from yingqiao.signing.hmac_signature import SHA256, ParameterError, Parameters
from yingqiao.signing.verification.policy import DEFAULT
from yingqiao.spec.model import Edition, Required
from yingqiao.web.limits import TokenBuckets
from yingqiao.web.service import Handle, Posted, Reply
from yingqiao.web.visit import TurnedAwayError

BAD_REQUEST, NOT_SIGNED, NOT_FOUND, CONFLICT = 400, 401, 404, 409
IN_THREAD_ABOVE = 64 * 1024
"""Bytes of a body read and checked in a thread, as the loop must not stand still."""
_NOT_SIGNED = "应用标识或签名不正确"
_NOBODY = b"nobody's secret"
_COMMON = "coss_common"
_ANYBODY = Caller()
_log = structlog.get_logger(__name__)


class Refused(Exception):  # noqa: N818 an answer, not an error
    """The request is answered with this status and Chinese message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Apps(Protocol):
    def get(self, app_id: str) -> Application | None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A request whose HMAC is right. `secret` is the one it was signed with."""

    parameters: Parameters
    application: Application
    secret: bytes = field(repr=False)


Answer = Callable[[Posted, Opened], Awaitable[object]]
"""`data` of the answer. May raise Refused."""


@dataclass(frozen=True, slots=True)
class Door:
    """`required` of tables: names that the standard demands; lengths are the services' own."""

    apps: Apps
    edition: Edition
    rates: TokenBuckets = field(default_factory=lambda: TokenBuckets(0.0))
    """Of applications, by id; of one event loop."""

    def handle(self, table: str, answer: Answer) -> Handle:
        """A service's handler: `answer` behind the door."""
        fields = [f for f in self.edition.tables[table].fields if f.group == "request"]
        demanded = [f.name for f in fields if f.required is Required.YES]

        async def handled(posted: Posted) -> Reply:
            trans_id = None
            try:
                parameters = await _read(posted.raw)
                trans_id = parameters.find("transId")[:128] or None
                opened = await self.open(parameters, posted)
                _demand(opened.parameters, demanded)
                posted.visit.stage = "validate"
                data = await answer(posted, opened)
            except Refused as refused:
                return Reply(status=refused.status, message=refused.message, trans_id=trans_id)
            posted.visit.stage = "record"
            return Reply(data, trans_id=trans_id)

        return handled

    async def open(self, parameters: Parameters, posted: Posted) -> Opened:
        """Whose request it is. Raises Refused (the answer never tells whether the application exists), TurnedAwayError."""
        if len(posted.raw) > IN_THREAD_ABOVE:
            opened = await asyncio.to_thread(self._open, parameters, posted.peer)
        else:
            opened = self._open(parameters, posted.peer)
        posted.visit.hospital = opened.application.hospital_code
        wait = self.rates.take(opened.application.app_id)
        if wait:
            seconds = max(1, round(wait))
            raise TurnedAwayError(429, "too-many", retry_after=seconds, seconds=seconds)
        return opened

    def check_dsvs(self, parameters: Parameters, *, strangers: bool) -> Application | None:
        """A dsvs request by its application's policy: required, optional (checked when there is a signature) or off.
        With `strangers`, who is no application of ours is served too. The application that proved to be it; None
        when nobody had to. Raises Refused.
        """
        app_id = parameters.find("appId")
        application = self.apps.get(app_id) if app_id else None
        if application is None and strangers:
            return None
        if application is not None and not application.disabled:
            policy = application.settings.dsvs_hmac
            if policy == OFF or (policy == OPTIONAL and not parameters.find(hmac_signature.SIGNATURE)):
                return None
        return self._open(parameters, "dsvs").application

    def _open(self, parameters: Parameters, peer: str) -> Opened:
        app_id = parameters.find("appId")
        application = self.apps.get(app_id) if app_id else None
        algorithm = hmac_signature.algorithm_of(parameters.find("signAlgo"))
        secrets = application.secrets if application else (_NOBODY,)
        secret = hmac_signature.verify(parameters, secrets, algorithm or SHA256)
        if application is None or secret is None:
            _tell(application, parameters, algorithm or SHA256, app_id, peer)
            raise Refused(NOT_SIGNED, _NOT_SIGNED)
        if application.disabled:
            raise Refused(NOT_SIGNED, "应用已停用")
        if algorithm not in application.settings.algorithms:
            allowed = "、".join(application.settings.algorithms)
            raise Refused(BAD_REQUEST, f"signAlgo 不被允许；本应用可用 {allowed}（HMAC 即 HmacSHA256）")
        if (version := parameters.find("version")) not in ("", "1.0"):
            raise Refused(BAD_REQUEST, f"version 应为 1.0，收到 {version[:20]!r}")
        return Opened(parameters, application, secret)


class SignedByApplication:
    """The seam of dsvs: requests of a registered application are held to its policy (T130).

    Anybody could compute what dsvs answers: `strangers` says whether those without application are answered.
    """

    def __init__(self, door: Door, *, strangers: bool) -> None:
        self._door = door
        self._strangers = strangers

    def check(self, parameters: Mapping[str, Any], raw: bytes) -> Caller:
        """Raises DsvsError."""
        if self._strangers and not any(name.lower() == "appid" and parameters[name] for name in parameters):
            return _ANYBODY
        try:
            found = self._door.check_dsvs(hmac_signature.read_parameters(raw), strangers=self._strangers)
        except ParameterError as error:
            raise DsvsError(str(error)) from error
        except Refused as refused:
            raise DsvsError(refused.message, refused.status) from refused
        return _ANYBODY if found is None else Caller(DEFAULT, found.app_id, found.hospital_code)


async def _read(raw: bytes) -> Parameters:
    try:
        if len(raw) > IN_THREAD_ABOVE:
            return await asyncio.to_thread(hmac_signature.read_parameters, raw)
        return hmac_signature.read_parameters(raw)
    except ParameterError as error:
        raise Refused(BAD_REQUEST, str(error)) from error


def _demand(parameters: Parameters, names: list[str]) -> None:
    missing = [name for name in names if not parameters.find(name)]
    if missing:
        raise Refused(BAD_REQUEST, f"缺少参数 {'、'.join(missing)}")


def _tell(
    application: Application | None, parameters: Parameters, algorithm: str, app_id: str, peer: str
) -> None:
    """For the operator: what was signed as we read it, and the likely mistake. No secret, nothing of patients."""
    # Looked into for strangers too: the time an answer takes must not tell which applications there are.
    hint = hmac_signature.diagnose(parameters, application.secrets[0] if application else _NOBODY, algorithm)
    if application is None:
        hint = "没有登记这个应用" if app_id else "没有 appId"
    _log.warning(
        "coss.not_signed",
        app=app_id[:64],
        peer=peer,
        algorithm=algorithm,
        string_a=hmac_signature.loggable(parameters),
        hint=hint,
    )
