"""Certificates made: signing, encryption, CA, time stamping and seal making, by the profile of GB/T 20518-2018.

X.509 v3, SM2 with SM3 inside and outside alike, keyUsage critical, key identifiers, CRL address,
the Chinese extensions not critical. The key stays outside: a `Signer` signs what is to be signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yingqiao.gm import der, oids, sm3
from yingqiao.gm.certificates import Certificate, CertificateError
from yingqiao.gm.extensions import KEY_USAGES
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import Signer, SubjectKey


class Profile(StrEnum):
    """What a certificate is for."""

    SIGNING = "signing"
    AUTOMATIC = "automatic"
    """A signing certificate over a key that a server uses by itself, on its holder's order."""
    ENCRYPTION = "encryption"
    CA = "ca"
    TSA = "tsa"
    SEAL_MAKER = "seal-maker"


_USAGES = {
    Profile.SIGNING: ("digitalSignature", "nonRepudiation"),
    Profile.AUTOMATIC: ("digitalSignature", "nonRepudiation"),
    Profile.ENCRYPTION: ("keyEncipherment", "dataEncipherment", "keyAgreement"),
    Profile.CA: ("keyCertSign", "cRLSign"),
    Profile.TSA: ("digitalSignature", "nonRepudiation"),
    Profile.SEAL_MAKER: ("digitalSignature", "nonRepudiation"),
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issues: name, key and key identifier as in its own certificate, and how it signs."""

    name: Name
    key: SubjectKey
    signer: Signer
    key_id: bytes = b""
    """Its subjectKeyIdentifier; empty where there is no certificate yet, and then made by `key_id`."""

    @classmethod
    def of(cls, certificate: Certificate, signer: Signer) -> Authority:
        """As its certificate says, whoever made that and its identifier."""
        return cls(certificate.subject, certificate.key, signer, certificate.facts.subject_key_id or b"")


@dataclass(frozen=True, slots=True)
class Order:
    """What a certificate shall say. `identities` are (object identifier, text) of GB/T 20518 or others."""

    profile: Profile
    subject: Name
    key: SubjectKey
    serial: int
    not_before: datetime
    not_after: datetime
    path_length: int | None = None
    crl_urls: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()


def new_serial() -> int:
    """Positive, 16 octets, unpredictable (RFC 5280 4.1.2.2 allows 20)."""
    return secrets.randbits(126) | 1 << 126


def key_id(key: SubjectKey) -> bytes:
    """Its identifier: the first 20 bytes of SM3 of the key's bits (RFC 5280 4.2.1.2 leaves the hash open)."""
    return sm3.new(key.point).digest()[:20]


def issue(order: Order, authority: Authority) -> bytes:
    """The certificate in DER. Raises CertificateError on an order no certificate can say."""
    _refuse_impossible(order)
    validity = der.sequence(der.write_time(order.not_before), der.write_time(order.not_after))
    tbs = der.sequence(
        der.explicit(0, der.write_integer(2)),
        der.write_integer(order.serial),
        authority.signer.algorithm,
        authority.name.raw,
        validity,
        order.subject.raw,
        order.key.raw,
        der.explicit(3, der.sequence(*_extensions(order, authority))),
    )
    return signed(tbs, authority.signer)


def signed(tbs: bytes, signer: Signer) -> bytes:
    """The signed form certificates, CRLs and requests share: content, algorithm, signature value."""
    return der.sequence(tbs, signer.algorithm, der.write_bits(signer.sign(tbs)))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """One extension in DER."""
    flag = [der.write_boolean(True)] if critical else []
    return der.sequence(der.write_oid(oid), *flag, der.write_octets(value))


def authority_key_id(authority: Authority) -> bytes:
    """The authorityKeyIdentifier extension for what `authority` signs."""
    identifier = authority.key_id or key_id(authority.key)
    return extension(oids.AUTHORITY_KEY_ID, der.sequence(der.element(0x80, identifier)))


def _refuse_impossible(order: Order) -> None:
    if not 0 < order.serial < 1 << 159:
        raise CertificateError("序列号应为不超过 20 字节的正整数")
    if order.not_after <= order.not_before:
        raise CertificateError("有效期的终止应晚于起始")
    if order.path_length is not None and order.profile is not Profile.CA:
        raise CertificateError("只有 CA 证书可限定路径长度")
    if not order.subject.attributes:
        raise CertificateError("主体名称为空")


def _extensions(order: Order, authority: Authority) -> Iterable[bytes]:
    yield authority_key_id(authority)
    yield extension(oids.SUBJECT_KEY_ID, der.write_octets(key_id(order.key)))
    yield extension(oids.KEY_USAGE, _key_usage(_USAGES[order.profile]), critical=True)
    yield _basic_constraints(order)
    if order.profile is Profile.TSA:
        purposes = der.sequence(der.write_oid(oids.TIME_STAMPING))
        yield extension(oids.EXTENDED_USAGE, purposes, critical=True)
    if order.policies:
        listed = (der.sequence(der.write_oid(policy)) for policy in order.policies)
        yield extension(oids.POLICIES, der.sequence(*listed))
    if order.crl_urls:
        yield extension(oids.CRL_POINTS, _crl_points(order.crl_urls))
    for oid, text in order.identities:
        ascii_only = all(character.isascii() and character.isalnum() for character in text)
        yield extension(oid, der.write_printable(text) if ascii_only else der.write_utf8(text))


def _key_usage(usages: Sequence[str]) -> bytes:
    """A named bit list: trailing zero bits are left out (X.690, 11.2.2)."""
    positions = [KEY_USAGES.index(usage) for usage in usages]
    last = max(positions)
    value = sum(1 << 15 - position for position in positions).to_bytes(2, "big")[: last // 8 + 1]
    return der.write_bits(value, 7 - last % 8)


def _basic_constraints(order: Order) -> bytes:
    if order.profile is not Profile.CA:
        return extension(oids.BASIC_CONSTRAINTS, der.sequence(), critical=True)
    length = [] if order.path_length is None else [der.write_integer(order.path_length)]
    return extension(oids.BASIC_CONSTRAINTS, der.sequence(der.write_boolean(True), *length), critical=True)


def _crl_points(urls: Iterable[str]) -> bytes:
    points = []
    for url in urls:
        name = der.element(0x86, url.encode("ascii"))
        points.append(der.sequence(der.explicit(0, der.element(der.context(0), name))))
    return der.sequence(*points)
