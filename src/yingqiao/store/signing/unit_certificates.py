"""Certificates of units: the seal maker's (制章者), whose key may be in a device, and those hospitals sign seals with, whose
keys are ours: they go to the hospital's client in a wallet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from yingqiao.gm import certificates, crl, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.keystore import MasterKey
from yingqiao.signing.certificates.authority import (
    IssuingRule,
    Subject,
    service_certificate,
    unit_certificate,
)
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.private_keys import SOFTWARE, HeldKey, PrivateKeys, Purpose, held_here
from yingqiao.store.database import Database
from yingqiao.store.schema import seals, unit_certificates
from yingqiao.store.signing.authority import CertificateAuthority
from yingqiao.store.trust import tell_changed

SEAL_CONTEXT = "unit key"
_MAKER_NAME = "影桥 制章"
_MAKER_LEFT_MS = 400 * 24 * 3600 * 1000
"""A maker's certificate that ends sooner makes no more seals: a new one does."""


@dataclass(frozen=True, slots=True)
class UnitCertificate:
    """One of ours, with what it signs by."""

    id: int
    certificate: Certificate
    key: HeldKey

    @property
    def authority(self) -> Authority:
        return Authority.of(self.certificate, self.key.signer)


@dataclass(frozen=True, slots=True)
class Maker:
    """A seal maker's certificate, as lists show it; times Unix ms."""

    id: int
    certificate: Certificate
    seals: int
    """Made with it."""
    revoked_at: int | None
    revocation: crl.Reason | None


class UnitCertificates:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key; those
    that make or sign DeviceError, when the maker's key or the CA's is in a device.
    """

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        authority: CertificateAuthority,
        rule: IssuingRule,
        now_ms: Callable[[], int],
        keys: PrivateKeys = SOFTWARE,
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._authority = authority
        self._rule = rule
        self._now_ms = now_ms
        self._keys = keys

    def maker(self, connection: Connection) -> UnitCertificate:
        """The seal maker's under the CA that issues now; made when there is none that lasts."""
        number, authority, rule = self._online(connection)
        c = unit_certificates.c
        lasting = (c.profile == str(Profile.SEAL_MAKER)) & (c.authority_id == number)
        lasting &= c.revoked_at.is_(None) & (c.not_after > self._now_ms() + _MAKER_LEFT_MS)
        row = connection.execute(
            select(unit_certificates).where(lasting).order_by(c.id.desc()).limit(1)
        ).first()
        if row is not None:
            return self._open(row)
        key = self._keys.make(Purpose.SEAL_MAKER)
        der = service_certificate(
            Profile.SEAL_MAKER, _MAKER_NAME, key.subject_key, authority, rule, self._now()
        )
        tell_changed(connection)  # who makes seals here is trusted
        return self._keep(connection, Profile.SEAL_MAKER, None, number, der, key)

    def issue(
        self, connection: Connection, hospital_code: str, subject: Subject, months: int
    ) -> UnitCertificate:
        """A hospital's signing certificate over a key made here."""
        number, authority, rule = self._online(connection)
        key = held_here(sm2.generate())
        der = unit_certificate(subject, key.subject_key, authority, rule, months, self._now())
        return self._keep(connection, Profile.SIGNING, hospital_code, number, der, key)

    def get(self, certificate_id: int) -> UnitCertificate:
        with self._database.read() as connection:
            row = connection.execute(
                select(unit_certificates).where(unit_certificates.c.id == certificate_id)
            ).first()
        if row is None:
            raise SigningRefused("no-certificate", f"没有单位证书 {certificate_id}")
        return self._open(row)

    def makers(self) -> Sequence[Maker]:
        """Every seal maker there was, newest first, with the seals each made."""
        c = unit_certificates.c
        wanted = (
            select(c.id, c.certificate, c.revoked_at, c.revocation, func.count(seals.c.id).label("seals"))
            .join(seals, seals.c.maker_id == c.id, isouter=True)
            .where(c.profile == str(Profile.SEAL_MAKER))
            .group_by(c.id, c.certificate, c.revoked_at, c.revocation)
        )
        with self._database.read() as connection:
            return [_maker(row) for row in connection.execute(wanted.order_by(c.id.desc()))]

    def revoke_maker(self, certificate_id: int, reason: crl.Reason) -> Maker:
        """Revoked now and for ever: what it made is judged by that within a second, and a new list says so to others. The
        next seal gets a new maker. Raises SigningRefused `crl-later` as `CertificateAuthority.revoke`.
        """
        known = {one.id: one for one in self.makers()}
        if certificate_id not in known:
            raise SigningRefused("no-certificate", f"没有制章者证书 {certificate_id}")
        with self._database.write() as connection:
            if not self.revoke(connection, certificate_id, reason):
                raise SigningRefused("revoked", "该制章者证书已经吊销")
            tell_changed(connection)
        self.publish_revoked(certificate_id)
        return next(one for one in self.makers() if one.id == certificate_id)

    def revoke(self, connection: Connection, certificate_id: int, reason: crl.Reason) -> bool:
        """In the caller's transaction, who publishes the revocation list afterwards. Twice does nothing: False."""
        where = (unit_certificates.c.id == certificate_id) & unit_certificates.c.revoked_at.is_(None)
        changed = {"revoked_at": self._now_ms(), "revocation": int(reason)}
        return connection.execute(update(unit_certificates).where(where).values(changed)).rowcount > 0

    def publish_revoked(self, certificate_id: int) -> None:
        """A new list of the CA that issued it, after its revocation. Raises SigningRefused `crl-later` as above."""
        c = unit_certificates.c
        with self._database.read() as connection:
            issuer = connection.scalar(select(c.authority_id).where(c.id == certificate_id))
        self._authority.lists.publish_revoked(issuer)

    def _online(self, connection: Connection) -> tuple[int, Authority, IssuingRule]:
        """The CA that issues now: its number, key and rule."""
        current = self._authority.issuing(connection)
        if current.authority is None:
            raise SigningRefused("offline", "离线方式的 CA 不能签发制章者与单位证书，请改用在线的内置 CA")
        return current.id, current.authority, self._rule.of(current.id)

    def _keep(
        self,
        connection: Connection,
        profile: Profile,
        hospital_code: str | None,
        authority_id: int,
        der: bytes,
        key: HeldKey,
    ) -> UnitCertificate:
        read = certificates.parse(der)
        values = {
            "hospital_code": hospital_code,
            "profile": str(profile),
            "authority_id": authority_id,
            "serial": read.serial_hex,
            "certificate": der,
            "sealed": self._master_key.seal(key.handle, SEAL_CONTEXT),
            "not_before": milliseconds(read.not_before),
            "not_after": milliseconds(read.not_after),
            "created_at": self._now_ms(),
        }
        made = connection.execute(insert(unit_certificates).values(values)).inserted_primary_key
        return UnitCertificate(int(made[0]) if made else 0, read, key)

    def _open(self, row: Row[Any]) -> UnitCertificate:
        key = self._keys.open(self._master_key.unseal(row.sealed, SEAL_CONTEXT))
        return UnitCertificate(row.id, certificates.parse(row.certificate), key)

    def _now(self) -> datetime:
        return moment(self._now_ms()).replace(microsecond=0).astimezone(UTC)


def _maker(row: Row[Any]) -> Maker:
    reason = crl.Reason(row.revocation) if row.revocation is not None else None
    return Maker(row.id, certificates.parse(row.certificate), row.seals, row.revoked_at, reason)
