"""A hospital's day in numbers: received, refused and why, linked, still missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, Table, exists, func, select

from yingqiao.exchange.timeline import NEED_NAMES, STATE_NAMES
from yingqiao.store.queries.common import findings_of, first_id_since, items
from yingqiao.store.schema import exam_studies, exams, reports, studies, submissions

DAY_MS = 86_400_000
BEIJING_MS = 8 * 3_600_000
REASONS_AT_MOST = 20
_REFUSED_AT_MOST = 50_000
"""Refusals read for their reasons; the counts are of all."""


class Reason(msgspec.Struct, frozen=True, rename="camel"):
    """Why submissions were refused, in Chinese, and how many."""

    text: str
    count: int


class HospitalSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One hospital on one day (of first arrival, Beijing time)."""

    hospital_code: str
    """'' = sender unknown."""
    day: str
    """yyyy-MM-dd"""
    accepted: int = 0
    """Submissions."""
    refused: int = 0
    reasons: tuple[Reason, ...] = ()
    exams: int = 0
    """Without deleted ones, like all that follows."""
    states: dict[str, int] = {}
    """ExamState -> exams; '' = not yet looked at."""
    missing: dict[str, int] = {}
    """Need -> exams waiting for it."""
    with_images: int = 0
    with_report: int = 0
    reports: int = 0
    parked_reports: int = 0
    studies: int = 0
    orphan_studies: int = 0
    images: int = 0
    """Instances."""
    image_bytes: int = 0


STATE_LABELS = {str(state): name for state, name in STATE_NAMES.items()} | {"": "关联中"}
NEED_LABELS = {str(need): name for need, name in NEED_NAMES.items()}


def summarize(
    connection: Connection, start: int, end: int, hospital_code: str | None = None
) -> tuple[HospitalSummary, ...]:
    """Every hospital and day with something first received from `start` to before `end` (Unix ms), newest
    day first."""
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    span = (start, end, hospital_code)
    _count_submissions(connection, found, span)
    _count_exams(connection, found, span)
    _count_reports(connection, found, span)
    _count_studies(connection, found, span)
    listed = (HospitalSummary(hospital_code=c, day=d, **n) for (c, d), n in found.items())
    return tuple(sorted(listed, key=lambda s: (s.day, s.hospital_code), reverse=True))


Found = dict[tuple[str, str], dict[str, Any]]
Span = tuple[int, int, str | None]


def _in_span(connection: Connection, table: Table, time: str, span: Span) -> list[ColumnElement[bool]]:
    start, end, hospital_code = span
    column = table.c[time]
    first = first_id_since(connection, table, time, start)
    conditions = [table.c.id >= first, column >= start, column < end]
    return conditions + ([table.c.hospital_code == hospital_code] if hospital_code is not None else [])


def _day_of(column: Column[int]) -> ColumnElement[int]:
    return ((column + BEIJING_MS) // DAY_MS).label("day")


def _text_of(day: int) -> str:
    return date.fromordinal(int(day) + date(1970, 1, 1).toordinal()).isoformat()


def _key(row: Row[Any]) -> tuple[str, str]:
    return row.hospital_code, _text_of(row.day)


def _count_submissions(connection: Connection, found: Found, span: Span) -> None:
    table = submissions
    day = _day_of(table.c.received_at)
    where = _in_span(connection, table, "received_at", span)
    counted = (
        select(table.c.hospital_code, day, table.c.outcome, func.count().label("n"))
        .where(*where)
        .group_by(table.c.hospital_code, day, table.c.outcome)
    )
    for row in connection.execute(counted):
        found[_key(row)][row.outcome] = row.n
    refused = (
        select(table.c.hospital_code, day, table.c.message, table.c.findings)
        .where(*where, table.c.outcome == "refused")
        .order_by(table.c.id.desc())
        .limit(_REFUSED_AT_MOST)
    )
    reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in connection.execute(refused):
        reasons[_key(row)].update(_reasons(row))
    for key, counter in reasons.items():
        found[key]["reasons"] = tuple(Reason(t, n) for t, n in counter.most_common(REASONS_AT_MOST))


def _reasons(row: Row[Any]) -> set[str]:
    """Every refusing finding of the submission, or its message when there is none."""
    refusing = [f for f in findings_of(row.findings) if f.get("level") == "refuse"]
    if not refusing:
        return {row.message}
    return {f"{f.get('label') or f.get('field')}：{f.get('problem')}" for f in refusing}


def _count_exams(connection: Connection, found: Found, span: Span) -> None:
    table = exams
    day = _day_of(table.c.first_received_at)
    group = (table.c.hospital_code, day, table.c.state, table.c.waiting_for)
    pictures, written = table.c.image_count > 0, table.c.report_count > 0
    counted = (
        select(*group, pictures.label("pictures"), written.label("written"), func.count().label("n"))
        .where(*_in_span(connection, table, "first_received_at", span), table.c.deleted.is_(False))
        .group_by(*group, pictures, written)
    )
    for row in connection.execute(counted):
        into = found[_key(row)]
        into["exams"] = into.get("exams", 0) + row.n
        into["with_images"] = into.get("with_images", 0) + row.n * bool(row.pictures)
        into["with_report"] = into.get("with_report", 0) + row.n * bool(row.written)
        _add(into, "states", row.state, row.n)
        for need in items(row.waiting_for):
            _add(into, "missing", need, row.n)


def _add(into: dict[str, Any], name: str, key: str, count: int) -> None:
    counts = into.setdefault(name, {})
    counts[key] = counts.get(key, 0) + count


def _count_reports(connection: Connection, found: Found, span: Span) -> None:
    day = _day_of(reports.c.first_received_at)
    group = (reports.c.hospital_code, day, reports.c.parked)
    where = _in_span(connection, reports, "first_received_at", span)
    counted = select(*group, func.count().label("n")).where(*where, reports.c.deleted.is_(False))
    for row in connection.execute(counted.group_by(*group)):
        into = found[_key(row)]
        into["reports"] = into.get("reports", 0) + row.n
        into["parked_reports"] = into.get("parked_reports", 0) + row.n * bool(row.parked)


def _count_studies(connection: Connection, found: Found, span: Span) -> None:
    day = _day_of(studies.c.first_received_at)
    joined = exists().where(exam_studies.c.study_id == studies.c.id).label("joined")
    where = _in_span(connection, studies, "first_received_at", span)
    inner = select(
        studies.c.hospital_code, day, joined, studies.c.instance_count, studies.c.byte_count
    ).where(*where)
    rows = inner.subquery()
    group = (rows.c.hospital_code, rows.c.day, rows.c.joined)
    counted = select(
        *group,
        func.count().label("n"),
        func.sum(rows.c.instance_count).label("images"),
        func.sum(rows.c.byte_count).label("bytes"),
    ).group_by(*group)
    for row in connection.execute(counted):
        into = found[_key(row)]
        into["studies"] = into.get("studies", 0) + row.n
        into["orphan_studies"] = into.get("orphan_studies", 0) + row.n * (not row.joined)
        into["images"] = into.get("images", 0) + int(row.images)
        into["image_bytes"] = into.get("image_bytes", 0) + int(row.bytes)
