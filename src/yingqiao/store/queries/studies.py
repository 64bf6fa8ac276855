"""DICOM studies: the list with its orphans, and one study with series and instances."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, exists, func, or_, select

from yingqiao.exchange.completeness import IMAGES_STATE_NAMES, STABLE_MS, Completeness
from yingqiao.exchange.link import FINDING_NAMES, RULE_NAMES
from yingqiao.store.expectations import completeness
from yingqiao.store.link_rows import link_of
from yingqiao.store.queries.common import (
    Page,
    Range,
    as_struct,
    equal,
    escape,
    in_list,
    items,
    page_of,
    received_within,
    within,
)
from yingqiao.store.queries.image_counts import StudyImages, study_images
from yingqiao.store.schema import exam_studies, exams, instances, series, studies

INSTANCES_AT_MOST = 20_000


class StudyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a study must be; None = any."""

    hospital_code: str | None = None
    """'' = the sender is in no list of ours."""
    study_uid: str | None = None
    accession_number: str | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    """Its beginning."""
    modality: str | None = None
    orphan: bool | None = None
    """True: joined to no exam; the work list of images without exam."""
    oddity: str | None = None
    study_date: Range | None = None
    """yyyyMMdd."""
    received: Range | None = None


class StudySummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    study_uid: str
    hospital_code: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    accession_number: str
    study_id: str
    study_date: str
    study_time: str
    description: str
    institution: str
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    image_expected: int | None = None
    """As told; None = nobody told."""
    image_missing: int = 0
    images_state: str = ""
    """An ImagesState."""
    images_state_name: str = ""
    byte_count: int
    declared_charset: str
    used_charset: str
    oddities: tuple[str, ...]
    orphan: bool
    first_received_at: int
    updated_at: int


class InstanceShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: str
    rows: int
    columns: int
    frames: int
    length: int
    """Bytes of the Part 10 file."""
    digest: str
    """SHA-256 of the dataset as received, hex."""
    received_at: int
    calling_aet: str
    peer: str
    oddities: tuple[str, ...]
    conflict: bool
    """Another content came under the same UID."""
    shown: bool
    """The newest of its UID."""


class SeriesShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    series_uid: str
    modality: str
    series_number: str
    description: str
    body_part: str
    manufacturer: str
    model_name: str
    station_name: str
    instance_count: int
    image_expected: int | None = None
    """By the believed telling; None = it does not speak of this series."""
    first_received_at: int
    updated_at: int
    instances: tuple[InstanceShown, ...]


class LinkedExam(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An exam the study is joined to, and why."""

    hospital_code: str
    ris_study_id: str
    patient_name: str
    state: str
    rule: str
    rule_name: str
    findings: tuple[str, ...]
    finding_names: tuple[str, ...]


class StudyDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    study: StudySummary
    images: StudyImages
    other_patient_ids: str
    referring_physician: str
    exams: tuple[LinkedExam, ...]
    series: tuple[SeriesShown, ...]
    conflict_count: int
    truncated: bool
    """More instances than INSTANCES_AT_MOST: the rest is not listed."""


_joined = exists().where(exam_studies.c.study_id == studies.c.id)


def list_studies(
    connection: Connection,
    wanted: StudyFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
    *,
    now: int | None = None,
    stable_after: int = STABLE_MS,
) -> Page[StudySummary]:
    """Studies that fit, newest first. `now` (Unix ms) and `stable_after` (ms) decide the state of images.

    Raises ValueError for a limit out of range.
    """
    wanted = wanted or StudyFilter()
    names = "hospital_code study_uid accession_number patient_id"
    conditions = equal(studies, {name: getattr(wanted, name) for name in names.split()})
    conditions += within(studies.c.study_date, wanted.study_date)
    conditions += received_within(connection, studies, "first_received_at", wanted.received)
    if wanted.patient_name is not None:
        begins = escape(wanted.patient_name) + "%"
        name = studies.c.patient_name
        conditions.append(or_(name.like(begins, escape="!"), name.like(f"%={begins}", escape="!")))
    if wanted.modality is not None:
        conditions.append(in_list(studies.c.modalities, wanted.modality))
    if wanted.oddity is not None:
        conditions.append(in_list(studies.c.oddities, wanted.oddity))
    if wanted.orphan is not None:
        conditions.append(~_joined if wanted.orphan else _joined)
    statement = select(studies, _joined.label("joined")).where(*conditions).order_by(studies.c.id.desc())
    found = page_of(connection, statement, _summary, limit, offset, with_total)
    uids = [study.study_uid for study in found.items]
    images = completeness(connection, uids, _now() if now is None else now, stable_after)
    shown = tuple(_with_images(study, images[study.study_uid]) for study in found.items)
    return Page(shown, found.offset, found.limit, found.total, found.total_is_exact)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _with_images(study: StudySummary, images: Completeness) -> StudySummary:
    return msgspec.structs.replace(
        study,
        image_expected=images.expected,
        image_missing=images.missing,
        images_state=str(images.state),
        images_state_name=IMAGES_STATE_NAMES[images.state],
    )


def _summary(row: Row[Any]) -> StudySummary:
    return as_struct(
        StudySummary,
        row,
        modalities=items(row.modalities),
        oddities=items(row.oddities),
        orphan=not row.joined,
    )


def show_study(
    connection: Connection, study_uid: str, *, now: int | None = None, stable_after: int = STABLE_MS
) -> StudyDetail | None:
    """One study with its series and instances, conflicting contents too; None when nothing of it came."""
    where = studies.c.study_uid == study_uid
    row = connection.execute(select(studies, _joined.label("joined")).where(where)).first()
    if row is None:
        return None
    found = connection.execute(
        select(instances)
        .join(series, series.c.id == instances.c.series_id)
        .where(series.c.study_id == row.id)
        .order_by(instances.c.series_id, instances.c.id)
        .limit(INSTANCES_AT_MOST)
    ).all()
    total = connection.scalar(
        select(func.count())
        .select_from(instances.join(series, series.c.id == instances.c.series_id))
        .where(series.c.study_id == row.id)
    )
    by_series: dict[int, list[InstanceShown]] = {}
    for instance in found:
        by_series.setdefault(instance.series_id, []).append(_instance(instance))
    listed = connection.execute(select(series).where(series.c.study_id == row.id).order_by(series.c.id))
    images = completeness(connection, [study_uid], _now() if now is None else now, stable_after)[study_uid]
    told = images.believed.series if images.believed else {}
    return StudyDetail(
        study=_with_images(_summary(row), images),
        images=study_images(study_uid, images),
        other_patient_ids=row.other_patient_ids,
        referring_physician=row.referring_physician,
        exams=_exams(connection, row.id),
        series=tuple(
            as_struct(
                SeriesShown,
                s,
                instances=tuple(by_series.get(s.id, ())),
                image_expected=told.get(s.series_uid),
            )
            for s in listed
        ),
        conflict_count=sum(instance.conflict for instance in found),
        truncated=(total or 0) > len(found),
    )


def _instance(row: Row[Any]) -> InstanceShown:
    return as_struct(InstanceShown, row, digest=row.digest.hex(), oddities=items(row.oddities))


def _exams(connection: Connection, study_id: int) -> tuple[LinkedExam, ...]:
    statement = (
        select(exams, *exam_studies.c)
        .join(exam_studies, exam_studies.c.exam_id == exams.c.id)
        .where(exam_studies.c.study_id == study_id)
        .order_by(exams.c.id)
    )
    found = []
    for row in connection.execute(statement):
        made = link_of(row)
        names = tuple(FINDING_NAMES.get(f, f) for f in made.findings)
        found.append(
            as_struct(
                LinkedExam, row, rule_name=RULE_NAMES[made.rule], findings=made.findings, finding_names=names
            )
        )
    return tuple(found)
