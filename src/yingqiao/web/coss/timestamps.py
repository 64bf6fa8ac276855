"""createAndGetTssInfo and verifyTS (四(二)4(3), (4))."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import structlog

from yingqiao.gm import sm3
from yingqiao.gm.timestamp import TimestampError
from yingqiao.signing import timestamps
from yingqiao.signing.clock import ClockError, TrustedClock
from yingqiao.signing.hmac_signature import Parameters
from yingqiao.signing.private_keys import DeviceError
from yingqiao.signing.timestamps import TrustStore
from yingqiao.signing.tsa import Tsa
from yingqiao.store.tokens import Issued, TokenJournal
from yingqiao.web.coss.door import BAD_REQUEST, Opened, Refused
from yingqiao.web.service import Posted

_NO_TIME = 503
_LARGE = 64 * 1024
_log = structlog.get_logger(__name__)


class AtWork(Protocol):
    """The authority stamps are made by now."""

    def current(self) -> tuple[int, Tsa] | None:
        """Its id and itself; None while there is none."""


@dataclass(frozen=True, slots=True)
class Timestamps:
    """The two services."""

    authority: AtWork
    journal: TokenJournal
    clock: TrustedClock
    trust: TrustStore

    async def create(self, _: Posted, opened: Opened) -> object:
        """A token over the UTF-8 bytes of oriData exactly as sent, answered once it is in the journal; where
        oriDataType is BASE64 (ours: a seal's signature value is no text), over the bytes it stands for.
        """
        parameters, settings = opened.parameters, opened.application.settings
        original = _original(parameters)
        if len(original) > settings.max_original_bytes:
            raise Refused(BAD_REQUEST, f"oriData 超过 {settings.max_original_bytes} 字节")
        attach = parameters.find("attachCert").lower()
        if attach not in ("true", "false"):
            raise Refused(BAD_REQUEST, "attachCert 只能是 true 或 false")
        token, issued = await self._stamp(original, opened.application.app_id, attach == "true")
        await self.journal.record(issued)
        return {"tsResp": base64.b64encode(token).decode()}

    async def _stamp(self, original: bytes, app_id: str, attach: bool) -> tuple[bytes, Issued]:
        found = self.authority.current()
        if found is None:
            raise Refused(_NO_TIME, "时间戳服务尚未就绪")
        number, tsa = found
        try:
            now = self.clock.now_ms()
            serial = self.journal.serial()
            stamp = partial(
                tsa.stamp, original, serial, datetime.fromtimestamp(now / 1000, UTC), attach=attach
            )
            token, imprint = await asyncio.to_thread(stamp) if tsa.in_device else stamp()
        except (ClockError, TimestampError, DeviceError) as error:
            _log.error("tsa.refused", reason=str(error))
            raise Refused(_NO_TIME, f"暂停签发时间戳：{error}") from error
        return token, Issued(serial, number, app_id, now, imprint, sm3.new(token).digest())

    async def verify(self, _: Posted, opened: Opened) -> object:
        """Whether a token is right over oriData; the code alone goes out, the reason to the log."""
        original, token = _original(opened.parameters), opened.parameters.find("tsResp")
        if len(original) + len(token) > _LARGE:
            verdict = await asyncio.to_thread(timestamps.verify_text, original, token, self.trust)
        else:
            verdict = timestamps.verify_text(original, token, self.trust)
        if verdict.code is not timestamps.VerifyRes.VALID:
            app = opened.application.app_id
            _log.info("tsa.not_valid", app=app, code=str(verdict.code), reason=verdict.reason)
        return {"verifyRes": str(verdict.code)}


def _original(parameters: Parameters) -> bytes:
    """What is stamped. Raises Refused."""
    text, kind = parameters.find("oriData"), parameters.find("oriDataType").upper()
    if kind in ("", "TEXT"):
        return text.encode()
    if kind != "BASE64":
        raise Refused(BAD_REQUEST, "oriDataType 只能是 TEXT 或 BASE64（影桥的扩展，默认 TEXT）")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused(BAD_REQUEST, "oriData 不是 Base64") from None
