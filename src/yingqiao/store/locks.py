"""A lock for the one writer SQLite allows: first come, first served, for threads and coroutines alike."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType


class FairLock:
    """Handed from holder to the one waiting longest, so that no writer starves another.

    It may be released by another thread than the one that took it. Not reentrant.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[Callable[[], object]] = deque()

    async def acquire(self) -> None:
        """Take the lock without blocking the event loop."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(lambda: None if turn.done() else turn.set_result(None))

        if self._take_or_queue(wake):
            return
        try:
            await turn
        except BaseException:  # a cancelled task too must not be handed a lock it will never release
            self._give_up(wake)
            raise

    def release(self) -> None:
        """Hand the lock on."""
        while True:
            with self._mutex:
                if not self._waiting:
                    self._held = False
                    return
                wake = self._waiting.popleft()
            try:
                wake()
            except RuntimeError:  # the waiter's event loop was closed while it waited
                continue
            return

    def __enter__(self) -> None:
        turn = threading.Event()
        if self._take_or_queue(turn.set):
            return
        try:
            turn.wait()
        except BaseException:  # an interrupt too must not leave the lock with one who is gone
            self._give_up(turn.set)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take_or_queue(self, wake: Callable[[], object]) -> bool:
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            self._waiting.append(wake)
            return False

    def _give_up(self, wake: Callable[[], object]) -> None:
        with self._mutex:
            try:
                self._waiting.remove(wake)
            except ValueError:
                handed_over = True
            else:
                handed_over = False
        if handed_over:
            self.release()
