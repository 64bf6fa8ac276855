"""The segment being appended to: who needs durability first writes and flushes for everybody who waits.

Written past the page cache (O_DIRECT) where the file system allows: the bytes go from the buffer they were
received into straight to the disk, and no page of memory is dirtied, flushed and thrown away for them.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

from yingqiao.store.landing_format import ALIGNMENT, encode_segment_header, new_nonce

Bytes = bytes | bytearray | memoryview
_MOST_PARTS = 512
"""Memory pieces in one system call; the kernel takes 1,024."""
_NO_DIRECT = (errno.EINVAL, errno.EOPNOTSUPP)


class Disk:
    """The system calls that make bytes durable: a seam where tests break the disk. All raise OSError."""

    def write(self, fd: int, parts: Sequence[Bytes], offset: int, *, durably: bool = False) -> None:
        """Every byte of `parts` at `offset`. `durably` is fdatasync for these bytes in the same call: the
        thread takes the interpreter's lock once less, and while it waits for that the disk is idle.
        """
        flags = os.RWF_DSYNC if durably else 0
        left = sum(map(len, parts))
        while written := os.pwritev(fd, parts, offset, flags):
            left -= written
            if not left:
                return
            offset += written  # a nearly full disk or a signal: the rest, or the error
            parts = _after(parts, written)
        if left:
            raise OSError(errno.EIO, "the disk takes no more bytes")

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)


def _after(parts: Sequence[Bytes], count: int) -> list[memoryview]:
    rest = []
    for part in parts:
        taken = min(count, len(part))
        count -= taken
        if taken < len(part):
            rest.append(memoryview(part)[taken:])
    return rest


class Flusher:
    """A thread that goes on flushing while instances keep arriving, so that a receiving thread flushes once and
    then answers. It begins with the first segment that needs it.
    """

    def __init__(self) -> None:
        self._busy: SimpleQueue[Segment | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def take_over(self, segment: Segment) -> None:
        """Flush this segment until nobody waits any more."""
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="landing-flusher", daemon=True)
                self._thread.start()
        self._busy.put(segment)

    def close(self) -> None:
        self._busy.put(None)

    def _run(self) -> None:
        while (segment := self._busy.get()) is not None:
            with contextlib.suppress(OSError):  # those who wait are told
                while segment.lead():
                    pass


class Segment:
    """A segment file. `end` is guarded by the landing area's lock, the rest by its own.

    One flush at a time: the kernel reports lost pages once for an open file, so of two flushes that overlap
    one could succeed in ignorance.
    """

    def __init__(self, path: Path, disk: Disk, flusher: Flusher) -> None:
        """Raises OSError."""
        self.name = path.name
        self.nonce = new_nonce()
        self.end = ALIGNMENT
        self._disk = disk
        self._flusher = flusher
        self._guard = threading.Lock()
        self._staged: list[tuple[int, memoryview]] = []
        self._unsynced = False
        """Something was written and not flushed since."""
        self._tickets = 0
        self._durable = 0
        self._leading = False
        self._waiting: list[tuple[int, threading.Lock]] = []
        """Tickets, and the locks their threads wait for."""
        self._failure: OSError | None = None
        self._released = 0
        self.fd, self._direct = _create_direct(path, self.nonce, disk)
        weakref.finalize(self, os.close, self.fd)

    @property
    def failed(self) -> bool:
        """Never written again: the kernel forgets dirty pages after reporting them lost once."""
        return self._failure is not None

    def stage(self, start: int, record: memoryview) -> int:
        """To be written at `start` by the next flush; the memory must stay as it is until then.

        `record` begins on a page and is a multiple of ALIGNMENT long. Returns the ticket to flush.
        """
        with self._guard:
            self._staged.append((start, record))
            self._tickets += 1
            return self._tickets

    def write(self, start: int, record: memoryview) -> int:
        """Written now, so that the memory is free again; durable after a flush. Raises OSError."""
        try:
            self._disk.write(self.fd, (record,), start)
        except OSError as error:
            self._failure = error
            raise
        with self._guard:
            self._unsynced = True
            self._tickets += 1
            return self._tickets

    def flush(self, ticket: int) -> None:
        """Return when all up to the ticket is durable: write and flush for everybody, or wait for who does.
        Raises OSError.
        """
        with self._guard:
            if self._durable >= ticket:
                return
            self._raise_failure()
            leads = not self._leading
            self._leading = True
            if not leads:
                done = threading.Lock()
                done.acquire()
                self._waiting.append((ticket, done))
        if leads:
            if self.lead():
                self._flusher.take_over(self)
            return
        done.acquire()
        if self._durable < ticket:
            self._raise_failure()

    def lead(self) -> bool:
        """Make durable what is written or staged so far, as the one who leads. Raises OSError.

        Whether more has come meanwhile: then the lead is still the caller's, to go on or to pass on.
        """
        with self._guard:
            staged, self._staged = self._staged, []
            unsynced, self._unsynced = self._unsynced, False
            goal = self._tickets
        failure: OSError | None = OSError(errno.EIO, "the flush was broken off")
        end = self.end
        try:
            self._write_out(staged, unsynced)
            failure = None
        except OSError as error:
            failure = error
            raise
        finally:
            goes_on = self._wake(goal, failure)
        if not self._direct:
            self._release(end)
        return goes_on

    def _wake(self, goal: int, failure: OSError | None) -> bool:
        """Tell those whose tickets are durable, or everybody that the segment failed. Whether others wait."""
        with self._guard:
            waiting = self._waiting
            if failure is None:
                self._durable = goal
                self._waiting = [item for item in waiting if item[0] > goal]
                self._leading = bool(self._waiting)
            else:
                self._failure = failure
                self._waiting = []
                self._leading = False
            goes_on = self._leading
        for ticket, done in waiting:
            if failure is not None or ticket <= goal:
                done.release()
        return goes_on

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise OSError(self._failure.errno, self._failure.strerror)

    def _write_out(self, staged: list[tuple[int, memoryview]], unsynced: bool) -> None:
        runs = list(_runs(staged))
        in_one = len(runs) == 1 and not unsynced
        for start, parts in runs:
            self._disk.write(self.fd, parts, start, durably=in_one)
        if not in_one:
            self._disk.sync(self.fd)

    def _release(self, end: int) -> None:
        """Give the page cache back what is on disk: nobody reads it soon, and the next instance writes into the
        same warm pages instead of pushing the database out of memory. Dirty pages stay, so racing is harmless.
        """
        start, self._released = self._released, end
        os.posix_fadvise(self.fd, start, max(0, end - start), os.POSIX_FADV_DONTNEED)


def _runs(staged: list[tuple[int, memoryview]]) -> Iterator[tuple[int, list[memoryview]]]:
    """What lies side by side in the file, to be written in one call."""
    staged.sort(key=lambda item: item[0])
    first, after = 0, -1
    parts: list[memoryview] = []
    for start, record in staged:
        if parts and (start != after or len(parts) == _MOST_PARTS):
            yield first, parts
            parts = []
        if not parts:
            first = start
        parts.append(record)
        after = start + len(record)
    if parts:
        yield first, parts


def _create_direct(path: Path, nonce: bytes, disk: Disk) -> tuple[int, bool]:
    """A new landing file, and whether it is written past the page cache."""
    try:
        return create(path, nonce, disk, os.O_DIRECT), True
    except OSError as error:
        if error.errno not in _NO_DIRECT:
            raise
    return create(path, nonce, disk), False


def create(path: Path, nonce: bytes, disk: Disk, flags: int = 0) -> int:
    """A landing file with its header, durable with its name. The descriptor. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | flags, 0o640)
    except OSError as error:
        if error.errno in _NO_DIRECT:  # the kernel makes the file before it refuses the flag
            path.unlink(missing_ok=True)
        raise
    try:
        with mmap.mmap(-1, ALIGNMENT) as page:  # on a page of its own, as O_DIRECT demands
            page.write(encode_segment_header(nonce, time.time_ns() // 1_000_000))
            os.pwrite(fd, page, 0)
        disk.sync(fd)
        sync_folder(path.parent)
    except BaseException:  # whatever ends it, no descriptor and no half-made file stay behind
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
