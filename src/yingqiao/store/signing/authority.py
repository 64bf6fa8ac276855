"""The built-in CA as kept: its key, what it issued and revoked. Offline, others issue for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from yingqiao.gm import certificates, crl, csr, names, oids, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.keystore import MasterKey
from yingqiao.gm.signatures import SubjectKey, sm2_key
from yingqiao.signing.certificates.authority import (
    IssuingRule,
    Subject,
    doctor_certificate,
    root_certificate,
)
from yingqiao.signing.certificates.states import CertificateState, state_of
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.private_keys import SOFTWARE, HeldKey, PrivateKeys, Purpose
from yingqiao.store.database import Database
from yingqiao.store.joined import Part
from yingqiao.store.schema import (
    authorities,
    personal_certificates,
)
from yingqiao.store.signing.doctors import Doctor
from yingqiao.store.signing.revocation_lists import RevocationLists
from yingqiao.store.trust import tell_changed

CA_KEY = "ca key"
ENCRYPTION_KEY = "encryption key"
AUTOMATIC_KEY = "automatic key"


@dataclass(frozen=True, slots=True)
class CurrentAuthority:
    """The CA that issues now; `authority` is None in offline mode, where an administrator imports certificates."""

    id: int
    name: str
    certificate: Certificate
    authority: Authority | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A person's certificate, or the wait for one. `state` None: 证书尚未生成，请等待证书导入."""

    id: int
    doctor_id: int
    profile: Profile
    key_id: str
    serial: str | None
    certificate: bytes | None
    not_before: int | None
    not_after: int | None
    revoked_at: int | None
    revocation: crl.Reason | None
    replaced_by: int | None
    state: CertificateState | None


class CertificateAuthority:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key;
    those that sign DeviceError, when the CA's key is in a device.
    """

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        rule: IssuingRule,
        now_ms: Callable[[], int],
        keys: PrivateKeys = SOFTWARE,
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._rule = rule
        self._now_ms = now_ms
        self._keys = keys
        self.lists = RevocationLists(database, lambda row: self._open(row).authority, now_ms)
        """Of every CA there was."""

    def start(self, name: str) -> CurrentAuthority:
        """A new root with its key under the master key; it becomes the current one. Earlier ones stay for what they issued,
        so the name gets a number where one has it: lists are told apart by their issuer's name.
        """
        private, name = self._keys.make(Purpose.CA), self._distinct(name)
        certificate = root_certificate(name, private.subject_key, private.signer, self._now())
        self.lists.publish(self._keep(name, certificate, self._master_key.seal(private.handle, CA_KEY)))
        return self.current()

    def start_offline(self, certificate: bytes) -> CurrentAuthority:
        """A CA elsewhere issues; its certificate says for whom requests are collected. Raises CertificateError."""
        read = certificates.parse(certificate)
        if not read.is_ca:
            raise SigningRefused("not-ca", "这不是 CA 证书")
        self._keep(read.subject.common_name, certificate, None)
        return self.current()

    def exists(self) -> bool:
        """Whether there is a CA that issues now."""
        with self._database.read() as connection:
            return connection.scalar(select(authorities.c.id).where(authorities.c.current)) is not None

    def current(self) -> CurrentAuthority:
        with self._database.read() as connection:
            row = connection.execute(select(authorities).where(authorities.c.current)).first()
        if row is None:
            raise SigningRefused("no-authority", "还没有建立 CA：请运行 yingqiao ca init")
        return self._open(row)

    def issuing(self, connection: Connection) -> CurrentAuthority:
        """As `current`, in the caller's transaction."""
        row = connection.execute(select(authorities).where(authorities.c.current)).first()
        if row is None:
            raise SigningRefused("no-authority", "还没有建立 CA：请联系管理员")
        return self._open(row)

    def issue_pair(
        self, connection: Connection, doctor: Doctor, key_id: str, public: sm2.PublicKey, request: bytes
    ) -> Sequence[int]:
        """The signing certificate over the shared key and an encryption certificate over a key made here; earlier ones of
        the doctor are replaced by them. In offline mode both wait for import. Their ids.
        """
        current = self.issuing(connection)
        encryption = sm2.generate()
        pair = (
            (Profile.SIGNING, key_id, public, request, None),
            (
                Profile.ENCRYPTION,
                f"{key_id}-e",
                encryption.public(),
                None,
                self._master_key.seal(encryption.to_pkcs8(), ENCRYPTION_KEY),
            ),
        )
        made = []
        for profile, key, point, asked, sealed in pair:
            der = self._certify(current, profile, doctor, sm2_key(point.point))
            values = {
                "doctor_id": doctor.id,
                "profile": str(profile),
                "key_id": key,
                "request": asked,
                "sealed": sealed,
                "authority_id": current.id,
                "created_at": self._now_ms(),
                **_certificate_columns(der),
            }
            inserted = connection.execute(insert(personal_certificates).values(values)).inserted_primary_key
            new = int(inserted[0]) if inserted else 0
            self._replace(connection, doctor.id, profile, new)
            made.append(new)
        return made

    def issue_automatic(self, connection: Connection, doctor: Doctor) -> int:
        """A certificate over a key of its own that the server signs with by itself (annex 7, row 19); its id. The
        phone's key has no part in it. In offline mode it waits for import like the others.
        """
        current, private = self.issuing(connection), self._keys.make(Purpose.AUTOMATIC)
        key = private.subject_key
        subject = names.build([(oids.COMMON_NAME, doctor.name)])
        values = {
            "doctor_id": doctor.id,
            "profile": str(Profile.AUTOMATIC),
            "key_id": f"a-{secrets.token_hex(12)}",
            "request": csr.build(subject, key, private.signer),
            "sealed": self._master_key.seal(private.handle, AUTOMATIC_KEY),
            "authority_id": current.id,
            "created_at": self._now_ms(),
            **_certificate_columns(self._certify(current, Profile.AUTOMATIC, doctor, key)),
        }
        inserted = connection.execute(insert(personal_certificates).values(values)).inserted_primary_key
        new = int(inserted[0]) if inserted else 0
        self._replace(connection, doctor.id, Profile.AUTOMATIC, new)
        return new

    def automatic_key(self, certificate_id: int) -> HeldKey:
        """The key behind an automatic certificate."""
        where = (personal_certificates.c.id == certificate_id) & (
            personal_certificates.c.profile == str(Profile.AUTOMATIC)
        )
        with self._database.read() as connection:
            sealed = connection.scalar(select(personal_certificates.c.sealed).where(where))
        if sealed is None:
            raise SigningRefused("no-certificate", f"没有证书 {certificate_id}")
        return self._keys.open(self._master_key.unseal(sealed, AUTOMATIC_KEY))

    def import_certificate(self, der: bytes) -> Issued:
        """A certificate made elsewhere for a request of ours (离线): found by its key. The CA may be one that has issued for
        us before: the request may have waited for it. Raises CertificateError.
        """
        read = certificates.parse(der)
        with self._database.write() as connection:
            issuer = _issuer(connection, read)
            for row in connection.execute(_PERSONAL.where(personal_certificates.c.certificate.is_(None))):
                if _key_of(row, self._master_key) == read.key.point:
                    where = personal_certificates.c.id == row.id
                    values = _certificate_columns(der) | {"authority_id": issuer}
                    connection.execute(update(personal_certificates).where(where).values(values))
                    return self.read(connection.execute(_PERSONAL.where(where)).one())
        raise SigningRefused("no-request", "没有与该证书公钥相符、正在等待导入的申请")

    def distrust(self, authority_id: int) -> None:
        """What an earlier CA issued is no longer trusted here, as when its key was stolen; for ever. Its lists go on."""
        with self._database.write() as connection:
            row = connection.execute(select(authorities).where(authorities.c.id == authority_id)).first()
            if row is None:
                raise SigningRefused("no-authority", f"没有 CA {authority_id}")
            if row.current:
                raise SigningRefused("current", "这是正在签发的 CA：请先用 yingqiao ca init --renew 另建一个")
            if row.withdrawn_at is not None:
                raise SigningRefused("withdrawn", f"CA {authority_id} 已不受信任")
            where = authorities.c.id == authority_id
            connection.execute(update(authorities).where(where).values(withdrawn_at=self._now_ms()))
            tell_changed(connection)

    def waiting_requests(self) -> list[tuple[int, bytes]]:
        """Requests (PKCS#10) that wait for a certificate: id and DER."""
        waiting = personal_certificates.c.certificate.is_(None) & personal_certificates.c.request.is_not(None)
        with self._database.read() as connection:
            rows = connection.execute(_PERSONAL.where(waiting).order_by(personal_certificates.c.id))
            return [(row.id, row.request) for row in rows]

    def of_doctor(self, doctor_id: int, profile: Profile | None = None) -> list[Issued]:
        """Newest first."""
        query = _PERSONAL.where(personal_certificates.c.doctor_id == doctor_id)
        if profile is not None:
            query = query.where(personal_certificates.c.profile == str(profile))
        with self._database.read() as connection:
            return [
                self.read(row)
                for row in connection.execute(query.order_by(personal_certificates.c.id.desc()))
            ]

    def get(self, certificate_id: int) -> Issued:
        with self._database.read() as connection:
            row = connection.execute(_PERSONAL.where(personal_certificates.c.id == certificate_id)).first()
        if row is None:
            raise SigningRefused("no-certificate", f"没有证书 {certificate_id}")
        return self.read(row)

    @staticmethod
    def is_issued(connection: Connection, certificate_id: int) -> bool:
        """Whether it is there, and not waiting for import."""
        where = personal_certificates.c.id == certificate_id
        found = connection.scalar(select(personal_certificates.c.serial).where(where))
        return found is not None

    def list(self, *, limit: int = 10_000) -> list[Issued]:
        """All that were issued or wait, newest first."""
        query = _PERSONAL.order_by(personal_certificates.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [self.read(row) for row in connection.execute(query)]

    def revoke(self, certificate_id: int, reason: crl.Reason) -> Issued:
        """Revoked now and for ever; the revocation list that says so is published before this returns.

        When its key is in a device that does not answer, the certificate is revoked all the same, and the list follows as
        soon as the device is there (`RevocationLists.owes`): then raises SigningRefused `crl-later`.
        """
        with self._database.write() as connection:
            where = (personal_certificates.c.id == certificate_id) & personal_certificates.c.revoked_at.is_(
                None
            )
            changed = {"revoked_at": self._now_ms(), "revocation": int(reason)}
            revoke = update(personal_certificates).where(where).values(changed)
            done = connection.execute(revoke.returning(personal_certificates.c.authority_id)).first()
        if done is None:
            self.get(certificate_id)
            raise SigningRefused("revoked", "该证书已经吊销")
        self.lists.publish_revoked(done.authority_id)
        return self.get(certificate_id)

    def _certify(
        self, current: CurrentAuthority, profile: Profile, doctor: Doctor, key: SubjectKey
    ) -> bytes | None:
        if current.authority is None:
            return None
        subject = Subject(doctor.hospital_name, doctor.name, doctor.department, doctor.id_number)
        return doctor_certificate(
            profile, subject, key, current.authority, self._rule.of(current.id), self._now()
        )

    @staticmethod
    def _replace(connection: Connection, doctor_id: int, profile: Profile, by: int) -> None:
        earlier = (
            (personal_certificates.c.doctor_id == doctor_id)
            & (personal_certificates.c.profile == str(profile))
            & personal_certificates.c.replaced_by.is_(None)
            & (personal_certificates.c.id != by)
        )
        connection.execute(update(personal_certificates).where(earlier).values(replaced_by=by))

    def _distinct(self, name: str) -> str:
        with self._database.read() as connection:
            taken = set(connection.scalars(select(authorities.c.name)))
        later = (f"{name} {number}" for number in range(2, len(taken) + 2))
        return name if name not in taken else next(one for one in later if one not in taken)

    def _keep(self, name: str, certificate: bytes, sealed: bytes | None) -> int:
        with self._database.write() as connection:
            connection.execute(update(authorities).where(authorities.c.current).values(current=False))
            row = {
                "name": name,
                "certificate": certificate,
                "sealed": sealed,
                "current": True,
                "created_at": self._now_ms(),
            }
            made = connection.execute(insert(authorities).values(row).returning(authorities.c.id))
            tell_changed(connection)
            return int(made.scalar_one())

    def _open(self, row: Row[Any]) -> CurrentAuthority:
        certificate = certificates.parse(row.certificate)
        if row.sealed is None:
            return CurrentAuthority(row.id, row.name, certificate, None)
        private = self._keys.open(self._master_key.unseal(row.sealed, CA_KEY))
        return CurrentAuthority(row.id, row.name, certificate, Authority.of(certificate, private.signer))

    def read(self, row: Row[Any] | Part) -> Issued:
        """Of a row of `personal_certificates`."""
        return Issued(
            id=row.id,
            doctor_id=row.doctor_id,
            profile=Profile(row.profile),
            key_id=row.key_id,
            serial=row.serial,
            certificate=row.certificate,
            not_before=row.not_before,
            not_after=row.not_after,
            revoked_at=row.revoked_at,
            revocation=crl.Reason(row.revocation) if row.revocation is not None else None,
            replaced_by=row.replaced_by,
            state=self._state(row),
        )

    def _state(self, row: Row[Any] | Part) -> CertificateState | None:
        if row.not_after is None:
            return CertificateState.REVOKED if row.revoked_at is not None else None
        revoked_at = moment(row.revoked_at) if row.revoked_at is not None else None
        now = moment(self._now_ms())  # to the millisecond: a revocation counts at once
        return state_of(moment(row.not_before), moment(row.not_after), now, revoked_at=revoked_at)

    def _now(self) -> datetime:
        return moment(self._now_ms()).replace(microsecond=0).astimezone(UTC)


_PERSONAL = select(personal_certificates)


def _certificate_columns(der: bytes | None) -> dict[str, Any]:
    if der is None:
        return {}
    read = certificates.parse(der)
    return {
        "certificate": der,
        "serial": read.serial_hex,
        "not_before": milliseconds(read.not_before),
        "not_after": milliseconds(read.not_after),
    }


def _issuer(connection: Connection, read: Certificate) -> int:
    trusted = select(authorities).where(authorities.c.withdrawn_at.is_(None))
    for row in connection.execute(trusted.order_by(authorities.c.id.desc())):
        issuer = certificates.parse(row.certificate)
        if issuer.subject.raw == read.issuer.raw and read.signed_by(issuer.key).valid:
            return int(row.id)
    raise SigningRefused("issuer", "该证书不是本网关的 CA 签发的")


def _key_of(row: Row[Any], master_key: MasterKey) -> bytes:
    """The point that the certificate awaited must be over."""
    if row.request is not None:
        return csr.parse(row.request).key.point
    return sm2.PrivateKey.from_pkcs8(master_key.unseal(row.sealed, ENCRYPTION_KEY)).public().point
