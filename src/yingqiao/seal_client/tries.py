"""How often a PIN may be tried. Counted on disk before each try, so that ending the program gives no further ones."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from yingqiao.seal_client.errors import Refused

_LONGEST = 24 * 3600.0
_NAME = "pin-tries.json"


class _Count(msgspec.Struct, kw_only=True):
    failed: int = 0
    last: float = 0.0
    """Unix seconds."""


class WrongPin(Exception):  # noqa: N818 an answer, not a fault
    """The PIN does not open the key. `left`: how often a device lets it be tried yet, where it says so."""

    def __init__(self, left: int | None = None) -> None:
        super().__init__()
        self.left = left


class PinTries:
    """Of all wallets of a desk. One PIN is tried at a time: each costs tens of megabytes on purpose (argon2id)."""

    def __init__(
        self, folder: Path, *, most: int, lock_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises OSError, msgspec.DecodeError: a damaged count must not read as none."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / _NAME
        self._most, self._lock_seconds, self._clock = most, lock_seconds, clock
        self._mutex = threading.Lock()
        self._counts = self._load()

    @contextmanager
    def one(self, key: str) -> Iterator[None]:
        """Around one try of a PIN: WrongPin inside it counts, and comes out as Refused with what is left. Where Refused
        comes out of it no PIN was tried, and nothing counts.

        Raises Refused 423 while locked.
        """
        with self._mutex:
            count = self._counts.setdefault(key, _Count())
            self._refuse_locked(count)
            before = count.last
            count.failed, count.last = count.failed + 1, self._clock()
            self._keep()
            try:
                yield
            except WrongPin as error:
                raise self._wrong(count, error.left) from None
            except Refused:
                count.failed, count.last = count.failed - 1, before
                self._keep()
                raise
            del self._counts[key]
            self._keep()

    def _refuse_locked(self, count: _Count) -> None:
        wait = self._locked_until(count) - self._clock()
        if wait > 0:
            minutes = max(1, -int(-wait // 60))
            words = f"PIN 输错次数过多，已锁定，请 {minutes} 分钟后再试"
            raise Refused(423, "pin-locked", words, retry_after=max(1, round(wait)))

    def _locked_until(self, count: _Count) -> float:
        beyond = count.failed - self._most
        if beyond < 0:
            return 0.0
        return count.last + min(_LONGEST, self._lock_seconds * 2.0 ** min(beyond, 30))

    def _wrong(self, count: _Count, of_device: int | None) -> Refused:
        left = min(self._most - count.failed, self._most if of_device is None else of_device)
        words = f"PIN 不正确，还可以试 {left} 次" if left > 0 else "PIN 不正确，已锁定"
        return Refused(403, "wrong-pin", words)

    def _load(self) -> dict[str, _Count]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Count])
        except FileNotFoundError:
            return {}

    def _keep(self) -> None:
        beside = self._path.with_suffix(".part")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as stream:
            stream.write(msgspec.json.encode(self._counts))
            stream.flush()
            os.fsync(fd)
        beside.replace(self._path)
