"""Due rows that linking cannot get past: left out of every pass, tried alone later and later."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, false, true

AT_MOST = 500
"""More rows than this are no odd rows but a defect of all: then nothing is set aside any more."""
AGAIN_FIRST_S, AGAIN_MOST_S = 5.0, 600.0

DueRow = tuple[str, int]
"""Name of the table (exams | reports | studies), id."""
Choice = Callable[[Table], ColumnElement[bool]]
"""The due rows of a table that a pass may take, as a condition."""


def every(_: Table) -> ColumnElement[bool]:
    """All due rows."""
    return true()


def only(row: DueRow) -> Choice:
    """This one."""
    return lambda table: table.c.id == row[1] if table.name == row[0] else false()


@dataclass(slots=True)
class _Wait:
    until: float
    seconds: float


class SetAside:
    """Used by the linker's thread; kept in memory: a new start tries all rows again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waits: dict[DueRow, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, row: DueRow) -> float | None:
        """Leave the row out from now on; the seconds until it is tried again. None when too many are."""
        wait = self._waits.get(row)
        if wait is None and len(self._waits) >= AT_MOST:
            return None
        seconds = min(wait.seconds * 2, AGAIN_MOST_S) if wait else AGAIN_FIRST_S
        self._waits[row] = _Wait(self._clock() + seconds, seconds)
        return seconds

    def remove(self, row: DueRow) -> None:
        self._waits.pop(row, None)

    def ready(self) -> list[DueRow]:
        """Rows whose time to be tried again has come."""
        now = self._clock()
        return [row for row, wait in self._waits.items() if wait.until <= now]

    def others(self, table: Table) -> ColumnElement[bool]:
        """A Choice: whatever is not set aside."""
        ids = [row_id for name, row_id in self._waits if name == table.name]
        return table.c.id.not_in(ids) if ids else true()
