"""Pictures of handwritten signatures: what they are is read from their content, never from a name."""

from __future__ import annotations

from typing import Final

from yingqiao.signing.errors import SigningRefused

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_SIDE: Final = 4096
_SIZES_OF_JPEG = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))


def media_type(content: bytes) -> str:
    """`image/png` or `image/jpeg`. Raises SigningRefused: another format, too large, damaged at the beginning."""
    if len(content) > MAX_BYTES:
        raise SigningRefused("picture-size", f"图片不得超过 {MAX_BYTES // 1024 // 1024} MiB")
    kind, size = look(content)
    if max(size) > MAX_SIDE:
        raise SigningRefused("picture-size", f"图片边长不得超过 {MAX_SIDE} 像素")
    return kind


def look(content: bytes) -> tuple[str, tuple[int, int]]:
    """Media type, width and height in pixels, of any size; nothing is unpacked. Raises SigningRefused."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        kind, size = "image/png", _png_size(content)
    elif content.startswith(b"\xff\xd8\xff"):
        kind, size = "image/jpeg", _jpeg_size(content)
    else:
        raise SigningRefused("picture-format", "图片应为 PNG 或 JPEG")
    if size is None or min(size) < 1:
        raise SigningRefused("picture-damaged", "图片已损坏")
    return kind, size


def _png_size(content: bytes) -> tuple[int, int] | None:
    """The first chunk is IHDR of 13 bytes: width and height."""
    if len(content) < 33 or content[8:16] != b"\x00\x00\x00\rIHDR":
        return None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Segments up to the frame header, which has height and width."""
    at = 2
    while at + 9 <= len(content):
        if content[at] != 0xFF:
            return None
        mark = content[at + 1]
        if mark == 0xFF:
            at += 1
        elif mark in _BARE:
            at += 2
        elif mark in _SIZES_OF_JPEG:
            return int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        else:
            at += 2 + max(2, int.from_bytes(content[at + 2 : at + 4]))
    return None
