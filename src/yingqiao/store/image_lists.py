"""Images lists at work: which files are to be fetched, what became of them, which lists lack work.

A list's row has relay_due while it has files no work was made for. It is cleared in the transaction that makes
the work, and only if the list is still as it was read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, case, func, select, update

from yingqiao.exchange.fetch import FileState, state_of
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store.schema import exam_keys, exams, image_files, image_lists
from yingqiao.store.text import comma_list, storable

FETCH = "fetch"
"""The kind of work that brings a list's files."""
_OVER = (str(FileState.DONE), str(FileState.REFUSED))
MAX_SOP_UIDS = 200
"""SOP instance UIDs kept of one file; a zip may hold thousands, which the index knows."""


@dataclass(frozen=True, slots=True)
class DueList:
    """A list that lacks work, as it was read."""

    id: int
    hospital_code: str
    study_uid: str
    series_uid: str
    accession_number: str
    submission_id: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class ListFile:
    id: int
    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file whose instances are durable in the landing area."""

    file_id: int
    sop_uids: tuple[str, ...]
    byte_count: int
    digest: bytes
    """SHA-256 of the file as fetched; empty when the file is one instance, whose own is in the index."""


def work_key(list_id: int, line: str) -> str:
    """The key of the work that brings a list's files from one destination."""
    return f"list:{list_id}:{line.partition('/')[2]}"


def mark_due(list_ids: Collection[int]) -> Update:
    """Lists changed beside their submissions need work again; a relay that read them before looks again."""
    c = image_lists.c
    return update(image_lists).where(c.id.in_(list_ids)).values(relay_due=True, updated_at=c.updated_at + 1)


def due_lists(connection: Connection, limit: int) -> list[DueList]:
    """Lists that lack work, oldest first."""
    columns = [image_lists.c[name] for name in DueList.__dataclass_fields__]
    wanted = select(*columns).where(image_lists.c.relay_due).order_by(image_lists.c.id).limit(limit)
    return [DueList(*row) for row in connection.execute(wanted)]


def clear_due(connection: Connection, due: DueList) -> bool:
    """False when the list changed since it was read: it stays due."""
    c = image_lists.c
    same = (c.id == due.id) & (c.submission_id == due.submission_id) & (c.updated_at == due.updated_at)
    return connection.execute(update(image_lists).where(same).values(relay_due=False)).rowcount > 0


def is_emergency(connection: Connection, due: DueList) -> bool:
    """Whether an exam of the list's study, else of its access number (T95), is 急诊."""
    ways = (("study_uid", due.study_uid), ("accession", due.accession_number))
    for kind, value in ways:
        found = connection.scalars(
            select(exams.c.is_emergency)
            .join(exam_keys, exam_keys.c.exam_id == exams.c.id)
            .where(exam_keys.c.kind == kind, exam_keys.c.value == value)
            .where(exams.c.hospital_code == due.hospital_code)
        ).all()
        if found:
            return any(found)
    return False


def read_list(connection: Connection, list_id: int) -> Row[Any] | None:
    return connection.execute(select(image_lists).where(image_lists.c.id == list_id)).first()


def files_of(
    connection: Connection, list_id: int, after: int, limit: int, *, given_up: bool = False
) -> list[ListFile]:
    """Files of a list that are to be fetched, or were `given_up` as of no use; by id, behind `after`."""
    c = image_files.c
    hopeless = c.error_class == str(ErrorClass.POISON)
    wanted = (
        select(c.id, c.url, c.reason)
        .where(c.list_id == list_id, c.id > after, c.state.notin_(_OVER), hopeless if given_up else ~hopeless)
        .order_by(c.id)
        .limit(limit)
    )
    return [ListFile(*row) for row in connection.execute(wanted)]


def counts_of(connection: Connection, list_id: int) -> dict[str, int]:
    """State -> files."""
    c = image_files.c
    counted = select(c.state, func.count()).where(c.list_id == list_id).group_by(c.state)
    return {row[0]: row[1] for row in connection.execute(counted)}


def expected_instances(connection: Connection, list_id: int) -> int:
    """Instances the hospital says there are: of fetched files what was in them, of others one each."""
    c = image_files.c
    done = c.state == str(FileState.DONE)
    counted = select(func.coalesce(func.sum(case((done, c.instance_count), else_=1)), 0))
    return int(connection.scalar(counted.where(c.list_id == list_id)) or 0)


def mark_done(connection: Connection, arrived: Sequence[Arrived]) -> None:
    """Files whose instances are durable. Doing it again changes nothing that matters."""
    now = _now()
    connection.execute(
        _DONE,
        [
            {
                "b_id": one.file_id,
                "b_uids": comma_list(map(storable, one.sop_uids[:MAX_SOP_UIDS])),
                "b_count": len(one.sop_uids),
                "b_bytes": one.byte_count,
                "b_digest": one.digest or None,
                "b_now": now,
            }
            for one in arrived
        ],
    )


def mark_failed(connection: Connection, failures: Sequence[tuple[int, WorkError]]) -> None:
    """Files that did not come, with why."""
    now = _now()
    connection.execute(
        _FAILED,
        [
            {
                "b_id": file_id,
                "b_state": str(state_of(error)),
                "b_class": str(error.error_class),
                "b_reason": storable(error.reason),
                "b_now": now,
            }
            for file_id, error in failures
        ],
    )


def open_again(connection: Connection, list_id: int) -> int:
    """Files given up are pending again, as a person asks; how many. Work is made by the relay."""
    c = image_files.c
    over = c.state.notin_([str(FileState.DONE), str(FileState.PENDING)])
    values = {"state": str(FileState.PENDING), "reason": "", "error_class": "", "attempts": 0}
    changed = connection.execute(
        update(image_files).where(c.list_id == list_id, over).values(**values, updated_at=_now())
    )
    connection.execute(mark_due([list_id]))
    return changed.rowcount


_DONE = (
    update(image_files)
    .where(image_files.c.id == bindparam("b_id"))
    .values(
        state=str(FileState.DONE),
        attempts=image_files.c.attempts + 1,
        error_class="",
        reason="",
        sop_uids=bindparam("b_uids"),
        instance_count=bindparam("b_count"),
        byte_count=bindparam("b_bytes"),
        digest=bindparam("b_digest"),
        updated_at=bindparam("b_now"),
    )
)
_FAILED = (
    update(image_files)
    .where(image_files.c.id == bindparam("b_id"), image_files.c.state != str(FileState.DONE))
    .values(
        state=bindparam("b_state"),
        attempts=image_files.c.attempts + 1,
        error_class=bindparam("b_class"),
        reason=bindparam("b_reason"),
        updated_at=bindparam("b_now"),
    )
)


def _now() -> int:
    return time.time_ns() // 10**6
