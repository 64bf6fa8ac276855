"""The landing area: what a received instance is durable in before it is acknowledged.

Many instances are appended to one active segment, each at an offset reserved for it; one write and one
fdatasync serve all that wait (leader and followers). Large instances get a landing file of their own. Nothing
is overwritten, nothing is deleted; the files are the truth and the index follows them.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from yingqiao.exchange.model import Arrival, InstanceFacts, Laid, Place
from yingqiao.store.landing_format import (
    ALIGNMENT,
    HEADER_SIZE,
    Record,
    aligned,
    encode_record_header,
    new_nonce,
    scan_file,
)
from yingqiao.store.segment import Disk, Flusher, Segment, create, sync_folder

Bytes = bytes | bytearray | memoryview
ReadFacts = Callable[[memoryview, str, str, str], InstanceFacts]
"""Dataset, transfer syntax UID, SOP class UID, SOP instance UID. Never raises on bad bytes."""
SUFFIX = ".landing"
_UNFINISHED = ".part"
_SPACE_SECONDS = 0.2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LandingError(OSError):
    """The landing area could not make the bytes durable; the sender must be told to try again."""


class LandingFull(LandingError):  # noqa: N818 the disk is full, not wrong
    """The disk is full, or would leave less than the reserve."""


class LandingReader:
    """The read side: any process may use it on a landing area that another writes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def segments(self) -> dict[str, int]:
        """Landing file names with their sizes, oldest first."""
        found = sorted(filter(_number_of, self.root.glob(f"*{SUFFIX}")), key=_number_of)
        return {path.name: path.stat().st_size for path in found}

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """`length` bytes at `offset` of a landing file. Raises OSError, EOFError when it ends before."""
        with self._open(segment) as stream:
            raw = os.pread(stream.fileno(), length, offset)
        if len(raw) != length:
            raise EOFError(f"{segment} ends {length - len(raw)} bytes early")
        return raw

    def chunks(self, segment: str, offset: int, length: int, size: int = 1 << 20) -> Iterator[bytes]:
        """The same bytes, at most `size` at a time. Raises as `read`."""
        for position in range(offset, offset + length, size):
            yield self.read(segment, position, min(size, offset + length - position))

    def scan(self, segment: str, from_offset: int = 0) -> Iterator[Record]:
        """See `landing_format.scan_file`."""
        return scan_file(self._path(segment), from_offset)

    def read_facts(self, place: Place, arrival: Arrival, read: ReadFacts) -> InstanceFacts:
        """What `read` finds in a landed instance, without loading it. Raises OSError."""
        with (
            self._open(place.segment) as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            start = place.offset + place.dataset_offset
            with memoryview(mapped) as whole, whole[start : place.offset + place.length] as dataset:
                return read(
                    dataset, arrival.transfer_syntax_uid, arrival.sop_class_uid, arrival.sop_instance_uid
                )

    def sync(self, segment: str) -> None:
        """Make durable what a scan saw: after a kill it may still be only in the page cache. Raises
        OSError.
        """
        with self._open(segment) as stream:
            os.fdatasync(stream.fileno())

    def _open(self, segment: str) -> FileIO:
        return self._path(segment).open("rb", buffering=0)

    def _path(self, segment: str) -> Path:
        if "/" in segment or not segment.endswith(SUFFIX):
            raise FileNotFoundError(errno.ENOENT, "not a landing file", segment)
        return self.root / segment


@dataclass(frozen=True, slots=True)
class Pending:
    """Written, not yet durable."""

    place: Place
    segment: Segment
    ticket: int


class LandingArea(LandingReader):
    """The write side; one process at a time (a lock file sees to it). Thread-safe."""

    headroom = HEADER_SIZE
    """Bytes to leave free before the prefix in the memory that `append` is given."""

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = 256 << 20,
        reserve_bytes: int = 1 << 30,
        disk: Disk | None = None,
    ) -> None:
        """Raises LandingError when another process has it, OSError when the folder cannot be made or read."""
        super().__init__(root)
        root.mkdir(parents=True, exist_ok=True)
        sync_folder(root.parent)
        self._lock_fd = _lock(root)
        sync_folder(root)  # a file renamed just before a kill may not have its name on disk yet
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._disk = disk or Disk()
        self._flusher = Flusher()
        self._guard = threading.Lock()
        self._active: Segment | None = None
        self._free = 0
        self._free_until = 0.0
        for leftover in root.glob(f"*{_UNFINISHED}"):
            leftover.unlink()  # never acknowledged
        self._next = 1 + max(map(_number_of, root.glob(f"*{SUFFIX}")), default=0)

    def close(self) -> None:
        """Give up the lock. What is under way must have ended."""
        with self._guard:
            self._active = None
        self._flusher.close()
        os.close(self._lock_fd)

    def free_bytes(self) -> int:
        """Bytes left on the disk above the reserve."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize - self._reserve_bytes

    def ensure_room(self, size: int) -> None:
        """Raises LandingFull when `size` more bytes would eat into the reserve."""
        now = time.monotonic()
        if now >= self._free_until:
            self._free = self.free_bytes()
            self._free_until = now + _SPACE_SECONDS
        self._free -= size
        if self._free < 0:
            self._free_until = 0.0
            raise LandingFull("the disk's reserve is reached")

    def append(self, arrival: Arrival, laid: Laid, *, at_once: bool = False) -> Pending:
        """Put one instance into the active segment; durable after `flush`, and until then its memory must
        stay as it is: `flush` writes it. With `at_once` it is written before this returns.

        Raises LandingFull or LandingError; ValueError when a text of `arrival` is too long.
        """
        size = aligned(laid.end)
        self.ensure_room(size)
        segment, start = self._reserve(size)
        length = laid.end - HEADER_SIZE
        place = Place(segment.name, start + HEADER_SIZE, length, laid.prefix_size, laid.digest)
        record = laid.memory[:size]
        record[:HEADER_SIZE] = encode_record_header(segment.nonce, arrival, place)
        record[laid.end :] = bytes(size - laid.end)
        try:
            ticket = (segment.write if at_once else segment.stage)(start, record)
        except OSError as error:
            self._seal(segment)
            raise _landing_error(error) from error
        return Pending(place, segment, ticket)

    def flush(self, pending: Sequence[Pending]) -> None:
        """Return when all are durable. Raises LandingError: then none of them may be acknowledged."""
        last = {id(p.segment): p for p in pending}
        for item in last.values():  # a thread writes in order, so its last ticket covers the earlier ones
            try:
                item.segment.flush(item.ticket)
            except OSError as error:
                self._seal(item.segment)
                raise _landing_error(error) from error

    def open_large(self, arrival: Arrival, prefix: Bytes) -> LargeWriter:
        """A landing file for one instance whose size is not known yet. Raises LandingError."""
        self.ensure_room(0)
        try:
            return LargeWriter(
                self, self.root / f"big-{self._number():08d}{SUFFIX}", arrival, prefix, self._disk
            )
        except OSError as error:
            raise _landing_error(error) from error

    def begin_after(self, number: int) -> None:
        """New landing files get numbers above this one: what the index knows may be newer than this folder."""
        with self._guard:
            self._next = max(self._next, number + 1)

    def rotate(self) -> None:
        """The next instance starts a new segment."""
        with self._guard:
            self._active = None

    def _reserve(self, size: int) -> tuple[Segment, int]:
        try:
            with self._guard:
                segment = self._active
                if (
                    segment is None
                    or segment.failed
                    or segment.end + size > max(self._segment_bytes, size + ALIGNMENT)
                ):
                    segment = self._active = Segment(self._new_path("seg"), self._disk, self._flusher)
                start = segment.end
                segment.end = start + aligned(size)
        except OSError as error:
            raise _landing_error(error) from error
        return segment, start

    def _new_path(self, kind: str) -> Path:
        number, self._next = self._next, self._next + 1
        return self.root / f"{kind}-{number:08d}{SUFFIX}"

    def _number(self) -> int:
        with self._guard:
            number, self._next = self._next, self._next + 1
            return number

    def _seal(self, segment: Segment) -> None:
        with self._guard:
            if self._active is segment:
                self._active = None


class LargeWriter:
    """One instance in a landing file of its own: temporary name until durable. Used by one thread."""

    def __init__(self, area: LandingArea, path: Path, arrival: Arrival, prefix: Bytes, disk: Disk) -> None:
        self._area = area
        self._path = path
        self._part = path.with_suffix(_UNFINISHED)
        self._arrival = arrival
        self._nonce = new_nonce()
        self._disk = disk
        self._place = Place(path.name, ALIGNMENT + HEADER_SIZE, len(prefix), len(prefix), b"")
        self._fd = create(self._part, self._nonce, disk)
        try:
            self._disk.write(self._fd, (prefix,), self._place.offset)
        except OSError:
            self.discard()
            raise

    def write(self, data: Bytes) -> None:
        """Append dataset bytes. Raises LandingError."""
        try:
            self._area.ensure_room(len(data))
            self._disk.write(self._fd, (data,), self._place.offset + self._place.length)
        except OSError as error:
            raise _landing_error(error) from error
        self._place = replace(self._place, length=self._place.length + len(data))

    def finish(self, digest: bytes) -> Place:
        """Header last (`digest` is the dataset's SHA-256), fsync, rename, fsync of the folder. Raises
        LandingError.
        """
        place = replace(self._place, digest=digest)
        try:
            self._disk.write(self._fd, (encode_record_header(self._nonce, self._arrival, place),), ALIGNMENT)
            self._disk.sync(self._fd)
            self._part.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise _landing_error(error) from error
        finally:
            os.close(self._fd)
            self._fd = -1
        return place

    def discard(self) -> None:
        """Forget what was written; nothing of it was acknowledged. Safe to call again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._part.unlink(missing_ok=True)


def _number_of(path: Path) -> int:
    """The running number in a landing file's name; 0 when it is not one of ours."""
    number = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def segment_number(name: str) -> int:
    """The running number in a landing file's name; 0 when it is not one of ours."""
    return _number_of(Path(name))


def _lock(root: Path) -> int:
    fd = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise LandingError(f"another process receives into {root}") from error
    return fd


def _landing_error(error: OSError) -> LandingError:
    if error.errno in _FULL:
        return LandingFull(f"the disk is full: {error.strerror}")
    return LandingError(f"the landing area failed: {error.strerror or error}")
