"""Parallel signing (bParallelSign): seals over one base revision, delivered as data and merged by the host.

What the standard means by it is not published. This is our reading: each part is one seal over the same base, an
incremental revision with its SES_Signature and its places. One part merges into the base as it is; whoever wants a second
seal in the same file seals again over the merged file, since a signature covers the bytes before it.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from yingqiao.gm import sm3
from yingqiao.gm.errors import GmError
from yingqiao.signing.seals.pdf.writing import Prepared

VERSION = 1


class ParallelError(GmError):
    """`stale-base`: the file is not the one that was sealed; `parallel`: not such data, or damaged."""

    code = "parallel"


def part(
    base: bytes, prepared: Prepared, signature: bytes, places: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One seal. `signature` is the SES_Signature over `prepared`; `places` in mm. Raises PdfError `pdf-reserve`."""
    sealed = prepared.finish(base, signature)
    return {
        "places": list(places),
        "byteRange": list(prepared.byte_range),
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


def merge(base: bytes, said: Mapping[str, Any], index: int = 0) -> bytes:
    """`base` with the seal `index` of `said` (as `contents` made it). Raises ParallelError."""
    try:
        if said["version"] != VERSION:
            raise ParallelError("并行签名数据的版本不同")
        expected, chosen = said["base"]["sm3"], said["signatures"][index]
        increment, sealed = b64decode(chosen["increment"], validate=True), chosen["sealedSm3"]
    except (KeyError, IndexError, TypeError, binascii.Error, ValueError) as error:
        raise ParallelError("不是并行签名数据，或已损坏") from error
    if sm3.digest(base).hex() != expected:
        raise ParallelError("底稿已变化，须对现在的文件重新盖章", code="stale-base")
    merged = b"".join((base, increment))
    if sm3.digest(merged).hex() != sealed:
        raise ParallelError("并行签名数据已损坏")
    return merged
