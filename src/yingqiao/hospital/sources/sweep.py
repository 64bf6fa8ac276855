"""Reads what changed again and again, so that a commit that came late is found and nothing is told twice.

A sweep goes forward by (cursor, key) from a little before the mark (the overlap) to the end of the view. Rows told
already are known by their digest and left out. What was told is remembered only once the caller comes back with its
position: rows it did not keep are told again.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from yingqiao.hospital.sources.point import Point, back, is_ahead, mark_of, position_of

PAGE = 1000
MAX_SEEN = 300_000
"""Rows of the overlap remembered (about 80 MB); beyond it the overlap shrinks to what is remembered."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row of a view."""

    point: Point
    digest: bytes
    values: Any


class View(Protocol):
    """What a sweep reads."""

    def page(self, start: Point | None, floor: Any, limit: int, *, beyond: bool) -> Sequence[ReadRow]:
        """At most `limit` rows by (cursor, key): from `start` on (`beyond`: after it), else from cursor `floor` on."""

    def now(self) -> datetime | None:
        """The database's own time, aware."""


class Sweep:
    """The state of reading one table's changes. Not thread-safe: one reader a table."""

    def __init__(self, view: View, overlap: float, *, max_seen: int = MAX_SEEN) -> None:
        self._view = view
        self._overlap = overlap
        self._max_seen = max_seen
        self._nonce = secrets.token_hex(4)
        self._count = itertools.count(1)
        self._position: str | None = None
        self._seen: dict[bytes, Point] = {}
        self._pending: list[tuple[str, ReadRow]] = []
        """Told, and not known yet to be kept; also what a failing read had gathered."""
        self._mark: Any = None
        """The latest cursor not ahead of the database's clock."""
        self._floor: Any = None
        self._at: Point | None = None
        self._least: Point | None = None

    def take(self, position: str | None, limit: int) -> list[tuple[ReadRow, str]]:
        """Rows not told yet, each with its position; empty when the sweep reached the end without any."""
        self._settle(position)
        now = self._view.now()
        size = max(limit, PAGE)
        while len(self._pending) < limit:
            page = self._next_page(size)
            if not self._walk(page, limit, now):
                break
            if len(page) < size:
                self._end()
                break
        return [(row, place) for place, row in self._pending]

    def _next_page(self, size: int) -> Sequence[ReadRow]:
        page = self._view.page(self._at, self._floor, size, beyond=False)
        if (
            page and len(page) == size and page[-1].point == self._at
        ):  # more of the same than a page: step over
            page = self._view.page(self._at, self._floor, size, beyond=True)
        return page

    def _walk(self, page: Sequence[ReadRow], limit: int, now: datetime | None) -> bool:
        """Gathers what is new of `page`; False when `limit` was reached within it."""
        for row in page:
            if len(self._pending) == limit:
                return False
            self._at = row.point
            if not is_ahead(row.point.cursor, now):
                self._mark = row.point.cursor if self._mark is None else max(self._mark, row.point.cursor)
            if row.digest not in self._seen:
                self._seen[row.digest] = row.point
                self._pending.append((position_of(self._mark, f"{self._nonce}{next(self._count)}"), row))
        return True

    def _settle(self, position: str | None) -> None:
        """What the caller kept of the last rows told, by the position it comes with."""
        places = [place for place, _ in self._pending]
        if position in places:
            kept = places.index(position) + 1
            self._position = position
            self._unsee(row for _, row in self._pending[kept:])
        elif position == self._position:
            self._unsee(row for _, row in self._pending)
        else:
            self._reset(position)
        self._pending = []

    def _unsee(self, rows: Any) -> None:
        forgotten = [self._seen.pop(row.digest, None) for row in rows]
        if forgotten:
            self._begin(mark_of(self._position) if self._position else None)

    def _reset(self, position: str | None) -> None:
        mark = mark_of(position) if position else None
        self._position = position
        self._seen = {}
        self._least = None
        self._begin(mark)

    def _begin(self, mark: Any) -> None:
        self._mark = mark
        self._floor = None if mark is None else back(mark, self._overlap)
        self._at = None
        if self._least is not None and self._floor is not None and self._least.cursor >= self._floor:
            self._at = self._least

    def _end(self) -> None:
        """The view's end was reached: the next sweep begins before the mark."""
        floor = None if self._mark is None else back(self._mark, self._overlap)
        if floor is not None:
            self._seen = {digest: p for digest, p in self._seen.items() if p.cursor >= floor}
        if len(self._seen) > self._max_seen:
            ordered = sorted(self._seen.items(), key=lambda one: one[1].cursor)[-self._max_seen :]
            self._seen = dict(ordered)
            self._least = ordered[0][1]
        self._begin(self._mark)
