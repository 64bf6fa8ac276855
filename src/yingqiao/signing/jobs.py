"""A signing job from request to end, decided without I/O: times come in as Unix milliseconds (四(二)4(1), (2)).

UNSIGN -> FINISH by a signature (result true) or a refusal (result false: the standard has no fourth status, T125);
UNSIGN -> EXPIRE when its time is over. Nothing leaves FINISH or EXPIRE.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum

from yingqiao.signing.applications import AppSettings
from yingqiao.signing.hmac_signature import Parameters, result_mac

BEIJING = timezone(timedelta(hours=8), "UTC+08:00")
MAX_TITLE = 100
MAX_MINUTES, DEFAULT_MINUTES = 4320, 1440
HASH_BYTES = 32
MAX_SHORT, MAX_NOTES, MAX_URL = 128, 4096, 2048
ALGORITHM = "SM3withSM2"
_MINUTE_MS = 60_000


class JobStatus(StrEnum):
    """As on the wire."""

    UNSIGN = "UNSIGN"
    FINISH = "FINISH"
    EXPIRE = "EXPIRE"


class DataType(StrEnum):
    """What `data` is: the original, a digest (used as e of SM2), or a page."""

    DATA = "DATA"
    HASH = "HASH"
    WEB_SEAL = "WEB_SEAL"


class JobError(ValueError):
    """A request for a job, or a step of one, that cannot be; the text is Chinese and quotes no data."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What addSignJob asks for, checked."""

    app_id: str
    trans_id: str
    user_id: str
    authorized_user_id: str
    title: str
    description: str
    data_type: DataType
    data: bytes = field(repr=False)
    """Decoded."""
    minutes: int
    callback_url: str
    wants_picture: bool
    notes: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times are Unix milliseconds."""

    job_id: str
    app_id: str
    hospital_code: str
    trans_id: str
    user_id: str
    authorized_user_id: str
    title: str
    description: str
    data_type: DataType
    data: bytes = field(repr=False)
    notes: str
    callback_url: str
    ticket: str = field(repr=False)
    """Random; who shows it has seen the QR code."""
    created_at: int
    expires_at: int
    status: JobStatus = JobStatus.UNSIGN
    finished_at: int | None = None
    result: bool | None = None
    signature: bytes = b""
    """DER."""
    certificate: bytes = b""
    """DER."""
    signer: str = ""
    """msspId of who signed or refused."""
    reason: str = ""
    """Why it was refused, by the doctor."""

    def status_at(self, now: int) -> JobStatus:
        """Expiry counts from its moment on, whether or not it was written down already."""
        if self.status is JobStatus.UNSIGN and now >= self.expires_at:
            return JobStatus.EXPIRE
        return self.status

    @property
    def for_user(self) -> str:
        """Who alone may sign; '' = whoever scans (T121)."""
        return self.authorized_user_id or self.user_id


def read_request(parameters: Parameters, settings: AppSettings) -> NewJob:
    """The job a signed request asks for. Raises JobError: the first thing that is wrong, by its name."""
    get = parameters.find
    title, description = get("title"), get("description")
    if len(title) > MAX_TITLE:
        raise JobError(f"title 超过 {MAX_TITLE} 个字符")
    if len(description) > settings.max_description:
        raise JobError(f"description 超过 {settings.max_description} 个字符")
    data_type = _data_type(get("dataType"))
    if (algo := get("algo")).lower() != ALGORITHM.lower():
        raise JobError("缺少 algo" if not algo else f"algo 只支持 {ALGORITHM}")
    picture = get("requireQrCode").upper() or "N"
    if picture not in ("Y", "N"):
        raise JobError("requireQrCode 只能是 Y 或 N")
    return NewJob(
        app_id=get("appId"),
        trans_id=_short(parameters, "transId"),
        user_id=_short(parameters, "userId"),
        authorized_user_id=_short(parameters, "authorizedUserId"),
        title=title,
        description=description,
        data_type=data_type,
        data=_data(get("data"), data_type, settings.max_data_bytes),
        minutes=_minutes(get("expiryDate")),
        callback_url=_short(parameters, "callBackUrl", MAX_URL),
        wants_picture=picture == "Y",
        notes=_short(parameters, "notes", MAX_NOTES),
    )


def _data_type(text: str) -> DataType:
    if not text:
        raise JobError("缺少 dataType")
    try:
        return DataType(text.upper())
    except ValueError:
        raise JobError(f"dataType 只能是 {'、'.join(DataType)}") from None


def _short(parameters: Parameters, name: str, most: int = MAX_SHORT) -> str:
    value = parameters.find(name)
    if len(value) > most:
        raise JobError(f"{name} 超过 {most} 个字符")
    if "\0" in value:
        raise JobError(f"{name} 含有空字符")
    return value


def _minutes(text: str) -> int:
    """Minutes, as text or number; none = a day (T122)."""
    if not text:
        return DEFAULT_MINUTES
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_MINUTES:
        raise JobError(f"expiryDate 是分钟数，应为 1–{MAX_MINUTES} 的整数")
    return int(text)


def _data(text: str, data_type: DataType, most: int) -> bytes:
    if not text:
        raise JobError("缺少 data")
    if len(text) > most:
        raise JobError(f"data 超过 {most} 个字符")
    bare = text.translate(_LINE_BREAKS)
    if " " in bare:
        raise JobError("data 不是 Base64：其中有空格（+ 在传输中变成了空格？）")
    try:
        data = binascii.a2b_base64(bare, strict_mode=True)
    except (binascii.Error, ValueError):
        raise JobError("data 不是 Base64") from None
    if not data:
        raise JobError("data 解码后为空")
    if data_type is DataType.HASH and len(data) != HASH_BYTES:
        raise JobError(f"dataType 为 HASH 时 data 应为 {HASH_BYTES} 字节的杂凑值")
    return data


_LINE_BREAKS = str.maketrans({"\r": None, "\n": None})


def open_job(asked: NewJob, hospital_code: str, now: int) -> Job:
    """A new job with its id and ticket drawn."""
    return Job(
        job_id=f"SD_{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}",
        app_id=asked.app_id,
        hospital_code=hospital_code,
        trans_id=asked.trans_id,
        user_id=asked.user_id,
        authorized_user_id=asked.authorized_user_id,
        title=asked.title,
        description=asked.description,
        data_type=asked.data_type,
        data=asked.data,
        notes=asked.notes,
        callback_url=asked.callback_url,
        ticket=secrets.token_urlsafe(18),
        created_at=now,
        expires_at=now + asked.minutes * _MINUTE_MS,
    )


def finish(job: Job, signature: bytes, certificate: bytes, signer: str, at: int) -> Job:
    """Signed. The same signature once more changes nothing. Raises JobError when it is over otherwise, or not theirs."""
    if job.status is JobStatus.FINISH and job.result and job.signature == signature:
        return job
    _must_be_open(job, signer, at)
    if not signature or not certificate:
        raise JobError("缺少签名值或证书")
    return replace(
        job,
        status=JobStatus.FINISH,
        result=True,
        signature=signature,
        certificate=certificate,
        signer=signer,
        finished_at=at,
    )


def refuse(job: Job, reason: str, signer: str, at: int) -> Job:
    """Refused by the doctor. Once more changes nothing. Raises JobError as `finish`."""
    if job.status is JobStatus.FINISH and job.result is False and job.signer == signer:
        return job
    _must_be_open(job, signer, at)
    return replace(
        job, status=JobStatus.FINISH, result=False, reason=reason[:200], signer=signer, finished_at=at
    )


def expire(job: Job, now: int) -> Job:
    """Over, when its time is."""
    if job.status is JobStatus.UNSIGN and now >= job.expires_at:
        return replace(job, status=JobStatus.EXPIRE, finished_at=job.expires_at)
    return job


def _must_be_open(job: Job, signer: str, at: int) -> None:
    status = job.status_at(at)
    if status is JobStatus.EXPIRE:
        raise JobError("签名任务已过期")
    if status is JobStatus.FINISH:
        raise JobError("签名任务已处理")
    if job.for_user and job.for_user != signer:
        raise JobError("签名任务指定了其他签名人")


def result_of(job: Job, secret: bytes, now: int) -> dict[str, str]:
    """`data` of getAuthSignResult and of callbacks: members as the standard's sample, absent where there is nothing.

    `ext` is the Beijing time of signing or refusing, `userId` and `msspId` who did, or was asked to (T124, T126).
    """
    status = job.status_at(now)
    user_id = job.signer or job.for_user
    ended = job.finished_at if status is JobStatus.FINISH else None
    ext = "" if ended is None else beijing(ended)
    result = "true" if job.result else "false"
    given = {
        "signDataId": job.job_id,
        "signResult": _base64(job.signature),
        "signCert": _base64(job.certificate),
        "jobStatus": str(status),
        "msspId": user_id,
        "ext": ext,
        "result": result,
        "appId": job.app_id,
        "hmac": result_mac(secret, job.app_id, ext, result, user_id),
        "userId": user_id,
        "notes": job.notes,
    }
    return {name: value for name, value in given.items() if value}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def beijing(unix_ms: int) -> str:
    """yyyyMMddHHmmss."""
    return datetime.fromtimestamp(unix_ms / 1000, BEIJING).strftime("%Y%m%d%H%M%S")
