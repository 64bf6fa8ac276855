"""Where the bytes of one file gather: in memory while small, else in a `.part` file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from yingqiao.client.fetch.model import FetchSettings
from yingqiao.client.fetch.spool import Part, Validators, part_name
from yingqiao.exchange.fetch import FetchError, FileState
from yingqiao.exchange.work import ErrorClass


@dataclass(slots=True)
class Memory:
    """What all files under way may hold together."""

    left: int

    def take(self, count: int) -> bool:
        """Whether there was room; then it is taken."""
        if count > self.left:
            return False
        self.left -= count
        return True


class Body:
    """The bytes of one file, over all its tries."""

    def __init__(self, settings: FetchSettings, memory: Memory, scope: str, url: str, limit: int) -> None:
        """Takes up the part an earlier run left. Raises OSError, FetchError when another fetcher has it."""
        self._settings = settings
        self._memory = memory
        self._name = part_name(scope, url)
        self._limit = limit
        self._buffer = bytearray()
        self._held = 0
        self.part: Part | None = None
        self.validators = Validators()
        self.resumed = False
        self._handed_over = False
        if Part.exists(settings.folder, self._name):
            self.part = self._open_part()
            self.part.take_up()
            self.validators = self.part.validators

    @property
    def size(self) -> int:
        return self.part.size if self.part is not None else len(self._buffer)

    @property
    def resumable(self) -> bool:
        return bool(self.size and self.validators)

    def begin(self, validators: Validators) -> None:
        """From the first byte, of this version. Raises OSError, FetchError when it says it is too large."""
        self._check(max(validators.total, 0))
        self._buffer = bytearray()
        self.validators = validators
        self.resumed = False
        if self.part is not None:
            self.part.restart(validators)
        elif validators.total > self._settings.small_bytes:
            self._spill()

    def know(self, validators: Validators) -> None:
        """As `begin`, told after bytes came. Raises as `begin`."""
        self._check(max(validators.total, 0))
        self.validators = validators
        if self.part is not None:
            self.part.know(validators)

    def write(self, data: bytes) -> None:
        """Append. Raises OSError, FetchError beyond the size limit."""
        if self.part is None and not self._room(len(data)):
            self._spill()
        self._check(self.size + len(data))
        if self.part is not None:
            self.part.write(data)
        else:
            self._buffer += data

    def finish(self) -> tuple[memoryview | None, bytes]:
        """The bytes when in memory, and the SHA-256 of all. Memory or part are the caller's from here on."""
        self._handed_over = True
        if self.part is not None:
            return None, self.part.digest.digest()
        buffer, self._buffer = self._buffer, bytearray()
        return memoryview(buffer), hashlib.sha256(buffer).digest()

    def release(self) -> None:
        """Nothing more of this file in this run; a part that can be continued stays."""
        self._memory.left += self._held
        self._held = 0
        if self.part is not None and not self._handed_over:
            self.part.close()

    def take_back(self) -> None:
        """The caller failed to keep what `finish` gave."""
        self._handed_over = False

    def _room(self, count: int) -> bool:
        wanted = len(self._buffer) + count
        if wanted > self._settings.small_bytes:
            return False
        step = max(wanted, self.validators.total, 0) - self._held
        if step > 0 and not self._memory.take(step):
            return False
        self._held += max(step, 0)
        return True

    def _spill(self) -> None:
        self.part = self._open_part()
        self.part.restart(self.validators)
        if self._buffer:
            self.part.write(memoryview(self._buffer))
        self._buffer = bytearray()
        self._memory.left += self._held
        self._held = 0

    def _open_part(self) -> Part:
        return Part(self._settings.folder, self._name)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FetchError(ErrorClass.POISON, f"文件超过上限 {self._limit} 字节", state=FileState.UNUSABLE)
