"""Signed messages read: GM/T 0010 (GB/T 35275) and PKCS#7/CMS signedData, and the facts of each signature.

What is hashed is what was received: the value octets of the content, or the signed attributes re-tagged from
[0] to SET. BER with indefinite lengths is read, as Java producers write it. Departures are oddities in Chinese;
whether they matter is a policy's question, `MessageFacts.valid` only says that content and signatures agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yingqiao.gm import certificates, der, names, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage

MAX_SIGNERS = 32
MAX_CERTIFICATES = 64
_SIGNED_DATA = {oids.GM_SIGNED_DATA: True, oids.PKCS7_SIGNED_DATA: False}
_SAME_DATA = frozenset({oids.PKCS7_DATA, oids.GM_DATA})
"""A content type of one family named in the attribute of the other: seen in production, no more than odd."""


class CmsError(GmError):
    """Not a signed message."""

    code = "cms"


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
class SignerInfo:
    """One signer as written. `attributes` are the signed ones: object identifier and its raw values."""

    version: int
    issuer: Name | None
    serial: int | None
    key_id: bytes | None
    digest_algorithm: str
    signature_algorithm: str
    signature: bytes = field(repr=False)
    attributes: tuple[tuple[str, tuple[der.Node, ...]], ...] | None
    attributes_der: bytes = field(repr=False)
    """The signed attributes under the tag of SET, empty when there are none."""
    time_stamps: tuple[bytes, ...]
    oddities: tuple[str, ...]

    def attribute(self, oid: str) -> der.Node | None:
        """The one value of a signed attribute; None when it is absent, repeated or not single."""
        found = [values for known, values in self.attributes or () if known == oid]
        return found[0][0] if len(found) == 1 and len(found[0]) == 1 else None

    def has(self, oid: str) -> bool:
        return any(known == oid for known, _ in self.attributes or ())

    @property
    def signing_time(self) -> datetime | None:
        """The time the signer claims."""
        node = self.attribute(oids.SIGNING_TIME)
        try:
            return None if node is None else der.time(node)
        except der.DerError:
            return None


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A signedData as received; `content` None is detached. `gm` tells the family of the outer type."""

    raw: bytes = field(repr=False)
    gm: bool
    version: int
    content_type: str
    content: bytes | None = field(repr=False)
    certificates: tuple[Certificate, ...] = field(repr=False)
    crls: tuple[bytes, ...] = field(repr=False)
    signers: tuple[SignerInfo, ...]
    oddities: tuple[str, ...]


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


def parse(raw: bytes) -> SignedMessage:
    """A ContentInfo with signedData, in DER or BER. Raises CmsError, DerError."""
    outer = der.Fields(der.parse(raw, ber=True), "签名消息")
    kind = der.oid(outer.take(), "消息类型")
    if kind not in _SIGNED_DATA:
        raise CmsError(f"不是签名消息，而是 {oids.words(kind)}")
    body = outer.take(der.context(0)).only("签名消息")
    outer.end()
    return _read(raw, body, gm=_SIGNED_DATA[kind])


def _read(raw: bytes, body: der.Node, *, gm: bool) -> SignedMessage:
    fields = der.Fields(body, "签名数据")
    version = der.integer(fields.take(der.INTEGER), "签名数据版本")
    for node in fields.take(der.SET).walk(MAX_SIGNERS):
        signatures.algorithm(node, "杂凑算法")
    content_type, content = _content(fields.take())
    listed, oddities = _certificates(fields.optional(der.context(0)))
    crls = fields.optional(der.context(1))
    signers = tuple(_signer(node) for node in fields.take(der.SET).walk(MAX_SIGNERS))
    fields.end()
    if gm and version != 1:
        oddities.append(f"国密签名数据的版本应为 1，实为 {version}")
    if body.indefinite:
        oddities.append("使用了不定长编码（BER）")
    return SignedMessage(
        raw,
        gm,
        version,
        content_type,
        content,
        listed,
        () if crls is None else tuple(node.raw for node in crls.walk(MAX_CERTIFICATES)),
        signers,
        tuple(oddities),
    )


def _content(node: der.Node) -> tuple[str, bytes | None]:
    """The inner type and the octets hashed: those of the OCTET STRING, or of whatever element stands there."""
    fields = der.Fields(node, "内容")
    content_type, holder = der.oid(fields.take(), "内容类型"), fields.optional(der.context(0))
    fields.end()
    if holder is None:
        return content_type, None
    inside = holder.only("内容")
    if inside.tag & 0x1F == der.OCTET_STRING:
        return content_type, der.octets(inside)
    return content_type, inside.content


def _certificates(node: der.Node | None) -> tuple[tuple[Certificate, ...], list[str]]:
    """Those that can be read; one that cannot is an oddity, for the others may do."""
    found, oddities = [], []
    for position, child in enumerate(() if node is None else node.walk(MAX_CERTIFICATES), 1):
        try:
            found.append(certificates.read(child))
        except GmError as error:
            oddities.append(f"第 {position} 张证书无法解析：{error.reason}")
    return tuple(found), oddities


def _signer(node: der.Node) -> SignerInfo:
    fields = der.Fields(node, "签名者信息")
    version = der.integer(fields.take(der.INTEGER), "签名者信息版本")
    issuer, serial, key_id = _identifier(fields.take())
    digest_algorithm, digest_parameters = signatures.algorithm(fields.take(), "杂凑算法")
    signed = fields.optional(der.context(0))
    signature_algorithm, parameters = signatures.algorithm(fields.take(), "签名算法")
    signature = der.octets(fields.take(), "签名值")
    unsigned = fields.optional(der.context(1))
    fields.end()
    oddities = [
        f"{what}带有意外的参数"
        for what, written in (("杂凑算法", digest_parameters), ("签名算法", parameters))
        if written not in (None, der.write_null())
    ]
    if signed is not None and not _in_der_order(signed):
        oddities.append("签名属性未按 DER 排序，按收到的字节验证")
    return SignerInfo(
        version,
        issuer,
        serial,
        key_id,
        digest_algorithm,
        signature_algorithm,
        signature,
        None if signed is None else _attributes(signed),
        b"" if signed is None else der.element(der.SET, signed.content),
        () if unsigned is None else _time_stamps(unsigned),
        tuple(oddities),
    )


def _identifier(node: der.Node) -> tuple[Name | None, int | None, bytes | None]:
    if node.tag in (0x80, 0xA0):
        return None, None, node.content if node.tag == 0x80 else der.octets(node.only("密钥标识"))
    fields = der.Fields(node, "签名者标识")
    issuer, serial = names.read(fields.take()), der.integer(fields.take(der.INTEGER), "签名者标识")
    fields.end()
    return issuer, serial, None


def _attributes(node: der.Node) -> tuple[tuple[str, tuple[der.Node, ...]], ...]:
    found = []
    for child in node.walk(100):
        fields = der.Fields(child, "属性")
        oid, values = der.oid(fields.take(), "属性"), fields.take(der.SET)
        fields.end()
        found.append((oid, tuple(values.walk(100))))
    return tuple(found)


def _in_der_order(node: der.Node) -> bool:
    encoded = [child.raw for child in node.walk(100)]
    return encoded == sorted(encoded)


def _time_stamps(node: der.Node) -> tuple[bytes, ...]:
    values = [inside for oid, inside in _attributes(node) if oid == oids.SIGNATURE_TIME_STAMP]
    return tuple(value.raw for inside in values for value in inside)


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
