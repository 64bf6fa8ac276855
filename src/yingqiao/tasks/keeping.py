"""From fetched files to the landing area, beside the fetching: threads and a bounded queue for each run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from yingqiao.client.fetch.contents import Instance, instances, is_instance
from yingqiao.client.fetch.model import FetchedFile
from yingqiao.exchange.fetch import FetchError, FileState
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store.arrivals import Arrivals, Found, Group, Origin
from yingqiao.store.image_lists import Arrived
from yingqiao.store.landing import LandingError, LandingFull

QUEUE_BYTES = 16 << 20
"""Files in memory that wait for the landing area."""
THREADS = 2
"""While one waits for the disk, the other proves and copies what came meanwhile."""
NOTE_FILES = 200
NOTE_SECONDS = 0.5
"""What is durable is written down after so many files or this long: what a kill may make fetched again."""
_SETTLE_FILES = 32


@dataclass(frozen=True, slots=True)
class Came:
    """A whole file on its way in."""

    file_id: int
    file: FetchedFile
    origin: Origin


Note = Callable[[Sequence[Arrived], Sequence[tuple[int, WorkError]]], None]
"""Writes down what became of files: durable ones, failed ones. Raises StoreUnavailable."""


class Keeper:
    """Takes files from one fetching thread. What goes wrong with a file is noted; what goes wrong here (disk,
    database) comes out of the next `take`, or of `close`.
    """

    def __init__(self, arrivals: Arrivals, note: Note, folder: Path, clock: Callable[[], float]) -> None:
        self._arrivals = arrivals
        self._note = note
        self._folder = folder
        self._clock = clock
        self._queue: deque[Came] = deque()
        self._queued = 0
        self._turn = threading.Condition()
        self._closing = False
        self._busy = 0
        self._broken: Exception | None = None
        self._done: list[Arrived] = []
        self._failed: list[tuple[int, WorkError]] = []
        self._noted = clock()
        self._threads = [
            threading.Thread(target=self._run, name="keeper", daemon=True) for _ in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, came: Came) -> None:
        """Queue a file in memory; a spooled one is kept before this returns. Raises what broke the keeper."""
        size = _weight(came)
        with self._turn:
            self._turn.wait_for(
                lambda: self._broken or not self._queued or self._queued + size <= QUEUE_BYTES
            )
            self._raise_broken()
            self._queue.append(came)
            self._queued += size
            self._turn.notify_all()
            if came.file.body is None:
                self._turn.wait_for(lambda: self._broken or (not self._queue and not self._busy))
                self._raise_broken()

    def fail(self, file_id: int, error: WorkError) -> None:
        """Note a file that did not come."""
        with self._turn:
            self._failed.append((file_id, error))

    def close(self) -> None:
        """Keep what is queued, note everything, end the thread. Raises what broke the keeper."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        for thread in self._threads:
            thread.join()
        self._arrivals.hurry()
        self._raise_broken()

    def _raise_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._keep(batch)
                with self._turn:
                    self._busy -= 1
                    self._turn.notify_all()
            self._write_notes()
        except Exception as error:  # noqa: BLE001 handed to the thread that fetches
            with self._turn:
                self._broken = error
                self._turn.notify_all()

    def _next(self) -> list[Came]:
        """The next files; empty when closing and nothing is left."""
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._queue or self._closing, NOTE_SECONDS)
                if self._queue:
                    batch = list(self._queue)[:_SETTLE_FILES]
                    for _ in batch:
                        self._queue.popleft()
                    self._busy += 1
                    self._queued = sum(map(_weight, self._queue))
                    self._turn.notify_all()
                    return batch
                if self._closing:
                    return []
            self._note_when_due()

    def _keep(self, batch: Sequence[Came]) -> None:
        with self._arrivals.group() as group:
            kept = [(came.file_id, self._add(group, came)) for came in batch]
            group.settle()
        with self._turn:
            self._done += [one for _, one in kept if isinstance(one, Arrived)]
            self._failed += [(number, one) for number, one in kept if isinstance(one, WorkError)]
        for came in batch:
            came.file.discard()
        self._note_when_due()

    def _add(self, group: Group, came: Came) -> Arrived | WorkError:
        """What was in a file. An archive may have good and broken members: the good ones are kept, the file
        has failed.
        """
        uids: list[str] = []
        try:
            with came.file.view() as view:
                plain = is_instance(view, came.file.content_type)
                for one in instances(view, came.file.content_type, folder=self._folder):
                    found = Found(
                        one.prefix,
                        one.dataset,
                        one.transfer_syntax_uid,
                        one.sop_class_uid,
                        one.sop_instance_uid,
                    )
                    group.add(came.origin, found, _memory(came.file, one))
                    uids.append(one.sop_instance_uid)
                    del one, found
            digest = b"" if plain else came.file.digest()  # an instance's own is in the index: one is enough
        except FetchError as error:
            return error
        return Arrived(came.file_id, tuple(uids), came.file.size, digest)

    def _note_when_due(self) -> None:
        waiting = len(self._done) + len(self._failed)
        if waiting and (waiting >= NOTE_FILES or self._clock() - self._noted >= NOTE_SECONDS):
            self._write_notes()

    def _write_notes(self) -> None:
        with self._turn:
            done, self._done = self._done, []
            failed, self._failed = self._failed, []
        if done or failed:
            self._note(done, failed)
        self._noted = self._clock()


def _memory(file: FetchedFile, one: Instance) -> memoryview | None:
    """The memory an instance can be written from: it is the whole file, head and all, as it came."""
    if file.body is None or one.prefix.obj is not file.body.obj:
        return None
    return file.memory if one.prefix and len(one.prefix) + len(one.dataset) == file.size else None


def _weight(came: Came) -> int:
    return came.file.size if came.file.body is not None else 0


def trouble_of(error: Exception) -> WorkError | None:
    """Our own trouble as the engine's word; None when it is a defect."""
    if isinstance(error, LandingFull):
        return FetchError(ErrorClass.OURS, "本机磁盘已满，腾出空间后自动继续", state=FileState.PENDING)
    if isinstance(error, LandingError):
        return FetchError(ErrorClass.OURS, "落地区暂时写不进去", state=FileState.PENDING)
    return None
