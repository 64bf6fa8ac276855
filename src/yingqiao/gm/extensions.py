"""Extensions of certificates as facts: what is known is read, what is not is listed, nothing is a verdict.

RFC 5280 4.2 and GB/T 20518-2018 5.2.4.3; the Chinese extensions hold a string, sometimes without any tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from yingqiao.gm import der, names, oids

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension as received."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What the extensions say. None means the extension is not there."""

    key_usage: frozenset[str] | None = None
    ca: bool | None = None
    path_length: int | None = None
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    authority_serial: bytes | None = None
    extended_usage: tuple[str, ...] | None = None
    extended_usage_critical: bool = False
    crl_points: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    access: tuple[tuple[str, str], ...] = ()
    alternative_names: tuple[str, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()
    unknown_critical: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()

    def identity(self, oid: str) -> str:
        """The text of a Chinese extension, or nothing."""
        return next((text for known, text in self.identities if known == oid), "")


def read_list(node: der.Node) -> tuple[Extension, ...]:
    """An `Extensions` SEQUENCE. Raises DerError."""
    return tuple(_read_one(child) for child in node.expect(der.SEQUENCE, "扩展").walk(200))


def _read_one(node: der.Node) -> Extension:
    fields = der.Fields(node, "扩展")
    oid = der.oid(fields.take(), "扩展")
    critical = fields.optional(der.BOOLEAN)
    value = fields.take(der.OCTET_STRING).content
    fields.end()
    return Extension(oid, critical is not None and der.boolean(critical), value)


def facts(extensions: Iterable[Extension]) -> Facts:
    """What they say; one that is broken is an oddity, and unknown when it is critical."""
    found = Facts()
    seen: set[str] = set()
    for extension in extensions:
        if extension.oid in seen:
            found = _note(found, f"扩展 {oids.words(extension.oid)} 重复")
            continue
        seen.add(extension.oid)
        found = _apply(found, extension)
    return found


def _apply(found: Facts, extension: Extension) -> Facts:
    if extension.oid in oids.CHINESE_EXTENSIONS:
        return replace(found, identities=(*found.identities, (extension.oid, _text(extension.value))))
    reader = _READERS.get(extension.oid)
    try:
        if reader is not None:
            return reader(found, extension)
    except der.DerError as error:
        found = _note(found, f"扩展 {oids.words(extension.oid)} 无法解析：{error.reason}")
    if extension.critical:
        return replace(found, unknown_critical=(*found.unknown_critical, extension.oid))
    return found


def _note(found: Facts, oddity: str) -> Facts:
    return replace(found, oddities=(*found.oddities, oddity))


def _text(value: bytes) -> str:
    """A string under a string's tag, or the bytes themselves as text."""
    try:
        node = der.parse(value)
    except der.DerError:
        return names.decode_text(der.UTF8, value)[0]
    while node.constructed and node.end > node.body and node.depth < 4:
        try:
            node = next(node.walk())
        except der.DerError:
            break
    return names.decode_text(node.tag, node.content)[0]


def _key_usage(found: Facts, extension: Extension) -> Facts:
    octets, _ = der.bits(der.parse(extension.value).expect(der.BIT_STRING, "密钥用途"))
    used = frozenset(
        usage
        for position, usage in enumerate(KEY_USAGES)
        if position < 8 * len(octets) and octets[position // 8] & 0x80 >> position % 8
    )
    return replace(found, key_usage=used)


def _basic_constraints(found: Facts, extension: Extension) -> Facts:
    fields = der.Fields(der.parse(extension.value), "基本限制")
    ca, length = fields.optional(der.BOOLEAN), fields.optional(der.INTEGER)
    fields.end()
    path_length = None if length is None else der.integer(length)
    if path_length is not None and path_length < 0:
        raise der.DerError("路径长度为负")
    return replace(found, ca=ca is not None and der.boolean(ca), path_length=path_length)


def _subject_key_id(found: Facts, extension: Extension) -> Facts:
    return replace(found, subject_key_id=der.octets(der.parse(extension.value)))


def _authority_key_id(found: Facts, extension: Extension) -> Facts:
    for part in der.parse(extension.value).expect(der.SEQUENCE, "颁发者密钥标识").walk(10):
        if part.tag == 0x80:
            found = replace(found, authority_key_id=part.content)
        elif part.tag == 0x82:
            found = replace(found, authority_serial=part.content)
    return found


def _extended_usage(found: Facts, extension: Extension) -> Facts:
    purposes = tuple(der.oid(node) for node in der.parse(extension.value).walk(100))
    return replace(found, extended_usage=purposes, extended_usage_critical=extension.critical)


def _crl_points(found: Facts, extension: Extension) -> Facts:
    points: list[str] = []
    for point in der.parse(extension.value).expect(der.SEQUENCE, "吊销列表地址").walk(50):
        for part in point.walk(3):
            if part.tag == der.context(0):
                points += _point_names(part)
    return replace(found, crl_points=tuple(points))


def _point_names(node: der.Node) -> list[str]:
    """Of a DistributionPointName: full names; a name relative to the issuer is left out."""
    inside = node.only("吊销列表地址")
    if inside.tag != der.context(0):
        return []
    return [names.general_name(name) for name in inside.walk(50)]


def _policies(found: Facts, extension: Extension) -> Facts:
    policies = tuple(
        der.oid(der.Fields(node, "证书策略").take()) for node in der.parse(extension.value).walk(100)
    )
    return replace(found, policies=policies)


def _access(found: Facts, extension: Extension) -> Facts:
    access = []
    for node in der.parse(extension.value).expect(der.SEQUENCE, "颁发者信息访问").walk(50):
        fields = der.Fields(node, "颁发者信息访问")
        access.append((der.oid(fields.take()), names.general_name(fields.take())))
    return replace(found, access=tuple(access))


def _alternative_names(found: Facts, extension: Extension) -> Facts:
    inside = der.parse(extension.value).expect(der.SEQUENCE, "主体别名").walk(100)
    return replace(found, alternative_names=tuple(names.general_name(node) for node in inside))


def _ignored(found: Facts, _: Extension) -> Facts:
    """Known, and without meaning for what is verified here."""
    return found


_READERS: dict[str, Callable[[Facts, Extension], Facts]] = {
    oids.KEY_USAGE: _key_usage,
    oids.BASIC_CONSTRAINTS: _basic_constraints,
    oids.SUBJECT_KEY_ID: _subject_key_id,
    oids.AUTHORITY_KEY_ID: _authority_key_id,
    oids.EXTENDED_USAGE: _extended_usage,
    oids.CRL_POINTS: _crl_points,
    oids.POLICIES: _policies,
    oids.AUTHORITY_INFO: _access,
    oids.SUBJECT_ALT_NAME: _alternative_names,
    oids.ISSUER_ALT_NAME: _ignored,
}
READABLE = frozenset(_READERS)
"""Object identifiers of the extensions whose content is read."""
