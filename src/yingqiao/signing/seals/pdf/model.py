"""What a file says of its signatures. Values only: they cross from the process that read the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from yingqiao.signing.verification.report import Indication

if TYPE_CHECKING:  # it loads pyHanko, which who asks a worker process need not
    from yingqiao.signing.seals.pdf.pages import Box

ENVELOPE, CHANGED, NOT_JUDGED = 1001, 1011, 1099
"""verifyResult: row 0 and row 10 of the order of judging, and what is not judged."""


class Kind(StrEnum):
    """What /Contents holds, found by its shape; the SubFilter is only a hint."""

    SES = "ses"
    """A seal signature (GM/T 0031, GB/T 38540)."""
    GM0010 = "gm0010"
    """A signed message over SM3 (GM/T 0010, GB/T 35275, or CMS with SM2)."""
    CMS = "cms"
    """A signed message of RSA and ECDSA (PKCS#7, CAdES): pyHanko's to judge."""
    TIMESTAMP = "timestamp"
    """A document time stamp (RFC 3161)."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a signature is refused: `number` is verifyResult's, `code` stable, `reason` Chinese."""

    number: int
    code: str
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the signature's widget looks: `picture` is PNG, or the seal's own picture where the widget is that to the byte;
    `same` is whether it is the seal's, None when unknown.
    """

    picture: bytes
    same: bool | None


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """One signature, in the order of signing; also one whose field a later revision removed."""

    index: int
    """From 0."""
    field: str
    page_index: int | None
    """From 1; of a paging seal its first page; None when no page shows it."""
    rect: Box | None
    filter: str
    sub_filter: str
    byte_range: tuple[int, ...]
    contents: bytes
    """DER without padding; as it is when it is no DER."""
    kind: Kind
    revision: int
    """From 0: where its signature dictionary was written last."""
    envelope_problem: Problem | None = None
    changed_after: Problem | None = None
    changes: tuple[str, ...] = ()
    """Chinese names of what later revisions did, refused or not."""
    warnings: tuple[str, ...] = ()
    appearance: Appearance | None = None
    claimed_at: datetime | None = None
    """/M: only a claim."""
    name: str = ""
    reason: str = ""
    digests: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

    def digest(self, name: str = "sm3") -> bytes:
        """Of both spans of the ByteRange. Raises KeyError when it was not computed (the envelope is wrong)."""
        return self.digests[name]


@dataclass(frozen=True, slots=True)
class SealedPdf:
    """A file as read. `troubles` are Chinese: what is odd about the file itself; a file without signatures is none."""

    pages: int
    size: int
    revisions: int
    signatures: tuple[PdfSignature, ...]
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignVerdict:
    """What pyHanko says. `number` is 0 only when passed; `words` are Chinese; `certificate` is the signer's in DER."""

    indication: Indication
    number: int
    words: str
    signer: str = ""
    certificate: bytes = b""
    algorithm: str = ""
    signed_at: datetime | None = None
    stamped: bool = False
    """Whether `signed_at` is a time stamp's, not a claim."""
