"""`.part` files: what came of a large file, and what it takes to go on after a restart or a power cut.

Beside each part is a small JSON file with the validators of the version it belongs to. After a kill the part
is as long as it was written; after a power cut (another boot) only what was flushed counts, because a file's
length can survive without its bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from yingqiao.exchange.fetch import FetchError
from yingqiao.exchange.work import ErrorClass

FLUSH_BYTES = 32 << 20
_SUFFIXES = (".part", ".json", ".new")


class Validators(msgspec.Struct, frozen=True, omit_defaults=True):
    """What tells one version of a file from another, as far as the other side says."""

    etag: str = ""
    modified: str = ""
    """Last-Modified as sent; of FTP and SFTP seconds since 1970."""
    total: int = -1
    """Bytes; -1 unknown."""

    def __bool__(self) -> bool:
        """Whether a part may be continued by them."""
        return bool(self.condition or self.modified)

    def may_be(self, known: Validators) -> bool:
        """Whether nothing that both say differs."""
        return (
            (self.total < 0 or known.total < 0 or self.total == known.total)
            and (not self.modified or not known.modified or self.modified == known.modified)
            and (not self.etag or not known.etag or self.etag == known.etag)
        )

    @property
    def condition(self) -> str:
        """For If-Range: a strong entity tag, else the date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class _Note(msgspec.Struct, omit_defaults=True):
    validators: Validators
    boot: str
    flushed: int = 0


def part_name(scope: str, url: str) -> str:
    """File name for what is fetched from an address on behalf of a scope."""
    return hashlib.sha256(f"{scope}\n{url}".encode("utf-8", "surrogatepass")).hexdigest()[:40]


class Part:
    """One `.part` file, held by one fetcher at a time (a lock sees to it)."""

    def __init__(self, folder: Path, name: str) -> None:
        """Opens or makes it. Raises OSError; FetchError when another fetcher has it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / f"{name}.part"
        self._note_path = folder / f"{name}.json"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _lock(self._fd)
        except OSError as error:
            os.close(self._fd)
            self._fd = -1
            raise FetchError(ErrorClass.PASSING, "同一文件正由另一项任务下载") from error
        if not os.fstat(self._fd).st_nlink:  # swept between opening and locking
            os.close(self._fd)
            self._fd = -1
            raise FetchError(ErrorClass.PASSING, "未完成的旧文件刚被清除，重新下载")
        self.size = 0
        self._flushed = 0
        self.validators = Validators()

    @staticmethod
    def exists(folder: Path, name: str) -> bool:
        return (folder / f"{name}.json").exists()

    def take_up(self) -> None:
        """Continue with what is there; leaves size 0 when it cannot be trusted. Raises OSError."""
        note = self._read_note()
        if note is None or not note.validators:
            self.restart()
            return
        size = os.fstat(self._fd).st_size
        if note.boot != boot_id():
            size = min(size, note.flushed)
        if 0 <= note.validators.total < size:
            self.restart()
            return
        if size and size == note.validators.total:
            size -= 1  # whole, but not known to be still the same: the last byte is asked for again
        os.ftruncate(self._fd, size)
        self.size, self._flushed, self.validators = size, min(note.flushed, size), note.validators

    def restart(self, validators: Validators | None = None) -> None:
        """Empty, for a version known by `validators`. Raises OSError."""
        self.size = self._flushed = 0
        self.validators = validators or Validators()
        os.ftruncate(self._fd, 0)
        if self.validators:
            self._write_note()
        else:
            self._note_path.unlink(missing_ok=True)

    def know(self, validators: Validators) -> None:
        """The version being written turned out to be this. Raises OSError."""
        self.validators = validators
        self._write_note()

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises OSError (disk full)."""
        left = memoryview(data)
        at = self.size
        while left:
            done = os.pwrite(self._fd, left, at)
            left, at = left[done:], at + done
        self.size = at
        if self.size - self._flushed >= FLUSH_BYTES and self.validators:
            os.fdatasync(self._fd)
            self._flushed = self.size
            self._write_note()

    def close(self) -> None:
        """Leave it for another time; what could not be continued is removed."""
        if self._fd < 0:
            return
        if not (self.validators and self.size):
            self.discard()
            return
        os.close(self._fd)
        self._fd = -1

    def discard(self) -> None:
        """Remove it. Safe to call again."""
        self._note_path.unlink(missing_ok=True)
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def _read_note(self) -> _Note | None:
        try:
            return msgspec.json.decode(self._note_path.read_bytes(), type=_Note)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _write_note(self) -> None:
        note = _Note(self.validators, boot_id(), self._flushed)
        fresh = self._note_path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(note))
        fresh.replace(self._note_path)


def sweep(folder: Path, older_than: float) -> int:
    """Remove parts nobody has touched for so many seconds: their files were given up, or kept just before a kill.
    How many went; those a fetcher holds stay. Raises OSError.
    """
    limit = time.time() - older_than
    found = (path for path in folder.glob("*.*") if path.suffix in _SUFFIXES)
    return sum(_sweep_one(folder, name, limit) for name in sorted({path.stem for path in found}))


def _sweep_one(folder: Path, name: str, limit: float) -> bool:
    paths = [folder / f"{name}{suffix}" for suffix in _SUFFIXES]
    try:
        fd = os.open(folder / f"{name}.part", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        fd = -1
    try:
        if fd >= 0:
            _lock(fd)
        if any(path.stat().st_mtime > limit for path in paths if path.exists()):
            return False
        for path in paths:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        if fd >= 0:
            os.close(fd)
    return True


def boot_id() -> str:
    """Names the time since the machine started; '' where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _lock(fd: int) -> None:
    """Raises BlockingIOError when another has it."""
    import fcntl  # not on Windows, where nothing that spools runs

    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
