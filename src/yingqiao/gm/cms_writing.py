"""Signed messages made: GM/T 0010 as consumers of CFCA and BJCA know it, and CMS for time stamp tokens.

GM/T 0010: version 1, SM3 with NULL, inner type 1.2.156.10197.6.1.4.2.1, signature algorithm 301.1 with NULL by
default, DER signature, the signer's certificate and its chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from yingqiao.gm import der, oids, signatures, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.signatures import Signer

_SM3_NULL = der.write_algorithm(oids.SM3, [der.write_null()])
_SM2_SIGN_NULL = der.write_algorithm(oids.SM2_SIGN, [der.write_null()])


@dataclass(frozen=True, slots=True)
class MessageSigner:
    """Who signs a message: a certificate and the signature under its key."""

    certificate: Certificate
    signer: Signer


def gm_signer(private: sm2.PrivateKey) -> Signer:
    """SM2 named as GM/T 0010 messages of CFCA and BJCA name it: 1.2.156.10197.1.301.1 with NULL."""
    return Signer(_SM2_SIGN_NULL, lambda message: sm2.sign(private, message))


def gm_signed_data(
    content: bytes,
    signers: Sequence[MessageSigner],
    *,
    detached: bool = False,
    chain: Sequence[Certificate] = (),
    signing_time: datetime | None = None,
) -> bytes:
    """A GM/T 0010 signedData over `content` in DER; with a `signing_time` the attributes are signed, else none."""
    infos = []
    for signer in signers:
        attributes = None
        if signing_time is not None:
            attributes = basic_attributes(oids.GM_DATA, content, signing_time, signer.signer.digest)
        infos.append(signer_info(signer, content, attributes, _digest_algorithm(signer.signer)))
    digests = sorted({_digest_algorithm(signer.signer) for signer in signers})
    body = der.sequence(
        der.write_integer(1),
        der.set_of(digests),
        _content_info(oids.GM_DATA, None if detached else content),
        certificate_set([signer.certificate for signer in signers], chain),
        der.set_of(infos),
    )
    return content_info(oids.GM_SIGNED_DATA, body)


def content_info(oid: str, body: bytes) -> bytes:
    return der.sequence(der.write_oid(oid), der.explicit(0, body))


def certificate_set(first: Sequence[Certificate], chain: Sequence[Certificate]) -> bytes:
    """Certificates [0], each once; nothing when there are none."""
    listed = {one.raw for one in (*first, *chain)}
    return der.set_of(listed, der.context(0)) if listed else b""


def attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.write_oid(oid), der.element(der.SET, value))


def basic_attributes(content_type: str, content: bytes, moment: datetime, digest: str) -> list[bytes]:
    """contentType, messageDigest (plain, without Z) and signingTime."""
    return [
        attribute(oids.CONTENT_TYPE, der.write_oid(content_type)),
        attribute(oids.MESSAGE_DIGEST, der.write_octets(signatures.digest(digest, content))),
        attribute(oids.SIGNING_TIME, der.write_time(moment)),
    ]


def signer_info(
    signer: MessageSigner, content: bytes, attributes: Sequence[bytes] | None, digest_algorithm: bytes
) -> bytes:
    """A SignerInfo of version 1 over the attributes, or over `content` when there are none."""
    certificate = signer.certificate
    identifier = der.sequence(certificate.issuer.raw, der.element(der.INTEGER, certificate.serial_raw))
    signed, written = content, b""
    if attributes is not None:
        signed = der.set_of(attributes)
        written = bytes((der.context(0),)) + signed[1:]
    return der.sequence(
        der.write_integer(1),
        identifier,
        digest_algorithm,
        written,
        signer.signer.algorithm,
        der.write_octets(signer.signer.sign(signed)),
    )


def _digest_algorithm(signer: Signer) -> bytes:
    return _SM3_NULL if signer.digest == oids.SM3 else der.write_algorithm(signer.digest, [der.write_null()])


def _content_info(oid: str, content: bytes | None) -> bytes:
    if content is None:
        return der.sequence(der.write_oid(oid))
    return content_info(oid, der.write_octets(content))
