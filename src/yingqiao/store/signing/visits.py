"""Who asks from a phone: the key, its doctor, the certificate it stands for, and what that allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from yingqiao.gm.issuing import Profile
from yingqiao.signing.certificates.states import CertificateState
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.schema import personal_certificates
from yingqiao.store.signing.authority import CertificateAuthority, Issued
from yingqiao.store.signing.doctors import Doctor, Doctors
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.shared_keys import SharedKey, SharedKeys, user_of

_WHO = "phone"
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
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key."""

    def __init__(
        self,
        database: Database,
        doctors: Doctors,
        keys: SharedKeys,
        authority: CertificateAuthority,
        sessions: Sessions,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._doctors = doctors
        self._keys = keys
        self._authority = authority
        self._sessions = sessions
        self._now_ms = now_ms

    def of_token(self, token: str, *, may_update: bool = False) -> Visitor:
        """Who is logged in. A certificate that ended since ends the visit."""
        who = self._sessions.who(token, self._now_ms()) or ""
        kind, _, key_id = who.partition(":")
        if kind != _WHO:
            raise SigningRefused("token", "登录已失效，请重新登录")
        return self.of_key(key_id, may_update=may_update)

    def of_key(self, key_id: str, *, may_update: bool = False) -> Visitor:
        """Whose key it is, with a certificate that may be used."""
        key = self._keys.get(key_id)
        doctor = self._doctors.get(key.doctor_id)
        if doctor.disabled:
            raise SigningRefused("disabled", "账号已停用，请联系管理员")
        issued = self.certificate_of(key_id)
        if issued is None:
            raise SigningRefused("no-certificate", "证书尚未下载完成，请重新下载")
        if issued.state is None:
            raise SigningRefused("certificate-waiting", "证书尚未生成，请等待证书导入")
        refuse_unusable(issued.state, may_update=may_update)
        if key.erased_at is not None or self._is_replaced(issued):
            raise SigningRefused("certificate-replaced", "证书已被新的证书代替，请使用新证书或重新下载")
        return Visitor(doctor, key, issued, issued.state)

    def certificate_of(self, key_id: str) -> Issued | None:
        """The signing certificate over a shared key."""
        c = personal_certificates.c
        mine = (c.key_id == key_id) & (c.profile == str(Profile.SIGNING))
        with self._database.read() as connection:
            found = connection.scalar(select(c.id).where(mine).order_by(c.id.desc()).limit(1))
        return None if found is None else self._authority.get(found)

    def _is_replaced(self, issued: Issued) -> bool:
        """One that waits for import replaces nothing yet."""
        return issued.replaced_by is not None and self._authority.get(issued.replaced_by).state is not None


def who_of(key_id: str) -> str:
    """The session of a phone; not one of the self-service page, which a password opens."""
    return f"{_WHO}:{key_id}"
