"""Brings landed instances into the index: a thread with a bounded queue in front, the landing area behind.

The landing area is the truth. What is still only in the queue when the process dies, or did not fit into it
while the database was
away, is read again from the landing files, from where the index last knew it was complete.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog

from yingqiao.exchange.model import Arrival, InstanceFacts, Landed, LandedInstance, Place
from yingqiao.store.landing import LandingArea, ReadFacts
from yingqiao.store.landing_format import ALIGNMENT, HEADER_SIZE, LandingFormatError, Record, aligned

IndexBatch = Callable[[Sequence[LandedInstance], Mapping[str, int]], object]
"""Writes the instances and the progress (landing file → indexed up to) in one transaction. Raises when it
cannot.
"""
ReadHead = Callable[[bytes, str, str, str], InstanceFacts | None]
"""As ReadFacts, from a dataset's first bytes; None when they do not suffice."""
_MOST_HEADS = 4000
"""Queued instances that keep their heads in memory."""
log = structlog.get_logger(__name__)


class Progress:
    """How far each landing file is indexed without a gap: only so far may a restart skip."""

    def __init__(self) -> None:
        self._complete: dict[str, int] = {}
        self._beyond: dict[str, dict[int, int]] = {}

    def mark(self, segment: str, start: int, end: int, first: int) -> int:
        """The record start..end is indexed; `first` is where the file's first record starts. Returns the
        new mark.
        """
        complete = self._complete.setdefault(segment, first)
        beyond = self._beyond.setdefault(segment, {})
        if start > complete:
            beyond[start] = max(end, beyond.get(start, 0))
            return complete
        complete = max(complete, end)
        while complete in beyond:
            complete = beyond.pop(complete)
        self._complete[segment] = complete
        return complete

    def skip_to(self, segment: str, offset: int) -> None:
        """Everything before `offset` is known to be indexed, or to be a hole."""
        self._complete[segment] = max(offset, self._complete.get(segment, 0))

    def complete(self, segment: str) -> int:
        return self._complete.get(segment, 0)


def landed_instance(place: Place, arrival: Arrival, facts: InstanceFacts) -> LandedInstance:
    """What the index takes."""
    return LandedInstance(
        segment=place.segment,
        offset=place.offset,
        length=place.length,
        dataset_offset=place.dataset_offset,
        digest=place.digest,
        received_at=arrival.received_at,
        calling_aet=arrival.calling_aet,
        called_aet=arrival.called_aet,
        peer=arrival.peer,
        facts=facts,
    )


def landed_from(record: Record, read_facts: ReadFacts) -> LandedInstance:
    """What a record of the landing area says, from there alone."""
    return landed_instance(
        record.place, record.arrival, read_facts(record.dataset, *_identity(record.arrival))
    )


def _identity(arrival: Arrival) -> tuple[str, str, str]:
    return arrival.transfer_syntax_uid, arrival.sop_class_uid, arrival.sop_instance_uid


class Indexer:
    """Queue in, batches out. `submit` never blocks and never fails; `is_behind` asks the receiver to refuse
    for a while.
    """

    def __init__(
        self,
        landing: LandingArea,
        index_batch: IndexBatch,
        read_facts: ReadFacts,
        indexed_so_far: Callable[[], Mapping[str, int]],
        *,
        read_head: ReadHead | None = None,
        batch_size: int = 2000,
        batch_seconds: float = 1.0,
        quiet_seconds: float = 0.1,
        queue_limit: int = 20_000,
        backlog_limit: int = 1_000_000,
        retry_seconds: float = 5.0,
    ) -> None:
        """`indexed_so_far` reads landing_progress; it may raise while the database is away and is then
        asked again.

        Instances are gathered until none has come for `quiet_seconds`, at most for `batch_seconds`: while many
        arrive the processor is theirs, and a large batch costs less an instance.
        """
        self._landing = landing
        self._index_batch = index_batch
        self._read_facts = read_facts
        self._indexed_so_far = indexed_so_far
        self._batch_size = batch_size
        self._batch_seconds = batch_seconds
        self._quiet_seconds = min(quiet_seconds, batch_seconds)
        self._read_head = read_head
        self._queue_limit = queue_limit
        self._backlog_limit = backlog_limit
        self._retry_seconds = retry_seconds
        self._queue: deque[Landed] = deque()
        self._waiting = threading.Condition()
        self._indexed = threading.Condition()
        self._overflow = 0
        self._hurry = False
        self._stopping = threading.Event()
        self._recovered = threading.Event()
        self._progress = Progress()
        self._in_hand = 0
        self._rescanning = False
        self._old: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)

    def start(self) -> None:
        """Recovery of what earlier runs left, then what is submitted. Returns at once."""
        self._old = self._landing.segments()
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Index what is queued, if the database allows in time; the rest waits in the landing area. True
        when all is done.
        """
        self._stopping.set()
        with self._waiting:
            self._waiting.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive() and self.backlog == 0

    @property
    def backlog(self) -> int:
        """Instances received in this run and not indexed yet."""
        with self._waiting:  # a batch that is being taken out of the queue counts too
            return len(self._queue) + self._overflow + self._in_hand

    @property
    def is_behind(self) -> bool:
        return self.backlog >= self._backlog_limit

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was submitted before now, in this run or an earlier one, is indexed."""
        with self._waiting:
            return self._recovered.is_set() and not self._rescanning and self.backlog == 0

    def wait(self, seconds: float) -> bool:
        """Until a batch is in the index, at most so long; whether one was."""
        with self._indexed:
            return self._indexed.wait(seconds)

    def wait_recovered(self, timeout: float | None = None) -> bool:
        """Whether everything earlier runs left is indexed, waiting so long for it."""
        return self._recovered.wait(timeout)

    def submit(self, landed: Landed) -> None:
        """A durable instance, to be indexed soon."""
        with self._waiting:
            if self._overflow or len(self._queue) >= self._queue_limit:
                self._overflow += 1  # found again by scanning
            else:
                if len(self._queue) >= _MOST_HEADS:
                    landed = Landed(landed.place, landed.arrival, b"")
                self._queue.append(landed)
                if len(self._queue) in (1, self._batch_size):
                    self._waiting.notify()

    def hurry(self) -> None:
        """Nothing more is to come for now from who submitted last: what is queued is indexed at once."""
        with self._waiting:
            self._hurry = True
            self._waiting.notify()

    def _run(self) -> None:
        if not self._recover():
            return
        while batch := self._next_batch():
            if not self._index(batch):
                return
            if self._overflow and not self._queue and not self._rescan():
                return

    def _next_batch(self) -> list[LandedInstance]:
        """The next instances, gathered for a short while; empty when stopping and nothing is left."""
        with self._waiting:
            while not self._queue and not self._stopping.is_set():
                self._waiting.wait()
            self._gather()
            self._hurry = False
            batch = [self._queue.popleft() for _ in range(min(self._batch_size, len(self._queue)))]
            self._in_hand = len(batch)
        return [landed_instance(i.place, i.arrival, self._facts(i)) for i in batch]

    def _gather(self) -> None:
        """Wait while more come, but not for long."""
        until = time.monotonic() + self._batch_seconds
        before = 0
        while before < len(self._queue) < self._batch_size and not (self._hurry or self._stopping.is_set()):
            left = until - time.monotonic()
            if left <= 0:
                return
            before = len(self._queue)
            self._waiting.wait(min(left, self._quiet_seconds))

    def _facts(self, landed: Landed) -> InstanceFacts:
        place, identity = landed.place, _identity(landed.arrival)
        if len(landed.head) == place.length - place.dataset_offset:
            return self._read_facts(memoryview(landed.head), *identity)
        facts = self._read_head(landed.head, *identity) if self._read_head else None
        if facts is not None:
            return facts
        try:
            return self._landing.read_facts(place, landed.arrival, self._read_facts)
        except (OSError, ValueError) as error:  # it stays findable by its place
            log.warning("index.landing_unreadable", segment=place.segment, error=str(error))
            return self._read_facts(memoryview(b""), *identity)

    def _index(self, batch: Sequence[LandedInstance]) -> bool:
        """Write one batch, trying again until it is in. False when stopped before."""
        marks = {landed.segment: self._mark(landed) for landed in batch}
        done = self._insist(lambda: self._index_batch(batch, marks))
        self._in_hand = 0
        with self._indexed:
            self._indexed.notify_all()
        return done

    def _mark(self, landed: LandedInstance) -> int:
        start = landed.offset - HEADER_SIZE
        return self._progress.mark(landed.segment, start, aligned(landed.offset + landed.length), ALIGNMENT)

    def _insist(self, action: Callable[[], object]) -> bool:
        pause = 0.1
        while True:
            try:
                action()
            except Exception as error:  # noqa: BLE001 whatever the store raises, acknowledged instances must get in
                log.warning("index.store_unavailable", error=type(error).__name__, backlog=self.backlog)
                if self._stopping.wait(pause):
                    return False
                pause = min(pause * 2, self._retry_seconds)
            else:
                return True

    def _recover(self) -> bool:
        """Index what earlier runs acknowledged and did not index. False when stopped before."""
        known: dict[str, int] = {}
        if not self._insist(lambda: known.update(self._indexed_so_far())):
            return False
        started = time.monotonic()
        found = 0
        for segment, size in self._old.items():
            if known.get(segment, 0) >= size:
                continue
            count = self._recover_segment(segment, known.get(segment, 0), size)
            if count is None:
                return False
            found += count
        log.info("index.recovered", instances=found, seconds=round(time.monotonic() - started, 3))
        self._recovered.set()
        return True

    def _recover_segment(self, segment: str, indexed_to: int, size: int) -> int | None:
        """How many were found from `indexed_to` on; None when stopped. Afterwards the whole file counts as
        indexed.
        """
        self._progress.skip_to(segment, indexed_to)
        count = 0
        for batch in self._scan(segment, indexed_to):
            if not self._index(batch):
                return None
            count += len(batch)
        self._progress.skip_to(segment, size)
        return count if self._insist(lambda: self._index_batch((), {segment: size})) else None

    def _scan(self, segment: str, from_offset: int) -> Iterator[list[LandedInstance]]:
        """What is in the file, made durable before it is given out: a record may be whole in the page cache
        only.
        """
        batch: list[LandedInstance] = []
        try:
            for record in self._landing.scan(segment, from_offset):
                batch.append(landed_from(record, self._read_facts))
                if len(batch) >= self._batch_size:
                    self._landing.sync(segment)
                    yield batch
                    batch = []
        except (LandingFormatError, OSError) as error:
            log.warning("index.landing_unreadable", segment=segment, error=str(error))
        if batch:
            self._landing.sync(segment)
            yield batch

    def _rescan(self) -> bool:
        """The queue overflowed while the database was away: read the files of this run again. False when
        stopped.
        """
        with self._waiting:
            self._overflow = 0  # what is submitted from here on is queued again
            self._rescanning = True
        done = self._rescan_segments()
        self._rescanning = False
        return done

    def _rescan_segments(self) -> bool:
        for segment in self._landing.segments():
            if segment in self._old:
                continue
            for batch in self._scan(segment, self._progress.complete(segment)):
                if not self._index(batch):
                    return False
        return True
