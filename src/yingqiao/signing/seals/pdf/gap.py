"""The signature dictionary while it has no value yet: room for /Contents, and a /ByteRange filled in afterwards.

As pyHanko's own (`pyhanko.sign`), which loads an HTTP client and a path validator: half of what starting took.
"""

from __future__ import annotations

from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, PdfObject, pdf_name

_RANGE_ROOM = 62


class _Contents(PdfObject):  # type: ignore[misc]  # pyHanko has types, but not for others
    """Hex digits, all nought; never encrypted (ISO 32000-2, 7.6.2)."""

    def __init__(self, room: int) -> None:
        self._digits = b"0" * (2 * room)
        self.offsets = (0, 0)
        """Where it was written, its angle brackets included."""

    def write_to_stream(self, stream: Any, *_: Any, **__: Any) -> None:
        start = stream.tell()
        stream.write(b"<" + self._digits + b">")
        self.offsets = (start, stream.tell())


class _ByteRange(PdfObject):  # type: ignore[misc]  # as above
    """Blanks, so many that any range fits."""

    def __init__(self) -> None:
        self._at = 0

    def write_to_stream(self, stream: Any, *_: Any, **__: Any) -> None:
        self._at = stream.tell()
        stream.write(b"[]".ljust(_RANGE_ROOM))

    def fill(self, stream: Any, start: int, stop: int) -> None:
        """Write over the blanks; the stream is left at its end."""
        end = stream.tell()
        stream.seek(self._at)
        stream.write(b"[0 %d %d %d]" % (start, stop, end - stop))
        stream.seek(end)


class Gap(DictionaryObject):  # type: ignore[misc]  # as above
    """A signature dictionary with `room` bytes for its value."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._contents, self._range = _Contents(room), _ByteRange()
        self[pdf_name("/Contents")] = self._contents
        self[pdf_name("/ByteRange")] = self._range

    def fill_range(self, stream: Any) -> tuple[int, int]:
        """Once all is written: the range covers everything but the value. Where the value stands."""
        start, stop = self._contents.offsets
        self._range.fill(stream, start, stop)
        return start, stop
