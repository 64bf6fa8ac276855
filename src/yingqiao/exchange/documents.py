"""Embedded documents: decoded, proven to be a PDF, and taken out of the record they came
in (T24, T25, T74).
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pybase64

from yingqiao.exchange.model import Document

REFERENCE = "object:"
"""What stands in a kept record where a document was: `object:sha256:<hex>`."""
_HEAD = 1024
_TAIL = 4096
_DATA_URI = "data:"
_NEEDLE = 64


class NotPdfError(ValueError):
    """The text is no base64 of a PDF; the message is Chinese and says what is wrong with it."""


def decode_pdf(text: str) -> bytes:
    """The bytes of a PDF from its base64, white space and a data URI's head tolerated. Raises NotPdfError."""
    body = text.partition(",")[2] if text.startswith(_DATA_URI) else text
    try:
        content = pybase64.b64decode(body, validate=True)
    except ValueError:
        content = _decode_loosely(body)
    prove_pdf(content)
    return content


def prove_pdf(content: bytes | memoryview) -> None:
    """Raises NotPdfError unless the bytes begin and end as a PDF does."""
    if b"%PDF-" not in bytes(content[:_HEAD]):
        raise NotPdfError("文件开头没有 %PDF 标记")
    if b"%%EOF" not in bytes(content[-_TAIL:]):
        raise NotPdfError("文件结尾没有 %%EOF 标记，可能不完整")


def _decode_loosely(body: str) -> bytes:
    try:
        return pybase64.b64decode("".join(body.split()), validate=True)
    except ValueError as error:
        raise NotPdfError("不是合法的 Base64") from error


def document(field: str, content: bytes) -> Document:
    return Document(field, f"sha256:{hashlib.sha256(content).hexdigest()}", content)


def take_out(plaintext: bytes, value: Any, taken: dict[str, str]) -> bytes:
    """`plaintext` (the JSON of `value`) with each text that is a key of `taken` replaced by what it maps to.

    Byte for byte the same elsewhere; written anew only when the sender escaped characters of the text.
    """
    body = plaintext
    for text, reference in taken.items():
        body = _exchange(body, b'"' + text.encode() + b'"', b'"' + reference.encode() + b'"')
        if not body:
            return orjson.dumps(_replaced(value, taken))
    return body


def _exchange(body: bytes, old: bytes, new: bytes) -> bytes:
    """`body` with each `old` as `new`, b'' when there is none.

    `old` is a quoted text without quotes inside, so looking for its head first stays linear,
    and is many times faster than bytes.replace with a needle of megabytes.
    """
    pieces, last = [], 0
    at = body.find(old[:_NEEDLE])
    while at >= 0:
        if body.startswith(old, at):
            pieces += [body[last:at], new]
            last = at + len(old)
        at = body.find(old[:_NEEDLE], max(at + 1, last))
    return b"".join((*pieces, body[last:])) if pieces else b""


def _replaced(value: Any, taken: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(member, taken) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(item, taken) for item in value]
    return taken.get(value, value) if isinstance(value, str) else value
