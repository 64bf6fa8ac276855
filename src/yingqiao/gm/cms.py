"""Signed messages read: GM/T 0010 (GB/T 35275) and PKCS#7/CMS signedData, as received.

BER with indefinite lengths is read, as Java producers write it; nothing is encoded again but the tag of the
signed attributes, from [0] to SET. What is wrong with the signatures is looked at in `cms_facts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from yingqiao.gm import certificates, der, names, oids, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.names import Name

MAX_SIGNERS = 16
MAX_CERTIFICATES = 64
_SIGNED_DATA = {oids.GM_SIGNED_DATA: True, oids.PKCS7_SIGNED_DATA: False}


class CmsError(GmError):
    """Not a signed message."""

    code = "cms"


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
