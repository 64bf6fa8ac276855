"""The Part 10 head put before a received dataset (PS3.10 7.1): the dataset itself is never touched."""

from __future__ import annotations

import struct
from functools import lru_cache

from yingqiao.exchange.model import Arrival

IMPLEMENTATION_CLASS_UID = "2.25.273110429187261460385391262893341152737"
IMPLEMENTATION_VERSION = "YINGQIAO_01"

_SHORT = struct.Struct("<HH2sH")
_GROUP_LENGTH = struct.Struct("<HH2sHI")
_PREAMBLE = bytes(128) + b"DICM"
_VERSION = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\x00\x01"


def part10_head(arrival: Arrival) -> bytes:
    """Preamble, DICM and file meta information, explicit VR little endian, for what arrived."""
    before = _before_instance(arrival.sop_class_uid)
    instance = _element(0x0003, b"UI", arrival.sop_instance_uid, b"\0")
    after = _after_instance(arrival.transfer_syntax_uid, arrival.calling_aet)
    length = len(before) + len(instance) + len(after)
    return b"".join((_PREAMBLE, _GROUP_LENGTH.pack(2, 0, b"UL", 4, length), before, instance, after))


@lru_cache(maxsize=128)
def _before_instance(sop_class_uid: str) -> bytes:
    return _VERSION + _element(0x0002, b"UI", sop_class_uid, b"\0")


@lru_cache(maxsize=128)
def _after_instance(transfer_syntax_uid: str, calling_aet: str) -> bytes:
    return b"".join(
        (
            _element(0x0010, b"UI", transfer_syntax_uid, b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION, b" "),
            _element(0x0016, b"AE", calling_aet, b" "),
        )
    )


def _element(element: int, vr: bytes, value: str, padding: bytes) -> bytes:
    raw = value.encode("latin-1", "replace")
    if len(raw) % 2:
        raw += padding
    return _SHORT.pack(2, element, vr, len(raw)) + raw
