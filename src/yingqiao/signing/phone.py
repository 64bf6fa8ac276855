"""What a phone may sign and how it is named: `csr:<key>`, `login:<challenge>`, `job:<signDataId>`. Pure.

The server computes e itself, always: what is shown is what is signed (gm-signing 4.5).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.gm import names, oids, sm2
from yingqiao.gm.names import Name
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import DataType, Job

VERSION, MANAGED_VERSION = "2.1", "2.0"
"""Above 2.0 the doctor switches automatic signing on and sets its end; up to 2.0 the service does the first (annex 7, 19)."""
_NAME = re.compile(r"(csr|login|job):([A-Za-z0-9_-]{1,64})")
_HEADS = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


class Kind(StrEnum):
    CSR = "csr"
    LOGIN = "login"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Named:
    """The name of something to be signed, taken apart."""

    kind: Kind
    id: str
    text: str
    """The whole name: what the protocol's messages are bound to."""


def read_name(text: str) -> Named:
    """Raises SigningRefused."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise SigningRefused("field", "job 应为 csr:、login: 或 job: 加编号")
    return Named(Kind(found[1]), found[2], text)


def login_data(service: str, key_id: str, challenge: str) -> bytes:
    """What is signed to log in: by its first words no report could be taken for it, nor it for a report."""
    return f"影桥协同签名登录\n服务：{service}\n密钥：{key_id}\n随机数：{challenge}\n".encode()


def digest_of(job: Job, public: sm2.PublicKey) -> bytes:
    """e of a job under a key: of a HASH the value itself, of all else SM3 over Z and the data as received (T120)."""
    if job.data_type is DataType.HASH:
        return job.data
    return sm2.digest_for(public, job.data)


def content_type(job: Job) -> str:
    """A guess at what the data is, for showing it; application/octet-stream where there is none."""
    if job.data_type is DataType.HASH:
        return "application/octet-stream"
    for head, found in _HEADS:
        if job.data.startswith(head):
            return found
    try:
        text = job.data.decode().lstrip("\ufeff \r\n\t")
    except UnicodeDecodeError:
        return "application/octet-stream"
    if "\0" in text:
        return "application/octet-stream"
    return _text_type(text)


def _text_type(text: str) -> str:
    if text[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "text/plain"
        return "application/json"
    opening = text[:64].lower()
    if opening.startswith(("<!doctype html", "<html")):
        return "text/html"
    return "application/xml" if opening.startswith("<?xml") else "text/plain"


def request_subject(person: str, hospital: str) -> Name:
    """The subject a phone's certificate request names; the CA writes the certificate's from its own records."""
    return names.build(
        [(oids.COUNTRY, "CN"), (oids.ORGANIZATION, hospital[:64]), (oids.COMMON_NAME, person[:64])]
    )


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's kind and size in pixels."""

    kind: str
    width: int
    height: int


MAX_PICTURE = 512 * 1024
MAX_PIXELS = 4096


def look_at_picture(raw: bytes) -> Picture:
    """A handwritten seal as submitted: PNG or JPEG, of reasonable size. Raises SigningRefused."""
    if len(raw) > MAX_PICTURE:
        raise SigningRefused("picture", f"图片超过 {MAX_PICTURE // 1024} KiB")
    found = _png(raw) or _jpeg(raw)
    if found is None:
        raise SigningRefused("picture", "图片应为 PNG 或 JPEG")
    if not (1 <= found.width <= MAX_PIXELS and 1 <= found.height <= MAX_PIXELS):
        raise SigningRefused("picture", f"图片的宽和高应为 1 至 {MAX_PIXELS} 像素")
    return found


def _png(raw: bytes) -> Picture | None:
    if not raw.startswith(b"\x89PNG\r\n\x1a\n") or raw[12:16] != b"IHDR" or len(raw) < 33:
        return None
    return Picture("image/png", int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big"))


def _jpeg(raw: bytes) -> Picture | None:
    """The size stands in the first start-of-frame segment."""
    at = 2
    while raw.startswith(b"\xff\xd8\xff") and at + 9 <= len(raw) and raw[at] == 0xFF:
        marker, length = raw[at + 1], int.from_bytes(raw[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = raw[at + 5 : at + 7], raw[at + 7 : at + 9]
            return Picture("image/jpeg", int.from_bytes(width, "big"), int.from_bytes(height, "big"))
        at += 2 + max(length, 2)
    return None
