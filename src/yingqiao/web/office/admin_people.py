"""Staff, doctors, certificates and the CA on the administration page."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from yingqiao.gm import certificates
from yingqiao.gm.crl import Reason
from yingqiao.signing.certificates.identity import masked_id_number, masked_mobile
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds
from yingqiao.store.signing.doctors import Doctor
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.revocation_lists import Standing
from yingqiao.store.signing.staff import Account, Role
from yingqiao.web.office.door import Asked, Came, Door, TurnedAway, audit, audited, need_staff, staff_of
from yingqiao.web.office.files import csv_file
from yingqiao.web.office.self_service import certificate_shown

REASONS = (
    Reason.UNSPECIFIED,
    Reason.KEY_COMPROMISE,
    Reason.AFFILIATION_CHANGED,
    Reason.SUPERSEDED,
    Reason.CESSATION_OF_OPERATION,
    Reason.PRIVILEGE_WITHDRAWN,
)
REASON_NAMES = {reason.name.lower().replace("_", "-"): reason for reason in REASONS}
"""As commands have them."""
_DOCTORS = {
    "id": "编号",
    "hospitalName": "医疗机构",
    "name": "姓名",
    "department": "科室",
    "title": "职称",
    "userId": "工号",
    "idNumber": "身份证号",
    "mobile": "手机号",
    "sampled": "已采样",
    "disabled": "停用",
    "createdAt": "登记时间",
}
_CERTIFICATES = {
    "id": "编号",
    "hospitalName": "医疗机构",
    "doctor": "医师",
    "profileWords": "种类",
    "serial": "序列号",
    "notBefore": "生效时间",
    "notAfter": "到期时间",
    "stateWords": "状态",
    "replaced": "已换新",
    "revocationWords": "吊销原因",
}
_STAFF = {
    "name": "账号",
    "roleWords": "角色",
    "hospital": "医疗机构",
    "mustChange": "须改口令",
    "disabled": "停用",
    "createdAt": "建立时间",
}


def people_routes(office: Office, door: Door) -> list[BaseRoute]:
    people = AdminPeople(office)
    root = "/web/api/admin"
    return [
        door.get(f"{root}/session", people.session),
        door.post(f"{root}/login", people.log_in, tries=True),
        door.post(f"{root}/password", people.set_password, tries=True),
        door.post(f"{root}/logout", people.log_out),
        door.get(f"{root}/hospitals", people.hospitals),
        door.get(f"{root}/doctors", people.doctors),
        door.get(f"{root}/doctors.csv", people.doctors_csv),
        door.post(f"{root}/doctors/{{id:int}}/{{act}}", people.change_doctor, tries=True),
        door.get(f"{root}/certificates", people.certificates),
        door.get(f"{root}/certificates.csv", people.certificates_csv),
        door.post(f"{root}/certificates/{{id:int}}/revoke", people.revoke),
        door.get(f"{root}/staff", people.staff),
        door.get(f"{root}/staff.csv", people.staff_csv),
        door.post(f"{root}/staff", people.add_staff, tries=True),
        door.post(f"{root}/staff/{{name}}/{{act}}", people.change_staff, tries=True),
        door.get(f"{root}/authority", people.authority),
    ]


class AdminPeople:
    """Handlers of the door."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def session(self, asked: Asked) -> dict[str, Any]:
        account = staff_of(self._office, asked)
        return {"account": account_shown(account) if account else None}

    def log_in(self, asked: Asked) -> Came:
        account, token = self._office.staff.log_in(asked.text("name").strip(), asked.text("password"))
        audit("staff.login", account.name, hospital=account.hospital_code or "")
        return Came({"account": account_shown(account)}, token)

    def set_password(self, asked: Asked) -> Came:
        account = need_staff(self._office, asked, changed=False)
        old, new = asked.text("old"), asked.text("new")
        self._office.staff.log_in(account.name, old)
        if old == new:
            raise SigningRefused("password-same", "新口令不能与原口令相同")
        self._office.staff.set_password(account.name, new, by_themselves=True)
        audit("staff.password", account.name)
        token = self._office.sessions.open(f"staff:{account.name}", self._office.now_ms())
        return Came({"account": account_shown(self._office.staff.get(account.name))}, token)

    def log_out(self, asked: Asked) -> Came:
        self._office.sessions.close(asked.token)
        return Came({"account": None}, "")

    def hospitals(self, asked: Asked) -> list[dict[str, str]]:
        account = need_staff(self._office, asked)
        return [
            {"code": one.code, "name": one.name}
            for one in self._office.hospitals.list()
            if account.hospital_code in (None, one.code)
        ]

    def doctors(self, asked: Asked) -> list[dict[str, Any]]:
        account = need_staff(self._office, asked)
        return [doctor_shown(one) for one in self._office.doctors.list(account.hospital_code)]

    def doctors_csv(self, asked: Asked) -> Response:
        return csv_file(self.doctors(asked), _DOCTORS, "doctors")

    def change_doctor(self, asked: Asked) -> dict[str, Any]:
        """reset-password, disable or enable."""
        account = need_staff(self._office, asked, Role.ADMIN)
        doctor = self._doctor(account, asked.path["id"])
        act, doctors = asked.path["act"], self._office.doctors
        if act == "reset-password":
            doctors.reset_password(doctor.id)
        elif act in ("disable", "enable"):
            doctors.set_disabled(doctor.id, disabled=act == "disable")
        else:
            raise TurnedAway(404, "not-found", "没有这个操作")
        audit(f"doctor.{act}", account.name, doctor.id, doctor.hospital_code)
        return doctor_shown(doctors.get(doctor.id))

    def certificates(self, asked: Asked) -> list[dict[str, Any]]:
        account = need_staff(self._office, asked)
        seen = {one.id: one for one in self._office.doctors.list(account.hospital_code)}
        return [
            certificate_shown(one)
            | {"doctor": seen[one.doctor_id].name, "hospitalName": seen[one.doctor_id].hospital_name}
            for one in self._office.authority.list()
            if one.doctor_id in seen
        ]

    def certificates_csv(self, asked: Asked) -> Response:
        return csv_file(self.certificates(asked), _CERTIFICATES, "certificates")

    def revoke(self, asked: Asked) -> dict[str, Any]:
        account = need_staff(self._office, asked, Role.ADMIN)
        number, reason = asked.path["id"], asked.body.get("reason")
        if not isinstance(reason, int) or reason not in tuple(REASONS):
            raise TurnedAway(400, "bad-request", "没有这个吊销原因")
        one = self._office.authority.get(number if number < 2**31 else 0)
        doctor = self._doctor(account, one.doctor_id)
        with audited("certificate.revoke", account.name, one.id, doctor.hospital_code):
            revoked = self._office.authority.revoke(one.id, Reason(reason))
        return certificate_shown(revoked)

    def staff(self, asked: Asked) -> list[dict[str, Any]]:
        account = need_staff(self._office, asked, Role.ADMIN)
        return [
            account_shown(one)
            for one in self._office.staff.list()
            if account.hospital_code in (None, one.hospital_code)
        ]

    def staff_csv(self, asked: Asked) -> Response:
        return csv_file(self.staff(asked), _STAFF, "staff")

    def add_staff(self, asked: Asked) -> dict[str, Any]:
        account = need_staff(self._office, asked, Role.ADMIN)
        name, role = asked.text("name").strip(), asked.text("role")
        if role not in tuple(Role):
            raise TurnedAway(400, "bad-request", "没有这个角色")
        hospital = account.hospital_code or asked.text("hospital", 64) or None
        self._office.staff.add(name, Role(role), asked.text("password"), hospital)
        audit("staff.add", account.name, name, hospital or "")
        return account_shown(self._office.staff.get(name))

    def change_staff(self, asked: Asked) -> dict[str, Any]:
        """disable, enable or password. Nobody shuts themselves out."""
        account = need_staff(self._office, asked, Role.ADMIN)
        other, act = self._office.staff.get(asked.path["name"]), asked.path["act"]
        if account.hospital_code not in (None, other.hospital_code):
            raise SigningRefused("no-account", f"没有账号 {other.name}")
        if other.name == account.name:
            raise SigningRefused("self", "不能对自己的账号做此操作")
        if act == "password":
            self._office.staff.set_password(other.name, asked.text("password"), by_themselves=False)
        elif act in ("disable", "enable"):
            self._office.staff.set_disabled(other.name, disabled=act == "disable")
        else:
            raise TurnedAway(404, "not-found", "没有这个操作")
        audit(f"staff.{act}", account.name, other.name)
        return account_shown(self._office.staff.get(other.name))

    def authority(self, asked: Asked) -> dict[str, Any]:
        need_staff(self._office, asked, Role.ADMIN)
        return authority_shown(self._office)

    def _doctor(self, account: Account, number: int) -> Doctor:
        doctor = self._office.doctors.get(number if number < 2**31 else 0)
        if account.hospital_code not in (None, doctor.hospital_code):
            raise SigningRefused("no-doctor", "没有这位医师")
        return doctor


def authority_shown(office: Office) -> dict[str, Any]:
    """The CA that issues now, and those before. Raises SigningRefused when there is none."""
    current = office.authority.current()
    standing = {one.id: one for one in office.authority.lists.standing()}
    own = standing.pop(current.id)
    return {
        "id": current.id,
        "name": current.name,
        "mode": "online" if current.authority else "offline",
        "modeWords": "在线签发" if current.authority else "离线：导入别处签发的证书",
        "subject": str(current.certificate.subject),
        "serial": current.certificate.serial_hex,
        "notBefore": milliseconds(current.certificate.not_before),
        "notAfter": milliseconds(current.certificate.not_after),
        "crlUrl": _list_address(office, own),
        "crlNextUpdate": own.next_update,
        "waiting": len(office.authority.waiting_requests()),
        "imports": any(not one.here for one in (own, *standing.values())),
        "earlier": [_earlier_shown(office, one) for one in reversed(standing.values())],
    }


def _earlier_shown(office: Office, one: Standing) -> dict[str, Any]:
    certificate = certificates.parse(one.certificate)
    lists = "继续发布" if one.publishes else "不再需要" if one.here else "由别处的 CA 发布，请导入"
    return {
        "id": one.id,
        "subject": str(certificate.subject),
        "serial": certificate.serial_hex,
        "trusted": one.withdrawn_at is None,
        "trustedWords": "受信任" if one.withdrawn_at is None else "不再信任",
        "lists": lists,
        "crlUrl": _list_address(office, one),
        "crlNextUpdate": one.next_update,
        "lastEnd": one.last_end,
    }


def _list_address(office: Office, one: Standing) -> str:
    return f"{office.public_url}/crl/{one.id}.crl" if office.public_url and one.here else ""


def account_shown(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role.value,
        "roleWords": account.role.words,
        "hospital": account.hospital_code or "",
        "mustChange": account.must_change,
        "lockedUntil": account.locked_until,
        "disabled": account.disabled,
        "createdAt": account.created_at,
    }


def doctor_shown(doctor: Doctor) -> dict[str, Any]:
    """Numbers masked."""
    return {
        "id": doctor.id,
        "hospital": doctor.hospital_code,
        "hospitalName": doctor.hospital_name,
        "name": doctor.name,
        "department": doctor.department,
        "title": doctor.title,
        "userId": doctor.user_id or "",
        "idNumber": masked_id_number(doctor.id_number),
        "mobile": masked_mobile(doctor.mobile),
        "sampled": doctor.sample is not None,
        "mustChange": doctor.must_change,
        "disabled": doctor.disabled,
        "createdAt": doctor.created_at,
    }
