"""Time stamps: the authority's key at rest, serial numbers no two tokens share, and the journal.

A token is handed out only after its row is committed; many rows go into one commit.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row, func, insert, select, update

from yingqiao.gm import certificates
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.keystore import KeystoreError, MasterKey
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.signing.tsa import TsaKey
from yingqiao.store import stampers
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreBusy, StoreError, StoreUnavailable, store_error
from yingqiao.store.schema import timestamp_authorities, timestamp_serials, timestamp_tokens
from yingqiao.store.trust import tell_changed

_log = structlog.get_logger(__name__)
SEAL_CONTEXT = "timestamp-authority"
BLOCK = 4096
"""Serial numbers a process takes at once; those it does not use are never used."""
QUEUED = 8192
BATCH = 256


class TsaError(StoreError):
    """The authority cannot be used; the text is Chinese, for the operator."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A row of timestamp_authorities."""

    id: int
    origin: str
    key: TsaKey
    created_at: int


@dataclass(frozen=True, slots=True)
class Issued:
    """What the journal says of a token. `gen_time` in Unix ms."""

    serial: int
    authority_id: int
    app_id: str
    gen_time: int
    imprint: bytes
    token_digest: bytes


def keep_authority(database: Database, master_key: MasterKey, key: TsaKey, origin: str) -> int:
    """Stamp by this key from now on; its id. Raises StoreUnavailable."""
    root = key.root_private
    row = {
        "origin": origin,
        "certificate": key.certificate.raw,
        "chain": b"".join(one.raw for one in key.chain),
        "sealed_key": master_key.seal(key.private.handle, SEAL_CONTEXT),
        "sealed_root_key": None if root is None else master_key.seal(root.handle, SEAL_CONTEXT),
        "created_at": time.time_ns() // 10**6,
    }
    returning = timestamp_authorities.c.id
    with database.write() as connection:
        number: int = connection.execute(
            insert(timestamp_authorities).values(row).returning(returning)
        ).scalar_one()
        tell_changed(connection)  # what we stamp with is trusted
    return number


def ensure_authority(database: Database, master_key: MasterKey, make: Callable[[], TsaKey]) -> bool:
    """There is an authority afterwards; True when it was made just now. Raises StoreUnavailable."""
    with database.read() as connection:
        if connection.scalar(select(func.count()).select_from(timestamp_authorities)):
            return False
    keep_authority(database, master_key, make(), stampers.BUILT_IN)
    return True


def newest_id(database: Database) -> int | None:
    """Of the authority at work. Raises StoreUnavailable."""
    with database.read() as connection:
        newest: int | None = connection.scalar(select(func.max(timestamp_authorities.c.id)))
    return newest


def authority(database: Database, master_key: MasterKey, keys: PrivateKeys = SOFTWARE) -> Authority | None:
    """The one at work. Raises TsaError when its key cannot be opened, StoreUnavailable."""
    wanted = select(timestamp_authorities).order_by(timestamp_authorities.c.id.desc()).limit(1)
    with database.read() as connection:
        row = connection.execute(wanted).first()
    return None if row is None else _authority(row, master_key, keys)


def roots(database: Database) -> list[Certificate]:
    """Of every authority there was, the top of its chain. Raises StoreUnavailable."""
    with database.read() as connection:
        return stampers.roots(connection)


def stamping_certificates(database: Database) -> list[Certificate]:
    """Every certificate the gateway ever stamped with. Raises StoreUnavailable."""
    with database.read() as connection:
        return stampers.stampers(connection)


def _authority(row: Row[Any], master_key: MasterKey, keys: PrivateKeys) -> Authority:
    try:
        private = keys.open(master_key.unseal(row.sealed_key, SEAL_CONTEXT))
    except KeystoreError as error:
        raise TsaError("时间戳私钥无法用现在的主密钥打开") from error
    key = TsaKey(certificates.parse(bytes(row.certificate)), stampers.chain_of(row.chain), private)
    return Authority(row.id, row.origin, key, row.created_at)


def latest_gen_time(database: Database) -> int:
    """Unix ms of the latest token, 0 when there is none. Raises StoreUnavailable."""
    with database.read() as connection:
        return connection.scalar(select(func.max(timestamp_tokens.c.gen_time))) or 0


def issued(database: Database, serial: int) -> Issued | None:
    """What the journal has of a serial number. Raises StoreUnavailable."""
    with database.read() as connection:
        row = connection.execute(select(timestamp_tokens).where(timestamp_tokens.c.serial == serial)).first()
    return None if row is None else Issued(*row)


def take_serials(database: Database, count: int) -> range:
    """Numbers nobody else gets, ever. Raises StoreUnavailable."""
    c = timestamp_serials.c
    with database.write() as connection:
        end: int = connection.execute(
            update(timestamp_serials).where(c.id == 1).values(next=c.next + count).returning(c.next)
        ).scalar_one()
    return range(end - count, end)


def keep(database: Database, token: Issued) -> None:
    """In the journal when it returns: for commands, which have no event loop. Raises StoreUnavailable."""
    with database.write() as connection:
        connection.execute(_INSERT, [_row(token)])


class TokenJournal:
    """One per process. `record` belongs to one event loop; a thread writes what has come together meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._free: deque[int] = deque()
        self._queue: deque[tuple[Issued, asyncio.Future[None]]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._taking = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """On the running event loop. Raises StoreUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._free.extend(take_serials(self._database, BLOCK))
        self._thread = threading.Thread(target=self._run, name="tokens", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """What is queued is written first."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def serial(self) -> int:
        """The next number. Raises StoreBusy when a new block is not here yet."""
        if len(self._free) < BLOCK // 2 and not self._taking:
            self._taking = True
            with self._wake:
                self._wake.notify()
        if not self._free:
            raise StoreBusy("no serial numbers at hand")
        return self._free.popleft()

    def record(self, token: Issued) -> asyncio.Future[None]:
        """Done when the token is committed durably; fails with StoreUnavailable or StoreFull, and nothing is kept.

        Raises StoreBusy when too much waits.
        """
        if self._loop is None or self._closing:
            raise StoreUnavailable("the journal is not open")
        if len(self._queue) >= QUEUED:
            raise StoreBusy("too much is waiting for the database")
        done = self._loop.create_future()
        self._queue.append((token, done))
        with self._wake:
            self._wake.notify()
        return done

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing and not self._taking:
                    self._wake.wait()
            if self._taking:
                self._take()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
            if batch:
                self._write(batch)
            elif self._closing:
                return

    def _take(self) -> None:
        try:
            self._free.extend(take_serials(self._database, BLOCK))
        except StoreError as error:
            _log.error("tsa.serials_not_taken", error=type(error).__name__)
        finally:
            self._taking = False

    def _write(self, batch: list[tuple[Issued, asyncio.Future[None]]]) -> None:
        failed: StoreError | None = None
        try:
            with self._database.write() as connection:
                connection.execute(_INSERT, [_row(token) for token, _ in batch])
        except Exception as error:  # noqa: BLE001 -- whoever waits must hear of it, whatever it is
            failed = store_error(error) or StoreUnavailable(type(error).__name__)
            _log.error("tsa.journal_failed", error=type(error).__name__, tokens=len(batch))
        futures = [done for _, done in batch]
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, futures, failed)


_INSERT = insert(timestamp_tokens)


def _row(token: Issued) -> dict[str, Any]:
    return {name: getattr(token, name) for name in Issued.__slots__}


def _tell(futures: list[asyncio.Future[None]], failed: StoreError | None) -> None:
    for done in futures:
        if done.done():
            continue
        if failed is None:
            done.set_result(None)
        else:
            done.set_exception(type(failed)(str(failed)))
