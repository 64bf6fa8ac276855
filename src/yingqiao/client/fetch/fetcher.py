"""The guarded fetcher: many files at once in one thread, over libcurl."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import pycurl

from yingqiao.client.fetch import outcome
from yingqiao.client.fetch.body import Memory
from yingqiao.client.fetch.host_keys import HostKeys
from yingqiao.client.fetch.lines import Line, Lines
from yingqiao.client.fetch.local import LocalTransfer
from yingqiao.client.fetch.model import (
    FetchedFile,
    FetchRequest,
    FetchSettings,
    HostKeySeen,
    Resolve,
    Sink,
)
from yingqiao.client.fetch.reactor import Reactor
from yingqiao.client.fetch.transfer import Again, Transfer
from yingqiao.exchange.fetch import FetchError
from yingqiao.exchange.work import ErrorClass

_CHECK_SECONDS = 0.25


def _nothing(_count: int = 0) -> None:
    return


class Fetcher:
    """Fetches what is asked and allowed. Connections are kept between runs; one thread at a time.

    `resolve` stands in for the system's resolver; `host_key_seen` is told SFTP keys trusted on first use.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        resolve: Resolve | None = None,
        host_key_seen: HostKeySeen | None = None,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`memory` is given when several fetchers share what they may hold."""
        self.settings = settings
        self.resolve = resolve
        self.clock = clock
        self.keys = HostKeys(host_key_seen)
        self.memory = memory or Memory(settings.memory_bytes)
        self.reactor = Reactor(settings.connections)
        self._idle: list[Any] = []

    def run(
        self,
        requests: Iterable[FetchRequest],
        sink: Sink,
        *,
        check: Callable[[], None] = _nothing,
        throttle: Callable[[int], None] = _nothing,
    ) -> None:
        """Fetch all, each ending in one call of the sink.

        `check` is called a few times a second and may raise to end the run (cancelled, stopping); `throttle`
        is told bytes received and may block. What they or the sink raise comes out of here, after connections
        under way are dropped and their parts kept.
        """
        run = _Run(self, requests, sink, check, throttle)
        try:
            run.go()
        finally:
            run.abandon()

    def close(self) -> None:
        """Close connections. No run may be under way."""
        for curl in self._idle:
            curl.close()
        self.reactor.close()

    def handle(self) -> Any:
        """An easy handle without options."""
        return self._idle.pop() if self._idle else pycurl.Curl()

    def give_back(self, curl: Any) -> None:
        curl.reset()
        self._idle.append(curl)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Run:
    """One call of `Fetcher.run`."""

    def __init__(
        self,
        fetcher: Fetcher,
        requests: Iterable[FetchRequest],
        sink: Sink,
        check: Callable[[], None],
        throttle: Callable[[int], None],
    ) -> None:
        self._fetcher = fetcher
        self._lines = Lines(iter(requests), fetcher.settings)
        self._sink = sink
        self._check = check
        self._throttle = throttle
        self._active: dict[Any, tuple[Transfer, Line]] = {}
        self._local: list[LocalTransfer] = []
        self._later: list[tuple[float, int, Transfer, Line]] = []
        self._order = itertools.count()
        self._counted = 0
        self._checked = 0.0

    def go(self) -> None:
        while True:
            self._check_now_and_then()
            self._start_what_may()
            if not (self._active or self._local or self._later):
                return
            for curl, code in self._fetcher.reactor.turn(self._patience()):
                self._ended(curl, code)
            self._step_files()
            self._account()

    def abandon(self) -> None:
        """Drop what is under way; parts that can be continued stay."""
        for curl, (transfer, _line) in self._active.items():
            self._fetcher.reactor.multi.remove_handle(curl)
            self._fetcher.give_back(curl)
            transfer.body.release()
        for _due, _number, transfer, _line in self._later:
            transfer.body.release()
        for local in self._local:
            local.close()
            local.body.release()
        self._active, self._later, self._local = {}, [], []

    def _check_now_and_then(self) -> None:
        now = self._fetcher.clock()
        if now - self._checked >= _CHECK_SECONDS:
            self._checked = now
            self._check()

    def _patience(self) -> float:
        if self._local:
            return 0.0
        if self._later:
            return max(0.0, min(_CHECK_SECONDS, self._later[0][0] - self._fetcher.clock()))
        return _CHECK_SECONDS

    def _start_what_may(self) -> None:
        while self._later and self._later[0][0] <= self._fetcher.clock():
            _due, _number, transfer, line = heapq.heappop(self._later)
            self._start(transfer, line)
        while self._under_way < self._fetcher.settings.connections:
            found = self._lines.next()
            if found is None:
                return
            self._admit(*found)

    @property
    def _under_way(self) -> int:
        return len(self._active) + len(self._later) + len(self._local)

    def _admit(self, line: Line, request: FetchRequest) -> None:
        settings, memory = self._fetcher.settings, self._fetcher.memory
        try:
            if line.down is not None:
                raise line.down
            if request.address.scheme == "file":
                self._local.append(LocalTransfer(request, settings, memory))
                return
            transfer = Transfer(request, settings, memory, self._fetcher.keys)
        except FetchError as error:
            self._sink.failed(request, error)
        except OSError as error:
            self._sink.failed(request, outcome.of_disk(error))
        else:
            line.active += 1
            self._start(transfer, line)

    def _start(self, transfer: Transfer, line: Line) -> None:
        curl = self._fetcher.handle()
        try:
            transfer.start(curl)
            self._resolve(curl, transfer)
            self._fetcher.reactor.multi.add_handle(curl)
        except (FetchError, OSError, pycurl.error) as error:
            self._fetcher.give_back(curl)
            self._finish(transfer, line, _as_fetch_error(error))
        except (
            BaseException
        ):  # a resolver of the caller's may raise anything: the handle and the buffer come back
            self._fetcher.give_back(curl)
            transfer.body.release()
            raise
        else:
            self._active[curl] = transfer, line

    def _resolve(self, curl: Any, transfer: Transfer) -> None:
        if self._fetcher.resolve is None:
            return
        host, port = transfer.service
        found = ",".join(f"[{a}]" if ":" in a else a for a in self._fetcher.resolve(host, port))
        curl.setopt(pycurl.RESOLVE, [f"-{host}:{port}", f"+{host}:{port}:{found}"])

    def _ended(self, curl: Any, code: int) -> None:
        transfer, line = self._active.pop(curl)
        end = transfer.ended(curl, code)
        self._fetcher.reactor.multi.remove_handle(curl)
        self._fetcher.give_back(curl)
        if isinstance(end, Again):
            due = self._fetcher.clock() + end.delay
            heapq.heappush(self._later, (due, next(self._order), transfer, line))
            return
        self._learn_of(line, transfer, end)
        self._finish(transfer, line, end)

    def _learn_of(self, line: Line, transfer: Transfer, end: FetchedFile | FetchError) -> None:
        """A host that does not answer, or asks for patience, is left alone for the rest of the run."""
        if isinstance(end, FetchError) and end.retry_after is not None:
            line.down = end
        elif isinstance(end, FetchError) and not transfer.answered:
            line.unreachable(end)
        else:
            line.answered()

    def _finish(self, transfer: Transfer, line: Line, end: FetchedFile | FetchError) -> None:
        line.active -= 1
        self._hand_over(transfer, end)

    def _hand_over(self, transfer: Transfer | LocalTransfer, end: FetchedFile | FetchError) -> None:
        self._counted += transfer.take_received()
        try:
            if isinstance(end, FetchError):
                self._sink.failed(transfer.request, end)
            else:
                self._sink.finished(transfer.request, end)
        except BaseException:  # whatever it was, the file was not kept: it may be taken up again
            transfer.body.take_back()
            raise
        finally:
            transfer.body.release()

    def _step_files(self) -> None:
        for local in list(self._local):
            end = local.step()
            if end is not None:
                self._local.remove(local)
                local.close()
                self._hand_over(local, end)

    def _account(self) -> None:
        """Tell the throttle what came since the last turn, and learn what only now can be asked."""
        count, self._counted = self._counted, 0
        for curl, (transfer, _line) in self._active.items():
            transfer.learn(curl)
            count += transfer.take_received()
        if count:
            self._throttle(count)


def _as_fetch_error(error: Exception) -> FetchError:
    if isinstance(error, FetchError):
        return error
    if isinstance(error, OSError):
        return outcome.of_disk(error)
    return FetchError(ErrorClass.OURS, "libcurl 不接受此请求的选项")
