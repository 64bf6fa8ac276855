"""The tag walker: finds the few elements the index needs in a dataset, without building the dataset.

It reads headers and jumps over values, stops at the last element it wants (so never touches pixel data), and
bounds everything it does: elements walked, bytes inflated, bytes kept of one value. Sequences of undefined
length are skipped by counting, not by recursion. Sources: DICOM PS3.5 7.1 (encoding), 7.5 (nesting), A.4-A.5
(syntaxes).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from struct import Struct, error

MAX_ELEMENTS = 50_000
"""Elements walked, nested ones included; real datasets have some hundreds before the last one wanted."""
MAX_VALUE = 4_096
"""Bytes kept of one value."""
INFLATE_STEPS = (128 * 1024, 8 * 1024 * 1024)
"""Bytes inflated of a deflated dataset: the first step is enough for all but odd ones."""

SPECIFIC_CHARACTER_SET = 0x0008_0005
SOP_CLASS_UID = 0x0008_0016
SOP_INSTANCE_UID = 0x0008_0018
STUDY_UID = 0x0020_000D
SERIES_UID = 0x0020_000E
ROWS = 0x0028_0010
COLUMNS = 0x0028_0011
WANTED = frozenset(
    {
        *(SPECIFIC_CHARACTER_SET, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_UID, SERIES_UID, ROWS, COLUMNS),
        *(0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0060, 0x0008_0070, 0x0008_0080, 0x0008_0090),
        *(0x0008_1010, 0x0008_1030, 0x0008_103E, 0x0008_1090),
        *(0x0010_0010, 0x0010_0020, 0x0010_0030, 0x0010_0040, 0x0010_1000),
        *(0x0018_0015, 0x0020_0010, 0x0020_0011, 0x0020_0013, 0x0028_0008),
    }
)
LAST_WANTED = max(WANTED)

DEFLATED_LE = "1.2.840.10008.1.2.1.99"
DEFLATED = frozenset({DEFLATED_LE, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
IMPLICIT_LE = frozenset({"1.2.840.10008.1.2", "1.2.840.113619.5.2", "1.2.840.10008.1.20"})
EXPLICIT_BE = "1.2.840.10008.1.2.2"

_SHORT_NAMES = [
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FL",
    "FD",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "SL",
    "SS",
    "ST",
    "TM",
    "UI",
    "UL",
    "US",
]
_LONG_NAMES = ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]
_PIXEL_GROUP = 0x7FE0
_UNDEFINED = 0xFFFF_FFFF
_ITEM_GROUP, _ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE, 0xE000, 0xE00D, 0xE0DD


@dataclass(slots=True)
class Elements:
    """Values by tag (raw bytes, at most MAX_VALUE each), the byte order, and what was odd (stable ids)."""

    values: dict[int, bytes] = field(default_factory=dict)
    little: bool = True
    oddities: list[str] = field(default_factory=list)
    ran_out: bool = False
    """The walk ended with the bytes, not with the last wanted element."""
    left: int = MAX_ELEMENTS
    """Nested elements that may still be walked."""

    def note(self, oddity: str) -> None:
        if oddity not in self.oddities:
            self.oddities.append(oddity)


class _Order:
    """How one byte order writes headers; VRs are compared as the 16-bit numbers the order reads them as."""

    def __init__(self, mark: str) -> None:
        self.explicit = Struct(mark + "HHHH").unpack_from
        self.implicit = Struct(mark + "HHL").unpack_from
        self.long = Struct(mark + "L").unpack_from
        number = Struct(mark + "H").unpack
        self.short_vrs = frozenset(number(name.encode())[0] for name in _SHORT_NAMES)
        self.long_vrs = frozenset(number(name.encode())[0] for name in _LONG_NAMES)
        self.unknown = number(b"UN")[0]


_LITTLE, _BIG = _Order("<"), _Order(">")


class _StoppedError(Exception):
    """The bytes make no sense from here on; what was read before stays."""


def read_elements(data: bytes | memoryview, transfer_syntax_uid: str) -> Elements:
    """The wanted elements of a dataset (no preamble, no group 0002). Never raises; see `Elements.oddities`.

    A declared syntax that the first bytes contradict is overruled (`syntax-lied`). Deflated datasets are
    inflated to at most 8 MiB.
    """
    if transfer_syntax_uid not in DEFLATED:
        return _read_plain(data, transfer_syntax_uid)
    found = Elements()
    for limit in INFLATE_STEPS:
        try:
            plain, more = _inflate(data, limit)
        except zlib.error:
            found = _read_plain(data, "1.2.840.10008.1.2.1")  # sent uncompressed under a deflated name
            found.note("bad-deflate")
            return found
        found = _read_plain(plain, "1.2.840.10008.1.2.1")
        if not (more and "parse-stopped" in found.oddities):
            break
    return found


def _inflate(data: bytes | memoryview, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether there are more. A zlib wrapper, forbidden but seen, is accepted."""
    for window in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        machine = zlib.decompressobj(window)
        try:
            return machine.decompress(data, limit), bool(machine.unconsumed_tail)
        except zlib.error:
            if window > 0:
                raise
    raise zlib.error("unreachable")


def _read_plain(data: bytes | memoryview, transfer_syntax_uid: str) -> Elements:
    found = Elements()
    start = _skip_part10(data, found)
    order, explicit = _how_written(data, start, transfer_syntax_uid, found)
    found.little = order is _LITTLE
    try:
        (_walk_explicit if explicit else _walk_implicit)(data, start, order, found)
    except (_StoppedError, error):
        found.note("parse-stopped")
    return found


def _skip_part10(data: bytes | memoryview, found: Elements) -> int:
    """Where the dataset starts: some senders put a whole Part 10 file into C-STORE."""
    if len(data) < 144 or data[128:132] != b"DICM" or bytes(data[132:140]) != b"\x02\x00\x00\x00UL\x04\x00":
        return 0
    found.note("part10-inside")
    return min(144 + int.from_bytes(data[140:144], "little"), len(data))


def _how_written(
    data: bytes | memoryview, start: int, transfer_syntax_uid: str, found: Elements
) -> tuple[_Order, bool]:
    """Byte order and explicitness: as declared, unless the first header can only be read another way."""
    declared = (
        _BIG if transfer_syntax_uid == EXPLICIT_BE else _LITTLE,
        transfer_syntax_uid not in IMPLICIT_LE,
    )
    if len(data) < start + 8:
        return declared
    order = declared[0]
    if order.explicit(data, start)[0] > 0xFF and _other(order).explicit(data, start)[0] <= 0xFF:
        order = _other(order)  # no dataset starts beyond group 00FF
    if order.explicit(data, start)[0] > 0xFF:
        found.note("parse-stopped")
    vr = order.explicit(data, start)[2]
    named = vr in order.short_vrs or vr in order.long_vrs
    actual = (order, named)
    if actual != declared and (named or declared[1]):
        found.note("syntax-lied")
        return actual
    return declared


def _other(order: _Order) -> _Order:
    return _BIG if order is _LITTLE else _LITTLE


def _keep(data: bytes | memoryview, tag: int, start: int, length: int, found: Elements) -> None:
    if tag in found.values:
        found.note("tag-repeated")  # the first stands: a repeat later is out of order, hence less trusted
        return
    if length > MAX_VALUE:
        found.note("value-too-long")
        length = MAX_VALUE
    found.values[tag] = bytes(data[start : start + length])


def _walk_explicit(data: bytes | memoryview, pos: int, order: _Order, found: Elements) -> None:
    unpack, long, short_vrs, long_vrs = order.explicit, order.long, order.short_vrs, order.long_vrs
    size = len(data)
    for _ in range(MAX_ELEMENTS):
        if pos == size:
            found.ran_out = True
            return
        group, element, vr, length = unpack(data, pos)
        tag = group << 16 | element
        if tag > LAST_WANTED and _at_end(group, found):
            return
        if vr in short_vrs:
            start = pos + 8
        elif vr in long_vrs:
            (length,) = long(data, pos + 8)
            start = pos + 12
        else:
            found.note("bad-vr")
            (length,) = long(
                data, pos + 4
            )  # written as in the implicit syntax, by converters without that tag
            start = pos + 8
        if length == _UNDEFINED:
            pos = _skip_undefined(data, start, order, found, explicit=vr in long_vrs and vr != order.unknown)
            continue
        pos = start + length
        if pos > size:
            raise _StoppedError
        if tag in WANTED:
            _keep(data, tag, start, length, found)
    found.note("too-many-elements")


def _walk_implicit(data: bytes | memoryview, pos: int, order: _Order, found: Elements) -> None:
    unpack = order.implicit
    size = len(data)
    for _ in range(MAX_ELEMENTS):
        if pos == size:
            found.ran_out = True
            return
        group, element, length = unpack(data, pos)
        tag = group << 16 | element
        if tag > LAST_WANTED and _at_end(group, found):
            return
        start = pos + 8
        if length == _UNDEFINED:
            pos = _skip_undefined(data, start, order, found, explicit=False)
            continue
        pos = start + length
        if pos > size:
            raise _StoppedError
        if tag in WANTED:
            _keep(data, tag, start, length, found)
    found.note("too-many-elements")


def _at_end(group: int, found: Elements) -> bool:
    """After the last wanted tag the walk is over, unless the study is still to be found (tags out of
    order)."""
    if group == _ITEM_GROUP:
        raise _StoppedError  # a delimiter without a sequence: lengths before it were wrong
    return STUDY_UID in found.values or group >= _PIXEL_GROUP


def _skip_undefined(
    data: bytes | memoryview, pos: int, order: _Order, found: Elements, *, explicit: bool
) -> int:
    """The position after the delimiter of the sequence whose value starts at `pos`; depth is a number, not a
    stack.

    Inside an undefined-length UN everything is implicit (PS3.5 6.2.2 note 2); `plain` is the depth where that
    began.
    """
    depth, plain = 1, 0 if explicit else 1
    while found.left:
        found.left -= 1
        group, element, length = order.implicit(data, pos)
        pos += 8
        if group == _ITEM_GROUP:
            if element in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
                if depth == 0:
                    return pos
                plain = 0 if depth < plain else plain
                continue
            deeper = length == _UNDEFINED
        else:
            deeper = False
            if not plain:
                pos, length, unknown = _explicit_value(data, pos, order, length)
                plain = depth + 1 if unknown and length == _UNDEFINED else 0
            deeper = length == _UNDEFINED
        if deeper:
            depth += 1
        else:
            pos += length
            if pos > len(data):
                raise _StoppedError
    found.note("too-many-elements")
    raise _StoppedError


def _explicit_value(data: bytes | memoryview, pos: int, order: _Order, length: int) -> tuple[int, int, bool]:
    """Start and length of the value whose 8 header bytes end at `pos`, and whether its VR is UN."""
    vr = order.explicit(data, pos - 8)[2]
    if vr in order.short_vrs:
        return pos, order.explicit(data, pos - 8)[3], False
    if vr in order.long_vrs:
        return pos + 4, order.long(data, pos)[0], vr == order.unknown
    return pos, length, True
