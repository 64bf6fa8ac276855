"""What brings an images list's files and a report's PDF: the handlers of the work kinds 'fetch' and 'document'.

Both may be killed at any moment and done again: files that are done are never asked for again, and what had
landed without being noted changes nothing when it lands twice.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy import Connection

from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings, sweep
from yingqiao.client.fetch.body import Memory
from yingqiao.client.fetch.buffers import Buffers
from yingqiao.exchange.completeness import Expectation, Source
from yingqiao.exchange.documents import NotPdfError, prove_pdf
from yingqiao.exchange.fetch import (
    Address,
    AllowedHost,
    FetchError,
    FileState,
    choose,
    parse_address,
)
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store import expectations, image_lists
from yingqiao.store.arrivals import URL_AET, Arrivals, Origin, peer_of
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreFull, StoreUnavailable
from yingqiao.store.fetch_hosts import FetchHosts, destination_of
from yingqiao.store.image_lists import Arrived, ListFile
from yingqiao.store.objects import Objects
from yingqiao.store.report_documents import keep_document, read_document, refuse_document
from yingqiao.store.work.task import Task
from yingqiao.tasks.keeping import Came, Keeper, trouble_of

DOCUMENT = "document"
LEFT_OVER_S = 7 * 86400.0
SWEEP_EVERY_S = 6 * 3600.0
CHUNK = 1000
"""Files of a list looked at in one go."""
_log = structlog.get_logger(__name__)
_WEIGHT = {ErrorClass.PASSING: 0, ErrorClass.OURS: 1, ErrorClass.THEIRS: 2, ErrorClass.POISON: 3}
"""Of several failures the one that is tried again soonest decides."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is fetched."""

    document_bytes: int = 64 << 20
    document_seconds: float = 300.0


@dataclass(slots=True)
class FetchCounts:
    """Since the start. Written by many threads."""

    files: int = 0
    bytes: int = 0
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, files: int, size: int, failed: int) -> None:
        with self._lock:
            self.files += files
            self.bytes += size
            self.failed += failed


class Fetching:
    """The two handlers, and what they share. Called from many threads; each run has a fetcher to itself."""

    def __init__(
        self,
        database: Database,
        hosts: FetchHosts,
        arrivals: Arrivals,
        objects: Objects,
        settings: FetchSettings,
        aet: str,
        limits: Limits | None = None,
    ) -> None:
        """`aet`: the gateway's own AE title."""
        self._database = database
        self._hosts = hosts
        self._arrivals = arrivals
        self._objects = objects
        self._settings = settings
        self._aet = aet
        self._limits = limits or Limits()
        self._free: list[Fetcher] = []
        self._memory = Memory(settings.memory_bytes, Buffers(arrivals.headroom))
        self._lock = threading.Lock()
        self._sweep_at = 0.0
        self.counts = FetchCounts()

    def sweep(self) -> None:
        """Remove what is left of large files nobody has gone on with for a week; at most every few hours."""
        with self._lock:
            now = time.monotonic()
            if now < self._sweep_at:
                return
            self._sweep_at = now + SWEEP_EVERY_S
        try:
            count = sweep(self._settings.folder, LEFT_OVER_S)
        except OSError as error:
            _log.warning("fetch.not_swept", error=type(error).__name__)
        else:
            if count:
                _log.info("fetch.swept", parts=count)

    def fetch(self, task: Task) -> None:
        """Handler of 'fetch': the files of one list on one host. Raises WorkError, Interrupted."""
        self.sweep()
        if self._arrivals.is_behind():
            raise WorkError(ErrorClass.OURS, "索引落后太多，稍后继续下载")
        with _our_trouble():
            _ListRun(self, task).go()

    def document(self, task: Task) -> None:
        """Handler of 'document': a report's PDF from its pdf_path (T24). Raises WorkError, Interrupted."""
        with _our_trouble():
            self._document(task)

    def close(self) -> None:
        """No handler may be under way."""
        for fetcher in self._free:
            fetcher.close()

    @contextmanager
    def fetcher(self) -> Iterator[Fetcher]:
        """One for this thread; connections stay open between runs."""
        with self._lock:
            fetcher = self._free.pop() if self._free else self._new_fetcher()
        try:
            yield fetcher
        finally:
            with self._lock:
                self._free.append(fetcher)

    def _new_fetcher(self) -> Fetcher:
        return Fetcher(self._settings, host_key_seen=self._host_key_seen, memory=self._memory)

    def _host_key_seen(self, host: AllowedHost, fingerprint: str) -> None:
        self._hosts.keep_host_key(host.id, fingerprint)
        _log.info("fetch.host_key_trusted", host=host.display, fingerprint=fingerprint)

    def _document(self, task: Task) -> None:
        with self._database.read() as connection:
            row = read_document(connection, int(task.payload["document"]))
        if row is None or row.state == str(FileState.DONE):
            return
        sink = _DocumentSink(self._objects)
        try:
            hosts = self._hosts.of(row.hospital_code)
            address = parse_address(row.url)
            choose(address, hosts)
            request = FetchRequest(
                str(row.id), address, hosts, row.hospital_code, self._limits.document_bytes
            )
            with self.fetcher() as fetcher:
                deadline = time.monotonic() + self._limits.document_seconds
                fetcher.run([request], sink, check=lambda: _check(task, deadline), throttle=task.throttle)
            if sink.error is not None:
                raise sink.error
        except WorkError as error:
            with self._database.write() as connection:
                refuse_document(connection, row.id, error)
            raise
        with self._database.write() as connection:
            keep_document(connection, row, sink.digest, sink.size)
        _log.info("fetch.document", hospital=row.hospital_code, submission=row.submission_id, bytes=sink.size)


def _check(task: Task, deadline: float) -> None:
    task.check()
    if time.monotonic() > deadline:
        raise FetchError(ErrorClass.PASSING, "下载 PDF 超过时限")


class _DocumentSink:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.error: WorkError | None = None
        self.digest = ""
        self.size = 0

    def finished(self, _: FetchRequest, file: FetchedFile) -> None:
        with file.view() as view:
            try:
                prove_pdf(view)
            except NotPdfError as error:
                self.error = FetchError(ErrorClass.THEIRS, str(error), state=FileState.UNUSABLE)
            else:
                self.digest, self.size = self._objects.put(bytes(view)), file.size
        file.discard()

    def failed(self, _: FetchRequest, error: WorkError) -> None:
        self.error = error


class _ListRun:
    """One try of a list on one host; the sink of its fetcher."""

    def __init__(self, fetching: Fetching, task: Task) -> None:
        self._fetching = fetching
        self._database = fetching._database  # noqa: SLF001 one thing in two classes
        self._task = task
        self._list_id = int(task.payload["list"])
        self._line = str(task.payload.get("line", ""))
        self._failures: list[WorkError] = []
        self._done = self._bytes = 0
        self._expected = 0
        self._addresses: dict[int, Address] = {}

    def go(self) -> None:
        with self._database.read() as connection:
            row = image_lists.read_list(connection, self._list_id)
            counts = image_lists.counts_of(connection, self._list_id)
        if row is None:
            return
        self._hospital = row.hospital_code
        self._hosts = self._fetching._hosts.of(row.hospital_code)  # noqa: SLF001
        self._done = counts.get(str(FileState.DONE), 0)
        self._total = sum(counts.values())
        asked = self._fetch(given_up=False)
        if not asked and self._task.attempt <= 1:
            self._fetch(given_up=True)  # a person replays what was dead
        with self._database.write() as connection:
            tell_expected(connection, self._list_id)
        failures = self._failures or self._given_up()
        if failures:
            raise summary_of(failures)

    def _fetch(self, *, given_up: bool) -> int:
        """How many files were asked for."""
        asked = 0

        def counted() -> Iterator[FetchRequest]:
            nonlocal asked
            for request in self._requests(given_up):
                asked += 1
                yield request

        keeper = Keeper(
            self._fetching._arrivals,  # noqa: SLF001
            self._note,
            self._fetching._settings.folder,  # noqa: SLF001
            time.monotonic,
        )
        try:
            with self._fetching.fetcher() as fetcher:
                sink = _ListSink(self, keeper)
                fetcher.run(counted(), sink, check=self._task.check, throttle=self._task.throttle)
        finally:
            keeper.close()
        return asked

    def origin(self, file_id: int) -> Origin:
        address = self._addresses.pop(file_id)
        peer = peer_of(f"{address.scheme}://{address.host}", self._hospital)
        return Origin(URL_AET, self._fetching._aet, peer)  # noqa: SLF001

    def _requests(self, given_up: bool) -> Iterator[FetchRequest]:
        """The list's files on this line, in chunks; addresses that may not be fetched are noted."""
        after = 0
        while True:
            with self._database.read() as connection:
                files = image_lists.files_of(connection, self._list_id, after, CHUNK, given_up=given_up)
            if not files:
                return
            after = files[-1].id
            refused: list[tuple[int, WorkError]] = []
            for file in files:
                try:
                    address = self._mine(file)
                except FetchError as error:
                    refused.append((file.id, error))
                    continue
                if address is not None:
                    self._addresses[file.id] = address
                    yield FetchRequest(str(file.id), address, self._hosts, self._hospital)
            self._note((), refused)

    def _mine(self, file: ListFile) -> Address | None:
        """The file's address, None when it is on another line. Raises FetchError."""
        address = parse_address(file.url)
        line = line_of(self._hospital, address, choose(address, self._hosts))
        return address if not self._line or line == self._line else None

    def _note(self, done: Sequence[Arrived], failed: Sequence[tuple[int, WorkError]]) -> None:
        if not done and not failed:
            return
        with self._database.write() as connection:
            if done:
                image_lists.mark_done(connection, done)
            if failed:
                image_lists.mark_failed(connection, failed)
        size = sum(one.byte_count for one in done)
        self._failures += [error for _, error in failed]
        self._done += len(done)
        self._bytes += size
        self._fetching.counts.add(len(done), size, len(failed))
        self._task.progress(self._done, self._total, self._bytes)

    def _given_up(self) -> list[WorkError]:
        """What an earlier try gave up on this line: the work is no success while there is such a file."""
        with self._database.read() as connection:
            files = image_lists.files_of(connection, self._list_id, 0, CHUNK, given_up=True)
        return [WorkError(ErrorClass.POISON, file.reason) for file in files if self._is_mine(file)]

    def _is_mine(self, file: ListFile) -> bool:
        try:
            return self._mine(file) is not None
        except FetchError:
            return False


class _ListSink:
    def __init__(self, run: _ListRun, keeper: Keeper) -> None:
        self._run = run
        self._keeper = keeper

    def finished(self, request: FetchRequest, file: FetchedFile) -> None:
        file_id = int(request.id)
        self._keeper.take(Came(file_id, file, self._run.origin(file_id)))

    def failed(self, request: FetchRequest, error: WorkError) -> None:
        self._run.origin(int(request.id))
        self._keeper.fail(int(request.id), error)


def summary_of(failures: Sequence[WorkError]) -> WorkError:
    """Many files' failures as one: what to do next, and why, most frequent reasons first."""
    error_class = min((error.error_class for error in failures), key=_WEIGHT.__getitem__)
    reasons = Counter(error.reason for error in failures).most_common(3)
    words = "；".join(f"{reason}（{count} 个）" for reason, count in reasons)
    waits = [error.retry_after for error in failures if error.retry_after is not None]
    text = f"{len(failures)} 个文件没有取到：{words}"
    return WorkError(error_class, text, retry_after=max(waits, default=None))


def line_of(hospital_code: str, address: Address, host: AllowedHost) -> str:
    """The destination an address is fetched from: of a network of hosts each is one; of s3 the bucket."""
    if host.scheme != address.scheme or "/" not in host.host:
        return destination_of(hospital_code, host.scheme, host.host, host.port)
    return destination_of(hospital_code, address.scheme, address.host, address.port)


def tell_expected(connection: Connection, list_id: int) -> None:
    """What the list says of its series' number of images (source images-list)."""
    row = image_lists.read_list(connection, list_id)
    if row is None or not row.study_uid:
        return
    count = image_lists.expected_instances(connection, list_id)
    told = Expectation(
        study_uid=row.study_uid,
        series_uid=row.series_uid,
        source=Source.IMAGES_LIST,
        origin=f"list {list_id}",
        expected=count,
        told_at=time.time_ns() // 10**6,
        hospital_code=row.hospital_code,
    )
    expectations.tell(connection, [told])


@contextmanager
def _our_trouble() -> Iterator[None]:
    """Disk and database in trouble are ours, and passing: tried again, no breaker."""
    try:
        yield
    except StoreFull as error:
        raise WorkError(ErrorClass.OURS, "本机磁盘已满，腾出空间后自动继续") from error
    except StoreUnavailable as error:
        raise WorkError(ErrorClass.OURS, "数据库暂时不可用") from error
    except OSError as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        raise trouble from error


def payload(**members: object) -> str:
    return json.dumps(members, ensure_ascii=False)


def settings_of(folder: Path) -> FetchSettings:
    """A fetcher's bounds; the memory is that of all together."""
    return FetchSettings(
        folder=folder, connections=16, connections_per_host=8, memory_bytes=64 << 20, small_bytes=4 << 20
    )
