"""Structures as people hand them over: DER, PEM, or bare base64, each recognised by its bytes."""

from __future__ import annotations

import binascii
import re

from yingqiao.gm.errors import GmError

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=_-]")
_SPACE = bytes(range(33))
_BOM = b"\xef\xbb\xbf"
MAX_BLOCKS = 64


class ArmorError(GmError):
    """Neither DER nor PEM nor base64."""

    code = "armor"


def unwrap(raw: bytes) -> list[bytes]:
    """The structures in `raw`: one of DER or base64 (line breaks and the URL alphabet tolerated), or each block
    of PEM. Raises ArmorError; that what comes out is DER is for its reader to say.
    """
    if raw[:1] in (b"\x30", b"\x31") and not _is_text(raw):
        return [raw]
    text = raw.removeprefix(_BOM)
    if b"-----BEGIN " in text:
        blocks = [block for _, block in _BLOCK.findall(text)][: MAX_BLOCKS + 1]
        if not 0 < len(blocks) <= MAX_BLOCKS:
            raise ArmorError("PEM 不完整或块数过多")
        return [_base64(_without_headers(block)) for block in blocks]
    return [_base64(text)]


def unwrap_one(raw: bytes) -> bytes:
    """As `unwrap`, of exactly one structure. Raises ArmorError."""
    found = unwrap(raw)
    if len(found) != 1:
        raise ArmorError(f"应只有一个结构，实有 {len(found)} 个")
    return found[0]


def _is_text(raw: bytes) -> bool:
    """Base64 may begin with the letter 0 too; DER of any use has octets no text has."""
    return not _NOT_BASE64.search(raw.translate(None, _SPACE))


def _without_headers(block: bytes) -> bytes:
    """RFC 1421 headers end at the first empty line."""
    normal = block.replace(b"\r\n", b"\n")
    return (
        normal.split(b"\n\n", 1)[1] if b": " in normal.split(b"\n\n", 1)[0] and b"\n\n" in normal else normal
    )


def _base64(text: bytes) -> bytes:
    bare = text.translate(None, _SPACE).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    if not bare:
        raise ArmorError("内容为空")
    try:
        return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ArmorError("既不是 DER，也不是 PEM 或 Base64") from error
