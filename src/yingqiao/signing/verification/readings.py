"""What else may have been signed: the content in other spellings, to explain a signature that does not verify.

None of these is accepted; each names the mistake in words its maker understands. T66 is apart: whether CAData is
text or base64 is not stated, so both readings are given to the verification (`both`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from yingqiao.gm import sm3

LARGE = 1024 * 1024
"""Larger contents are explained by fewer guesses, so that a refusal costs no more than some tens of ms."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A content, and what it is of what was given. `reason` is '' for the content itself."""

    content: bytes
    words: str = "原文"
    reason: str = ""


def both(text: str) -> tuple[Reading, ...]:
    """CAData as text in UTF-8, and, when it is base64, what it stands for (T66)."""
    raw = text.encode("utf-8", "surrogatepass")
    decoded = _decoded(raw)
    plain = Reading(raw, "文本")
    return (plain,) if decoded is None else (plain, Reading(decoded, "Base64 解码后的内容", "base64-decoded"))


def spellings(content: bytes) -> Iterator[Reading]:
    """Contents that people sign in place of `content`, each with the words for it."""
    stripped = content.rstrip(b"\r\n")
    if stripped != content:
        yield Reading(stripped, "签名时原文末尾没有换行", "trailing-newline")
    yield Reading(content + b"\n", "签名时原文末尾多一个换行", "trailing-newline")
    if len(content) > LARGE:
        return
    yield Reading(content + b"\r\n", "签名时原文末尾多一个回车换行", "trailing-newline")
    bare = content.strip()
    if bare not in (content, stripped):
        yield Reading(bare, "签名时原文首尾没有空白", "whitespace")
    yield from _base64(content)
    yield from _charsets(content)
    if b"\n" in content:
        unix = content.replace(b"\r\n", b"\n")
        for other in (unix, unix.replace(b"\n", b"\r\n")):
            if other != content:
                yield Reading(other, "签名时原文的换行方式不同（CRLF 与 LF）", "line-ends")
    yield from _digests(content)


def _base64(content: bytes) -> Iterator[Reading]:
    decoded = _decoded(content)
    if decoded is not None:
        yield Reading(decoded, "签的是 Base64 解码后的内容，而原文给的是 Base64 文本", "base64-decoded")
    encoded = base64.b64encode(content)
    yield Reading(encoded, "签的是原文的 Base64 文本，而不是原文", "base64-text")
    if decoded is None and len(content) % 2 == 0:
        try:
            yield Reading(bytes.fromhex(content.decode("ascii")), "签的是十六进制解码后的内容", "hex-decoded")
        except ValueError:
            return


def _decoded(content: bytes) -> bytes | None:
    bare = content.translate(None, b"\r\n \t")
    if len(bare) < 4 or len(bare) % 4:
        return None
    try:
        return base64.b64decode(bare, validate=True)
    except binascii.Error:
        return None


def _charsets(content: bytes) -> Iterator[Reading]:
    for here, there, words in (
        ("utf-8", "gb18030", "签名时原文为 GBK 编码，应为 UTF-8"),
        ("gb18030", "utf-8", "签名时原文为 UTF-8 编码，而所给为 GBK"),
        ("utf-8", "utf-16-le", "签名时原文为 UTF-16 编码，应为 UTF-8"),
    ):
        try:
            other = content.decode(here).encode(there)
        except (UnicodeDecodeError, UnicodeEncodeError):
            continue
        if other != content:
            yield Reading(other, words, "charset")
    bom = b"\xef\xbb\xbf"
    other = content.removeprefix(bom) if content.startswith(bom) else bom + content
    yield Reading(other, "原文开头的 BOM 与签名时不同", "charset")


def _digests(content: bytes) -> Iterator[Reading]:
    for digest, name in ((sm3.digest(content), "SM3"), (hashlib.sha256(content).digest(), "SHA-256")):
        words = f"签的是原文的 {name} 杂凑值，而不是原文"
        yield Reading(digest, words, "hash-signed")
        yield Reading(digest.hex().encode(), f"{words}（十六进制小写）", "hash-signed")
        yield Reading(digest.hex().upper().encode(), f"{words}（十六进制大写）", "hash-signed")
        yield Reading(base64.b64encode(digest), f"{words}（Base64）", "hash-signed")


def explain_original(content: bytes, fits: Callable[[bytes], bool]) -> Reading | None:
    """The first spelling of `content` that `fits`."""
    return next((one for one in spellings(content) if fits(one.content)), None)
