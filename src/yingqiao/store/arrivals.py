"""Instances the gateway fetched itself (from URLs, by C-GET), kept exactly as those that are pushed to it.

Bytes go to the landing area, are flushed in groups, and only then handed to the index: the same files, the same
index, the same recovery after a kill. An instance that comes twice changes nothing there.
"""

from __future__ import annotations

import hashlib
import mmap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from yingqiao.exchange.model import Arrival, Laid, Landed, Place
from yingqiao.store.landing import Bytes, LandingArea, Pending

URL_AET = "URL"
"""Calling AE title of what was fetched from an address; see `peer_of`."""
MAX_TEXT = 64
ARENAS, ARENA_BYTES = 4, 16 << 20
"""Groups at once, and the memory of each; larger instances get a landing file of their own."""
HEAD_BYTES = 4096
"""Of a dataset, for the index: what it reads of nearly all."""
_CHUNK = 1 << 20
_MARK = "#"


def peer_of(place: str, hospital_code: str) -> str:
    """Where an instance came from, and for whom: `<scheme>://<host>#<hospital>`, at most 64 bytes.

    No sender can pose as one: the peer of an association is an IP address.
    """
    ending = _MARK + hospital_code
    room = MAX_TEXT - len(ending.encode())
    if room < 0:
        return place.encode()[:MAX_TEXT].decode("utf-8", "ignore")
    return place.encode()[:room].decode("utf-8", "ignore") + ending


def hospital_in(peer: str) -> str:
    """The hospital in a peer made by `peer_of`; '' in any other."""
    return peer.rpartition(_MARK)[2] if _MARK in peer else ""


@dataclass(frozen=True, slots=True)
class Found:
    """An instance as it was found in what came."""

    prefix: Bytes
    """Preamble and file meta information; empty: they are made."""
    dataset: memoryview
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What an `Arrival` says of where it came from."""

    calling_aet: str
    called_aet: str
    peer: str


class Arrivals:
    """The way in for fetched instances. Thread-safe; a group belongs to one thread."""

    def __init__(
        self,
        landing: LandingArea,
        submit: Callable[[Landed], None],
        head_of: Callable[[Arrival], bytes],
        is_behind: Callable[[], bool] = lambda: False,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        """`head_of` makes the Part 10 head of an instance that came without; `is_behind`: of the index; `hurry` tells
        it that nothing more comes for now.
        """
        self._landing = landing
        self._submit = submit
        self._head_of = head_of
        self.is_behind = is_behind
        self.hurry = hurry
        self._arenas = threading.Semaphore(ARENAS)
        self._idle: list[mmap.mmap] = []

    @property
    def headroom(self) -> int:
        """Bytes before an instance that is written from its own memory; see `Group.add`."""
        return self._landing.headroom

    @contextmanager
    def group(self) -> Iterator[Group]:
        """Instances that become durable together. Waits while too many groups are under way."""
        with self._arenas:
            arena = self._idle.pop() if self._idle else mmap.mmap(-1, ARENA_BYTES)
            try:
                yield Group(self._landing, self._submit, self._head_of, memoryview(arena))
            finally:
                self._idle.append(arena)


class Group:
    """Laid in memory as the landing area writes them, and written many at a time."""

    def __init__(
        self,
        landing: LandingArea,
        submit: Callable[[Landed], None],
        head_of: Callable[[Arrival], bytes],
        arena: memoryview,
    ) -> None:
        self._landing = landing
        self._submit = submit
        self._head_of = head_of
        self._arena = arena
        self._used = 0
        self._staged: list[Pending] = []
        self._landed: list[Landed] = []

    def add(self, origin: Origin, found: Found, memory: memoryview | None = None) -> None:
        """Take an instance; its views may go afterwards. Raises LandingError: nothing since the last `settle`
        may be counted as kept.

        With `memory` (`LandingArea.headroom` bytes, the prefix, the dataset, a page more; it begins on a page) the
        instance is written from there: it must stay until `settle` returns.
        """
        arrival = Arrival(
            received_at=time.time_ns() // 1_000_000,
            calling_aet=origin.calling_aet,
            called_aet=origin.called_aet,
            peer=origin.peer,
            transfer_syntax_uid=found.transfer_syntax_uid,
            sop_class_uid=found.sop_class_uid,
            sop_instance_uid=found.sop_instance_uid,
        )
        prefix = found.prefix or self._head_of(arrival)
        digest = hashlib.sha256(found.dataset).digest()
        if self._landing.headroom + len(prefix) + len(found.dataset) + 2 * mmap.PAGESIZE > ARENA_BYTES:
            place = self._write_large(arrival, prefix, found.dataset, digest)
        elif memory is not None:
            place = self._stage_there(memory, arrival, len(prefix), len(found.dataset), digest)
        else:
            place = self._stage(arrival, prefix, found.dataset, digest)
        self._landed.append(Landed(place, arrival, bytes(found.dataset[:HEAD_BYTES])))

    def settle(self) -> None:
        """Return when all that was added is durable and on its way into the index. Raises LandingError."""
        self._flush()
        for landed in self._landed:
            self._submit(landed)
        self._landed = []

    def _stage(self, arrival: Arrival, prefix: Bytes, dataset: memoryview, digest: bytes) -> Place:
        start = self._landing.headroom + len(prefix)
        end = start + len(dataset)
        size = -(-end // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._used + size > ARENA_BYTES:
            self._flush()
        memory = self._arena[self._used : self._used + size]
        memory[self._landing.headroom : start] = prefix
        memory[start:end] = dataset
        pending = self._landing.append(arrival, Laid(memory, len(prefix), end, digest))
        self._used += size
        self._staged.append(pending)
        return pending.place

    def _stage_there(
        self, memory: memoryview, arrival: Arrival, prefix: int, dataset: int, digest: bytes
    ) -> Place:
        end = self._landing.headroom + prefix + dataset
        pending = self._landing.append(arrival, Laid(memory, prefix, end, digest))
        self._staged.append(pending)
        return pending.place

    def _flush(self) -> None:
        staged, self._staged = self._staged, []
        self._used = 0
        if staged:
            self._landing.flush(staged)

    def _write_large(self, arrival: Arrival, prefix: Bytes, dataset: memoryview, digest: bytes) -> Place:
        writer = self._landing.open_large(arrival, bytes(prefix))
        try:
            for start in range(0, len(dataset), _CHUNK):
                writer.write(dataset[start : start + _CHUNK])
            return writer.finish(digest)
        except OSError:
            writer.discard()
            raise
