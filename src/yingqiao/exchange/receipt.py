"""Proof of custody: what was accepted, from whom, when, by which edition, with the digests of its bytes. Pure.

A receipt is computed from what is kept, never stored: it says what is there now. Its leaf (SM3 of its canonical
form) is bound into the day's entry of the hospital's chain (`exchange.balance`), which says what was there then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
import orjson

from yingqiao.gm import sm3

LEAF = 1 + 8 + sm3.DIGEST_LENGTH
"""Bytes of a leaf as kept: kind, id, SM3."""


class ReceiptKind(StrEnum):
    SUBMISSION = "submission"
    INSTANCE = "instance"


_MARK = {ReceiptKind.SUBMISSION: b"S", ReceiptKind.INSTANCE: b"I"}


class Receipt(msgspec.Struct, frozen=True, rename="camel"):
    """Of one accepted submission, or of one DICOM instance."""

    kind: ReceiptKind
    id: int
    """Of the submission or instance in the gateway."""
    hospital_code: str
    received_at: int
    """Unix ms."""
    sender: str
    """Address, with the calling AE title of an instance."""
    sha256: str
    """Of the bytes as received: the opened JSON, or the dataset."""
    sm3: str
    """Of the kept bytes (embedded documents taken out); '' of an instance until its bytes are read."""
    interface: str = ""
    ris_study_id: str = ""
    record_num: str = ""
    sop_uid: str = ""
    edition: str = ""
    documents: tuple[str, ...] = ()
    """`sha256:<hex>` of documents taken out."""

    def leaf(self) -> bytes:
        """What the day's entry binds: 32 bytes. An instance is bound by its SHA-256 alone."""
        members = msgspec.to_builtins(self)
        if self.kind is ReceiptKind.INSTANCE:
            members["sm3"] = ""
        return sm3.digest(orjson.dumps(members, option=orjson.OPT_SORT_KEYS))


def pack(receipts: Iterable[Receipt]) -> bytes:
    """The leaves of a day, in the order given."""
    return b"".join(_MARK[one.kind] + one.id.to_bytes(8, "big") + one.leaf() for one in receipts)


def leaf_of(leaves: bytes, kind: ReceiptKind, number: int) -> bytes | None:
    """The leaf kept for a receipt; None when the day's entry has none."""
    wanted = _MARK[kind] + number.to_bytes(8, "big")
    return next((leaf[9:] for leaf in _each(leaves) if leaf.startswith(wanted)), None)


def count(leaves: bytes) -> int:
    return len(leaves) // LEAF


def _each(leaves: bytes) -> Iterator[bytes]:
    return (leaves[at : at + LEAF] for at in range(0, len(leaves) - LEAF + 1, LEAF))
