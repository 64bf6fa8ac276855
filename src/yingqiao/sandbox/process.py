"""One worker process and its two pipes, as its pool sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any, NoReturn

from yingqiao.sandbox import wire
from yingqiao.sandbox.errors import Crashed, TooBig, TooLong
from yingqiao.sandbox.limits import SandboxLimits
from yingqiao.sandbox.wire import WireError

_PIPE_SIZE = 1024 * 1024
_START_S = 60.0
_KEPT = ("LANG", "LC_ALL", "PATH", "TZ")
"""Of the environment; secrets may be in any other variable."""


class Worker:
    """A process that does one call after the other."""

    def __init__(self, limits: SandboxLimits) -> None:
        """Dies with the thread that made it, as the kernel tells it of no other parent. `begin` comes next."""
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

    def begin(self, preload: Sequence[str]) -> None:
        """Raises Crashed when it does not start."""
        limits = self._limits
        task = {
            "path": [path for path in sys.path if path],
            "preload": list(preload),
            "memory": limits.memory,
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

    def ask(self, request: Sequence[Any], packages: Sequence[str], *, cpu_s: int, wall_s: float) -> list[Any]:
        """Raises TooBig, TooLong, Crashed; then the worker is of no more use."""
        self.calls += 1
        with self._watched(wall_s):
            wire.send(self._in, [cpu_s, *request])
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
