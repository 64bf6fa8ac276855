"""Self-service of doctors (四(二)4, 用户自助激活证书): log in, set a password, get the activation QR, see certificates."""

from __future__ import annotations

from typing import Any

from starlette.routing import BaseRoute

from yingqiao.signing import qr
from yingqiao.signing.certificates.activation import qr_text
from yingqiao.signing.certificates.identity import masked_mobile
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.signing.authority import Issued
from yingqiao.store.signing.doctors import Doctor
from yingqiao.store.signing.office import Office
from yingqiao.web.office.door import Asked, Came, Door, audit, doctor_of, need_doctor

PROFILES = {"signing": "签名证书", "encryption": "加密证书", "automatic": "自动签名证书"}
WAITING = "证书尚未生成，请等待证书导入"


def self_service_routes(office: Office, door: Door) -> list[BaseRoute]:
    service = SelfService(office)
    return [
        door.get("/web/api/self/session", service.session),
        door.post("/web/api/self/login", service.log_in, tries=True),
        door.post("/web/api/self/password", service.set_password, tries=True),
        door.post("/web/api/self/logout", service.log_out),
        door.post("/web/api/self/activation", service.activation),
        door.get("/web/api/self/certificates", service.certificates),
    ]


class SelfService:
    """Handlers of the door."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def session(self, asked: Asked) -> dict[str, Any]:
        doctor = doctor_of(self._office, asked)
        return {"doctor": _shown(doctor) if doctor else None}

    def log_in(self, asked: Asked) -> Came:
        doctor, token = self._office.doctors.log_in(asked.text("mobile").strip(), asked.text("password"))
        audit("self.login", f"doctor:{doctor.id}", hospital=doctor.hospital_code)
        return Came({"doctor": _shown(doctor)}, token)

    def set_password(self, asked: Asked) -> Came:
        """The old one is asked for again, forced or not: a page left open is not enough."""
        doctor = need_doctor(self._office, asked, changed=False)
        old, new = asked.text("old"), asked.text("new")
        self._office.doctors.log_in(doctor.mobile, old)
        if old == new:
            raise SigningRefused("password-same", "新口令不能与原口令相同")
        self._office.doctors.set_password(doctor.id, new)
        audit("self.password", f"doctor:{doctor.id}", hospital=doctor.hospital_code)
        token = self._office.sessions.open(f"doctor:{doctor.id}", self._office.now_ms())
        return Came({"doctor": _shown(self._office.doctors.get(doctor.id))}, token)

    def log_out(self, asked: Asked) -> Came:
        self._office.sessions.close(asked.token)
        return Came({"doctor": None}, "")

    def activation(self, asked: Asked) -> dict[str, Any]:
        """A new code; earlier ones of the doctor end."""
        doctor = need_doctor(self._office, asked)
        code, expires_at = self._office.activations.give(doctor.id)
        audit("self.activation", f"doctor:{doctor.id}", hospital=doctor.hospital_code)
        base = self._office.phone_url or asked.base
        text = activation_text(base, code)
        given = {"code": code, "expiresAt": expires_at, "phoneUrl": f"{base}/phone/"}
        return given | {"qrText": text, "qrPng": qr.picture_of(text)}

    def certificates(self, asked: Asked) -> list[dict[str, Any]]:
        doctor = need_doctor(self._office, asked)
        return [certificate_shown(one) for one in self._office.authority.of_doctor(doctor.id)]


def activation_text(base: str, code: str) -> str:
    """What the QR code of an activation says (annex 7, rows 3 and 12)."""
    return qr_text(base.rstrip("/") + qr.SERVICE_INFO, code)


def certificate_shown(one: Issued) -> dict[str, Any]:
    """A certificate as lists show it."""
    return {
        "id": one.id,
        "profile": one.profile.value,
        "profileWords": PROFILES.get(one.profile.value, one.profile.value),
        "serial": one.serial,
        "notBefore": one.not_before,
        "notAfter": one.not_after,
        "state": one.state.value if one.state else "waiting",
        "stateWords": one.state.words if one.state else WAITING,
        "replaced": one.replaced_by is not None,
        "revokedAt": one.revoked_at,
        "revocationWords": one.revocation.words if one.revocation is not None else "",
    }


def _shown(doctor: Doctor) -> dict[str, Any]:
    return {
        "name": doctor.name,
        "hospital": doctor.hospital_name,
        "department": doctor.department,
        "mobile": masked_mobile(doctor.mobile),
        "mustChange": doctor.must_change,
    }
