"""The facts of each signature of a signed message.

What is hashed is what was received: the value octets of the content, or the signed attributes as a SET.
Departures are oddities in Chinese; whether they matter is a policy's question, `MessageFacts.valid` only says
that content and signatures agree (rules of GM/T 0010 and RFC 5652 5.4, 11; RFC 5035, RFC 6211).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.gm import der, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.cms import SignedMessage, SignerInfo
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage

_SAME_DATA = frozenset({oids.PKCS7_DATA, oids.GM_DATA})
"""A content type of one family named in the attribute of the other: seen in production, no more than odd."""


class Content(StrEnum):
    """How the signed content relates to the original given."""

    EMBEDDED = "embedded"
    """Embedded, and equal to the original (or none was given)."""
    EMBEDDED_DIGEST = "embedded-digest"
    """Embedded is the 32-byte SM3 of the original, as some PDF and OFD producers do."""
    DIFFERENT = "different"
    """Embedded, and another than the original."""
    DETACHED = "detached"
    MISSING = "missing"
    """Detached, and no original was given."""

    @property
    def words(self) -> str:
        return _CONTENT_WORDS[self]


_CONTENT_WORDS = {
    Content.EMBEDDED: "签名内含原文，与所给原文一致",
    Content.EMBEDDED_DIGEST: "签名内含的是原文的 SM3 杂凑值",
    Content.DIFFERENT: "签名内含的原文与所给原文不一致",
    Content.DETACHED: "签名不含原文，按所给原文验证",
    Content.MISSING: "签名不含原文，也没有给出原文",
}


@dataclass(frozen=True, slots=True)
class SignerFacts:
    """What is known of one signature. None means: does not apply, or there is nothing to compare with."""

    info: SignerInfo
    certificate: Certificate | None
    signature: Examined
    digest_ok: bool | None
    """The messageDigest attribute against the content; None without attributes."""
    content_type_ok: bool | None
    certificate_named_ok: bool | None
    """signingCertificate or signingCertificateV2 against the certificate (RFC 2634, 5035)."""
    algorithms_ok: bool | None
    """CMSAlgorithmProtection against the algorithms used (RFC 6211)."""
    oddities: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Signature and digest right, nothing contradicting; the certificate binding is judged apart."""
        return (
            self.signature.valid
            and self.digest_ok is not False
            and self.content_type_ok is not False
            and self.algorithms_ok is not False
        )


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What is known of a message; all signers have to be right, and there has to be one."""

    content: Content
    signers: tuple[SignerFacts, ...]
    oddities: tuple[str, ...]

    @property
    def valid(self) -> bool:
        agrees = self.content not in (Content.DIFFERENT, Content.MISSING)
        return agrees and bool(self.signers) and all(signer.valid for signer in self.signers)


def examine(
    message: SignedMessage,
    original: bytes | None = None,
    *,
    known: Sequence[Certificate] = (),
    accepted: frozenset[PreImage] = ONLY_RULE,
    diagnose: bool = True,
) -> MessageFacts:
    """The facts of every signature in `message`, over the embedded content or `original`.

    `known` are certificates that need not be inside. `accepted` and `diagnose` as in `signatures.examine`.
    Never raises for what is in the message.
    """
    content, data = _compare(message.content, original)
    pool = (*message.certificates, *known)
    signers = tuple(
        _examine(signer, data, message.content_type, pool, accepted, diagnose=diagnose)
        for signer in message.signers
    )
    return MessageFacts(content, signers, message.oddities)


def _compare(embedded: bytes | None, original: bytes | None) -> tuple[Content, bytes | None]:
    """How they relate, and what was signed."""
    if embedded is None:
        return (Content.MISSING, None) if original is None else (Content.DETACHED, original)
    if original is None or embedded == original:
        return Content.EMBEDDED, embedded
    if len(embedded) == 32 and embedded == signatures.digest(oids.SM3, original):
        return Content.EMBEDDED_DIGEST, embedded
    return Content.DIFFERENT, embedded


def _examine(
    info: SignerInfo,
    data: bytes | None,
    content_type: str,
    pool: Sequence[Certificate],
    accepted: frozenset[PreImage],
    *,
    diagnose: bool,
) -> SignerFacts:
    oddities = list(info.oddities)
    certificate = find_signer(info, pool, oddities)
    signed = data if info.attributes is None else info.attributes_der
    if certificate is None:
        found = Examined(valid=False, oddities=("找不到签名者的证书",))
    elif signed is None:
        found = Examined(valid=False, oddities=(Content.MISSING.words,))
    elif certificate.key.kind is signatures.KeyKind.SM2 and info.digest_algorithm != oids.SM3:
        found = Examined(valid=False, oddities=("SM2 签名应使用 SM3 杂凑",))
    else:
        found = signatures.examine(
            certificate.key,
            info.signature_algorithm,
            signed,
            info.signature,
            digest_oid=info.digest_algorithm,
            accepted=accepted,
            diagnose=diagnose,
        )
    return SignerFacts(
        info,
        certificate,
        found,
        _digest_ok(info, data),
        _content_type_ok(info, content_type, oddities),
        None if certificate is None else _named_ok(info, certificate),
        _algorithms_ok(info),
        tuple(oddities),
    )


def find_signer(info: SignerInfo, pool: Iterable[Certificate], oddities: list[str]) -> Certificate | None:
    """The certificate that `info` identifies. One of the same serial number but another issuer is taken when
    it is the only one (the standard's PKCS#7 sample has its issuer misprinted), and noted in `oddities`.
    """
    if info.key_id is not None:
        return next((one for one in pool if one.facts.subject_key_id == info.key_id), None)
    same_serial = {one.raw: one for one in pool if one.serial == info.serial}
    for one in same_serial.values():
        if info.issuer is not None and one.issuer.raw == info.issuer.raw:
            return one
    if len(same_serial) != 1:
        return None
    oddities.append("签名者标识中的颁发者与证书的颁发者编码不同")
    return next(iter(same_serial.values()))


def _digest_ok(info: SignerInfo, data: bytes | None) -> bool | None:
    if info.attributes is None or data is None:
        return None
    node = info.attribute(oids.MESSAGE_DIGEST)
    try:
        return node is not None and der.octets(node) == signatures.digest(info.digest_algorithm, data)
    except GmError:
        return False


def _content_type_ok(info: SignerInfo, content_type: str, oddities: list[str]) -> bool | None:
    """The contentType attribute against the inner type; the two kinds of plain data stand for each other."""
    if info.attributes is None:
        return None
    node = info.attribute(oids.CONTENT_TYPE)
    if node is None:
        oddities.append("签名属性中没有内容类型")
        return False
    if node.tag != der.OID:
        return False
    try:
        named = der.oid(node)
    except der.DerError:
        return False
    if named != content_type and {named, content_type} == _SAME_DATA:
        oddities.append("内容类型属性与内容的类型分属两种标准")
        return True
    return named == content_type


def _named_ok(info: SignerInfo, certificate: Certificate) -> bool | None:
    """Whether ESSCertID or ESSCertIDv2 is of `certificate`; both are looked at when both are there."""
    answers = [
        _names_certificate(info.attribute(oid), default, certificate)
        for oid, default in (
            (oids.SIGNING_CERTIFICATE, oids.SHA1),
            (oids.SIGNING_CERTIFICATE_V2, oids.SHA256),
        )
        if info.has(oid)
    ]
    return all(answers) if answers else None


def _names_certificate(node: der.Node | None, default: str, certificate: Certificate) -> bool:
    try:
        if node is None:
            return False
        first = next(der.Fields(node, "签名证书标识").take(der.SEQUENCE).walk(32), None)
        if first is None:
            return False
        fields = der.Fields(first, "签名证书标识")
        named = fields.optional(der.SEQUENCE) if default != oids.SHA1 else None
        algorithm = default if named is None else signatures.algorithm(named, "签名证书标识")[0]
        return der.octets(fields.take()) == signatures.digest(algorithm, certificate.raw)
    except GmError:
        return False


def _algorithms_ok(info: SignerInfo) -> bool | None:
    if not info.has(oids.ALGORITHM_PROTECTION):
        return None
    node = info.attribute(oids.ALGORITHM_PROTECTION)
    try:
        if node is None:
            return False
        fields = der.Fields(node, "算法保护")
        digest, _ = signatures.algorithm(fields.take(), "算法保护")
        signature = der.oid(next(fields.take(der.context(1)).walk(2)), "算法保护")
    except (der.DerError, StopIteration):
        return False
    return digest == info.digest_algorithm and signature == info.signature_algorithm
