"""A pool of bounded workers. A worker that dies takes one call with it and is replaced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Any, NoReturn, ParamSpec, Self, TypeVar

from yingqiao.sandbox import wire
from yingqiao.sandbox.errors import Busy, Crashed, TooBig, TooLong
from yingqiao.sandbox.limits import SandboxLimits
from yingqiao.sandbox.wire import WireError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PIPE_SIZE = 1024 * 1024
_START_S = 60.0
_KEPT = ("LANG", "LC_ALL", "PATH", "TZ")
"""Of the environment; secrets may be in any other variable."""


class Sandbox:
    """Calls of pure functions in workers. Threads may share it; `close` ends the workers.

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
        self.limits = limits
        self._preload, self._packages = tuple(preload), tuple(packages)
        self._free = threading.BoundedSemaphore(limits.workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def call(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """`function(*args, **kwargs)`, a function of a module, in a worker.

        Raises what the function raises when that is an error of ours, and Busy, TooBig, TooLong, Crashed.
        """
        if not self._free.acquire(timeout=self.limits.wait_s):
            raise Busy
        try:
            worker = self._take()
            try:
                answer = worker.ask(
                    [function.__module__, function.__qualname__, kwargs, *args], self._packages
                )
            except BaseException:
                worker.end()
                raise
            self._give_back(worker)
        finally:
            self._free.release()
        return self._result(answer)  # type: ignore[no-any-return]

    def warm(self) -> None:
        """Start a worker now, so that the first call need not wait for it."""
        self._give_back(self._take())

    def close(self) -> None:
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for worker in idle:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                if self._closed:
                    raise Crashed("the sandbox is closed")
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return _Worker(self.limits, self._preload)
            if worker.alive:
                return worker
            worker.end()

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            keep = not self._closed and worker.calls < self.limits.calls and not worker.spoilt
            if keep:
                self._idle.append(worker)
        if not keep:
            worker.end()

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


class _Worker:
    """One process and its two pipes."""

    def __init__(self, limits: SandboxLimits, preload: Sequence[str]) -> None:
        """Raises Crashed when it does not start."""
        self._limits, self.calls, self.spoilt, self._overdue = limits, 0, False, False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "yingqiao.sandbox.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={key: os.environ[key] for key in _KEPT if key in os.environ}
            | {"MALLOC_ARENA_MAX": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        assert self._process.stdin  # noqa: S101 pipes, as asked for above
        assert self._process.stdout  # noqa: S101
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        _widen(self._in, self._out)
        self._begin(preload)

    def _begin(self, preload: Sequence[str]) -> None:
        limits = self._limits
        task = {
            "path": [path for path in sys.path if path],
            "preload": list(preload),
            "memory": limits.memory,
            "cpu_s": limits.cpu_s,
            "niceness": limits.niceness,
        }
        with self._watched(_START_S):
            self._in.write(json.dumps(task).encode() + b"\n")
            self._in.flush()
            if wire.receive(self._out, 1024, trusted=False) != ["ready"]:
                raise Crashed("worker did not start")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Sequence[Any], packages: Sequence[str]) -> list[Any]:
        """Raises TooBig, TooLong, Crashed; then the worker is of no more use."""
        self.calls += 1
        with self._watched(self._limits.wall_s):
            wire.send(self._in, request)
            answer = wire.receive(self._out, self._limits.answer, trusted=False, packages=packages)
        self.spoilt = answer == ["memory"]
        return answer

    @contextlib.contextmanager
    def _watched(self, seconds: float) -> Any:
        """Within it the worker lives `seconds` at most. Turns the ways of its death into errors."""
        watch = threading.Timer(seconds, self._too_late)
        watch.daemon = True
        watch.start()
        try:
            yield
        except WireError as error:
            if "too long" in str(error):
                raise TooBig(str(error)) from error
            raise Crashed(str(error)) from error
        except (OSError, EOFError) as error:
            self._mourn(error)
        finally:
            watch.cancel()

    def _too_late(self) -> None:
        self._overdue = True
        self._kill()

    def _mourn(self, error: Exception) -> NoReturn:
        self._kill()
        code = self._process.wait()
        if self._overdue or code == -signal.SIGXCPU:
            raise TooLong(f"exit {code}") from error
        raise Crashed(f"exit {code}") from error

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def end(self) -> None:
        self._kill()
        self._process.wait()
        for stream in (self._in, self._out):
            with contextlib.suppress(OSError):
                stream.close()


def _widen(*pipes: IO[bytes]) -> None:
    import fcntl  # Linux's; whoever only imports this module may run elsewhere

    for pipe in pipes:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
