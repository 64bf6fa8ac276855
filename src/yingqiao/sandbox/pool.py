"""A pool of bounded workers, and lines of callers before it. A worker that dies takes one call with it and is replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from yingqiao.sandbox import wire
from yingqiao.sandbox.errors import Busy, Crashed, TooBig
from yingqiao.sandbox.limits import SandboxLimits
from yingqiao.sandbox.process import Worker

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Line:
    """Callers of one kind: how many of the workers they take at once, how long a call waits and works.

    Threads may share it. A line within a line takes its places there too, so that several kinds share a bound.
    """

    def __init__(self, pool: _Pool, limits: SandboxLimits, within: Line | None = None) -> None:
        self.limits = limits
        self._pool = pool
        self._within = within
        self._places = threading.BoundedSemaphore(limits.workers)

    def line(
        self,
        *,
        at_once: int | None = None,
        cpu_s: int | None = None,
        wall_s: float | None = None,
        wait_s: float | None = None,
    ) -> Line:
        """A line within this one; what is not said is as here."""
        own = self.limits
        limits = replace(
            own,
            workers=own.workers if at_once is None else at_once,
            cpu_s=own.cpu_s if cpu_s is None else cpu_s,
            wall_s=own.wall_s if wall_s is None else wall_s,
            wait_s=own.wait_s if wait_s is None else wait_s,
        )
        return Line(self._pool, limits, self)

    def call(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """`function(*args, **kwargs)`, a function of a module, in a worker.

        Raises what the function raises when that is an error of ours, and Busy, TooBig, TooLong, Crashed.
        """
        with self._place(time.monotonic() + self.limits.wait_s):
            request = [function.__module__, function.__qualname__, kwargs, *args]
            return self._pool.ask(request, self.limits)  # type: ignore[no-any-return]

    @contextmanager
    def _place(self, until: float) -> Iterator[None]:
        if not self._places.acquire(timeout=max(0.0, until - time.monotonic())):
            raise Busy
        try:
            if self._within is None:
                yield
            else:
                with self._within._place(until):  # noqa: SLF001 of its own kind
                    yield
        finally:
            self._places.release()


class Sandbox(Line):
    """The line of all callers, with the workers; `close` ends them.

    `preload` are modules that a worker imports before its bounds apply; `packages` those whose values and errors
    may come back.
    """

    def __init__(
        self,
        limits: SandboxLimits = SandboxLimits(),  # noqa: B008 frozen
        *,
        preload: Sequence[str] = (),
        packages: Sequence[str] = ("yingqiao",),
    ) -> None:
        super().__init__(_Pool(limits, tuple(preload), tuple(packages)), limits)

    def warm(self) -> None:
        """Start a worker now, so that the first call need not wait for it."""
        self._pool.give_back(self._pool.take())

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Pool:
    """The workers that are there: as many as are ever at work at once."""

    def __init__(self, limits: SandboxLimits, preload: Sequence[str], packages: Sequence[str]) -> None:
        self._limits, self._preload, self._packages = limits, preload, packages
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._closed = False
        self._starter = ThreadPoolExecutor(1, "sandbox")
        """Its thread lives as long as the pool: a worker dies with the thread that made it."""

    def ask(self, request: Sequence[Any], limits: SandboxLimits) -> Any:
        worker = self.take()
        try:
            answer = worker.ask(request, self._packages, cpu_s=limits.cpu_s, wall_s=limits.wall_s)
        except (
            BaseException
        ):  # whatever ends the call, a worker in the middle of one is of no use to the next
            worker.end()
            raise
        self.give_back(worker)
        return self._result(answer)

    def take(self) -> Worker:
        while True:
            with self._lock:
                if self._closed:
                    raise Crashed("the sandbox is closed")
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._new()
            if worker.alive:
                return worker
            worker.end()

    def _new(self) -> Worker:
        try:
            worker = self._starter.submit(Worker, self._limits).result()
        except RuntimeError as error:  # closed meanwhile
            raise Crashed("the sandbox is closed") from error
        try:
            worker.begin(self._preload)
        except BaseException:  # nobody knows it yet: it would be left running
            worker.end()
            raise
        return worker

    def give_back(self, worker: Worker) -> None:
        with self._lock:
            keep = not self._closed and worker.calls < self._limits.calls and not worker.spoilt
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.end()

    def close(self) -> None:
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for worker in idle:
            worker.end()
        self._starter.shutdown()

    def _result(self, answer: list[Any]) -> Any:
        if answer[:1] == ["done"] and len(answer) == 2:
            return answer[1]
        if answer == ["memory"]:
            raise TooBig("MemoryError")
        if answer[:1] == ["raised"] and len(answer) == 6:
            self._raise(*answer[1:])
        raise Crashed("no answer of ours")

    def _raise(self, module: Any, name: Any, args: Any, said: Any, trace: Any) -> NoReturn:
        """An error of our packages as it was, any other as Crashed."""
        kind = wire.known(str(module), str(name), self._packages)
        if isinstance(kind, type) and issubclass(kind, Exception):
            error = kind.__new__(kind)
            error.args = tuple(args)
            vars(error).update(said)
            raise error
        raise Crashed(f"{module}.{name}: {trace}")
