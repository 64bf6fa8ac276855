"""How much of a PDF file is looked at. Memory and time are bounded by the process it is done in."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Above any of these a file is refused with code `pdf-too-big`."""

    bytes: int = 100 * MIB
    pages: int = 5_000
    revisions: int = 300
    fields: int = 20_000
    """Form fields of one revision."""
    signatures: int = 200
    decoded: int = 256 * MIB
    """Bytes that all streams of one reading may decode to; ten times the file when that is more."""


DEFAULT = Limits()
