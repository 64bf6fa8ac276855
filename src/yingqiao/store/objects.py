"""Documents as files named by their SHA-256. A put that returned is on the disk; a put repeated changes
nothing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from yingqiao.store.errors import StoredBodyBroken, StoreFull, StoreUnavailable

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_CHUNK = 1024 * 1024
_ABANDONED_S = 24 * 3600


class Objects(Protocol):
    """The seam where other object stores (S3 …) fit. Digests are `sha256:<64 hex digits>`."""

    def put(self, content: bytes, digest: str = "") -> str:
        """Keep `content` durably; its digest, which may be given when it is known.

        Raises StoreUnavailable, StoreFull.
        """
        ...

    def put_stream(self, chunks: Iterable[bytes]) -> str:
        """Keep the chunks, joined, durably; the digest of the whole. Raises StoreUnavailable, StoreFull."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """The content, to be closed by the caller. Raises FileNotFoundError, ValueError for what is no
        digest."""
        ...

    def exists(self, digest: str) -> bool:
        """Raises ValueError for what is no digest."""
        ...

    def verify(self, digest: str) -> None:
        """Raises StoredBodyBroken when the content is not what the digest says, FileNotFoundError,
        ValueError."""
        ...


class LocalObjects:
    """Objects under a local folder, two hex digits a folder: `root/ab/cdef…`. Safe for threads and
    processes."""

    def __init__(self, root: Path) -> None:
        """Makes the folder. Raises StoreUnavailable."""
        self._root = root
        self._incoming = root / "incoming"
        with _translated():
            self._incoming.mkdir(parents=True, exist_ok=True)
            for number in range(256):
                (root / f"{number:02x}").mkdir(exist_ok=True)
            _sync_folder(root)
            _sync_folder(root.parent)
            self._forget_abandoned()

    def put(self, content: bytes, digest: str = "") -> str:
        known = _hex_of(digest) if digest else hashlib.sha256(content).hexdigest()
        if not self._kept(known):
            self._write([content], known)
        return f"sha256:{known}"

    def put_stream(self, chunks: Iterable[bytes]) -> str:
        return f"sha256:{self._write(chunks)}"

    def open(self, digest: str) -> BinaryIO:
        return self._path(_hex_of(digest)).open("rb")

    def exists(self, digest: str) -> bool:
        return self._path(_hex_of(digest)).is_file()

    def verify(self, digest: str) -> None:
        with self.open(digest) as stream:
            found = _digest(iter(lambda: stream.read(_CHUNK), b""))
        if found != _hex_of(digest):
            raise StoredBodyBroken(f"{digest} holds sha256:{found}")

    def _kept(self, digest: str) -> bool:
        """Whether it is there durably: another put may have linked it and not yet synced the folder."""
        path = self._path(digest)
        if not path.is_file():
            return False
        with _translated():
            _sync_folder(path.parent)
        return True

    def _write(self, chunks: Iterable[bytes], known: str = "") -> str:
        with _translated():
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb", buffering=0) as file:
                    digest = _copy(chunks, file, known)
                    os.fchmod(file.fileno(), 0o440)
                    os.fsync(file.fileno())
                path = self._path(digest)
                temporary.replace(path)  # the same content when it was there: whole before, whole after
                _sync_folder(path.parent)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            return digest

    def _forget_abandoned(self) -> None:
        """Temporary files of a process that died; never acknowledged to anyone."""
        oldest = time.time() - _ABANDONED_S
        for file in self._incoming.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest[2:]


def _hex_of(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError("not a sha256 digest")
    return match[1]


def _digest(chunks: Iterable[bytes]) -> str:
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


def _copy(chunks: Iterable[bytes], file: BinaryIO, known: str) -> str:
    """Write the chunks; their digest, computed only when it is not known."""
    running = hashlib.sha256()
    for chunk in chunks:
        if not known:
            running.update(chunk)
        view = memoryview(chunk)
        while view:
            written = file.write(view[:_CHUNK])
            view = view[written:]
    return known or running.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise (StoreFull if full else StoreUnavailable)(str(error)) from error
