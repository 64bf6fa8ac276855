"""What hospitals report: the ledger of what was received, exams, reports."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from yingqiao.store.schema.base import metadata, row_id

submissions = Table(  # the ledger of what was received; never updated, never deleted by the program
    "submissions",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("interface", String, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("peer", String, nullable=False),
    Column("outcome", String, nullable=False),  # exchange.model.Outcome
    Column("exam_key", String, nullable=False, default=""),  # risStudyId
    Column("report_key", String, nullable=False, default=""),  # recordNum
    Column("last_change_time", String, nullable=False, default=""),
    Column("message", String, nullable=False),
    Column("findings", Text),  # JSON array, NULL when none
    Column("body_kind", String, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zstd
    Column("digest", LargeBinary, nullable=False),
    Column("edition", String, nullable=False),
    Column("replay_of", BigInteger),
    Index("ix_submissions_exam", "hospital_code", "exam_key", "id"),
    Index("ix_submissions_report", "hospital_code", "report_key", "id"),
    Index("ix_submissions_outcome", "outcome", "id"),
    Index(
        "ix_submissions_replay_of",
        "replay_of",
        sqlite_where=text("replay_of IS NOT NULL"),
        postgresql_where=text("replay_of IS NOT NULL"),
    ),
)

exams = Table(
    "exams",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("ris_study_id", String, nullable=False),
    Column("submission_id", BigInteger, nullable=False),  # the version shown
    Column("last_change_time", String, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("exam_status", Integer),
    Column("patient_name", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("his_patient_id", String, nullable=False),
    Column("id_number", String, nullable=False),
    Column("sex", String, nullable=False),
    Column("age", String, nullable=False),
    Column("lab_num", String, nullable=False),
    Column("accession_numbers", String, nullable=False),
    Column("study_uids", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("img_exam_type", String, nullable=False),
    Column("item_name", String, nullable=False),
    Column("patient_from", String, nullable=False),
    Column("is_emergency", Boolean, nullable=False),
    Column("exam_time", String, nullable=False),
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("link_due", Boolean, nullable=False),  # something changed since the linker looked
    Column("state", String, nullable=False),  # exchange.timeline.ExamState
    Column(
        "waiting_for", String, nullable=False
    ),  # comma list of: images, report, audit, exam …; '' = nothing
    Column("waiting_on", String, nullable=False),  # who must act: hospital | gateway | ''
    Column("waiting_since", BigInteger),
    Column("image_count", Integer, nullable=False, default=0),
    Column("report_count", Integer, nullable=False, default=0),
    Column("image_expected", Integer),  # as told for its studies, see study_expectations; NULL = nobody told
    Column("image_missing", Integer),  # of these; NULL = unknown, for of a study nobody told
    UniqueConstraint("hospital_code", "ris_study_id"),
    Index("ix_exams_link_due", "link_due", "id"),
    Index("ix_exams_time", "hospital_code", "exam_time"),
    Index("ix_exams_state", "state", "id"),
    Index("ix_exams_patient", "patient_id"),
    Index(
        "ix_exams_image_missing",
        "id",
        sqlite_where=text("image_missing > 0"),
        postgresql_where=text("image_missing > 0"),
    ),
)

exam_keys = Table(  # what an exam can be found by: one row per study UID and accession number
    "exam_keys",
    metadata,
    Column("kind", String, primary_key=True),  # study_uid | accession
    Column("value", String, primary_key=True),
    Column("exam_id", ForeignKey("exams.id"), primary_key=True, index=True),
    Column("hospital_code", String, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("record_num", String, nullable=False),
    Column("submission_id", BigInteger, nullable=False),
    Column("ris_study_ids", String, nullable=False),
    Column("last_change_time", String, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("report_status", Integer),
    Column("check_status", Integer),
    Column("access_no", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("his_patient_id", String, nullable=False),
    Column("lab_num", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("report_doctor", String, nullable=False),
    Column("confirm_doctor", String, nullable=False),
    Column("report_time", String, nullable=False),
    Column("confirm_time", String, nullable=False),
    Column("positive", String, nullable=False),
    Column("pdf_object", String, nullable=False),
    Column("pdf_path", String, nullable=False),
    Column("signed", Boolean, nullable=False),
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("link_due", Boolean, nullable=False),
    Column("parked", Boolean, nullable=False),  # no exam of its risStudyIds is here yet (T75)
    UniqueConstraint("hospital_code", "record_num"),
    Index("ix_reports_link_due", "link_due", "id"),
    Index("ix_reports_parked", "parked", "id"),
)

exam_reports = Table(  # 关联 by risStudyId; a report may name several exams, an exam have several reports
    "exam_reports",
    metadata,
    Column("hospital_code", String, primary_key=True),
    Column("ris_study_id", String, primary_key=True),
    Column("report_id", ForeignKey("reports.id"), primary_key=True, index=True),
)

exam_studies = Table(  # 关联 exam ↔ DICOM study
    "exam_studies",
    metadata,
    Column("exam_id", ForeignKey("exams.id"), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), primary_key=True, index=True),
    Column("rule", String, nullable=False),  # how it was found: study-uid | accession | patient …
    Column("findings", String, nullable=False),  # comma list: patient-differs …
)

report_documents = Table(  # a report version's PDF brought from its pdf_path
    "report_documents",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("record_num", String, nullable=False),
    Column("submission_id", BigInteger, nullable=False),  # the report version that named the address
    Column("url", Text, nullable=False),
    Column("state", String, nullable=False),  # exchange.fetch.FileState; 'due' until work was made for it
    Column("object", String, nullable=False),  # `sha256:<hex>`; '' until stored
    Column("byte_count", BigInteger, nullable=False),
    Column("error_class", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("submission_id", "url"),
    Index("ix_report_documents_report", "hospital_code", "record_num"),
    Index("ix_report_documents_state", "state", "id"),
)
