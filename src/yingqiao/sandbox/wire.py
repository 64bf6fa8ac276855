"""Messages between a pool and its workers: bytes arguments as they are, the rest pickled; answers are not trusted.

Bytes that came in pieces go on in pieces: joining megabytes would keep the interpreter from everybody else.

A worker may be in a stranger's hands. What it says is unpickled without any class but plain values of ours
(dataclasses, enums, errors) that are loaded already, and of the standard library's only dates.
"""

from __future__ import annotations

import datetime
import io
import pickle
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import IO, Any

_LENGTHS = struct.Struct(">QQ")
_RAW_FROM = 64 * 1024
_MARK, _PIECES = "\0raw", "\0pieces"
"""Stand, with a number, for bytes that follow the message."""
_DATES = ("date", "datetime", "time", "timedelta", "timezone")


class WireError(Exception):
    """The other side said what nobody of ours says."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Bytes as they came; the other side gets them in one piece."""

    parts: Sequence[bytes]

    def whole(self) -> bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


def send(stream: IO[bytes], values: Sequence[Any]) -> None:
    """Raises OSError when nobody reads."""
    raw: list[Sequence[bytes]] = []
    light: list[Any] = []
    for value in values:
        if isinstance(value, Pieces):
            light.append((_PIECES, len(raw)))
            raw.append(value.parts)
        elif isinstance(value, bytes) and len(value) >= _RAW_FROM:
            light.append((_MARK, len(raw)))
            raw.append((value,))
        else:
            light.append(value)
    message = pickle.dumps(light, 5)
    stream.write(_LENGTHS.pack(len(message), len(raw)))
    stream.write(message)
    for pieces in raw:
        stream.write(sum(map(len, pieces)).to_bytes(8, "big"))
        for piece in pieces:
            stream.write(piece)
    stream.flush()


def receive(
    stream: IO[bytes], most: int, *, trusted: bool, packages: Sequence[str] = ("yingqiao",)
) -> list[Any]:
    """The values of one message. Raises EOFError at the end, WireError for what is too long or no message of ours."""
    size, count = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if size > most or count > 16:
        raise WireError("message too long")
    message = _exactly(stream, size)
    raw = []
    for _ in range(count):
        length = int.from_bytes(_exactly(stream, 8), "big")
        if length > most:
            raise WireError("answer too long")
        raw.append(_exactly(stream, length))
    light = pickle.loads(message) if trusted else _plain(message, packages)  # noqa: S301 the pool's own words
    if not isinstance(light, list):
        raise WireError("no message")
    return [_heavy(one, raw) for one in light]


def _heavy(value: Any, raw: list[bytes]) -> Any:
    """What a mark stands for. Raises WireError for one that stands for nothing."""
    if not isinstance(value, tuple) or len(value) != 2 or value[0] not in (_MARK, _PIECES):
        return value
    kind, number = value
    if not isinstance(number, int) or not 0 <= number < len(raw):
        raise WireError("no such bytes")
    return raw[number] if kind == _MARK else Pieces((raw[number],))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise EOFError
    return found


def _plain(message: bytes, packages: Sequence[str]) -> Any:
    try:
        return _Plain(message, packages).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise WireError(f"no plain values: {type(error).__name__}") from error


class _Plain(pickle.Unpickler):
    def __init__(self, message: bytes, packages: Sequence[str]) -> None:
        super().__init__(io.BytesIO(message))
        self._packages = packages

    def find_class(self, module: str, name: str) -> Any:
        if module == "datetime" and name in _DATES:
            return getattr(datetime, name)
        found = known(module, name, self._packages)
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def known(module: str, name: str, packages: Sequence[str]) -> Any:
    """What is called so in a loaded module of ours, else None."""
    if module.split(".")[0] not in packages:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
