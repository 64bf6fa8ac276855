"""The Part 10 head put before a received dataset (PS3.10 7.1): the dataset itself is never touched."""

from __future__ import annotations

import struct

from yingqiao.exchange.model import Arrival

IMPLEMENTATION_CLASS_UID = "2.25.273110429187261460385391262893341152737"
IMPLEMENTATION_VERSION = "YINGQIAO_01"

_SHORT = struct.Struct("<HH2sH")
_VERSION = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\x00\x01"


def part10_head(arrival: Arrival) -> bytes:
    """Preamble, DICM and file meta information, explicit VR little endian, for what arrived."""
    body = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", arrival.sop_class_uid, b"\0"),
            _element(0x0003, b"UI", arrival.sop_instance_uid, b"\0"),
            _element(0x0010, b"UI", arrival.transfer_syntax_uid, b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION, b" "),
            _element(0x0016, b"AE", arrival.calling_aet, b" "),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


def _element(element: int, vr: bytes, value: str, padding: bytes) -> bytes:
    raw = value.encode("latin-1", "replace")
    if len(raw) % 2:
        raw += padding
    return _SHORT.pack(2, element, vr, len(raw)) + raw
