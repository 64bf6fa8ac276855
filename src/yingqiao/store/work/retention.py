"""What is done is forgotten in the end: rows of the ledger that finished long ago. Dead letters wait for a person
for ever, and what a person cancelled must not be asked for again by itself.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from yingqiao.exchange.work import WorkState
from yingqiao.store.database import Database
from yingqiao.store.schema import work

BATCH = 2_000
"""Rows looked at in one short transaction: nobody waits long to write."""
_DONE = str(WorkState.DONE)


def forget_done(database: Database, before_ms: int, *, batch: int = BATCH) -> int:
    """Delete what was done before `before_ms` (Unix ms). Returns how many rows.

    Walks the done rows by id, and ends at the first batch that is altogether newer. What was asked for again
    meanwhile is not done any more and stays. Raises StoreUnavailable: batches before stay deleted.
    """
    last, gone = 0, 0
    while True:
        with database.read() as connection:
            rows = _done_after(connection, last, batch)
        if not rows or rows[0][1] >= before_ms:
            return gone
        last = rows[-1][0]
        old = [number for number, _, finished_at in rows if finished_at < before_ms]
        if old:
            with database.write() as connection:
                gone += _delete(connection, old, before_ms)


def _done_after(connection: Connection, last: int, batch: int) -> list[tuple[int, int, int]]:
    """(id, created, finished), Unix ms; work of a later id was asked for later."""
    c = work.c
    wanted = (
        select(c.id, c.created_at, c.finished_at)
        .where(c.state == _DONE, c.id > last)
        .order_by(c.id)
        .limit(batch)
    )
    return [
        (number, created, finished or created) for number, created, finished in connection.execute(wanted)
    ]


def _delete(connection: Connection, numbers: list[int], before_ms: int) -> int:
    still = (work.c.state == _DONE) & (work.c.updated_at < before_ms)
    return connection.execute(delete(work).where(work.c.id.in_(numbers), still)).rowcount
