"""A seal made: what it says, who may use it, signed by the seal maker (GB/T 38540-2020, version 4)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from yingqiao.gm import certificates, ses, sm3
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.issuing import Authority
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import BEIJING

VENDOR: Final = "YINGQIAO"
"""header.Vid."""
MOST_HOLDERS: Final = 32


class Holders(IntEnum):
    """certListType: how a seal names the certificates that may use it."""

    CERTIFICATES = 1
    DIGESTS = 2


class Kind(IntEnum):
    """SES_ESPropertyInfo.type is an open list (1, 3, 4, 6 and 15 are met); these are ours."""

    OFFICIAL = 1
    BUSINESS = 3
    REPORT = 4

    @property
    def words(self) -> str:
        return {1: "单位公章", 3: "业务专用章", 4: "报告专用章"}[self]


@dataclass(frozen=True, slots=True)
class Order:
    """What a seal shall be. `picture` is PNG, sizes are mm, `holders` the signers' certificates in DER."""

    es_id: str
    name: str
    kind: Kind
    picture: bytes = field(repr=False)
    width: int
    height: int
    holders: Sequence[bytes] = field(repr=False)
    holders_as: Holders
    start: datetime
    end: datetime


def new_es_id(now: datetime) -> str:
    """18 digits: the day of making (Beijing) and ten unpredictable ones. Unique by the registry."""
    return f"{now.astimezone(BEIJING):%Y%m%d}{secrets.randbelow(10**10):010d}"


def make_seal(order: Order, maker: Authority, maker_certificate: Certificate, now: datetime) -> bytes:
    """SESeal in DER. Raises SigningRefused (validity, holders), SesError."""
    _refuse_impossible(order, maker_certificate, now)
    digests = tuple(ses.CertificateDigest("SM3", sm3.new(one).digest()) for one in order.holders)
    listed = order.holders_as is Holders.CERTIFICATES
    info = ses.seal_info(
        ses.SealInfo(
            es_id=order.es_id,
            vid=VENDOR,
            type=int(order.kind),
            name=order.name,
            created=now,
            valid_from=order.start,
            valid_to=order.end,
            picture=ses.Picture("PNG", order.picture, order.width, order.height),
            certificates=tuple(order.holders) if listed else (),
            digests=() if listed else digests,
        )
    )
    return ses.seal(info, maker_certificate.raw, maker.signer.sign(info))


def _refuse_impossible(order: Order, maker: Certificate, now: datetime) -> None:
    """A seal outlives none of the certificates behind it; who signs with it has a certificate for signing."""
    if not 0 < len(order.holders) <= MOST_HOLDERS:
        raise SigningRefused("holders", f"印章须绑定 1 至 {MOST_HOLDERS} 张签章证书")
    if not maker.not_before <= now <= maker.not_after:
        raise SigningRefused("maker-expired", "制章者证书不在有效期内")
    for raw in order.holders:
        held = certificates.parse(raw)
        usage = held.facts.key_usage
        if held.is_ca or (usage is not None and not usage & {"digitalSignature", "nonRepudiation"}):
            raise SigningRefused("holders", f"{held.subject.common_name} 的证书不是签名证书")
        if held.not_after < order.start or held.not_before > order.end:
            raise SigningRefused("holders", f"{held.subject.common_name} 的证书与印章有效期不重叠")
