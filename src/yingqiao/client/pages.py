"""Where a listing without total ends (T102), without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import orjson

Row = dict[str, Any]
Digest = bytes


class Pages:
    """Counts the pages of one listing, and knows the rows of its first and its latest page again."""

    def __init__(self, size: int, *, until_empty: bool) -> None:
        self.size = size
        self.number = 1
        """The page to ask for next."""
        self.asked = 0
        self.ended = False
        self._until_empty = until_empty
        self._first: frozenset[Digest] = frozenset()
        self._latest: frozenset[Digest] = frozenset()
        self._seen: set[Digest] = set()

    def take(self, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
        """The rows of page `number` not given before, and what is odd about the page, Chinese."""
        self.asked += 1
        odd = [] if len(rows) <= self.size else [f"要 {self.size} 条，给了 {len(rows)} 条：院方忽略 pageSize"]
        digests = [_digest(row) for row in rows]
        known = self._first | self._latest
        fresh = [row for row, digest in zip(rows, digests, strict=True) if digest not in known]
        repeated = bool(rows) and (not fresh or self._is_seen(digests))
        if repeated:
            fresh = []
            odd.append("院方重复给出同一页：忽略 pageNum，或已到末页")
        elif len(fresh) < len(rows):
            odd.append("相邻两页有重复的记录")
        is_short = len(rows) < self.size and not self._until_empty
        self.ended = not rows or repeated or is_short
        self._latest = frozenset(digests)
        self._first = self._first or self._latest
        self.number += 1
        return fresh, odd

    def shrink(self) -> bool:
        """Smaller pages from the same place on; False when they are as small as can be."""
        if self.size == 1:
            return False
        smaller = self.size // 2 if self.size % 2 == 0 else 1
        self.number = (self.number - 1) * (self.size // smaller) + 1
        self.size = smaller
        return True

    def _is_seen(self, digests: list[Digest]) -> bool:
        page = blake2b(b"".join(digests), digest_size=16).digest()
        if page in self._seen:
            return True
        self._seen.add(page)
        return False


def _digest(row: Row) -> Digest:
    return blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
