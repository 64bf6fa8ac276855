"""Images lists (/images/list) as they can be read: how far each is, and what became of each address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, exists, func, or_, select

from yingqiao.exchange.fetch import FILE_STATE_NAMES, FileState
from yingqiao.exchange.work import STATE_NAMES, WorkState
from yingqiao.store.queries.common import (
    Page,
    Range,
    as_struct,
    equal,
    escape,
    items,
    page_of,
    received_within,
)
from yingqiao.store.schema import exam_keys, exams, image_files, image_lists, work

KIND = "fetch"
FILES_AT_MOST = 20_000
_DONE, _PENDING = str(FileState.DONE), str(FileState.PENDING)


class ListFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list must be; None = any."""

    hospital_code: str | None = None
    series_uid: str | None = None
    study_uid: str | None = None
    accession_number: str | None = None
    patient_id: str | None = None
    state: FileState | None = None
    """It has a file in this state."""
    complete: bool | None = None
    """Whether all its files are done."""
    host: str | None = None
    """It has an address on this host."""
    received: Range | None = None


class ListSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A list and how many of its files stand where."""

    id: int
    hospital_code: str
    series_uid: str
    study_uid: str
    accession_number: str
    patient_id: str
    patient_name: str
    modality: str
    study_date: str
    submission_id: int
    first_received_at: int
    updated_at: int
    file_count: int
    done: int
    waiting: int
    """Files still tried by themselves: pending, or failed for the moment."""
    refused: int
    """Files whose host is not registered."""
    failed: int
    """Files the other side denies or does not have, and contents of no use."""
    instance_count: int
    byte_count: int
    complete: bool
    state_name: str


class FileShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One address and what became of it."""

    url: str
    state: str
    state_name: str
    attempts: int
    error_class: str
    reason: str
    instance_count: int
    byte_count: int
    digest: str
    """SHA-256 of the file as fetched, hex; '' until then, and of a file that is one instance: its own is in the
    index, by `sop_uids`.
    """
    sop_uids: tuple[str, ...]
    updated_at: int


class ListWork(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The work that fetches a list, one row a host."""

    id: int
    destination: str
    state: str
    state_name: str
    attempt: int
    due_at: int
    reason: str


class ListedExam(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An exam the list names: by STUDYIUID, else by ACCESS_NO (T95)."""

    hospital_code: str
    ris_study_id: str
    patient_name: str
    by: str


class ListDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    list: ListSummary
    exams: tuple[ListedExam, ...]
    work: tuple[ListWork, ...]
    files: tuple[FileShown, ...]


def list_image_lists(
    connection: Connection,
    wanted: ListFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[ListSummary]:
    """Lists that fit, newest first. Raises ValueError for a limit out of range."""
    wanted = wanted or ListFilter()
    names = "hospital_code series_uid study_uid accession_number patient_id"
    conditions = equal(image_lists, {name: getattr(wanted, name) for name in names.split()})
    conditions += received_within(connection, image_lists, "first_received_at", wanted.received)
    conditions += _of_files(wanted)
    statement = select(image_lists).where(*conditions).order_by(image_lists.c.id.desc())
    page = page_of(connection, statement, lambda row: row, limit, offset, with_total)
    counts = _counts(connection, [row.id for row in page.items])
    shown = tuple(_summary(row, counts[row.id]) for row in page.items)
    return Page(shown, page.offset, page.limit, page.total, page.total_is_exact)


def show_image_list(
    connection: Connection, list_id: int, state: FileState | None = None
) -> ListDetail | None:
    """One list with its files (of one state, if given); None when there is none."""
    row = connection.execute(select(image_lists).where(image_lists.c.id == list_id)).first()
    if row is None:
        return None
    return ListDetail(
        list=_summary(row, _counts(connection, [list_id])[list_id]),
        exams=_exams(connection, row),
        work=_work(connection, list_id),
        files=_files(connection, list_id, state),
    )


def status_of(
    connection: Connection, hospital_code: str, series_uid: str, study_uid: str
) -> tuple[ListDetail, ...]:
    """A hospital's lists of a series, or of a study, with the files that are not done."""
    c = image_lists.c
    mine = (c.series_uid == series_uid) if series_uid else (c.study_uid == study_uid)
    rows = connection.execute(select(image_lists).where(c.hospital_code == hospital_code, mine)).all()
    counts = _counts(connection, [row.id for row in rows])
    found = []
    for row in rows:
        files = tuple(file for file in _files(connection, row.id, None) if file.state != _DONE)
        found.append(ListDetail(list=_summary(row, counts[row.id]), exams=(), work=(), files=files))
    return tuple(found)


def _of_files(wanted: ListFilter) -> list[ColumnElement[bool]]:
    mine = image_files.c.list_id == image_lists.c.id
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(exists().where(mine, image_files.c.state == str(wanted.state)))
    if wanted.complete is not None:
        open_ = exists().where(mine, image_files.c.state != _DONE)
        conditions.append(~open_ if wanted.complete else open_)
    if wanted.host is not None:
        url, host = image_files.c.url, escape(wanted.host)
        at = [url.like(f"%://{host}{end}%", escape="!") for end in ("/", ":")]
        conditions.append(exists().where(mine, or_(*at)))
    return conditions


Counts = Mapping[str, tuple[int, int, int]]
"""State -> files, instances, bytes."""


def _counts(connection: Connection, list_ids: Sequence[int]) -> Mapping[int, Counts]:
    c = image_files.c
    found: dict[int, dict[str, tuple[int, int, int]]] = defaultdict(dict)
    counted = (
        select(c.list_id, c.state, func.count(), func.sum(c.instance_count), func.sum(c.byte_count))
        .where(c.list_id.in_(list_ids))
        .group_by(c.list_id, c.state)
    )
    for list_id, state, files, instances, size in connection.execute(counted):
        found[list_id][state] = (files, int(instances), int(size))
    return found


def _summary(row: Row[Any], counts: Counts) -> ListSummary:
    def files(*states: FileState) -> int:
        return sum(counts.get(str(state), (0, 0, 0))[0] for state in states)

    done, waiting = files(FileState.DONE), files(FileState.PENDING, FileState.FAILING)
    refused, failed = files(FileState.REFUSED), files(FileState.DENIED, FileState.GONE, FileState.UNUSABLE)
    complete = done == row.file_count
    words = ((complete, "已取齐"), (waiting, "下载中"), (done, "部分取回"), (True, "未取回"))
    return as_struct(
        ListSummary,
        row,
        done=done,
        waiting=waiting,
        refused=refused,
        failed=failed,
        instance_count=sum(instances for _, instances, _ in counts.values()),
        byte_count=sum(size for _, _, size in counts.values()),
        complete=complete,
        state_name=next(word for holds, word in words if holds),
    )


def _files(connection: Connection, list_id: int, state: FileState | None) -> tuple[FileShown, ...]:
    c = image_files.c
    wanted = select(image_files).where(c.list_id == list_id).order_by(c.id).limit(FILES_AT_MOST)
    if state is not None:
        wanted = wanted.where(c.state == str(state))
    return tuple(_file(row) for row in connection.execute(wanted))


def _file(row: Row[Any]) -> FileShown:
    return as_struct(
        FileShown,
        row,
        state_name=FILE_STATE_NAMES[FileState(row.state)],
        digest=row.digest.hex() if row.digest else "",
        sop_uids=items(row.sop_uids),
    )


def _work(connection: Connection, list_id: int) -> tuple[ListWork, ...]:
    columns = [work.c[name] for name in ("id", "destination", "state", "attempt", "due_at", "reason")]
    wanted = select(*columns).where(work.c.kind == KIND, work.c.key.like(f"list:{list_id}:%"))
    return tuple(
        as_struct(ListWork, row, state_name=STATE_NAMES.get(WorkState(row.state), row.state))
        for row in connection.execute(wanted.order_by(work.c.id))
    )


def _exams(connection: Connection, row: Row[Any]) -> tuple[ListedExam, ...]:
    ways = (("study_uid", row.study_uid, "STUDYIUID"), ("accession", row.accession_number, "ACCESS_NO"))
    for kind, value, by in ways:
        found = connection.execute(
            select(exams.c.hospital_code, exams.c.ris_study_id, exams.c.patient_name)
            .join(exam_keys, exam_keys.c.exam_id == exams.c.id)
            .where(exam_keys.c.kind == kind, exam_keys.c.value == value)
            .where(exams.c.hospital_code == row.hospital_code)
        ).mappings()
        named = tuple(ListedExam(**exam, by=by) for exam in found)
        if named:
            return named
    return ()
