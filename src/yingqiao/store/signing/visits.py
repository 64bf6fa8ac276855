"""Who asks from a phone: the key, its doctor, the certificate it stands for, and what that allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from yingqiao.gm.issuing import Profile
from yingqiao.signing.certificates.states import CertificateState
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.joined import Part, labelled
from yingqiao.store.schema import doctors, hospitals, login_sessions, personal_certificates, shared_keys
from yingqiao.store.signing.authority import CertificateAuthority, Issued
from yingqiao.store.signing.doctors import Doctor, Doctors
from yingqiao.store.signing.logins import token_digest
from yingqiao.store.signing.shared_keys import SharedKey, key_of, user_of

_WHO = "phone:"
_REFUSALS = {
    CertificateState.REVOKED: ("certificate-revoked", "证书已吊销，请重新下载证书"),
    CertificateState.EXPIRED: ("certificate-expired", "证书已过期且不可更新，请重新下载证书"),
    CertificateState.RENEWABLE: ("certificate-renewable", "证书已过期，请先更新证书"),
    CertificateState.NOT_YET: ("certificate-not-yet", "证书尚未生效"),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """A doctor with a phone whose key has a certificate. `state` is that of the certificate now."""

    doctor: Doctor
    key: SharedKey
    issued: Issued
    state: CertificateState

    @property
    def signer(self) -> str:
        """The name jobs know the doctor by (msspId)."""
        return signer_of(self.doctor)


def signer_of(doctor: Doctor) -> str:
    return doctor.user_id or user_of(doctor.id)


def refuse_unusable(state: CertificateState, *, may_update: bool = False) -> None:
    """Raises SigningRefused unless one may sign with it, or, with `may_update`, at least renew it (annex 7)."""
    if state.is_usable or (may_update and state.may_be_updated):
        return
    raise SigningRefused(*_REFUSALS[state])


class Visits:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key.

    One statement reads all a visit stands on, each time anew: what was ended, revoked or disabled counts at once.
    """

    def __init__(
        self,
        database: Database,
        doctors: Doctors,
        authority: CertificateAuthority,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._doctors = doctors
        self._authority = authority
        self._now_ms = now_ms

    def of_token(self, token: str, *, may_update: bool = False) -> Visitor:
        """Who is logged in. A certificate that ended since ends the visit."""
        with self._database.read() as connection:
            return self.of_token_in(connection, token, may_update=may_update)

    def of_token_in(self, connection: Connection, token: str, *, may_update: bool = False) -> Visitor:
        """As `of_token`, in the caller's transaction."""
        given = {"digest": token_digest(token), "now": self._now_ms()}
        row = connection.execute(_BY_TOKEN, given).first()
        if row is None:
            raise SigningRefused("token", "登录已失效，请重新登录")
        return self._visitor(row, may_update=may_update)

    def of_key(self, key_id: str, *, may_update: bool = False) -> Visitor:
        """Whose key it is, with a certificate that may be used."""
        with self._database.read() as connection:
            return self.of_key_in(connection, key_id, may_update=may_update)

    def of_key_in(self, connection: Connection, key_id: str, *, may_update: bool = False) -> Visitor:
        """As `of_key`, in the caller's transaction."""
        row = connection.execute(_BY_KEY, {"key": key_id}).first()
        if row is None:
            raise SigningRefused("no-key", "没有这个密钥，请重新下载证书")
        return self._visitor(row, may_update=may_update)

    def certificate_of(self, key_id: str) -> Issued | None:
        """The signing certificate over a shared key."""
        with self._database.read() as connection:
            row = connection.execute(_CERTIFICATE, {"key": key_id}).first()
        return None if row is None else self._authority.read(row)

    def _visitor(self, row: Row[Any], *, may_update: bool) -> Visitor:
        doctor, key = self._doctors.read(Part(row, "doctor")), key_of(Part(row, "key"))
        if doctor.disabled:
            raise SigningRefused("disabled", "账号已停用，请联系管理员")
        if row.certificate_id is None:
            raise SigningRefused("no-certificate", "证书尚未下载完成，请重新下载")
        issued = self._authority.read(Part(row, "certificate"))
        if issued.state is None:
            raise SigningRefused("certificate-waiting", "证书尚未生成，请等待证书导入")
        refuse_unusable(issued.state, may_update=may_update)
        if key.erased_at is not None or _is_replaced(row):
            raise SigningRefused("certificate-replaced", "证书已被新的证书代替，请使用新证书或重新下载")
        return Visitor(doctor, key, issued, issued.state)


def _is_replaced(row: Row[Any]) -> bool:
    """One that waits for import replaces nothing yet."""
    return row.newer_not_after is not None or row.newer_revoked_at is not None


def who_of(key_id: str) -> str:
    """The session of a phone; not one of the self-service page, which a password opens."""
    return _WHO + key_id


_newer = personal_certificates.alias("newer")
_OF_KEY = (
    (personal_certificates.c.doctor_id == shared_keys.c.doctor_id)  # the index is over doctors
    & (personal_certificates.c.key_id == shared_keys.c.id)
    & (personal_certificates.c.profile == str(Profile.SIGNING))
)
_VISIT: Select[Any] = (
    select(
        *labelled(shared_keys, "key"),
        *labelled(doctors, "doctor"),
        hospitals.c.name.label("doctor_hospital_name"),
        *labelled(personal_certificates, "certificate"),
        _newer.c.not_after.label("newer_not_after"),
        _newer.c.revoked_at.label("newer_revoked_at"),
    )
    .join_from(shared_keys, doctors, doctors.c.id == shared_keys.c.doctor_id)
    .join(hospitals, hospitals.c.code == doctors.c.hospital_code)
    .outerjoin(personal_certificates, _OF_KEY)
    .outerjoin(_newer, _newer.c.id == personal_certificates.c.replaced_by)
    .order_by(personal_certificates.c.id.desc())
    .limit(1)
)
_BY_KEY = _VISIT.where(shared_keys.c.id == bindparam("key"))
_BY_TOKEN = _VISIT.join(
    login_sessions, shared_keys.c.id == func.substr(login_sessions.c.who, len(_WHO) + 1)
).where(
    login_sessions.c.digest == bindparam("digest"),
    login_sessions.c.expires_at > bindparam("now"),
    login_sessions.c.who.startswith(_WHO),
)
_CERTIFICATE = (
    select(personal_certificates)
    .join(shared_keys, _OF_KEY)
    .where(shared_keys.c.id == bindparam("key"))
    .order_by(personal_certificates.c.id.desc())
    .limit(1)
)
