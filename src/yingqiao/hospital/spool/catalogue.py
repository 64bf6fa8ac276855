"""What the connector knows to exist: for queries, for a day's totals, and to find what the gateway says it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from yingqiao.hospital.source import Question
from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.entries import EXAM, IMAGES, REPORT, values_of
from yingqiao.hospital.spool.intake import Identity
from yingqiao.hospital.spool.store import Spool, now_ms

_DAY_MS = 86_400_000


@dataclass(slots=True)
class ModalityTotals:
    """A day's exams of one modality (四(二)5)."""

    modality: str
    exams: list[str] = field(default_factory=list)
    """risStudyId."""
    reports: int = 0
    images: int | None = None
    """Instances forwarded; None when images do not pass through this program."""


def find(spool: Spool, question: Question, sources: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Records of these sources that answer, oldest first, in a stable order. What `keep_days` let go is not
    there.
    """
    r = s.records.c
    where = [r.kind == question.table.value, r.source.in_(list(sources)), r.body.is_not(None)]
    where += [r.at >= question.start] if question.start else []
    where += [r.at < question.end] if question.end else []
    where += [r.apply_id == question.apply_id] if question.apply_id else []
    where += [r.patient_id == question.patient_id] if question.patient_id else []
    where += [r.key == question.report_id] if question.report_id else []
    after: tuple[str, int] | None = None
    while True:
        query = select(r.id, r.at, r.body).where(*where).order_by(r.at, r.id).limit(100)
        if after is not None:
            query = query.where(or_(r.at > after[0], and_(r.at == after[0], r.id > after[1])))
        with spool.database.read() as c:
            rows = c.execute(query).all()
        for row in rows:
            yield values_of(row.body)
        if not rows:
            return
        after = (rows[-1].at, rows[-1].id)


def exam_of_study(spool: Spool, study_uid: str) -> dict[str, Any] | None:
    """The values of the newest exam with this studyUid; None when there is none, or `keep_days` let it go."""
    r = s.records.c
    query = (
        select(r.body)
        .where(r.study_uid == study_uid, r.kind == EXAM, ~r.deleted, r.body.is_not(None))
        .order_by(r.changed_at.desc())
        .limit(1)
    )
    with spool.database.read() as c:
        body = c.execute(query).scalar()
    return None if body is None else values_of(body)


def totals(spool: Spool, day: str, *, images: bool) -> list[ModalityTotals]:
    """Per modality the exams finished on the Beijing day (T158) that are not deleted, with their reports."""
    r = s.records.c
    found: dict[str, ModalityTotals] = {}
    with spool.database.read() as c:
        query = select(r.key, r.modality, r.study_uid).where(r.kind == EXAM, r.day == day, ~r.deleted)
        exams = c.execute(query.order_by(r.id)).all()
        reports = _report_counts(c, day)
        counted = _image_counts(c, day) if images else {}
    for exam in exams:
        one = found.setdefault(exam.modality, ModalityTotals(exam.modality))
        one.exams.append(exam.key)
        one.reports += reports.get(exam.key, 0)
        if images:
            one.images = (one.images or 0) + counted.get(exam.study_uid, 0)
    return [found[modality] for modality in sorted(found)]


def _report_counts(c: Any, day: str) -> dict[str, int]:
    r, reports = s.records.c, s.records.alias("reports")
    joined = s.records.join(s.links, s.links.c.exam_key == r.key).join(
        reports, and_(reports.c.kind == REPORT, reports.c.key == s.links.c.report_key)
    )
    query = (
        select(r.key, func.count().label("reports"))
        .select_from(joined)
        .where(r.kind == EXAM, r.day == day, ~reports.c.deleted)
        .group_by(r.key)
    )
    return {row.key: row.reports for row in c.execute(query)}


def _image_counts(c: Any, day: str) -> dict[str, int]:
    r, i = s.records.c, s.images.c
    query = (
        select(i.study_uid, func.count(func.distinct(i.sop_uid)).label("instances"))
        .where(i.study_uid.in_(select(r.study_uid).where(r.kind == EXAM, r.day == day)))
        .group_by(i.study_uid)
    )
    return {row.study_uid: row.instances for row in c.execute(query)}


def exam_days(spool: Spool, before: str) -> list[str]:
    """Beijing days before this one on which exams were finished, newest first."""
    r = s.records.c
    query = select(r.day).where(r.kind == EXAM, r.day != "", r.day < before).distinct().order_by(r.day.desc())
    with spool.database.read() as c:
        return list(c.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Matched:
    """What an id the gateway lacks means here (T154)."""

    names: tuple[Identity, ...]
    """The exam, its reports, its series."""
    studies: tuple[str, ...]
    unknown: tuple[str, ...]


def match(spool: Spool, ids: Sequence[str]) -> Matched:
    """Each id as risStudyId, else as study UID, else as accession number (T154)."""
    r = s.records.c
    names: dict[Identity, None] = {}
    studies: dict[str, None] = {}
    unknown = []
    with spool.database.read() as c:
        for one in dict.fromkeys(ids):
            exams = next(
                (
                    rows
                    for column in (r.key, r.study_uid, r.accession)
                    if (
                        rows := c.execute(
                            select(r.key, r.study_uid).where(r.kind == EXAM, column == one)
                        ).all()
                    )
                ),
                (),
            )
            if not exams:
                unknown.append(one)
            for exam in exams:
                names |= dict.fromkeys(_with_reports(c, exam.key, exam.study_uid))
                studies[exam.study_uid] = None
    return Matched(tuple(names), tuple(filter(None, studies)), tuple(unknown))


def _with_reports(c: Any, exam_key: str, study_uid: str) -> list[Identity]:
    links, r = s.links.c, s.records.c
    reports = c.execute(select(links.report_key).where(links.exam_key == exam_key)).scalars()
    series = c.execute(select(r.key).where(r.kind == IMAGES, r.study_uid == study_uid)).scalars()
    return [
        (EXAM, exam_key),
        *((REPORT, key) for key in reports),
        *((IMAGES, key) for key in (series if study_uid else ())),
    ]


def let_go(spool: Spool, keep_days: int, limit: int = 2_000) -> int:
    """Drops contents that were sent and not changed for so many days; digests stay, so that the same content
    again is still known. How many, at most `limit` a call.
    """
    r, o = s.records.c, s.outbox.c
    old = now_ms() - keep_days * _DAY_MS
    queued = select(o.key).where(o.kind == r.kind, o.key == r.key).exists()
    ids = (
        select(r.id)
        .where(r.sent_at < old, r.changed_at < old, r.body.is_not(None), ~queued)
        .limit(limit)
        .scalar_subquery()
    )
    with spool.database.write() as c:
        return c.execute(update(s.records).where(r.id.in_(ids)).values(body=None)).rowcount
