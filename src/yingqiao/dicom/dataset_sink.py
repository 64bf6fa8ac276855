"""Where a dataset's fragments go: one buffer an association keeps, or for a large instance a landing file
through it.
"""

from __future__ import annotations

import hashlib
import mmap

from yingqiao.dicom.storage_service import Landing, LargeWriter
from yingqiao.exchange.model import Arrival, Laid

_TRIM_ABOVE = 1 << 20
_PIECE = 2047
"""From 2,048 bytes on hashlib lets go of the interpreter's lock, and has to queue for it again."""
_HASHED_IN_PIECES = 32 * 1024
"""Fragments up to here are hashed sooner than the lock would be had again."""
_MARGIN = 4 * mmap.PAGESIZE
"""For the landing area's header, the Part 10 head, and the rest of the last page."""


class TooLarge(OSError):  # noqa: N818 what the sender is told
    """More bytes than an instance may have: it will never fit."""


class DatasetSink:
    """A `framer.Sink`. The buffer's pages exist only once used, so many associations with small instances
    cost little.

    It begins on a page and has room for the landing area's header and the Part 10 head: the landing area
    writes from it, past the page cache.
    """

    def __init__(
        self, landing: Landing, spill_bytes: int, max_fragment: int, max_instance_bytes: int
    ) -> None:
        self._landing = landing
        self._spill_bytes = spill_bytes
        self._max_instance_bytes = max_instance_bytes
        size = spill_bytes + max_fragment + _MARGIN
        self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._buffer = memoryview(self._pages)
        self._start = self._end = landing.headroom
        self._most_used = 0
        self._dropping = True
        self._arrival: Arrival | None = None
        self._prefix = b""
        self._hash = hashlib.sha256()
        self.large: LargeWriter | None = None
        self.failure: OSError | None = None
        self.total = 0
        """Dataset bytes received, kept or not."""

    def begin(self, arrival: Arrival | None, prefix: bytes = b"") -> None:
        """The next dataset is to be kept as `arrival`, or dropped when that is None."""
        self.discard()
        self._arrival = arrival
        self._prefix = prefix
        self._dropping = arrival is None
        self._hash = hashlib.sha256()
        self.failure = None
        before = self._landing.headroom
        self._start = self._end = before + len(prefix)
        self._buffer[before : self._start] = prefix
        self.total = 0

    @property
    def dataset(self) -> memoryview:
        """The whole dataset, when it was not large."""
        return self._buffer[self._start : self._end]

    @property
    def laid(self) -> Laid:
        """The instance in its memory, when it was not large; overwritten by the next."""
        return Laid(self._buffer, len(self._prefix), self._end, self.digest)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the dataset so far."""
        return self._hash.digest()

    def room(self, size: int) -> memoryview:
        """See `framer.Sink`."""
        if self._dropping:
            self._end = self._start
        elif self._end - self._start + size > self._spill_bytes:
            self._spill()
        return self._buffer[self._end : self._end + size]

    def took(self, size: int) -> None:
        """See `framer.Sink`. Hashed at once, while the bytes are in the processor's cache and the peer sends
        more.
        """
        start, self._end = self._end, self._end + size
        self.total += size
        if self._end > self._most_used:
            self._most_used = self._end
        if self._dropping:
            return
        if size > _HASHED_IN_PIECES:
            self._hash.update(self._buffer[start : self._end])
        else:
            for at in range(start, self._end, _PIECE):
                self._hash.update(self._buffer[at : min(at + _PIECE, self._end)])
        if self.total > self._max_instance_bytes:
            self._fail(TooLarge(f"larger than the {self._max_instance_bytes} bytes allowed"))

    def finish_large(self) -> LargeWriter | None:
        """The large instance's writer with every byte in it, or None when the dataset was not large or
        failed.
        """
        if self.large is not None and self._end > self._start:
            self._spill()
        large, self.large = self.large, None
        return large

    def discard(self) -> None:
        """Forget a large instance that did not arrive whole."""
        if self.large is not None:
            self.large.discard()
            self.large = None

    def close(self) -> None:
        """Forget everything and give all pages back now; the mapping itself goes with the last reference."""
        self.discard()
        self._pages.madvise(mmap.MADV_DONTNEED)

    def trim(self) -> None:
        """Give a big buffer's pages back: the association is idle."""
        if self._most_used > _TRIM_ABOVE:
            self._pages.madvise(mmap.MADV_DONTNEED)
            self._most_used = 0

    def _spill(self) -> None:
        try:
            if self.large is None:
                if self._arrival is None:
                    return
                self.large = self._landing.open_large(self._arrival, self._prefix)
            with self.dataset as filled:
                self.large.write(filled)
        except OSError as error:
            self._fail(error)
        self._end = self._start

    def _fail(self, error: OSError) -> None:
        self.failure = error
        self._dropping = True
        self.discard()
