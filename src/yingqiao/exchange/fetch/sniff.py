"""What a file is, from its first bytes. Pure."""

from __future__ import annotations

from enum import StrEnum
from struct import unpack_from

HEAD = 512
"""Bytes `sniff` wants, when there are so many."""
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_BOM = b"\xef\xbb\xbf"


class Kind(StrEnum):
    DICOM = "dicom"
    """A Part 10 file."""
    META = "dicom-meta"
    """File meta information without preamble."""
    DATASET = "dicom-dataset"
    """A bare dataset, explicit or implicit little endian."""
    ZIP = "zip"
    GZIP = "gzip"
    MULTIPART = "multipart"
    """A MIME multipart body (DICOMweb)."""
    PDF = "pdf"
    HTML = "html"
    JSON = "json"
    IMAGE = "image"
    """A picture a browser shows: JPEG, PNG, BMP."""
    EMPTY = "empty"
    OTHER = "other"


KIND_NAMES = {
    Kind.DICOM: "DICOM 影像",
    Kind.META: "DICOM 影像（无前导）",
    Kind.DATASET: "DICOM 数据集",
    Kind.ZIP: "zip 压缩包",
    Kind.GZIP: "gzip 压缩文件",
    Kind.MULTIPART: "multipart 应答",
    Kind.PDF: "PDF",
    Kind.HTML: "网页",
    Kind.JSON: "JSON 文本",
    Kind.IMAGE: "普通图片",
    Kind.EMPTY: "空文件",
    Kind.OTHER: "不认识的内容",
}
_STARTS = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"PK00PK\x03\x04", Kind.ZIP),
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"%PDF-", Kind.PDF),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"\x89PNG\r\n", Kind.IMAGE),
    (b"BM", Kind.IMAGE),
    (b"GIF8", Kind.IMAGE),
)


def sniff(head: bytes | memoryview, content_type: str = "") -> Kind:
    """The kind of a file that starts with `head`; `content_type` (a header) only tells a multipart body."""
    head = bytes(head[:HEAD])
    if not head:
        return Kind.EMPTY
    if head[128:132] == b"DICM":
        return Kind.DICOM
    if content_type.lower().startswith("multipart/") and head.lstrip().startswith(b"--"):
        return Kind.MULTIPART
    if head.startswith(b"DICM\x02\x00") or _is_element(head, 0x0002):
        return Kind.META
    if _is_dataset(head):
        return Kind.DATASET
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    return _text_kind(head)


def _text_kind(head: bytes) -> Kind:
    text = head.removeprefix(_BOM).lstrip().lower()
    if not text:
        return Kind.OTHER
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<script", b"<body", b"<!--")):
        return Kind.HTML
    if text.startswith((b"{", b"[")):
        return Kind.JSON
    if text.startswith(b"--") and b"content-type:" in text:
        return Kind.MULTIPART
    return Kind.PDF if b"%pdf-" in text else Kind.OTHER


def _is_element(head: bytes, group: int) -> bool:
    """Whether an explicit little endian element of the group is at the start."""
    return len(head) >= 8 and unpack_from("<H", head)[0] == group and head[4:6] in _VRS


def _is_dataset(head: bytes) -> bool:
    """A first element of group 0008 (what every composite instance starts with), short and even."""
    if len(head) < 8 or head[:2] != b"\x08\x00" or head[3] > 0x01:
        return False
    if head[4:6] in _VRS:
        return True
    length = int(unpack_from("<L", head, 4)[0])
    return length <= 256 and length % 2 == 0
