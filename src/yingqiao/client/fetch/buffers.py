"""Memory for small files, used again: a page touched for the first time costs more than the bytes put there."""

from __future__ import annotations

import mmap
import threading

_STEP = 64 * 1024
_IDLE = 48 << 20
"""Bytes kept for another time."""


class Buffers:
    """Buffers by size, whole pages each. Thread-safe: sinks give back from their own threads."""

    def __init__(self, headroom: int = 0) -> None:
        """`headroom`: bytes left free before the content, for who writes the buffer out from its beginning."""
        self.headroom = headroom
        self._guard = threading.Lock()
        self._idle: dict[int, list[mmap.mmap]] = {}
        self._bytes = 0

    def take(self, size: int) -> mmap.mmap:
        """One of at least the headroom, `size` bytes and a page more, of any content."""
        rounded = -(-(self.headroom + size + mmap.PAGESIZE) // _STEP) * _STEP
        with self._guard:
            fitting = self._idle.get(rounded)
            if fitting:
                self._bytes -= rounded
                return fitting.pop()
        return mmap.mmap(-1, rounded)

    def give_back(self, buffer: mmap.mmap) -> None:
        """Nobody reads it any more."""
        size = len(buffer)
        with self._guard:
            if self._bytes + size <= _IDLE:
                self._bytes += size
                self._idle.setdefault(size, []).append(buffer)


class Gathering:
    """Bytes appended to a buffer that grows when it must."""

    def __init__(self, buffers: Buffers, expected: int) -> None:
        self._buffers = buffers
        self._buffer = buffers.take(expected)
        self._view = memoryview(self._buffer)
        self._start = buffers.headroom
        self.size = 0

    def append(self, data: bytes) -> None:
        end = self.size + len(data)
        if self._start + end > len(self._buffer):
            self._grow(end * 2)
        self._view[self._start + self.size : self._start + end] = data
        self.size = end

    def restart(self) -> None:
        self.size = 0

    @property
    def content(self) -> memoryview:
        return self._view[self._start : self._start + self.size]

    @property
    def memory(self) -> memoryview:
        """All of the buffer: the content lies after the headroom, a page at least follows it."""
        return self._view[:]

    def give_back(self, content: memoryview) -> None:
        """When views of the content are still about, the memory is theirs until they go."""
        try:
            content.release()
            self._view.release()
        except BufferError:
            return
        self._buffers.give_back(self._buffer)

    def _grow(self, size: int) -> None:
        larger = self._buffers.take(size)
        view = memoryview(larger)
        view[: self._start + self.size] = self._view[: self._start + self.size]
        self._view.release()
        self._buffers.give_back(self._buffer)
        self._buffer, self._view = larger, view
