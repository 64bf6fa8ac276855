"""Small DICOM files made by hand, for servers to serve."""

from __future__ import annotations

from struct import pack

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def element(group: int, number: int, vr: str, value: bytes, *, implicit: bool = False) -> bytes:
    value += b"\0" * (len(value) % 2)
    if implicit:
        return pack("<HHL", group, number, len(value)) + value
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return pack("<HH2sHL", group, number, vr.encode(), 0, len(value)) + value
    return pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def dataset(uid: str, pixels: bytes = b"\1\2" * 50, *, study: str = "1.2.3", implicit: bool = False) -> bytes:
    """A CT instance of one series."""
    values = (
        (0x0008, 0x0005, "CS", b"GB18030"),
        (0x0008, 0x0016, "UI", CT.encode()),
        (0x0008, 0x0018, "UI", uid.encode()),
        (0x0008, 0x0020, "DA", b"20260801"),
        (0x0008, 0x0050, "SH", b"A100"),
        (0x0008, 0x0060, "CS", b"CT"),
        (0x0010, 0x0010, "PN", "张三".encode("gb18030")),
        (0x0010, 0x0020, "LO", b"P1"),
        (0x0020, 0x000D, "UI", study.encode()),
        (0x0020, 0x000E, "UI", f"{study}.1".encode()),
        (0x0028, 0x0010, "US", pack("<H", 512)),
        (0x0028, 0x0011, "US", pack("<H", 512)),
        (0x7FE0, 0x0010, "OW", pixels),
    )
    return b"".join(element(*value, implicit=implicit) for value in values)


def part10(uid: str, pixels: bytes = b"\1\2" * 50, *, syntax: str = EXPLICIT, sop_class: str = CT) -> bytes:
    """The same as a file."""
    meta = b"".join(
        (
            element(2, 1, "OB", b"\0\1"),
            element(2, 2, "UI", sop_class.encode()),
            element(2, 3, "UI", uid.encode()),
            element(2, 0x10, "UI", syntax.encode()),
        )
    )
    head = bytes(128) + b"DICM" + element(2, 0, "UL", pack("<L", len(meta))) + meta
    return head + dataset(uid, pixels, implicit=syntax == IMPLICIT)
