"""The phone API under /coss/phone/v1/ (annex 7): what each service reads and answers. Fields: docs/reference/phone-api.md.

Pages of any origin may call it: a phone talks to several gateways. Nothing goes by cookies; the token is in the body.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from yingqiao.gm import certificates
from yingqiao.gm.cooperative import SignFinish, SignOffer
from yingqiao.gm.key_share import CooperativeError, KeyOffer
from yingqiao.settings import CossSettings, PhoneSettings
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import ALGORITHM, JobStatus
from yingqiao.signing.phone import MANAGED_VERSION, MAX_PICTURE, VERSION, content_type, read_name
from yingqiao.signing.private_keys import DeviceError
from yingqiao.store.signing.authority import Issued
from yingqiao.store.signing.automatic import AutomaticState
from yingqiao.store.signing.cosigning import LoggedIn, Signed
from yingqiao.store.signing.downloads import Downloaded
from yingqiao.store.signing.phone_desk import PhoneDesk
from yingqiao.store.signing.phone_jobs import ShownJob
from yingqiao.store.signing.shared_keys import user_of
from yingqiao.store.signing.visits import Visitor
from yingqiao.web.coss.given import Given, read
from yingqiao.web.limits import TokenBuckets
from yingqiao.web.service import Handle, Posted, Reply, Service

ROOT: Final = "/coss/phone/v1/"
_MAX_BODY = 16 * 1024
_DEVICE = 503
_WAITING = "证书尚未生成，请等待证书导入"
STATUSES = {
    "token": 401,
    "disabled": 403,
    "not-yours": 403,
    "key": 403,
    "key-locked": 403,
    "share-tag": 403,
    "no-job": 404,
    "no-key": 404,
    "ticket": 404,
    "job-over": 409,
    "session-open": 409,
    "job-finished": 409,
    "too-many": 429,
}
_COSTLY = ("phoneCode", "phoneDownload", "lookActivation", "makeKey", "challenge", "ticket")
"""What strangers may call, and what makes work or invites guessing."""

Answer = Callable[[Given, Posted], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PhoneParts:
    desk: PhoneDesk
    phone: PhoneSettings
    coss: CossSettings


class Phone:
    """The services; each runs in a thread. `limits` belong to the event loop."""

    def __init__(self, parts: PhoneParts) -> None:
        self._desk = parts.desk
        self._settings = parts.phone
        self._public_url = parts.coss.public_url.rstrip("/")
        self._peers = TokenBuckets(parts.phone.peer_rate)
        self._mobiles = TokenBuckets(1 / 60, burst=1)

    def answers(self) -> dict[str, Answer]:
        """By the name of the service; each may raise SigningRefused, CooperativeError, DeviceError, StoreUnavailable."""
        return {
            "getServiceInfo": self._service_info,
            "ticket": self._ticket,
            "phoneCode": self._phone_code,
            "phoneDownload": self._phone_download,
            "lookActivation": self._look_activation,
            "makeKey": self._make_key,
            "offer": self._offer,
            "finish": self._finish,
            "challenge": self._challenge,
            "jobs": self._jobs,
            "job": self._job,
            "refuse": self._refuse,
            "certificates": self._certificates,
            "seal": self._seal,
            "setSeal": self._set_seal,
            "autoSign": self._auto_sign,
            "setAutoSign": self._set_auto_sign,
            "logout": self._logout,
        }

    def services(self) -> list[Service]:
        """As served."""
        return [
            Service(ROOT + name, f"phone-{name}", self._handle(name, answer), _limit_of(name), anywhere=True)
            for name, answer in self.answers().items()
        ]

    def _handle(self, name: str, answer: Answer) -> Handle:
        async def handled(posted: Posted) -> Reply:
            try:
                given = read(posted.raw)
                self._admit(name, given, posted.peer)
                return Reply(await asyncio.to_thread(answer, given, posted))
            except DeviceError as error:  # nothing changed: the phone may ask the same again
                return Reply({"code": error.code}, _DEVICE, error.reason)
            except (SigningRefused, CooperativeError) as refused:
                status = STATUSES.get(refused.code, 400)
                return Reply({"code": refused.code}, status, refused.reason)

        return handled

    def _admit(self, name: str, given: Given, peer: str) -> None:
        """Raises SigningRefused."""
        wait = self._peers.take(peer) if name in _COSTLY else 0.0
        if name == "phoneCode" and not wait:
            wait = self._mobiles.take(given.text("mobile", 32))
        if wait:
            raise SigningRefused("too-many", f"请求过多，请 {max(1, round(wait))} 秒后重试")

    def _service_info(self, _: Given, posted: Posted) -> dict[str, Any]:
        settings = self._settings
        return {
            "name": settings.name,
            "version": MANAGED_VERSION if settings.auto_sign_by == "office" else VERSION,
            "url": self._public_url or posted.origin,
            "phoneDownload": settings.download_by_mobile,
            "handwrittenSeal": settings.handwritten_seal,
            "sealReview": settings.seal_review,
            "autoSignMaxMinutes": settings.auto_sign_max_minutes,
        }

    def _ticket(self, given: Given, _: Posted) -> dict[str, Any]:
        """With a token, a job for nobody in particular becomes the visitor's."""
        visitor = self._visitor(given) if given.optional("token") else None
        shown = self._desk.jobs.by_ticket(given.text("o"), visitor)
        job = shown.job
        return {
            "jobId": job.job_id,
            "title": job.title,
            "appName": shown.app_name,
            "expiresAt": job.expires_at,
        }

    def _phone_code(self, given: Given, _: Posted) -> dict[str, Any]:
        self._refuse_without_download()
        self._desk.codes.send(given.text("mobile", 32))
        return {}

    def _phone_download(self, given: Given, _: Posted) -> dict[str, Any]:
        self._refuse_without_download()
        return {"code": self._desk.codes.redeem(given.text("mobile", 32), given.text("verificationCode", 16))}

    def _refuse_without_download(self) -> None:
        if not self._settings.download_by_mobile:
            raise SigningRefused("phone-download-off", "本服务没有开放手机号下证，请使用激活码")

    def _look_activation(self, given: Given, _: Posted) -> dict[str, Any]:
        doctor = self._desk.downloads.look(given.text("code", 64))
        return {
            "user": user_of(doctor.id),
            "name": doctor.name,
            "hospital": doctor.hospital_name,
            "department": doctor.department,
        }

    def _make_key(self, given: Given, _: Posted) -> dict[str, Any]:
        device, session = given.optional("device"), given.text("session")
        offer = KeyOffer.from_bytes(given.binary("offer", 256))
        if given.optional("token"):
            visitor = self._visitor(given, may_update=True)
            made = self._desk.downloads.make_renewal(visitor, device, session, offer)
        else:
            made = self._desk.downloads.make_key(given.text("code", 64), device, session, offer)
        return {"keyId": made.key_id, "answer": _base64(made.answer), "request": _base64(made.info)}

    def _challenge(self, given: Given, _: Posted) -> dict[str, Any]:
        challenge, data = self._desk.cosigning.challenge(given.text("keyId", 64))
        return {"challenge": challenge, "data": _base64(data)}

    def _offer(self, given: Given, _: Posted) -> dict[str, Any]:
        offer = SignOffer.from_bytes(given.binary("offer", 256))
        named = read_name(given.text("job", 80))
        answer = self._desk.cosigning.offer(given.text("keyId", 64), named, given.optional("token"), offer)
        return {"answer": _base64(answer)}

    def _finish(self, given: Given, _: Posted) -> dict[str, Any]:
        final = SignFinish.from_bytes(given.binary("finish", 64))
        named = read_name(given.text("job", 80))
        done = self._desk.cosigning.finish(given.text("keyId", 64), named, given.optional("token"), final)
        if isinstance(done, Downloaded):
            return _downloaded(done)
        if isinstance(done, LoggedIn):
            return _logged_in(done)
        return _signed(done)

    def _jobs(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        wanted = given.optional("state", 16) or "UNSIGN"
        if wanted not in JobStatus.__members__:
            raise SigningRefused("field", f"state 只能是 {'、'.join(JobStatus)}")
        found = self._desk.jobs.listed(visitor, search=given.optional("search"), status=JobStatus(wanted))
        return {"jobs": [_shown(one) for one in found]}

    def _job(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        job = self._desk.jobs.find_theirs(visitor, given.text("id")).job
        detail = _shown(self._desk.jobs.shown(job))
        return detail | {
            "data": _base64(job.data),
            "contentType": content_type(job),
            "reason": job.reason,
            "notes": job.notes,
        }

    def _refuse(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        self._desk.jobs.refuse(visitor, given.text("id"), given.optional("reason", 1000))
        return {}

    def _certificates(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given, may_update=True)
        found = self._desk.authority.of_doctor(visitor.doctor.id)
        return {"certificates": [_certificate(one) for one in found]}

    def _seal(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        self._refuse_without_seal()
        found = self._desk.seals.get(visitor.doctor)
        return {"picture": _optional(found.picture), "waiting": _optional(found.waiting)}

    def _set_seal(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        self._refuse_without_seal()
        return {"applied": self._desk.seals.set(visitor.doctor, given.binary("picture", MAX_PICTURE))}

    def _refuse_without_seal(self) -> None:
        if not self._settings.handwritten_seal:
            raise SigningRefused("seal-off", "本服务不支持手写签章")

    def _auto_sign(self, given: Given, _: Posted) -> dict[str, Any]:
        return _automatic(self._desk.automatic.get(self._visitor(given)))

    def _set_auto_sign(self, given: Given, _: Posted) -> dict[str, Any]:
        visitor = self._visitor(given)
        enabled, until = given.flag("enabled"), given.moment("until")
        return _automatic(self._desk.automatic.set(visitor, enabled=enabled, until=until))

    def _logout(self, given: Given, _: Posted) -> dict[str, Any]:
        self._desk.sessions.close(given.text("token"))
        return {}

    def _visitor(self, given: Given, *, may_update: bool = False) -> Visitor:
        return self._desk.visits.of_token(given.optional("token"), may_update=may_update)


def _limit_of(name: str) -> int:
    return _MAX_BODY + (MAX_PICTURE * 4 // 3 if name == "setSeal" else 0)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _optional(raw: bytes | None) -> str | None:
    return None if raw is None else _base64(raw)


def _downloaded(done: Downloaded) -> dict[str, Any]:
    signing, encryption = done.signing, done.encryption
    return {
        "certificate": _optional(signing.certificate),
        "encryptionCertificate": None if encryption is None else _optional(encryption.certificate),
        "state": None if signing.state is None else str(signing.state),
        "stateWords": _words(signing),
        "certificateId": signing.id,
        "token": done.token,
    }


def _logged_in(done: LoggedIn) -> dict[str, Any]:
    visitor = done.visitor
    return {
        "token": done.token,
        "user": user_of(visitor.doctor.id),
        "name": visitor.doctor.name,
        "hospital": visitor.doctor.hospital_name,
        "certificateState": str(visitor.state),
        "certificateStateWords": visitor.state.words,
    }


def _signed(done: Signed) -> dict[str, Any]:
    job = done.job
    return {
        "jobId": job.job_id,
        "signature": _base64(job.signature),
        "certificate": _base64(job.certificate),
    }


def _shown(shown: ShownJob) -> dict[str, Any]:
    job = shown.job
    return {
        "id": job.job_id,
        "title": job.title,
        "description": job.description,
        "appName": shown.app_name,
        "algorithm": ALGORITHM,
        "type": str(job.data_type),
        "createdAt": job.created_at,
        "expiresAt": job.expires_at,
        "finishedAt": job.finished_at,
        "size": shown.size,
        "state": str(job.status),
        "result": job.result,
    }


def _certificate(issued: Issued) -> dict[str, Any]:
    names: Mapping[str, str] = {}
    if issued.certificate is not None:
        parsed = certificates.parse(issued.certificate)
        names = {"subject": str(parsed.subject), "issuer": str(parsed.issuer)}
    return {
        "id": issued.id,
        "serial": issued.serial,
        "subject": names.get("subject"),
        "issuer": names.get("issuer"),
        "notBefore": issued.not_before,
        "notAfter": issued.not_after,
        "state": None if issued.state is None else str(issued.state),
        "stateWords": _words(issued),
        "profile": str(issued.profile),
    }


def _words(issued: Issued) -> str:
    return _WAITING if issued.state is None else issued.state.words


def _automatic(state: AutomaticState) -> dict[str, Any]:
    return {"enabled": state.enabled, "until": state.until, "maxMinutes": state.max_minutes}
