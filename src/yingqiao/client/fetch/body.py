"""Where the bytes of one file gather: in memory while small, else in a `.part` file."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial

from yingqiao.client.fetch.buffers import Buffers, Gathering
from yingqiao.client.fetch.model import FetchedFile, FetchSettings
from yingqiao.client.fetch.spool import Part, Validators, part_name
from yingqiao.exchange.fetch import Address, FetchError, FileState
from yingqiao.exchange.work import ErrorClass


@dataclass(slots=True)
class Memory:
    """What all files under way may hold together. Thread-safe: fetchers may share one."""

    left: int
    buffers: Buffers = field(default_factory=Buffers)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self, count: int) -> bool:
        """Whether there was room; then it is taken."""
        with self._guard:
            if count > self.left:
                return False
            self.left -= count
            return True

    def give_back(self, count: int) -> None:
        with self._guard:
            self.left += count


class Body:
    """The bytes of one file, over all its tries."""

    def __init__(self, settings: FetchSettings, memory: Memory, scope: str, url: str, limit: int) -> None:
        """Takes up the part an earlier run left. Raises OSError, FetchError when another fetcher has it."""
        self._settings = settings
        self._memory = memory
        self._name = part_name(scope, url)
        self._limit = limit
        self._small: Gathering | None = None
        self._held = 0
        self._part: Part | None = None
        self._handed_over = False
        self.size = 0
        self.validators = Validators()
        self.resumed = False
        if Part.exists(settings.folder, self._name):
            self._part = Part(settings.folder, self._name)
            self._part.take_up()
            self.validators, self.size = self._part.validators, self._part.size

    @property
    def resumable(self) -> bool:
        return bool(self.size and self.validators)

    def begin(self, validators: Validators) -> None:
        """From the first byte, of this version. Raises OSError, FetchError when it says it is too large."""
        self._check(max(validators.total, 0))
        self.validators = validators
        self.resumed = False
        self.size = 0
        if self._small is not None:
            self._small.restart()
        if self._part is not None:
            self._part.restart(validators)
        elif validators.total > self._settings.small_bytes:
            self._spill()

    def know(self, validators: Validators) -> None:
        """As `begin`, told after bytes came. Raises as `begin`."""
        self._check(max(validators.total, 0))
        self.validators = validators
        if self._part is not None:
            self._part.know(validators)

    def write(self, data: bytes) -> None:
        """Append. Raises OSError, FetchError beyond the size limit."""
        end = self.size + len(data)
        if end > self._limit:
            self._check(end)
        if self._part is None and not self._room(end):
            self._spill()
        if self._part is not None:
            self._part.write(data)
        elif self._small is not None:
            self._small.append(data)
        self.size = end

    def finish(self, address: Address) -> FetchedFile:
        """The whole file: memory or part are its own from here on."""
        self._handed_over = True
        if self._part is not None:
            part = self._part
            return FetchedFile(self.size, address, None, part.path, discarding=part.discard)
        if self._small is None:
            return FetchedFile(0, address, memoryview(b""), None)
        small = self._small
        content = small.content
        return FetchedFile(
            self.size,
            address,
            content,
            None,
            memory=small.memory,
            discarding=partial(small.give_back, content),
        )

    def take_back(self) -> None:
        """The caller failed to keep what `finish` gave."""
        self._handed_over = False

    def release(self) -> None:
        """Nothing more of this file in this run; a part that can be continued stays."""
        self._memory.give_back(self._held)
        self._held = 0
        if self._handed_over:
            return
        self._drop_memory()
        if self._part is not None:
            self._part.close()

    def _room(self, size: int) -> bool:
        """Whether so many bytes may be in memory; then there is a buffer for them."""
        if size <= self._held:
            return True
        wanted = max(size, self.validators.total)
        if wanted > self._settings.small_bytes or not self._memory.take(wanted - self._held):
            return False
        self._held = wanted
        if self._small is None:
            self._small = Gathering(self._memory.buffers, wanted)
        return True

    def _spill(self) -> None:
        self._part = Part(self._settings.folder, self._name)
        self._part.restart(self.validators)
        if self._small is not None and self.size:
            self._part.write(self._small.content)
        self._drop_memory()
        self._memory.give_back(self._held)
        self._held = 0

    def _drop_memory(self) -> None:
        if self._small is not None:
            self._small.give_back(self._small.content)
            self._small = None

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FetchError(ErrorClass.POISON, f"文件超过上限 {self._limit} 字节", state=FileState.UNUSABLE)
