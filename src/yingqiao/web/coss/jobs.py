"""addSignJob and getAuthSignResult (四(二)4(1), (2))."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yingqiao.exchange.fetch import AllowedHost, FetchError, choose, parse_address
from yingqiao.signing import jobs, qr
from yingqiao.signing.applications import Application
from yingqiao.signing.hmac_signature import SIGNATURE
from yingqiao.signing.jobs import JobError, NewJob
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.web.coss.door import BAD_REQUEST, CONFLICT, NOT_FOUND, Opened, Refused
from yingqiao.web.service import Posted


def callback_hosts(application: Application) -> Sequence[AllowedHost]:
    """Where callbacks of an application may lead; what cannot be read leads nowhere."""
    found = []
    for host in application.settings.callbacks:
        try:
            address = parse_address(host.address)
        except FetchError:
            continue
        found.append(
            AllowedHost(address.scheme, address.host, address.port, address.path or "/", private=host.private)
        )
    return found


@dataclass(frozen=True, slots=True)
class Jobs:
    """The two services. `public_url`: where phones reach this gateway; '' = as the caller did."""

    database: Database
    public_url: str
    now_ms: Callable[[], int]

    async def add(self, posted: Posted, opened: Opened) -> object:
        """A job kept, durably, and its QR code: text, or a PNG in base64 when asked for (T118)."""
        asked = self._asked(opened)
        job = jobs.open_job(asked, opened.application.hospital_code, self.now_ms())
        digest = hashlib.sha256(opened.parameters.string_a((SIGNATURE,)).encode()).digest()
        try:
            kept = await asyncio.to_thread(sign_jobs.open_job, self.database, job, digest)
        except sign_jobs.ConflictError:
            raise Refused(CONFLICT, "transId 已用于另一个签名任务") from None
        service = self.public_url or posted.origin
        text = qr.text_of(job.app_id, service, kept.job.ticket)
        code = await asyncio.to_thread(qr.picture_of, text) if asked.wants_picture else text
        return {"signDataId": kept.job.job_id, "qrCode": code}

    def _asked(self, opened: Opened) -> NewJob:
        try:
            asked = jobs.read_request(opened.parameters, opened.application.settings)
        except JobError as error:
            raise Refused(BAD_REQUEST, str(error)) from error
        if asked.callback_url:
            try:
                address = parse_address(asked.callback_url)
                choose(address, callback_hosts(opened.application))
            except FetchError as error:
                raise Refused(BAD_REQUEST, f"callBackUrl 不被允许：{error.reason}") from error
            if address.scheme not in ("http", "https") or address.user is not None:
                raise Refused(BAD_REQUEST, "callBackUrl 应为不含用户名的 http 或 https 地址")
        return asked

    async def result(self, _: Posted, opened: Opened) -> object:
        """How a job stands. One of another application is no job of this one."""
        job_id = opened.parameters.find("signDataId")
        job = await asyncio.to_thread(sign_jobs.find, self.database, job_id[:64])
        if job is None or job.app_id != opened.application.app_id:
            raise Refused(NOT_FOUND, "没有这个签名任务")
        return jobs.result_of(job, opened.secret, self.now_ms())
