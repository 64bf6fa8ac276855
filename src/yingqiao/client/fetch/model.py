"""What is asked of the fetcher and what it hands over."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from yingqiao.exchange.fetch import Address, AllowedHost
from yingqiao.exchange.work import WorkError

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Bounds of a fetcher. A registered host's options narrow them."""

    folder: Path
    """Where `.part` files are; made when missing, readable by nobody else."""
    connections: int = 16
    connections_per_host: int = 8
    small_bytes: int = 8 * _MIB
    """Larger files go to a `.part` file."""
    memory_bytes: int = 64 * _MIB
    """Of all files under way together; beyond it, to `.part` files whatever their size."""
    max_bytes: int = 32 * 1024 * _MIB
    """A file's largest size."""
    connect_seconds: float = 20.0
    """Until the other side lets us ask: of FTP with logging in."""
    idle_seconds: float = 60.0
    """Longest time slower than `idle_rate`."""
    idle_rate: int = 256
    """Bytes a second."""
    total_seconds: float = 6 * 3600.0
    """Of one try of one file."""
    tries: int = 4
    """Of one file in one run, for connections cut midway; what else fails is for the engine to try again."""
    retry_seconds: float = 0.25
    max_redirects: int = 5
    buffer_bytes: int = 512 * 1024
    """libcurl's receive buffer of a connection, bytes."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One file to fetch."""

    id: str
    """The caller's name for it."""
    address: Address
    hosts: Sequence[AllowedHost]
    """All that is registered for the hospital: redirects are chosen among them too."""
    scope: str = ""
    """Whose it is (the hospital's code): `.part` files of different scopes are never mixed."""
    max_bytes: int = 0
    """0: as the settings say."""


@dataclass(slots=True)
class FetchedFile:
    """A file that came whole. Either `body` (in memory) or `path` (a finished `.part` file) is set."""

    size: int
    address: Address
    """Where it came from in the end."""
    body: memoryview | None
    path: Path | None
    content_type: str = ""
    etag: str = ""
    memory: memoryview | None = field(default=None, repr=False)
    """Where `body` lies: whole pages, the buffers' headroom before it, a page at least after it. Whoever has the file
    may write around the body."""
    resumed: bool = False
    """Whether a part of it came in an earlier try."""
    requests: int = 1
    discarding: Callable[[], None] | None = field(default=None, repr=False)

    def digest(self) -> bytes:
        """SHA-256 of the file as fetched, 32 bytes: made here, to be asked before `discard`. Raises OSError."""
        with self.view() as view:
            return hashlib.sha256(view).digest()

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """The bytes; of a spooled file a mapping. Raises OSError."""
        if self.body is not None:
            yield self.body
            return
        assert self.path is not None  # noqa: S101 -- one of both is always set
        if not self.size:
            yield memoryview(b"")
            return
        with self.path.open("rb") as stream:
            yield memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    def discard(self) -> None:
        """Give up memory and `.part` file: the content is kept elsewhere, or is of no use. From any thread; safe
        to call again. Views of the content must be gone.
        """
        discarding, self.discarding = self.discarding, None
        self.memory = None
        if discarding is not None:
            discarding()


class Sink(Protocol):
    """Where files go. Called in the fetcher's thread, which waits meanwhile: that is the back-pressure.

    What a method raises ends the run and leaves it to the caller; files under way stay resumable.
    """

    def finished(self, request: FetchRequest, file: FetchedFile) -> None:
        """A file is whole. It is the sink's until it calls `discard`, which it must once the file is kept."""

    def failed(self, request: FetchRequest, error: WorkError) -> None:
        """A file did not come; see `exchange.fetch.state_of` for what to show."""


HostKeySeen = Callable[[AllowedHost, str], None]
"""A host key trusted on first use: `SHA256:…`, to be kept in the host's options."""
Resolve = Callable[[str, int], Sequence[str]]
"""Addresses of a host and port, in place of the system's resolver."""
