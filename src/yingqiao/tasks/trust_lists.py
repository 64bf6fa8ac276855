"""Fetching revocation lists from the addresses an operator gave: work of kind 'crl', key = the source's number.

Each is fetched every hour, and again by the engine's backoff when it did not come; a list that is of another issuer,
not signed by it, or older than the one here is not taken. An operator named the address: its host may be a private
one, and nothing else is reached (redirects stay on it).
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import structlog

from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings
from yingqiao.exchange.fetch import Address, AllowedHost, parse_address
from yingqiao.exchange.work import ErrorClass, NewWork, WorkError
from yingqiao.gm.errors import GmError
from yingqiao.signing.trust import MAX_LIST, TrustError, read_bundle
from yingqiao.store.database import Database
from yingqiao.store.trust import TrustStore
from yingqiao.store.work.ledger import add
from yingqiao.store.work.task import Task

KIND = "crl"
NAME = "trust-lists"
LOOK_S = 15.0
AGAIN_MS = 3_600_000
SECONDS = 300.0
_log = structlog.get_logger(__name__)


def ask_for_lists(database: Database, trust: TrustStore) -> int:
    """Make work of lists that are due; how many. Raises StoreUnavailable."""
    now = time.time_ns() // 10**6
    due = trust.due_lists(now)
    if not due:
        return 0
    with database.write() as connection:
        add(connection, [NewWork(KIND, str(number), "", _line(url)) for number, url in due])
    trust.postpone([number for number, _ in due], now + AGAIN_MS)
    return len(due)


def _line(url: str) -> str:
    """The destination: one line for each host."""
    try:
        address = parse_address(url)
    except WorkError:
        return "trust/unreadable"
    return f"trust/{address.scheme}://{address.host}:{address.port}"


class ListFetcher:
    """The handler."""

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust

    def __call__(self, task: Task) -> None:
        """Raises WorkError, Interrupted, StoreUnavailable."""
        number = int(task.key)
        url = self._trust.url_of(number)
        if url is None:
            return  # removed meanwhile
        later = time.time_ns() // 10**6 + AGAIN_MS
        try:
            raw = _fetch(parse_address(url), task)
            bundle = read_bundle(raw)
            if len(bundle.lists) != 1:
                raise TrustError("取回的不是一份吊销列表")
            found = self._trust.came(number, bundle.lists[0].raw, later)
        except GmError as error:
            self._trust.failed(number, error.reason, later)
            raise WorkError(ErrorClass.THEIRS, error.reason) from error
        except WorkError as error:
            self._trust.failed(number, error.reason, later)
            raise
        _log.info("trust.list_fetched", source=number, entries=len(found.entries))


class _Taken:
    """Takes the one file."""

    def __init__(self) -> None:
        self.raw: bytes | None = None
        self.error: WorkError | None = None

    def finished(self, _: FetchRequest, file: FetchedFile) -> None:
        with file.view() as view:
            self.raw = bytes(view)
        file.discard()

    def failed(self, _: FetchRequest, error: WorkError) -> None:
        self.error = error


def _fetch(address: Address, task: Task) -> bytes:
    """Raises WorkError, Interrupted."""
    host = AllowedHost(scheme=address.scheme, host=address.host, port=address.port, root="/", private=True)
    taken = _Taken()
    with tempfile.TemporaryDirectory() as folder:
        settings = FetchSettings(
            folder=Path(folder), total_seconds=SECONDS, max_bytes=MAX_LIST, small_bytes=MAX_LIST, tries=2
        )
        with Fetcher(settings) as fetcher:
            fetcher.run([FetchRequest(task.key, address, (host,))], taken, check=task.check)
    if taken.error is not None:
        raise taken.error
    if taken.raw is None:
        raise WorkError(ErrorClass.PASSING, "没有取回吊销列表")
    return taken.raw
