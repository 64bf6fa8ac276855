"""Parallel signing (bParallelSign): the seals of one act as data, to be put into the file by its host.

What the standard means by it is not published. This is our reading: whoever seals leaves the file where it is, and hands
over incremental revisions, each with its SES_Signature and its places, the first over the host's base, each further one over
what the one before made. Acts of several people on one base do not merge: a signature covers the bytes before it, so
the second is refused as stale and sealed again over what the first made.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from yingqiao.gm import sm3
from yingqiao.gm.errors import GmError

VERSION = 2
MESSAGE = "parallelSignData"
STALE, DAMAGED, NOT_WHOLE = "stale-base", "parallel", "parallel-seal"
_MOST = 1000


class ParallelError(GmError):
    """`stale-base`: the file is not the one that was sealed; `parallel`: not such data, or damaged; `parallel-seal`: what
    it would put into the file is no seal, or does more than that.
    """

    code = DAMAGED


def part(
    base: bytes,
    sealed: bytes,
    byte_range: Sequence[int],
    signature: bytes,
    places: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """One seal: `sealed` is `base` with one more revision, `signature` its SES_Signature, `places` in mm."""
    return {
        "places": list(places),
        "byteRange": list(byte_range),
        "ses": b64encode(signature).decode(),
        "increment": b64encode(memoryview(sealed)[len(base) :]).decode(),
        "sealedSm3": sm3.digest(sealed).hex(),
    }


def contents(
    base: bytes, parts: Sequence[Mapping[str, Any]], *, token: str, seal: Mapping[str, str], at: datetime
) -> dict[str, Any]:
    """What the host is told as `parallelSignData`."""
    return {
        "version": VERSION,
        "token": token,
        "base": {"sm3": sm3.digest(base).hex(), "size": len(base)},
        "seal": dict(seal),
        "time": at.isoformat(timespec="seconds"),
        "signatures": list(parts),
    }


def joined(base: bytes, said: Mapping[str, Any]) -> tuple[bytes, list[bytes]]:
    """`base` with every revision of `said`, and their SES_Signatures. Raises ParallelError.

    `said` is what `contents` made, or the whole message. Whether the revisions are seals is not looked at.
    """
    said = _said(said)
    try:
        version, expected, parts = said["version"], said["base"]["sm3"], said["signatures"]
        if version != VERSION:
            raise ParallelError(f"并行签名数据的版本应为 {VERSION}")
        if not 0 < len(parts) <= _MOST:
            raise ParallelError("并行签名数据中没有签章")
        increments = [b64decode(one["increment"], validate=True) for one in parts]
        signatures = [b64decode(one["ses"], validate=True) for one in parts]
        digests = [one["sealedSm3"] for one in parts]
    except (KeyError, TypeError, binascii.Error, ValueError) as error:
        raise ParallelError("不是并行签名数据，或已损坏") from error
    if sm3.digest(base).hex() != expected:
        raise ParallelError("底稿已变化，须对现在的文件重新盖章", code=STALE)
    merged = base
    for increment, digest in zip(increments, digests, strict=True):
        merged += increment
        if sm3.digest(merged).hex() != digest:
            raise ParallelError("并行签名数据已损坏")
    return merged, signatures


def _said(said: Any) -> Mapping[str, Any]:
    if isinstance(said, Mapping) and said.get("type") == MESSAGE:
        said = said.get("contents")
    if not isinstance(said, Mapping):
        raise ParallelError("不是并行签名数据，或已损坏")
    return said
