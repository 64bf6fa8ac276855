"""`python -m yingqiao.sandbox.worker`: one bounded process. Requests on standard input, answers on standard output."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from typing import IO, Any

from yingqiao.sandbox import wire

_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_OPEN_FILES = 64
_LONGEST_REQUEST = 1 << 32
_PLAIN = (str, int, type(None))


def main() -> None:
    requests, answers = _streams()
    task = json.loads(requests.readline())
    sys.path[:] = task["path"]
    for module in task["preload"]:
        importlib.import_module(module)
    _confine(task)
    wire.send(answers, ["ready"])
    while True:
        try:
            cpu_s, module, name, keywords, *positional = wire.receive(
                requests, _LONGEST_REQUEST, trusted=True
            )
        except EOFError:
            return
        _allow_cpu(cpu_s)
        answer = _answer(module, name, positional, keywords)
        try:
            wire.send(answers, answer)
        except MemoryError:
            wire.send(answers, ["memory"])


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes, and nothing that a `print` could reach."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    return os.fdopen(requests, "rb", buffering=1 << 16), os.fdopen(answers, "wb", buffering=1 << 16)


def _confine(task: dict[str, Any]) -> None:
    """What was loaded stays; more memory, files to write, cores and children's privileges do not come."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.nice(task["niceness"])
    for kind, most in (
        (resource.RLIMIT_AS, task["memory"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (most, most))


def _allow_cpu(seconds: int) -> None:
    """SIGXCPU ends the process when this call uses more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(module: str, name: str, positional: list[Any], keywords: dict[str, Any]) -> list[Any]:
    try:
        function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        return ["done", function(*positional, **keywords)]
    except MemoryError:
        return ["memory"]
    except Exception as error:  # noqa: BLE001 the caller's errors and everybody else's: the pool tells them apart
        kind = type(error)
        said = {key: value for key, value in vars(error).items() if isinstance(value, _PLAIN)}
        args = [value for value in error.args if isinstance(value, _PLAIN)]
        return ["raised", kind.__module__, kind.__qualname__, args, said, _trace(error)]


def _trace(error: Exception) -> str:
    """Where it was raised, without its text, which may quote a file."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


if __name__ == "__main__":
    main()
