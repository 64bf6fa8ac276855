"""Reports: the list, and one report with its record."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from sqlalchemy import Connection, Row, select

from yingqiao.exchange.fetch import FILE_STATE_NAMES, FileState
from yingqiao.exchange.link import REPORT_FINDING_NAMES, compare_report
from yingqiao.exchange.timeline import REPORT_STATE_NAMES, report_state
from yingqiao.store.link_rows import exam_facts, report_facts
from yingqiao.store.queries.common import (
    Page,
    Range,
    as_struct,
    equal,
    items,
    page_of,
    received_within,
    version_record,
    within,
)
from yingqiao.store.report_documents import documents_of, mend_of
from yingqiao.store.report_seals import seals_of
from yingqiao.store.report_signatures import signatures_of
from yingqiao.store.schema import exam_reports, exams, reports


class ReportFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a report must be; None = any."""

    hospital_code: str | None = None
    record_num: str | None = None
    ris_study_id: str | None = None
    patient_id: str | None = None
    modality: str | None = None
    report_status: int | None = None
    parked: bool | None = None
    """True: its exam has not come (T75)."""
    signed: bool | None = None
    report_time: Range | None = None
    received: Range | None = None
    deleted: bool | None = False


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the list."""

    hospital_code: str
    record_num: str
    ris_study_ids: tuple[str, ...]
    access_no: str
    patient_id: str
    his_patient_id: str
    lab_num: str
    modality: str
    report_status: int | None
    check_status: int | None
    state: str
    """A ReportState."""
    state_name: str
    report_doctor: str
    confirm_doctor: str
    report_time: str
    confirm_time: str
    positive: str
    pdf_object: str
    pdf_path: str
    signed: bool
    parked: bool
    deleted: bool
    last_change_time: str
    first_received_at: int
    updated_at: int
    submission_id: int


class ReportExam(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An exam the report names; `here` is false while it has not come."""

    ris_study_id: str
    here: bool
    patient_name: str
    findings: tuple[str, ...]
    finding_names: tuple[str, ...]


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A PDF brought, or to be brought, from a version's pdf_path (T24)."""

    submission_id: int
    url: str
    state: str
    state_name: str
    object: str
    byte_count: int
    reason: str
    mend: str
    """What the operator does about an address that may not be fetched; '' otherwise."""
    updated_at: int


class ReportSignature(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the signature of a version; `indication` is '' until it was judged."""

    submission_id: int
    state: str
    indication: str
    step: str
    reason: str
    words: str
    details: dict[str, Any]
    verified_at: int | None


class ReportSeals(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the seals on the PDF of a version; `indication` is '' until they were judged."""

    submission_id: int
    state: str
    count: int
    indication: str
    code: int
    """verifyResult of the worst."""
    words: str
    details: list[dict[str, Any]]
    verified_at: int | None


class ReportDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    report: ReportSummary
    values: dict[str, Any]
    exams: tuple[ReportExam, ...]
    documents: tuple[ReportDocument, ...] = ()
    signatures: tuple[ReportSignature, ...] = ()
    """Newest version first; none of a report without signature fields, or not audited."""
    seals: tuple[ReportSeals, ...] = ()
    """Newest version first; none of a report without a PDF, or not audited."""


def list_reports(
    connection: Connection,
    wanted: ReportFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[ReportSummary]:
    """Reports that fit, newest first. Raises ValueError for a limit out of range."""
    wanted = wanted or ReportFilter()
    names = "hospital_code record_num patient_id modality report_status parked signed deleted"
    conditions = equal(reports, {name: getattr(wanted, name) for name in names.split()})
    conditions += within(reports.c.report_time, wanted.report_time)
    conditions += received_within(connection, reports, "first_received_at", wanted.received)
    if wanted.ris_study_id is not None:
        named = select(exam_reports.c.report_id).where(exam_reports.c.ris_study_id == wanted.ris_study_id)
        if wanted.hospital_code is not None:
            named = named.where(exam_reports.c.hospital_code == wanted.hospital_code)
        conditions.append(reports.c.id.in_(named))
    statement = select(reports).where(*conditions).order_by(reports.c.id.desc())
    return page_of(connection, statement, report_summary, limit, offset, with_total)


def report_summary(row: Row[Any]) -> ReportSummary:
    """A row of reports."""
    state = report_state(report_facts(row))
    return as_struct(
        ReportSummary,
        row,
        ris_study_ids=items(row.ris_study_ids),
        state=str(state),
        state_name=REPORT_STATE_NAMES[state],
    )


def show_report(connection: Connection, hospital_code: str, record_num: str) -> ReportDetail | None:
    """One report, deleted or not; None when no version of it was ever accepted."""
    where = (reports.c.hospital_code == hospital_code) & (reports.c.record_num == record_num)
    row = connection.execute(select(reports).where(where)).first()
    if row is None:
        return None
    report = report_facts(row)
    wanted = (exams.c.hospital_code == hospital_code) & exams.c.ris_study_id.in_(report.ris_study_ids)
    here = {r.ris_study_id: exam_facts(r) for r in connection.execute(select(exams).where(wanted))}
    named = []
    for ris_id in report.ris_study_ids:
        exam = here.get(ris_id)
        found = compare_report(exam, report) if exam else ()
        named.append(
            ReportExam(
                ris_study_id=ris_id,
                here=exam is not None,
                patient_name=exam.patient_name if exam else "",
                findings=found,
                finding_names=tuple(REPORT_FINDING_NAMES[f] for f in found),
            )
        )
    values = version_record(connection, row.submission_id, "report")
    documents = tuple(_document(row) for row in documents_of(connection, hospital_code, record_num))
    signed = tuple(_signature(row) for row in signatures_of(connection, hospital_code, record_num))
    return ReportDetail(
        report=report_summary(row),
        values=values,
        exams=tuple(named),
        documents=documents,
        signatures=signed,
        seals=tuple(_seals(row) for row in seals_of(connection, hospital_code, record_num)),
    )


def _signature(row: Row[Any]) -> ReportSignature:
    details = orjson.loads(row.details) if row.details else {}
    return as_struct(ReportSignature, row, details=details)


def _seals(row: Row[Any]) -> ReportSeals:
    return as_struct(ReportSeals, row, details=orjson.loads(row.details) if row.details else [])


def _document(row: Row[Any]) -> ReportDocument:
    known = row.state in tuple(FileState)
    name = FILE_STATE_NAMES[FileState(row.state)] if known else FILE_STATE_NAMES[FileState.PENDING]
    return as_struct(ReportDocument, row, state_name=name, mend=mend_of(row))
