"""Exams a hospital listed and the ledger lacked, and what became of each."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from yingqiao.exchange.balance import MISSING_NAMES, MissingState
from yingqiao.exchange.query import State
from yingqiao.exchange.statement import CLASSES
from yingqiao.store.queries.common import Page, page_of
from yingqiao.store.schema import differences, missing_exams


class MissingShown(msgspec.Struct, frozen=True, rename="camel"):
    """One id of a day."""

    hospital_code: str
    day: str
    listed_id: str
    imaging_name: str
    state: str
    state_name: str
    reason: str
    found_at: int
    updated_at: int


def list_missing(
    connection: Connection,
    hospital_code: str | None = None,
    day: str | None = None,
    state: str | None = None,
    *,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[MissingShown]:
    """The newest days first, ids in the order they were found."""
    m = missing_exams.c
    statement = select(missing_exams).order_by(m.day.desc(), m.hospital_code, m.id)
    for column, value in ((m.hospital_code, hospital_code), (m.day, day), (m.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    return page_of(connection, statement, _shown, limit, offset, with_total)


def asked_in_vain(connection: Connection, hospital_code: str, start: str, end: str, now: int) -> None:
    """The hospital's query service was asked for the days from `start` to before `end`: what is still missing waits
    for the hospital again, with the reason.
    """
    m, d = missing_exams.c, differences.c
    asked = (
        m.hospital_code == hospital_code,
        m.day >= start,
        m.day < end,
        m.state == str(MissingState.ASKED),
    )
    refused = (
        select(d.reason)
        .where(d.hospital_code == m.hospital_code, d.key == m.listed_id, d.state == str(State.FAILED))
        .limit(1)
        .scalar_subquery()
    )
    why = func.coalesce(refused, "医院的查询接口没有给出这个检查")
    values = {"state": str(MissingState.MISSING), "reason": why, "updated_at": now}
    connection.execute(update(missing_exams).where(*asked).values(values))


def _shown(row: Row[tuple[object, ...]]) -> MissingShown:
    return MissingShown(
        row.hospital_code,
        row.day,
        row.listed_id,
        CLASSES.get(row.imaging, row.imaging),
        row.state,
        MISSING_NAMES[MissingState(row.state)],
        row.reason,
        row.found_at,
        row.updated_at,
    )
