"""PostgreSQL: the processes that do work, as they beat."""

from __future__ import annotations

from sqlalchemy import Connection, select

from yingqiao.store.schema import work_executors


def beats(connection: Connection) -> dict[str, int]:
    """Name -> a number that grows while the process lives, every couple of seconds."""
    rows = connection.execute(select(work_executors.c.name, work_executors.c.beat))
    return {row.name: row.beat for row in rows}
