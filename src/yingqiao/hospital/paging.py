"""Pages of what sources answer, in the sources' own stable order (T102): each next page goes on where the last ended.

One thread asks the sources, so that a cursor half read is always read by the thread that opened it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

Records = Iterator[dict[str, Any]]


@dataclass(slots=True)
class _Open:
    """An answer read up to the end of page `page`."""

    page: int
    records: Records
    used_at: float


class Pages:
    """Remembers a few answers half read; a page out of order is found by reading from the beginning."""

    def __init__(self, *, most: int = 8, seconds: float = 120.0) -> None:
        self._most, self._seconds = most, seconds
        self._open: dict[Hashable, _Open] = {}
        self._thread = ThreadPoolExecutor(1, "queries")

    def page(
        self, question: Hashable, ask: Callable[[], Records], number: int, size: int
    ) -> list[dict[str, Any]]:
        """Page `number` (from 1) of `size` records; empty beyond the end. Raises what asking raises."""
        return self._thread.submit(self._page, (question, size), ask, number, size).result()

    def close(self) -> None:
        self._thread.submit(self._open.clear)
        self._thread.shutdown(wait=True)

    def _page(
        self, key: Hashable, ask: Callable[[], Records], number: int, size: int
    ) -> list[dict[str, Any]]:
        self._expire()
        known = self._open.pop(key, None)
        if known is None or known.page != number - 1:
            known = _Open(0, ask(), 0.0)
            skipped = (number - 1) * size
            next(islice(known.records, skipped, skipped), None)
        found = list(islice(known.records, size))
        if len(found) == size:
            self._open[key] = _Open(number, known.records, time.monotonic())
        return found

    def _expire(self) -> None:
        """Cursors nobody comes back to hold a connection of the hospital's database."""
        old = time.monotonic() - self._seconds
        self._open = {key: one for key, one in self._open.items() if one.used_at > old}
        while len(self._open) >= self._most:
            del self._open[min(self._open, key=lambda key: self._open[key].used_at)]
