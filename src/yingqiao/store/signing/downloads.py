"""A certificate comes to a phone: key made, request signed by both sides, certificates issued.

The activation code is only looked at when the key is made; it is redeemed in the transaction that issues, so a phone
that fails on the way may try again with the same code. A renewal goes the same way by the old certificate's token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from yingqiao.gm import csr, sm2
from yingqiao.gm.issuing import Profile
from yingqiao.gm.key_share import KeyOffer
from yingqiao.gm.signatures import sm2_key
from yingqiao.signing.certificates.activation import code_digest
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.phone import request_subject
from yingqiao.store.database import Database
from yingqiao.store.schema import cooperative_attempts, key_requests, shared_keys
from yingqiao.store.signing.activations import Activations
from yingqiao.store.signing.authority import CertificateAuthority, Issued
from yingqiao.store.signing.doctors import Doctor, Doctors
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.shared_keys import SharedKeys
from yingqiao.store.signing.visits import Visitor, who_of

REQUEST_MS = 30 * 60 * 1000
MOST_REQUESTS = 5
"""Keys of one doctor that wait to be signed for; the oldest gives way."""


@dataclass(frozen=True, slots=True, repr=False)
class MadeKey:
    """`answer` is the KeyAnswer's 129 bytes, `info` what both sides sign."""

    key_id: str
    answer: bytes
    info: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Downloaded:
    """What the phone gets at the end; `token` is None while the certificate waits for import."""

    signing: Issued
    encryption: Issued | None
    token: str | None


class Downloads:
    """Safe from any thread. Methods raise SigningRefused, CooperativeError, StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        doctors: Doctors,
        activations: Activations,
        keys: SharedKeys,
        authority: CertificateAuthority,
        sessions: Sessions,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._doctors = doctors
        self._activations = activations
        self._keys = keys
        self._authority = authority
        self._sessions = sessions
        self._now_ms = now_ms

    def look(self, code: str) -> Doctor:
        """Whose activation code it is."""
        doctor = self._doctors.get(self._activations.look(code))
        if doctor.disabled:
            raise SigningRefused("disabled", "账号已停用，请联系管理员")
        return doctor

    def make_key(self, code: str, device: str, session: str, offer: KeyOffer) -> MadeKey:
        """A key for whoever holds an activation code."""
        return self._make(self.look(code), code_digest(code), device, session, offer)

    def make_renewal(self, visitor: Visitor, device: str, session: str, offer: KeyOffer) -> MadeKey:
        """A key to take the place of the visitor's, whose certificate nears its end or ended less than a month ago."""
        if not visitor.state.may_be_updated:
            raise SigningRefused("not-renewable", f"证书{visitor.state.words}，不需要更新")
        return self._make(visitor.doctor, None, device, session, offer)

    def info_of(self, connection: Connection, key_id: str) -> bytes:
        """What is to be signed for this key."""
        return bytes(self._waiting(connection, key_id).info)

    def issue(
        self, connection: Connection, key_id: str, public: sm2.PublicKey, signature: bytes
    ) -> str | None:
        """Both sides signed: the request verified, the code redeemed, the certificates issued, the doctor's other keys
        erased, the phone logged in; in the caller's transaction. The token.
        """
        row = self._waiting(connection, key_id)
        request = csr.assembled(bytes(row.info), signature)
        parsed = csr.parse(request)
        if not parsed.proof().valid or parsed.key.point != public.point:
            raise SigningRefused("request", "证书申请的签名验证不通过")
        if row.activation is not None:
            self._activations.redeem_digest(connection, bytes(row.activation))
        made = self._authority.issue_pair(
            connection, self._doctors.get(row.doctor_id), key_id, public, request
        )
        connection.execute(delete(key_requests).where(key_requests.c.key_id == key_id))
        _forget_attempts(connection, key_id)
        if not self._authority.is_issued(connection, made[0]):
            return None
        self._keys.erase_others(connection, row.doctor_id, key_id)
        return self._sessions.open_in(connection, who_of(key_id), self._now_ms())

    def downloaded(self, issued: Issued, token: str | None) -> Downloaded:
        """What the phone is told of an issued certificate."""
        pair = self._authority.of_doctor(issued.doctor_id, Profile.ENCRYPTION)
        encryption = next((one for one in pair if one.key_id == f"{issued.key_id}-e"), None)
        return Downloaded(issued, encryption, token)

    def _make(
        self, doctor: Doctor, activation: bytes | None, device: str, session: str, offer: KeyOffer
    ) -> MadeKey:
        self._authority.current()
        now = self._now_ms()
        with self._database.write() as connection:
            self._forget_old(connection, doctor.id, now)
            key_id, answer = self._keys.make(connection, doctor.id, device, offer, session)
            info = csr.unsigned(request_subject(doctor.name, doctor.hospital_name), sm2_key(answer.public))
            row = {
                "key_id": key_id,
                "doctor_id": doctor.id,
                "activation": activation,
                "info": info,
                "expires_at": now + REQUEST_MS,
            }
            connection.execute(insert(key_requests).values(row))
        return MadeKey(key_id, answer.to_bytes(), info)

    def _waiting(self, connection: Connection, key_id: str) -> Row[Any]:
        row = connection.execute(select(key_requests).where(key_requests.c.key_id == key_id)).first()
        if row is None or row.expires_at <= self._now_ms():
            raise SigningRefused("no-request", "没有等待签名的证书申请，请重新下载证书")
        return row

    def _forget_old(self, connection: Connection, doctor_id: int, now: int) -> None:
        """Keys that never came to a certificate: out of time, and more than a doctor may have open."""
        c = key_requests.c
        mine = select(c.key_id, c.expires_at).where(c.doctor_id == doctor_id).order_by(c.expires_at.desc())
        rows = connection.execute(mine).all()
        gone = [row.key_id for row in rows if row.expires_at <= now]
        gone += [row.key_id for row in rows if row.expires_at > now][MOST_REQUESTS - 1 :]
        for key_id in gone:
            connection.execute(delete(key_requests).where(c.key_id == key_id))
            _forget_attempts(connection, key_id)
            connection.execute(delete(shared_keys).where(shared_keys.c.id == key_id))


def _forget_attempts(connection: Connection, key_id: str) -> None:
    connection.execute(delete(cooperative_attempts).where(cooperative_attempts.c.key_id == key_id))
