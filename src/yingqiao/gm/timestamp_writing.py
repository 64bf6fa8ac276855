"""Time stamps made: tokens by SM2 with SM3 (GM/T 0033-2023), responses, refusals, requests.

A token is CMS of version 3 with the attributes contentType, signingTime, messageDigest, signingCertificateV2
by SM3 (RFC 5035) and CMSAlgorithmProtection (RFC 6211); serial numbers and time come from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from yingqiao.gm import cms_writing, der, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.signatures import Signer
from yingqiao.gm.timestamp import Failure, Imprint, Request, Status, TimestampError


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one token shall say; `gen_time` is aware."""

    imprint: Imprint
    serial: int
    gen_time: datetime
    nonce: int | None = None
    accuracy: timedelta | None = None
    ordering: bool = False


class Stamper:
    """A time stamping authority's key at work: what never changes between its tokens is made once."""

    def __init__(
        self, certificate: Certificate, signer: Signer, policy: str, chain: Sequence[Certificate] = ()
    ) -> None:
        """`policy` is an object identifier. Raises TimestampError when the certificate is not for time stamps."""
        facts = certificate.facts
        if facts.extended_usage != (oids.TIME_STAMPING,) or not facts.extended_usage_critical:
            raise TimestampError("证书不是时间戳证书：扩展密钥用途应只有时间戳，且为关键扩展")
        self.certificate = certificate
        self._signer = cms_writing.MessageSigner(certificate, signer)
        self._policy = der.write_oid(policy)
        self._digest = signer.digest
        self._algorithm = der.write_algorithm(signer.digest)
        self._certificates = cms_writing.certificate_set([certificate], chain)
        self._tsa = der.explicit(0, der.explicit(4, certificate.subject.raw))
        self._fixed = [_names_certificate(certificate, signer.digest), _protection(signer)]

    def stamp(self, stamp: Stamp, *, attach: bool = True) -> bytes:
        """The TimeStampToken in DER; without `attach` it carries no certificate.

        Raises TimestampError when the time is outside the certificate's validity.
        """
        if not self.certificate.valid_at(stamp.gen_time):
            raise TimestampError("时间戳证书不在有效期内")
        content = self._info(stamp)
        basic = cms_writing.basic_attributes(oids.TST_INFO, content, stamp.gen_time, self._digest)
        info = cms_writing.signer_info(self._signer, content, [*basic, *self._fixed], self._algorithm)
        body = der.sequence(
            der.write_integer(3),
            der.set_of([self._algorithm]),
            cms_writing.content_info(oids.TST_INFO, der.write_octets(content)),
            self._certificates if attach else b"",
            der.set_of([info]),
        )
        return cms_writing.content_info(oids.PKCS7_SIGNED_DATA, body)

    def _info(self, stamp: Stamp) -> bytes:
        return der.sequence(
            der.write_integer(1),
            self._policy,
            _imprint(stamp.imprint),
            der.write_integer(stamp.serial),
            der.write_generalized_time(stamp.gen_time),
            b"" if stamp.accuracy is None else _accuracy(stamp.accuracy),
            der.write_boolean(True) if stamp.ordering else b"",
            b"" if stamp.nonce is None else der.write_integer(stamp.nonce),
            self._tsa,
        )


def write_request(request: Request) -> bytes:
    """A TimeStampReq in DER, without extensions."""
    return der.sequence(
        der.write_integer(1),
        _imprint(request.imprint),
        b"" if request.policy is None else der.write_oid(request.policy),
        b"" if request.nonce is None else der.write_integer(request.nonce),
        der.write_boolean(True) if request.wants_certificate else b"",
    )


def write_response(token: bytes) -> bytes:
    """A TimeStampResp that grants."""
    return der.sequence(der.sequence(der.write_integer(Status.GRANTED)), token)


def write_refusal(failure: Failure, words: str) -> bytes:
    """A TimeStampResp that refuses, with its reason in words."""
    octets = (1 << 31 - failure).to_bytes(4, "big")[: failure // 8 + 1]
    status = der.sequence(
        der.write_integer(Status.REJECTION),
        der.sequence(der.write_utf8(words)),
        der.write_bits(octets, 7 - failure % 8),
    )
    return der.sequence(status)


def imprint_of(original: bytes, algorithm: str = oids.SM3) -> Imprint:
    """The imprint of `original`. Raises GmError on an unknown algorithm."""
    return Imprint(algorithm, signatures.digest(algorithm, original))


def _imprint(imprint: Imprint) -> bytes:
    parameters = [] if imprint.algorithm == oids.SM3 else [der.write_null()]
    return der.sequence(der.write_algorithm(imprint.algorithm, parameters), der.write_octets(imprint.digest))


def _accuracy(accuracy: timedelta) -> bytes:
    millis, micros = divmod(accuracy.microseconds, 1000)
    seconds = accuracy.days * 86400 + accuracy.seconds
    return der.sequence(
        der.write_integer(seconds) if seconds else b"",
        _tagged(0x80, millis) if millis else b"",
        _tagged(0x81, micros) if micros else b"",
    )


def _tagged(tag: int, value: int) -> bytes:
    return bytes((tag,)) + der.write_integer(value)[1:]


def _names_certificate(certificate: Certificate, digest: str) -> bytes:
    """signingCertificateV2; SHA-256 is the default algorithm and is then left out."""
    algorithm = b"" if digest == oids.SHA256 else der.write_algorithm(digest)
    named = der.sequence(algorithm, der.write_octets(signatures.digest(digest, certificate.raw)))
    return cms_writing.attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(named)))


def _protection(signer: Signer) -> bytes:
    """CMSAlgorithmProtection: the digest's algorithm and, under [1], the signature's."""
    signature = bytes((der.context(1),)) + signer.algorithm[1:]
    value = der.sequence(der.write_algorithm(signer.digest), signature)
    return cms_writing.attribute(oids.ALGORITHM_PROTECTION, value)
