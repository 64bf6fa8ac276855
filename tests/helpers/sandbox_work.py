"""What the workers of the tests are given to do."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yingqiao.gm.errors import GmError
from yingqiao.signing.errors import SigningRefused


@dataclass(frozen=True, slots=True)
class Value:
    name: str
    data: bytes


def double(data: bytes, times: int = 2) -> Value:
    return Value(str(times), data * times)


def refuse(kind: str) -> None:
    if kind == "gm":
        raise GmError("不行", code="no")
    if kind == "signing":
        raise SigningRefused("no", "不行")
    raise RuntimeError("secret words of a file")


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def hoard() -> int:
    kept = [bytearray(64 << 20) for _ in range(1000)]
    return len(kept)


def answer(size: int) -> bytes:
    return bytes(size)


def die() -> None:
    os._exit(3)


def fault() -> None:
    ctypes.string_at(1)


def me() -> int:
    return os.getpid()


def seen() -> dict[str, Any]:
    """What a worker could take hold of."""
    held = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return {"environment": sorted(os.environ), "descriptors": [str(one) for one in held]}


def write_file(path: str) -> None:
    Path(path).write_bytes(b"x" * 100)


class Trojan:
    """An answer that would be code."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def trojan() -> Any:
    return Trojan()


def talk() -> None:
    """Prints where an answer would go."""
    print("hello")
    os.write(1, b"hello")


def connect() -> str:
    return socket.gethostname()
