"""The ledger of submissions: durable before it returns, many together in one commit.

Whoever waits in `record` gets the submission's id after the commit that holds the submission and its exam
and report,
or an error and nothing is kept. Cancelling a waiter does not cancel what it submitted.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from yingqiao.exchange.model import Submission
from yingqiao.store import ledger_sqlite
from yingqiao.store.database import Database
from yingqiao.store.errors import RecordRejected, StoreBusy, StoreError, StoreUnavailable, store_error
from yingqiao.store.ledger_rows import Entry, entry_of, without_poison

_log = structlog.get_logger(__name__)

INLINE_BODY = 64 * 1024
RETRY_FIRST_S, RETRY_MOST_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how much goes into one commit."""

    queued: int = 8192
    queued_bytes: int = 256 * 1024 * 1024
    batch: int = 128
    batch_bytes: int = 8 * 1024 * 1024


@dataclass(eq=False, slots=True)
class _Waiting:
    entry: Entry
    done: asyncio.Future[int]


class Writer(Protocol):
    """A way into one database. See ledger_sqlite, ledger_postgres."""

    async def write(self, entries: Sequence[Entry]) -> list[int]:
        """Ids in the entries' order, after a durable commit of all; otherwise raises, and none is kept."""
        ...

    async def reconnect(self) -> bool:
        """True when the database can be written again."""
        ...

    def close(self) -> None: ...


class Ledger:
    """One per process and database. `start` and `record` belong to one event loop; `record_now` to any
    thread."""

    def __init__(
        self,
        database: Database,
        bounds: Bounds | None = None,
        postgres_lanes: int = 2,
        *,
        fetchable: Callable[[], None] = lambda: None,
    ) -> None:
        """`fetchable` is called after a commit that named something to be fetched; it may neither wait nor fail."""
        self._database = database
        self._fetchable = fetchable
        self._bounds = bounds or Bounds()
        self._lane_count = 1 if database.is_sqlite else postgres_lanes
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._something = asyncio.Event()
        self._lanes: list[asyncio.Task[None]] = []
        self._closing = False
        self._away: StoreError | None = None

    @property
    def available(self) -> bool:
        """False from a failed write until the database answers again."""
        return self._away is None

    @property
    def queued(self) -> int:
        """Submissions waiting for their commit to begin."""
        return len(self._queue)

    def start(self) -> None:
        """Begin writing, on the running event loop."""
        for _ in range(self._lane_count):
            self._lanes.append(asyncio.create_task(self._lane(), name="ledger"))

    async def close(self) -> None:
        """Write what is queued, then stop. Afterwards `record` raises StoreUnavailable."""
        self._closing = True
        self._something.set()
        await asyncio.gather(*self._lanes)
        self._fail(list(self._queue), StoreUnavailable("the ledger is closed"))
        self._queue.clear()

    async def record(self, submission: Submission) -> int:
        """The submission's id, once it and the exam and report it carries are committed durably.

        Raises StoreUnavailable, StoreBusy, StoreFull: nothing is kept. RecordRejected: this one cannot be
        kept.
        """
        self._admit(0)
        if len(submission.body) <= INLINE_BODY:
            return await self.submit(submission)
        return await self._queued(await asyncio.to_thread(entry_of, submission, pack=True))

    def submit(self, submission: Submission) -> asyncio.Future[int]:
        """As `record`, for a body small enough to be compressed here; on the event loop.

        Raises what `record` raises when the ledger takes nothing; the future fails with it when writing does.
        """
        self._admit(0)
        return self._queued(entry_of(submission))

    def _queued(self, entry: Entry) -> asyncio.Future[int]:
        self._admit(entry.size)
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._queued_bytes += entry.size
        self._something.set()
        return waiting.done

    async def record_list(self, submission: Submission) -> tuple[int, frozenset[bytes]]:
        """As `record`, of a submission with an images list; also which of its addresses (digests) the list
        had already, waiting or done.
        """
        self._admit(0)
        entry = await asyncio.to_thread(entry_of, submission, pack=True)
        number = await self._queued(entry)
        return number, entry.images.known if entry.images else frozenset()

    def record_now(
        self, submission: Submission, then: Callable[[Connection, int], None] | None = None
    ) -> int:
        """As `record`, in a transaction of its own, from any thread. Raises the same but StoreBusy.

        `then` writes what goes with the submission, whose id it gets, in the same transaction.
        """
        entry = entry_of(submission)
        for poisoned in (False, True):
            try:
                with self._database.write() as connection:
                    driver: Any = connection.connection.driver_connection
                    number = _insert(driver, [without_poison(entry) if poisoned else entry])[0]
                    if then is not None:
                        then(connection, number)
            except StoreError:
                raise
            except Exception as error:  # whatever a driver raises for values it cannot take
                if poisoned:
                    raise RecordRejected(type(error).__name__) from error
            else:
                self._tell([entry])
                return number
        raise AssertionError

    def _admit(self, size: int) -> None:
        if self._closing or not self._lanes:
            raise StoreUnavailable("the ledger is not open")
        if self._away is not None:
            raise type(self._away)(str(self._away))
        bounds = self._bounds
        if len(self._queue) >= bounds.queued or self._queued_bytes + size > bounds.queued_bytes:
            raise StoreBusy("too much is waiting for the database")

    async def _lane(self) -> None:
        writer = _writer(self._database)
        try:
            while batch := await self._next_batch():
                await self._write(writer, batch)
        finally:
            writer.close()

    async def _next_batch(self) -> list[_Waiting]:
        while not self._queue:
            if self._closing:
                return []
            self._something.clear()
            await self._something.wait()
        batch: list[_Waiting] = []
        size = 0
        bounds = self._bounds
        while self._queue and len(batch) < bounds.batch and (not batch or size < bounds.batch_bytes):
            waiting = self._queue.popleft()
            size += waiting.entry.size
            batch.append(waiting)
        self._queued_bytes -= size
        return batch

    async def _write(self, writer: Writer, batch: list[_Waiting]) -> None:
        try:
            ids = await writer.write([waiting.entry for waiting in batch])
        except Exception as error:  # noqa: BLE001 -- sorted below: the store's, or one record's
            meant = store_error(error)
            if meant is not None:
                self._fail(batch, meant)
                await self._until_back(writer, meant)
            elif len(batch) > 1:
                _log.warning("store.batch_refused", error=type(error).__name__, size=len(batch))
                for waiting in batch:
                    await self._write(writer, [waiting])
            else:
                await self._write_mended(writer, batch[0], error)
        else:
            for waiting, number in zip(batch, ids, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(number)
            self._tell([waiting.entry for waiting in batch])

    def _tell(self, entries: Sequence[Entry]) -> None:
        if any(entry.images is not None or entry.document is not None for entry in entries):
            self._fetchable()

    async def _write_mended(self, writer: Writer, waiting: _Waiting, error: Exception) -> None:
        mended = without_poison(waiting.entry)
        if mended == waiting.entry:
            self._fail([waiting], RecordRejected(type(error).__name__))
        else:
            await self._write(writer, [_Waiting(mended, waiting.done)])

    @staticmethod
    def _fail(batch: list[_Waiting], error: StoreError) -> None:
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_exception(type(error)(str(error)))

    async def _until_back(self, writer: Writer, error: StoreError) -> None:
        if await writer.reconnect():
            return  # only this connection was lost, or this batch too large
        self._away = error
        _log.error("store.away", error=type(error).__name__)
        self._fail(list(self._queue), error)
        self._queue.clear()
        self._queued_bytes = 0
        delay = RETRY_FIRST_S
        while not self._closing:
            await asyncio.sleep(delay)
            if await writer.reconnect():
                break
            delay = min(2 * delay, RETRY_MOST_S)
        self._away = None
        _log.info("store.back")


def _writer(database: Database) -> Writer:
    if database.is_sqlite:
        return ledger_sqlite.SqliteWriter(database)
    from yingqiao.store import ledger_postgres  # its driver is slow to import, and not needed beside SQLite

    return ledger_postgres.PostgresWriter(database)


def _insert(driver: Any, entries: Sequence[Entry]) -> list[int]:
    if isinstance(driver, sqlite3.Connection):
        return ledger_sqlite.insert(driver, entries)
    from yingqiao.store import ledger_postgres

    return ledger_postgres.insert(driver, entries)
