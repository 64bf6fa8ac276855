"""Seals and seal signatures written, in version 4 (GB/T 38540-2020), DER.

Steps: `seal_info` is signed by the seal maker, `seal` puts both together; `to_sign` is signed by the signer,
`signature` puts that together. Keys stay with the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from yingqiao.gm import der, issuing, oids
from yingqiao.gm.extensions import Extension
from yingqiao.gm.ses.model import CERTIFICATES, DIGESTS, SealInfo, SesError, Version
from yingqiao.gm.ses.reading import MAX_CERTIFICATES, parse_seal, parse_signature

_LARGEST = 1 << 31


def seal_info(info: SealInfo) -> bytes:
    """SES_SealInfo, which the maker signs. Raises SesError on what no seal can say."""
    _refuse_impossible(info)
    listed = DIGESTS if info.digests else CERTIFICATES
    digests = (
        der.sequence(_ascii(der.PRINTABLE, one.kind), der.write_octets(one.value)) for one in info.digests
    )
    holders = digests if info.digests else map(der.write_octets, info.certificates)
    picture = info.picture
    return der.sequence(
        der.sequence(_ia5(info.header_id), der.write_integer(info.header_version), _ia5(info.vid)),
        _ia5(info.es_id),
        der.sequence(
            der.write_integer(info.type),
            der.write_utf8(info.name),
            der.write_integer(listed),
            der.sequence(*holders),
            *map(_time, (info.created, info.valid_from, info.valid_to)),
        ),
        der.sequence(
            _ia5(picture.kind),
            der.write_octets(picture.data),
            der.write_integer(picture.width),
            der.write_integer(picture.height),
        ),
        _extensions(info.extensions) if info.extensions else b"",
    )


def seal(info: bytes, maker: bytes, value: bytes, algorithm: str = oids.SM2_SM3) -> bytes:
    """SESeal of `info` (SES_SealInfo), the maker's certificate and his signature `value` over `info`.

    Raises SesError when the parts make no seal.
    """
    made = der.sequence(info, der.write_octets(maker), der.write_oid(algorithm), der.write_bits(value))
    parse_seal(made)
    return made


def to_sign(
    seal_der: bytes,
    time: datetime,
    data_hash: bytes,
    property_info: str,
    extensions: Sequence[Extension] = (),
) -> bytes:
    """TBS_Sign, which the signer signs. `property_info` is ASCII and names what is protected (签名保护范围).

    Raises SesError on a seal of version 1, whose signatures have another shape, and on text that is not ASCII.
    """
    version = parse_seal(seal_der).version
    if version is Version.V1:
        raise SesError("第一版印章（GM/T 0031-2014）不再用于签章，请换发新印章")
    return der.sequence(
        der.write_integer(version),
        seal_der,
        _time(time),
        der.write_bits(data_hash),
        _ia5(property_info),
        der.explicit(0, _extensions(extensions)) if extensions else b"",
    )


def signature(
    tbs: bytes, signer: bytes, value: bytes, token: bytes | None = None, algorithm: str = oids.SM2_SM3
) -> bytes:
    """SES_Signature of `tbs` (TBS_Sign), the signer's certificate and signature `value` over `tbs`; `token` is a time
    stamp over `value`. Raises SesError when the parts make no seal signature.
    """
    made = der.sequence(
        tbs,
        der.write_octets(signer),
        der.write_oid(algorithm),
        der.write_bits(value),
        b"" if token is None else der.explicit(0, der.write_bits(token)),
    )
    parse_signature(made)
    return made


def _refuse_impossible(info: SealInfo) -> None:
    if bool(info.certificates) == bool(info.digests):
        raise SesError("印章须列出签章者证书，或其杂凑值，二者取一")
    if len(info.certificates) + len(info.digests) > MAX_CERTIFICATES:
        raise SesError(f"印章最多列出 {MAX_CERTIFICATES} 张签章者证书")
    if info.valid_to <= info.valid_from:
        raise SesError("印章有效期的终止应晚于起始")
    if not info.name or not info.es_id:
        raise SesError("印章须有名称与标识")
    if (
        not info.picture.data
        or not 0 < info.picture.width < _LARGEST
        or not 0 < info.picture.height < _LARGEST
    ):
        raise SesError("印章须有图片及其毫米尺寸")


def _ia5(text: str) -> bytes:
    return _ascii(der.IA5, text)


def _ascii(tag: int, text: str) -> bytes:
    try:
        return der.element(tag, text.encode("ascii"))
    except UnicodeEncodeError as error:
        raise SesError(f"{text[:40]!r} 应只含 ASCII 字符") from error


def _time(moment: datetime) -> bytes:
    """To the second, in UTC."""
    return der.write_generalized_time(moment.replace(microsecond=0))


def _extensions(listed: Sequence[Extension]) -> bytes:
    return der.sequence(*(issuing.extension(one.oid, one.value, critical=one.critical) for one in listed))
