"""addSignJob and getAuthSignResult (四(二)4(1), (2))."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from yingqiao.exchange.callbacks import choose_host
from yingqiao.exchange.fetch import FetchError
from yingqiao.signing import jobs, qr
from yingqiao.signing.hmac_signature import SIGNATURE
from yingqiao.signing.jobs import JobError, NewJob
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.web.coss.door import BAD_REQUEST, CONFLICT, NOT_FOUND, Opened, Refused
from yingqiao.web.service import Posted


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
                choose_host(asked.callback_url, opened.application.settings.callbacks)
            except FetchError as error:
                raise Refused(BAD_REQUEST, f"callBackUrl 不被允许：{error.reason}") from error
        return asked

    async def result(self, _: Posted, opened: Opened) -> object:
        """How a job stands. One of another application is no job of this one."""
        job_id = opened.parameters.find("signDataId")
        job = await asyncio.to_thread(sign_jobs.find, self.database, job_id[:64])
        if job is None or job.app_id != opened.application.app_id:
            raise Refused(NOT_FOUND, "没有这个签名任务")
        return jobs.result_of(job, opened.secret, self.now_ms())
