"""Exams: the list people work from, and one exam with all there is about it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from yingqiao.exchange.completeness import IMAGES_STATE_NAMES, STABLE_MS, Completeness, ImagesState
from yingqiao.exchange.link import (
    FINDING_NAMES,
    HELD_NAMES,
    RULE_NAMES,
    ExamFacts,
    Link,
    ReportFacts,
    Rule,
    StudyFacts,
    split_list,
    suggest,
)
from yingqiao.exchange.pull import words_of
from yingqiao.exchange.timeline import (
    NEED_NAMES,
    STATE_NAMES,
    WAITING_ON_NAMES,
    Event,
    ExamState,
    Need,
    Standing,
    SubmissionFacts,
    events,
    missing_study_uids,
)
from yingqiao.store.expectations import completeness
from yingqiao.store.link_rows import (
    STUDY_COLUMNS,
    exam_facts,
    held_back,
    report_facts,
    study_facts,
)
from yingqiao.store.pulls import pulls_of
from yingqiao.store.queries.common import (
    Page,
    Range,
    as_struct,
    equal,
    escape,
    findings_of,
    items,
    page_of,
    received_within,
    version_record,
    within,
)
from yingqiao.store.queries.image_counts import (
    StudyImages,
    exam_state,
    exams_in,
    last_arrivals,
    study_images,
)
from yingqiao.store.queries.reports import ReportSummary, report_summary
from yingqiao.store.report_documents import document_facts
from yingqiao.store.report_seals import seal_facts
from yingqiao.store.report_signatures import signature_facts
from yingqiao.store.schema import exam_keys, exam_reports, exam_studies, exams, reports, studies, submissions

ORDERS = {
    "received": (exams.c.id.desc(),),
    "-received": (exams.c.id,),
    "updated": (exams.c.updated_at.desc(), exams.c.id.desc()),
    "exam-time": (exams.c.exam_time.desc(), exams.c.id.desc()),
    "-exam-time": (exams.c.exam_time, exams.c.id),
    "waiting": (exams.c.waiting_since, exams.c.id),
}
"""Newest first, but for those with a minus; `waiting`: longest first."""
_LINK_COLUMNS = (exam_studies.c.exam_id, exam_studies.c.rule, exam_studies.c.findings)
TIMELINE_AT_MOST = 500
SUGGESTED_AT_MOST = 20


class ExamFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an exam must be; None = any. Texts match as a whole, but for `patient_name` (beginning) and
    `text`."""

    hospital_code: str | None = None
    ris_study_id: str | None = None
    patient_name: str | None = None
    patient_id: str | None = None
    """影像号."""
    his_patient_id: str | None = None
    id_number: str | None = None
    lab_num: str | None = None
    accession_number: str | None = None
    study_uid: str | None = None
    modality: str | None = None
    state: ExamState | None = None
    waiting_for: Need | None = None
    waiting_on: str | None = None
    images_state: ImagesState | None = None
    exam_time: Range | None = None
    """Text, `yyyy-MM-dd` or longer."""
    received: Range | None = None
    """First arrival, Unix ms."""
    emergency: bool | None = None
    deleted: bool | None = False
    """False hides deleted exams (T60), True shows only them, None both."""
    text: str | None = None
    """Any of the numbers as a whole, or the beginning of the name."""


class ExamSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the list. Times: `exam_time`, `last_change_time` are the hospital's text, the others
    Unix ms."""

    hospital_code: str
    ris_study_id: str
    patient_name: str
    patient_id: str
    his_patient_id: str
    id_number: str
    sex: str
    age: str
    lab_num: str
    accession_numbers: tuple[str, ...]
    study_uids: tuple[str, ...]
    modality: str
    img_exam_type: str
    item_name: str
    patient_from: str
    is_emergency: bool
    exam_status: int | None
    exam_time: str
    deleted: bool
    state: str
    """An ExamState; '' until the linker has looked, moments after arrival."""
    state_name: str
    waiting_for: tuple[str, ...]
    waiting_for_name: str
    waiting_on: str
    waiting_on_name: str
    waiting_since: int | None
    image_count: int
    image_expected: int | None
    """As told for its studies; None = nobody told."""
    image_missing: int | None
    """Of these; None = unknown, for of one of its studies nobody told."""
    images_state: str = ""
    """An ImagesState; '' = no images, and nobody told of any."""
    images_state_name: str = ""
    report_count: int
    last_change_time: str
    first_received_at: int
    updated_at: int
    submission_id: int


class LinkedStudy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A study joined to the exam, and why."""

    study_uid: str
    hospital_code: str
    accession_number: str
    patient_id: str
    patient_name: str
    study_date: str
    modalities: tuple[str, ...]
    description: str
    series_count: int
    instance_count: int
    byte_count: int
    first_received_at: int
    updated_at: int
    oddities: tuple[str, ...]
    rule: str
    rule_name: str
    findings: tuple[str, ...]
    finding_names: tuple[str, ...]
    image_expected: int | None = None
    images_state_name: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A study that may be the exam's and is not joined: a number matches but it is held back, or it only
    looks alike."""

    study_uid: str
    patient_name: str
    patient_id: str
    accession_number: str
    study_date: str
    modalities: tuple[str, ...]
    instance_count: int
    reason: str


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    at: int
    kind: str
    text: str
    submission_id: int | None
    study_uid: str
    record_num: str


class Version(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One submission of the exam's data."""

    submission_id: int
    interface: str
    received_at: int
    outcome: str
    last_change_time: str
    message: str
    shown: bool
    findings: tuple[dict[str, Any], ...]


class ExamDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All there is about one exam."""

    exam: ExamSummary
    values: dict[str, Any]
    """The latest record as sent, member names as sent."""
    reports: tuple[ReportSummary, ...]
    studies: tuple[LinkedStudy, ...]
    images: tuple[StudyImages, ...]
    """Of each study joined, and of those listed that have not come: expected, present, gaps, who told."""
    candidates: tuple[Candidate, ...]
    """Filled while images are missing."""
    versions: tuple[Version, ...]
    findings: tuple[dict[str, Any], ...]
    """Of the version shown."""
    timeline: tuple[TimelineEvent, ...]


def list_exams(
    connection: Connection,
    wanted: ExamFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    order: str = "received",
    with_total: bool = False,
    *,
    now: int | None = None,
    stable_after: int = STABLE_MS,
) -> Page[ExamSummary]:
    """Exams that fit, newest first. `now` (Unix ms) and `stable_after` (ms) decide the state of images.

    Raises ValueError for an unknown order or a limit out of range.
    """
    if order not in ORDERS:
        raise ValueError(f"order: {', '.join(ORDERS)}")
    wanted = wanted or ExamFilter()
    conditions = _conditions(wanted)
    now = _now() if now is None else now
    if wanted.images_state is not None:
        conditions.append(exams_in(wanted.images_state, now, stable_after))
    conditions += received_within(connection, exams, "first_received_at", wanted.received)
    sorting = ORDERS[order]
    span = wanted.exam_time
    if order == "received" and wanted.hospital_code and span and span.start and span.end:
        # SQLite cannot know how few a span of days is, and would walk all ids in order: sort what the
        # span finds.
        sorting = ((exams.c.id + 0).desc(),)
    statement = select(exams).where(*conditions).order_by(*sorting)
    found = page_of(connection, statement, lambda row: (row.id, exam_summary(row)), limit, offset, with_total)
    last = last_arrivals(connection, [exam_id for exam_id, _ in found.items])
    shown = tuple(_with_images(exam, last.get(i), now, stable_after) for i, exam in found.items)
    return Page(shown, found.offset, found.limit, found.total, found.total_is_exact)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _with_images(exam: ExamSummary, last: int | None, now: int, stable_after: int) -> ExamSummary:
    state = exam_state(exam.image_count, exam.image_expected, exam.image_missing, last, now, stable_after)
    if state is None:
        return exam
    return msgspec.structs.replace(exam, images_state=str(state), images_state_name=IMAGES_STATE_NAMES[state])


def _conditions(wanted: ExamFilter) -> list[ColumnElement[bool]]:
    conditions = equal(
        exams,
        {
            "hospital_code": wanted.hospital_code,
            "ris_study_id": wanted.ris_study_id,
            "patient_id": wanted.patient_id,
            "his_patient_id": wanted.his_patient_id,
            "id_number": wanted.id_number,
            "lab_num": wanted.lab_num,
            "modality": wanted.modality,
            "state": None if wanted.state is None else str(wanted.state),
            "waiting_on": wanted.waiting_on,
            "is_emergency": wanted.emergency,
            "deleted": wanted.deleted,
        },
    )
    conditions += within(exams.c.exam_time, wanted.exam_time)
    if wanted.patient_name is not None:
        conditions.append(exams.c.patient_name.like(escape(wanted.patient_name) + "%", escape="!"))
    if wanted.accession_number is not None:
        conditions.append(_has_key("accession", wanted.accession_number))
    if wanted.study_uid is not None:
        conditions.append(_has_study(wanted.study_uid))
    if wanted.waiting_for is not None:
        conditions.append(_waits_for(wanted.waiting_for))
    if wanted.text is not None:
        conditions.append(_text(wanted.text))
    return conditions


def _has_key(kind: str, value: str) -> ColumnElement[bool]:
    found = select(exam_keys.c.exam_id).where(exam_keys.c.kind == kind, exam_keys.c.value == value)
    return exams.c.id.in_(found)


def _has_study(uid: str) -> ColumnElement[bool]:
    joined = select(exam_studies.c.exam_id).join(studies, studies.c.id == exam_studies.c.study_id)
    return or_(_has_key("study_uid", uid), exams.c.id.in_(joined.where(studies.c.study_uid == uid)))


def _waits_for(need: Need) -> ColumnElement[bool]:
    """Through the states that can wait for it, which are indexed."""
    states = {
        Need.EXAM: (ExamState.REGISTERED,),
        Need.IMAGES: (ExamState.WAITING_IMAGES,),
        Need.REPORT: (ExamState.WAITING_IMAGES, ExamState.WAITING_REPORT),
        Need.AUDIT: (ExamState.WAITING_IMAGES, ExamState.WAITING_AUDIT),
    }[need]
    column = exams.c.waiting_for
    return and_(
        exams.c.state.in_([str(state) for state in states]),
        or_(column == str(need), column.like(f"{need},%"), column.like(f"%,{need}")),
    )


def _text(text: str) -> ColumnElement[bool]:
    numbers = ("ris_study_id", "patient_id", "his_patient_id", "id_number", "lab_num")
    return or_(
        *(exams.c[name] == text for name in numbers),
        exams.c.patient_name.like(escape(text) + "%", escape="!"),
        _has_key("accession", text),
        _has_study(text),
    )


def exam_summary(row: Row[Any]) -> ExamSummary:
    """A row of exams."""
    needs = items(row.waiting_for)
    return as_struct(
        ExamSummary,
        row,
        accession_numbers=items(row.accession_numbers),
        study_uids=items(row.study_uids),
        state_name=STATE_NAMES[ExamState(row.state)] if row.state else "关联中",
        waiting_for=needs,
        waiting_for_name="、".join(NEED_NAMES[Need(need)] for need in needs),
        waiting_on_name=WAITING_ON_NAMES.get(row.waiting_on, row.waiting_on),
    )


def show_exam(
    connection: Connection,
    hospital_code: str,
    ris_study_id: str,
    *,
    now: int | None = None,
    stable_after: int = STABLE_MS,
) -> ExamDetail | None:
    """Everything about one exam, deleted or not; None when no version of it was ever accepted."""
    now = _now() if now is None else now
    where = (exams.c.hospital_code == hospital_code) & (exams.c.ris_study_id == ris_study_id)
    row = connection.execute(select(exams).where(where)).first()
    if row is None:
        return None
    exam = exam_facts(row)
    report_rows = _report_rows(connection, hospital_code, ris_study_id)
    joined = _study_rows(connection, row.id)
    own = [report_facts(r) for r in report_rows]
    pictures = [(study_facts(s), _link(s)) for s in joined]
    history = _submission_rows(connection, exam, own)
    images = _images(connection, exam, pictures, now, stable_after)
    signed = [s for r in own for s in signature_facts(connection, hospital_code, r.record_num)]
    sealed = [s for r in own for s in seal_facts(connection, hospital_code, r.record_num)]
    papers = [p for r in own for p in document_facts(connection, hospital_code, r.record_num)]
    received = [_submission_facts(s) for s in history]
    told = events(exam, received, own, pictures, _standing(row), images, papers, signed, sealed)
    last = max((study.updated_at for study, _ in pictures), default=None)
    versions = tuple(_version(s, row.submission_id) for s in history if s.exam_key == ris_study_id)
    return ExamDetail(
        exam=_with_images(exam_summary(row), last, now, stable_after),
        values=version_record(connection, row.submission_id, "patient"),
        reports=tuple(report_summary(r) for r in report_rows),
        studies=tuple(_linked(s, images.get(s.study_uid)) for s in joined),
        images=tuple(study_images(uid, found) for uid, found in images.items()),
        candidates=_candidates(connection, exam, own, row.state),
        versions=versions,
        findings=next((v.findings for v in versions if v.shown), ()),
        timeline=tuple(_event(event) for event in _with_pulls(connection, row, told)),
    )


def _with_pulls(connection: Connection, row: Row[Any], told: Sequence[Event]) -> Sequence[Event]:
    """The timeline with the exam's pulls from PACS; what is waited for stays last."""
    more = [
        Event(pull.updated_at, "pull", words_of(pull.key, pull.state, pull.reason, pull.done, pull.total))
        for pull in pulls_of(connection, row.id, row.hospital_code)
    ]
    if not more:
        return told
    return sorted((*told, *more), key=lambda event: (event.kind == "waiting", event.at))


def _images(
    connection: Connection,
    exam: ExamFacts,
    pictures: list[tuple[StudyFacts, Link]],
    now: int,
    stable_after: int,
) -> Mapping[str, Completeness]:
    """The judgement about each study joined or still waited for; other hospitals' tellings left out."""
    here = [study for study, _ in pictures]
    uids = [study.study_uid for study in here]
    uids += missing_study_uids(exam, here, [link.rule for _, link in pictures])
    found = completeness(connection, uids, now, stable_after, exam.hospital_code)
    return {uid: found[uid] for uid in dict.fromkeys(uids) if found[uid].present or found[uid].tellings}


def _event(event: Event) -> TimelineEvent:
    return TimelineEvent(**{name: getattr(event, name) for name in TimelineEvent.__struct_fields__})


def _standing(row: Row[Any]) -> Standing:
    needs = tuple(Need(need) for need in items(row.waiting_for))
    state = ExamState(row.state) if row.state else ExamState.REGISTERED
    return Standing(state, needs, row.waiting_on, row.waiting_since)


def _report_rows(connection: Connection, hospital_code: str, ris_study_id: str) -> list[Row[Any]]:
    statement = (
        select(reports)
        .join(exam_reports, exam_reports.c.report_id == reports.c.id)
        .where(exam_reports.c.hospital_code == hospital_code, exam_reports.c.ris_study_id == ris_study_id)
        .order_by(reports.c.id)
    )
    return list(connection.execute(statement))


def _study_rows(connection: Connection, exam_id: int) -> list[Row[Any]]:
    statement = (
        select(studies, *_LINK_COLUMNS)
        .join(exam_studies, exam_studies.c.study_id == studies.c.id)
        .where(exam_studies.c.exam_id == exam_id)
        .order_by(studies.c.id)
    )
    return list(connection.execute(statement))


def _submission_rows(connection: Connection, exam: ExamFacts, own: list[ReportFacts]) -> list[Row[Any]]:
    """The newest submissions that name the exam or one of its reports, oldest first; bodies left out."""
    columns = [c for c in submissions.c if c.name not in ("body", "digest")]

    def about(name: str, keys: list[str]) -> Select[Any]:
        where = (submissions.c.hospital_code == exam.hospital_code) & submissions.c[name].in_(keys)
        return select(*columns).where(where).order_by(submissions.c.id.desc()).limit(TIMELINE_AT_MOST)

    found = {row.id: row for row in connection.execute(about("exam_key", [exam.ris_study_id]))}
    if own:
        keys = [report.record_num for report in own]
        found |= {row.id: row for row in connection.execute(about("report_key", keys))}
    return [found[i] for i in sorted(found)]


def _submission_facts(row: Row[Any]) -> SubmissionFacts:
    return SubmissionFacts(
        id=row.id,
        interface=row.interface,
        received_at=row.received_at,
        accepted=row.outcome == "accepted",
        exam_key=row.exam_key,
        report_key=row.report_key,
        last_change_time=row.last_change_time,
        message=row.message,
        finding_count=len(findings_of(row.findings)),
        replay_of=row.replay_of,
    )


def _version(row: Row[Any], shown: int) -> Version:
    return as_struct(
        Version,
        row,
        submission_id=row.id,
        shown=row.id == shown,
        findings=findings_of(row.findings),
    )


def _link(row: Row[Any]) -> Link:
    return Link(row.exam_id, row.id, Rule(row.rule), split_list(row.findings))


def _linked(row: Row[Any], images: Completeness | None) -> LinkedStudy:
    made = _link(row)
    return as_struct(
        LinkedStudy,
        row,
        modalities=items(row.modalities),
        oddities=items(row.oddities),
        findings=made.findings,
        finding_names=tuple(FINDING_NAMES.get(f, f) for f in made.findings),
        rule_name=RULE_NAMES[made.rule],
        image_expected=images.expected if images else None,
        images_state_name=IMAGES_STATE_NAMES[images.state] if images else "",
    )


def _candidates(
    connection: Connection, exam: ExamFacts, own: list[ReportFacts], state: str
) -> tuple[Candidate, ...]:
    if state != ExamState.WAITING_IMAGES:
        return ()
    reasons = {h.study_id: HELD_NAMES[h.reason] for h in held_back(connection, exam, own)}
    numbers = [number for number in (exam.patient_id, exam.his_patient_id) if number]
    free = ~studies.c.id.in_(select(exam_studies.c.study_id))
    alike = select(*STUDY_COLUMNS).where(studies.c.patient_id.in_(numbers), free).limit(SUGGESTED_AT_MOST)
    for study_id in suggest(exam, [study_facts(row) for row in connection.execute(alike)]):
        reasons.setdefault(study_id, "同一患者、同类检查、日期相近，但没有一致的检查号")
    rows = connection.execute(select(*STUDY_COLUMNS).where(studies.c.id.in_(list(reasons)))).all()
    return tuple(_candidate(study_facts(row), reasons[row.id]) for row in rows)


def _candidate(study: StudyFacts, reason: str) -> Candidate:
    shared = {n: getattr(study, n) for n in Candidate.__struct_fields__ if n not in ("modalities", "reason")}
    return Candidate(**shared, modalities=items(study.modalities), reason=reason)
