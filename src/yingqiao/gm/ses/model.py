"""What a seal and a seal signature say. Names are those of GB/T 38540-2020; times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from yingqiao.gm.errors import GmError
from yingqiao.gm.extensions import Extension

HEADER = "ES"
"""header.ID of every seal."""
CERTIFICATES, DIGESTS = 1, 2
"""certListType: the signers' certificates themselves, or digests of them."""


class SesError(GmError):
    """Not a seal or seal signature, or one that cannot be written."""

    code = "ses"


class Version(IntEnum):
    """By shape; what the structure claims of itself is beside it."""

    V1 = 1
    V4 = 4
    V5 = 5

    @property
    def standard(self) -> str:
        return {1: "GM/T 0031-2014", 4: "GB/T 38540-2020", 5: "GM/T 0031-2025"}[self]


@dataclass(frozen=True, slots=True)
class Picture:
    """SES_ESPictrueInfo: `kind` as written (PNG, png, GIF, ofd …), `data` as received, size in millimetres."""

    kind: str
    data: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CertificateDigest:
    """A signer's certificate by its digest; `kind` names the algorithm, in any spelling."""

    kind: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SealInfo:
    """SES_SealInfo. `certificates` are DER; they or `digests` say who may use the seal."""

    es_id: str
    vid: str
    type: int
    name: str
    created: datetime
    valid_from: datetime
    valid_to: datetime
    picture: Picture
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    digests: tuple[CertificateDigest, ...] = ()
    extensions: tuple[Extension, ...] = ()
    header_id: str = HEADER
    header_version: int = int(Version.V4)


@dataclass(frozen=True, slots=True)
class Seal:
    """SESeal as received. `signed` are the bytes that the maker (制章者) signed."""

    raw: bytes = field(repr=False)
    version: Version
    info: SealInfo
    maker: bytes = field(repr=False)
    """The maker's certificate as received."""
    algorithm: str
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    token: bytes | None = field(default=None, repr=False)
    """The time stamp of a v5 seal, over the maker's signature value."""
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealSignature:
    """SES_Signature as received. `signed` is TBS_Sign; `token` is over the value in `signature`."""

    raw: bytes = field(repr=False)
    version: Version
    tbs_version: int
    seal: Seal
    time: datetime | None
    """timeInfo; None where it is a token (v1) or cannot be read."""
    time_token: bytes | None = field(repr=False)
    data_hash: bytes
    property_info: str
    certificate: bytes = field(repr=False)
    """The signer's certificate as received."""
    algorithm: str
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    token: bytes | None = field(default=None, repr=False)
    extensions: tuple[Extension, ...] = ()
    oddities: tuple[str, ...] = ()
