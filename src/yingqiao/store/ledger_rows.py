"""A submission as database rows, and the SQL that puts rows in. Shared by the two databases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from msgspec import Struct, structs
from sqlalchemy import Table

from yingqiao.exchange.model import ExamRow, ReportRow, Submission
from yingqiao.store import schema
from yingqiao.store.compression import compress
from yingqiao.store.list_rows import ListRows, list_rows
from yingqiao.store.text import comma_list, storable

MAX_INDEXED = 500
UNJUDGED = ""
"""State of an exam the linker has not looked at yet."""

Row = tuple[Any, ...]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SUBMISSION_COLUMNS = _names(
    """
    hospital_code interface received_at peer outcome exam_key report_key last_change_time message
    findings body_kind digest edition replay_of body
    """
)

EXAM_COLUMNS = _names(
    """
    hospital_code ris_study_id last_change_time deleted exam_status patient_name patient_id
    his_patient_id id_number sex age lab_num accession_numbers study_uids modality img_exam_type
    item_name patient_from is_emergency exam_time first_received_at updated_at link_due state waiting_for
    waiting_on image_count report_count
    """
)

REPORT_COLUMNS = _names(
    """
    hospital_code record_num ris_study_ids last_change_time deleted report_status check_status access_no
    patient_id his_patient_id lab_num modality report_doctor confirm_doctor report_time confirm_time
    positive pdf_object pdf_path signed first_received_at updated_at link_due parked
    """
)

DOCUMENT_COLUMNS = _names("hospital_code record_num url updated_at")
DOCUMENT_DUE = "due"
"""State of a report document no work was made for yet."""
DOCUMENT_INSERT = (
    f"INSERT INTO report_documents (submission_id, {', '.join(DOCUMENT_COLUMNS)},"
    " state, object, byte_count, error_class, reason)"
)
DOCUMENT_REST = f"'{DOCUMENT_DUE}', '', 0, '', ''"
"""Values of the columns after `updated_at`."""

# What a newer version leaves alone: the identity, and what the linker decides (it runs again: link_due).
_EXAM_KEPT = {
    *("hospital_code", "ris_study_id", "first_received_at"),
    *("state", "waiting_for", "waiting_on", "image_count", "report_count"),
}
_PATIENT_ID = EXAM_COLUMNS.index("patient_id")
_REPORT_KEPT = {"hospital_code", "record_num", "first_received_at", "parked"}


class Entry(Struct, frozen=True):
    """The rows of one submission; submission ids are put in front when they are known."""

    submission: Row
    """Without the body."""
    exam: Row | None
    report: Row | None
    body: bytes
    is_packed: bool
    """Whether `body` is compressed already."""
    size: int
    """Bytes that travel to the database, at most about."""
    images: ListRows | None = None
    document: Row | None = None
    """Of DOCUMENT_COLUMNS: the report's PDF is to be brought from its pdf_path (T24)."""

    def numbered(self, number: int) -> Row:
        """The submission's row in the order of SUBMISSION_COLUMNS, its id in front.

        Small bodies are compressed here, a batch in a row: the dictionary's tables, evicted by whatever a
        request needs besides, cost three times as much to use one at a time.
        """
        return (number, *self.submission, self.body if self.is_packed else compress(self.body))


@dataclass(frozen=True, slots=True)
class Upsert:
    """How rows of one table are inserted, or replace an older version."""

    table: Table
    key: tuple[str, str]
    columns: tuple[str, ...]
    kept: frozenset[str]

    def sql(self, source: str, collate: str = "") -> str:
        """INSERT from `source` (VALUES or SELECT) unless what is there is newer.

        Newer by lastChangeTime as text, '' the oldest; by arrival when that is equal.
        """
        sets = ", ".join(f"{c} = excluded.{c}" for c in self.columns if c not in self.kept)
        mine, theirs = f"excluded.last_change_time{collate}", f"{self.table.name}.last_change_time{collate}"
        later = f"excluded.submission_id > {self.table.name}.submission_id"
        return (
            f"INSERT INTO {self.table.name} ({', '.join(self.columns)}) {source}"
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {sets}"
            f" WHERE {mine} > {theirs} OR ({mine} = {theirs} AND {later})"
        )


EXAM_UPSERT = Upsert(
    schema.exams,
    ("hospital_code", "ris_study_id"),
    ("submission_id", *EXAM_COLUMNS),
    frozenset(_EXAM_KEPT),
)
REPORT_UPSERT = Upsert(
    schema.reports,
    ("hospital_code", "record_num"),
    ("submission_id", *REPORT_COLUMNS),
    frozenset(_REPORT_KEPT),
)


def entry_of(submission: Submission, *, pack: bool = False) -> Entry:
    """The rows of a submission; `pack` compresses the body at once: long for tens of megabytes."""
    exam, report = submission.exam, submission.report
    body = compress(submission.body) if pack else submission.body
    findings = orjson.dumps(submission.findings).decode() if submission.findings else None
    changed = exam.last_change_time if exam else report.last_change_time if report else ""
    row = (
        submission.hospital_code,
        submission.interface,
        submission.received_at,
        submission.peer,
        str(submission.outcome),
        exam.ris_study_id if exam else submission.exam_key,
        report.record_num if report else submission.report_key,
        changed,
        submission.message,
        findings,
        str(submission.body_kind),
        submission.digest,
        submission.edition,
        submission.replay_of,
    )
    images = list_rows(submission.images, submission.received_at) if submission.images else None
    return Entry(
        row,
        _exam(exam, submission.received_at) if exam else None,
        _report(report, submission.received_at) if report else None,
        body,
        pack,
        len(body) + len(findings or "") + 1024 + (images.size if images else 0),
        images,
        _document(report, submission.received_at) if report and report.pdf_path else None,
    )


def _document(report: ReportRow, now: int) -> Row | None:
    """What has to be fetched for a report: nothing when its PDF was embedded, or it is deleted."""
    if report.pdf_object or report.deleted:
        return None
    return report.hospital_code, report.record_num, storable(report.pdf_path), now


def _exam(exam: ExamRow, now: int) -> Row:
    return (
        exam.hospital_code,
        exam.ris_study_id,
        exam.last_change_time,
        exam.deleted,
        exam.exam_status,
        exam.patient_name,
        exam.patient_id,
        exam.his_patient_id,
        exam.id_number,
        exam.sex,
        exam.age,
        exam.lab_num,
        comma_list(exam.accession_numbers),
        comma_list(exam.study_uids),
        exam.modality,
        exam.img_exam_type,
        exam.item_name,
        exam.patient_from,
        exam.is_emergency,
        exam.exam_time,
        now,
        now,
        True,
        UNJUDGED,
        "",
        "",
        0,
        0,
    )


def _report(report: ReportRow, now: int) -> Row:
    return (
        report.hospital_code,
        report.record_num,
        comma_list(report.ris_study_ids),
        report.last_change_time,
        report.deleted,
        report.report_status,
        report.check_status,
        report.access_no,
        report.patient_id,
        report.his_patient_id,
        report.lab_num,
        report.modality,
        report.report_doctor,
        report.confirm_doctor,
        report.report_time,
        report.confirm_time,
        report.positive,
        report.pdf_object,
        report.pdf_path,
        report.signed,
        now,
        now,
        True,
        True,
    )


def newest_of_each(rows: Iterable[Row], upsert: Upsert) -> list[Row]:
    """One row a key, the newest by the rule of `Upsert.sql`, sorted by key; first_received_at of the
    earliest."""
    first = upsert.columns.index("first_received_at")
    changed = upsert.columns.index("last_change_time")
    chosen: dict[tuple[str, str], Row] = {}
    for row in rows:
        before = chosen.setdefault((row[1], row[2]), row)
        if before is not row:
            newest = row if row[changed] >= before[changed] else before
            chosen[row[1], row[2]] = (*newest[:first], before[first], *newest[first + 1 :])
    return [chosen[key] for key in sorted(chosen)]


def without_poison(entry: Entry) -> Entry:
    """The entry with what a database cannot take in a column made harmless; the kept body still has it.

    NUL characters (PostgreSQL), halves of surrogate pairs, numbers beyond reason, a patient id longer than an
    index takes. A key is never cut: it would become another's.
    """
    exam, report = entry.exam, entry.report
    if exam:
        exam = (*exam[:_PATIENT_ID], exam[_PATIENT_ID][:MAX_INDEXED], *exam[_PATIENT_ID + 1 :])
    return structs.replace(
        entry,
        submission=_clean(entry.submission),
        exam=exam and _clean(exam),
        report=report and _clean(report),
        document=entry.document and _clean(entry.document),
    )


def _clean(row: Row) -> Row:
    return tuple(_clean_value(value) for value in row)


def _clean_value(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return None
    return value
