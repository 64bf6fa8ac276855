"""Seals and seal signatures read, told apart by their shape as SES has no content types.

A seal of two members is v1, of four v4 or v5 by its header, of five v5; a signature of two is v1, else as the seal in
it. Whether the versions agree, header.ID is right, and anything is signed is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from yingqiao.gm import der, extensions, names
from yingqiao.gm.errors import GmError
from yingqiao.gm.extensions import Extension
from yingqiao.gm.ses.model import (
    CERTIFICATES,
    DIGESTS,
    CertificateDigest,
    Picture,
    Seal,
    SealInfo,
    SealSignature,
    SesError,
    Version,
)

MAX_SES = 8 * 1024 * 1024
"""Bytes of a seal or seal signature; nearly all of one is picture and certificates (6 to 32 kB in practice)."""
MAX_CERTIFICATES = 1000
_LONGEST_INTEGER = 8
_LONGEST_TEXT = 64 * 1024
_Read = TypeVar("_Read", Seal, SealSignature)


def parse_seal(raw: bytes) -> Seal:
    """An SESeal in DER. Raises SesError, and nothing else."""
    return _refusing(_seal, raw, "电子印章")


def parse_signature(raw: bytes) -> SealSignature:
    """An SES_Signature in DER. Raises SesError, and nothing else."""
    return _refusing(_signature, raw, "电子签章")


def _refusing(read: Callable[[der.Node], _Read], raw: bytes, what: str) -> _Read:
    try:
        return read(der.parse(raw, max_size=MAX_SES))
    except SesError:
        raise
    except GmError as error:
        raise SesError(f"{what}：{error.reason}") from error


def _seal(node: der.Node) -> Seal:
    members = node.expect(der.SEQUENCE, "电子印章").children(6)
    if len(members) == 2:
        return _seal_1(node, members)
    if len(members) not in (4, 5):
        raise SesError(f"电子印章应有 2、4 或 5 个成员，实有 {len(members)} 个")
    info, oddities = _info(members[0], Version.V4)
    version = Version.V5 if len(members) == 5 or info.header_version == Version.V5 else Version.V4
    return Seal(
        node.raw,
        version,
        info,
        der.octets(members[1], "制章者证书"),
        der.oid(members[2], "制章签名算法"),
        _bits(members[3], "制章者签名值"),
        members[0].raw,
        _token(members[4]) if len(members) == 5 else None,
        tuple(oddities),
    )


def _seal_1(node: der.Node, members: list[der.Node]) -> Seal:
    """The maker of a v1 seal signs its information together with his certificate and algorithm."""
    info, oddities = _info(members[0], Version.V1)
    fields = der.Fields(members[1], "制章者签名信息")
    maker, algorithm = fields.take(der.OCTET_STRING), fields.take(der.OID)
    value = fields.take(der.BIT_STRING)
    fields.end()
    return Seal(
        node.raw,
        Version.V1,
        info,
        maker.content,
        der.oid(algorithm),
        _bits(value, "制章者签名值"),
        der.sequence(members[0].raw, maker.raw, algorithm.raw),
        oddities=tuple(oddities),
    )


def _info(node: der.Node, version: Version) -> tuple[SealInfo, list[str]]:
    fields = der.Fields(node, "印章信息")
    header, es_id = der.Fields(fields.take(der.SEQUENCE), "印章头信息"), fields.take()
    property_info, picture = fields.take(der.SEQUENCE), fields.take(der.SEQUENCE)
    more = fields.optional(der.SEQUENCE, der.context(0))
    fields.end()
    oddities: list[str] = []
    identifier, header_version = _text(header.take(), "header.ID"), _integer(header.take(), "header.version")
    vid = _text(header.take(), "header.Vid")
    header.end()
    said, odd = _property(property_info, version)
    oddities += odd
    info = replace(
        said,
        es_id=_text(es_id, "esID"),
        vid=vid,
        picture=_picture(picture),
        extensions=() if more is None else _extensions(more),
        header_id=identifier,
        header_version=header_version,
    )
    return info, oddities


_NO_PICTURE = Picture("", b"", 0, 0)


def _property(node: der.Node, version: Version) -> tuple[SealInfo, list[str]]:
    """SES_ESPropertyInfo, with the members beside it still empty."""
    fields = der.Fields(node, "印章属性")
    kind, name = _integer(fields.take(), "印章类型"), _text(fields.take(), "印章名称")
    listed = CERTIFICATES if version is Version.V1 else _integer(fields.take(), "certListType")
    certificates, digests = _certificates(fields.take(der.SEQUENCE), listed)
    times = [fields.take() for _ in range(3)]
    fields.end()
    created, start, end = (
        der.time(one, what) for one, what in zip(times, ("制作日期", "有效期起始", "有效期终止"), strict=True)
    )
    expected = der.UTC_TIME if version is Version.V1 else der.GENERALIZED_TIME
    odd = ["印章中的日期不是本版本规定的时间类型"] if any(one.tag != expected for one in times) else []
    return SealInfo("", "", kind, name, created, start, end, _NO_PICTURE, certificates, digests), odd


def _certificates(node: der.Node, listed: int) -> tuple[tuple[bytes, ...], tuple[CertificateDigest, ...]]:
    if listed == CERTIFICATES:
        return tuple(der.octets(one, "签章者证书") for one in node.walk(MAX_CERTIFICATES)), ()
    if listed == DIGESTS:
        return (), tuple(_digest(one) for one in node.walk(MAX_CERTIFICATES))
    raise SesError(f"certListType 应为 1 或 2，实为 {listed}")


def _digest(node: der.Node) -> CertificateDigest:
    fields = der.Fields(node, "签章者证书杂凑")
    found = CertificateDigest(_text(fields.take(), "证书杂凑类型"), der.octets(fields.take(), "证书杂凑值"))
    fields.end()
    return found


def _picture(node: der.Node) -> Picture:
    fields = der.Fields(node, "印章图片")
    found = Picture(
        _text(fields.take(), "图片类型"),
        der.octets(fields.take(), "图片数据"),
        _integer(fields.take(), "图片宽度"),
        _integer(fields.take(), "图片高度"),
    )
    fields.end()
    return found


def _extensions(node: der.Node) -> tuple[Extension, ...]:
    return extensions.read_list(node if node.tag == der.SEQUENCE else node.only("自定义数据"))


def _signature(node: der.Node) -> SealSignature:
    members = node.expect(der.SEQUENCE, "电子签章").children(6)
    if len(members) == 2:
        return _signature_1(node, members)
    if len(members) not in (4, 5):
        raise SesError(f"电子签章应有 2、4 或 5 个成员，实有 {len(members)} 个")
    fields = der.Fields(members[0], "待签名数据")
    tbs_version, seal = _integer(fields.take(), "电子签章版本"), _seal(fields.take())
    time = der.time(fields.take(), "签章时间")
    data_hash, property_info = _bits(fields.take(), "原文杂凑值"), _text(fields.take(), "原文属性")
    more = fields.optional(der.context(0), der.SEQUENCE)
    fields.end()
    return SealSignature(
        node.raw,
        Version.V4 if seal.version is Version.V1 else seal.version,
        tbs_version,
        seal,
        time,
        None,
        data_hash,
        property_info,
        der.octets(members[1], "签章者证书"),
        der.oid(members[2], "签章签名算法"),
        _bits(members[3], "签章签名值"),
        members[0].raw,
        _token(members[4]) if len(members) == 5 else None,
        () if more is None else _extensions(more),
    )


def _signature_1(node: der.Node, members: list[der.Node]) -> SealSignature:
    fields = der.Fields(members[0], "待签名数据")
    tbs_version, seal = _integer(fields.take(), "电子签章版本"), _seal(fields.take())
    stated = fields.take()
    data_hash, property_info = _bits(fields.take(), "原文杂凑值"), _text(fields.take(), "原文属性")
    certificate, algorithm = fields.take(der.OCTET_STRING), fields.take(der.OID)
    fields.end()
    time, token = _time_1(stated)
    return SealSignature(
        node.raw,
        Version.V1,
        tbs_version,
        seal,
        time,
        token,
        data_hash,
        property_info,
        certificate.content,
        der.oid(algorithm),
        _bits(members[1], "签章签名值"),
        members[0].raw,
        oddities=() if time or token else ("签章时间无法读出",),
    )


def _time_1(node: der.Node) -> tuple[datetime | None, bytes | None]:
    """timeInfo of v1: a BIT STRING with a token, with a time in DER, or with its text."""
    if node.tag in (der.UTC_TIME, der.GENERALIZED_TIME):
        return der.time(node, "签章时间"), None
    content = _bits(node, "签章时间")
    if content[:1] == bytes((der.SEQUENCE,)):
        return None, content
    try:
        return der.time(der.parse(content), "签章时间"), None
    except der.DerError:
        return _time_of(content), None


def _time_of(text: bytes) -> datetime | None:
    bare = text.decode("latin-1").strip(" \0")[:40]
    for tag in (der.GENERALIZED_TIME, der.UTC_TIME):
        try:
            return der.time(der.parse(der.element(tag, bare.encode("latin-1"))))
        except der.DerError:
            continue
    try:
        moment = datetime.fromisoformat(bare)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _token(node: der.Node) -> bytes:
    """timeStamp [0] EXPLICIT BIT STRING; without the explicit tag as well."""
    if node.tag == der.context(0, constructed=False):
        return der.bits(node, "时间戳")[0]
    return _bits(node.expect(der.context(0), "时间戳").only("时间戳"), "时间戳")


def _bits(node: der.Node, what: str) -> bytes:
    """Whole octets of a BIT STRING, or of the OCTET STRING some vendors write instead."""
    if node.tag == der.OCTET_STRING:
        return node.content
    value, unused = der.bits(node.expect(der.BIT_STRING, what), what)
    if unused:
        raise SesError(f"{what}：不是整字节")
    return value


def _integer(node: der.Node, what: str) -> int:
    if node.tag != der.INTEGER or node.end - node.body > _LONGEST_INTEGER:
        raise SesError(f"{what}：不是整数，或过大")
    return der.integer(node, what)


def _text(node: der.Node, what: str) -> str:
    """Of any string type."""
    if node.tag & 0xE0 or node.tag not in _STRINGS or node.end - node.body > _LONGEST_TEXT:
        raise SesError(f"{what}：不是字符串，或过长")
    return names.decode_text(node.tag, node.content)[0]


_STRINGS = (der.UTF8, der.PRINTABLE, der.TELETEX, der.IA5, der.UNIVERSAL_STRING, der.BMP)
