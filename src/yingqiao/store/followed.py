"""A register kept in memory that follows the database: who is asked in event loops never reads it there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)
FRESH_S = 0.5


class Followed:
    """When a register is read. Safe from any thread."""

    def __init__(self, name: str, read: Callable[[], None]) -> None:
        """`read` takes in all of the register; it raises StoreUnavailable. `name` is the log's and the thread's."""
        self._name, self._read = name, read
        self._read_at = float("-inf")
        self._begun_at: float | None = None
        self._reading = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read, and follow the database in a thread from now on. Raises StoreUnavailable."""
        self.again()
        self._thread = threading.Thread(target=self._follow, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def again(self) -> None:
        """Read it now. Raises StoreUnavailable."""
        with self._reading:
            self._take()

    @property
    def as_of(self) -> float | None:
        """What was committed before this moment (Unix seconds) is at hand; None where nobody follows: it is read when it
        is needed there.
        """
        return self._begun_at if self._thread is not None else None

    def look(self) -> None:
        """What is at hand is at most FRESH_S and a reading old: once started, the thread sees to that; in commands it
        is read here when it is older. Then raises StoreUnavailable.
        """
        if self._thread is not None or self._is_fresh():
            return
        with self._reading:
            if not self._is_fresh():
                self._take()

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._read_at < FRESH_S

    def _take(self) -> None:
        begun = time.time()
        self._read()
        self._read_at, self._begun_at = time.monotonic(), begun

    def _follow(self) -> None:
        told = False
        while not self._stop.wait(FRESH_S):
            try:
                self.again()
                told = False
            except Exception as error:  # noqa: BLE001 -- what is at hand stays, the thread must go on
                if not told:  # once, not twice a second for as long as the database is away
                    _log.warning("register.not_refreshed", register=self._name, error=type(error).__name__)
                told = True
