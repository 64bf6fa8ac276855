"""The tables. One schema on SQLite and PostgreSQL; `migrations/` brings a database here step by step.

Times are Unix milliseconds (BigInteger) unless they are the standard's own text (`yyyy-MM-dd HH:mm:ss`,
Beijing time).
Comma lists of the standard are kept joined by ',' with a leading and trailing ',' so that LIKE '%,x,%'
finds an item;
look-ups on hot paths go through the `*_keys` tables instead.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_id = BigInteger().with_variant(Integer(), "sqlite")

hospitals = Table(
    "hospitals",
    metadata,
    Column("code", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("profile", Text, nullable=False, default="{}"),  # JSON: see exchange/profile
    Column("created_at", BigInteger, nullable=False),
)

hospital_keys = Table(
    "hospital_keys",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # the SM4 key under the master key, see gm/keystore
    Column(
        "check_value", String, nullable=False
    ),  # first 6 hex digits of SM4(key, zeros): names a key, reveals none
    Column("created_at", BigInteger, nullable=False),
    Column("retires_at", BigInteger),  # NULL while current; accepted until then during a rotation
)

dicom_sources = Table(  # who may send images, and for which hospital
    "dicom_sources",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False, index=True),
    Column("ae_title", String, nullable=False),  # '*' = any
    Column("network", String, nullable=False),  # CIDR, or '*' = any
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("ae_title", "network"),
)

submissions = Table(  # the ledger of what was received; never updated, never deleted by the program
    "submissions",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
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
    Column("id", _id, primary_key=True, autoincrement=True),
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
    Column("id", _id, primary_key=True, autoincrement=True),
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

studies = Table(
    "studies",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("study_uid", String, nullable=False, unique=True),
    Column("hospital_code", String, nullable=False),  # by dicom_sources; '' when the sender is in no list
    Column("patient_id", String, nullable=False, index=True),
    Column("patient_name", String, nullable=False),
    Column("patient_birth_date", String, nullable=False),
    Column("patient_sex", String, nullable=False),
    Column("other_patient_ids", String, nullable=False),
    Column("accession_number", String, nullable=False, index=True),
    Column("study_id", String, nullable=False),
    Column("study_date", String, nullable=False, index=True),
    Column("study_time", String, nullable=False),
    Column("description", String, nullable=False),
    Column("referring_physician", String, nullable=False),
    Column("institution", String, nullable=False),
    Column("modalities", String, nullable=False),  # comma list
    Column("declared_charset", String, nullable=False),
    Column("used_charset", String, nullable=False),
    Column("oddities", String, nullable=False),  # comma list
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("link_due", Boolean, nullable=False),
    Index("ix_studies_link_due", "link_due", "id"),
)

series = Table(
    "series",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("series_uid", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("series_number", String, nullable=False),
    Column("description", String, nullable=False),
    Column("body_part", String, nullable=False),
    Column("manufacturer", String, nullable=False),
    Column("model_name", String, nullable=False),
    Column("station_name", String, nullable=False),
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("instance_count", Integer, nullable=False),
    UniqueConstraint("study_id", "series_uid"),
)

instances = Table(  # one row per distinct (SOP instance UID, content); nothing received is ever deleted
    "instances",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("sop_uid", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("series_id", ForeignKey("series.id"), nullable=False, index=True),
    Column("sop_class_uid", String, nullable=False),
    Column("transfer_syntax_uid", String, nullable=False),
    Column("instance_number", String, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("segment", String, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("calling_aet", String, nullable=False),
    Column("called_aet", String, nullable=False),
    Column("peer", String, nullable=False),
    Column("oddities", String, nullable=False),
    Column("conflict", Boolean, nullable=False),  # another content came under the same UID
    Column("shown", Boolean, nullable=False),  # the newest of its UID
    UniqueConstraint("sop_uid", "digest"),
)

landing_progress = Table(  # how far the index has read each landing file
    "landing_progress",
    metadata,
    Column("segment", String, primary_key=True),
    Column("indexed_to", BigInteger, nullable=False),
    Column("sealed", Boolean, nullable=False, default=False),
)

exam_studies = Table(  # 关联 exam ↔ DICOM study
    "exam_studies",
    metadata,
    Column("exam_id", ForeignKey("exams.id"), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), primary_key=True, index=True),
    Column("rule", String, nullable=False),  # how it was found: study-uid | accession | patient …
    Column("findings", String, nullable=False),  # comma list: patient-differs …
)

study_expectations = Table(  # how many instances a study has, and who said so; never how many we hope for
    "study_expectations",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),  # '' = the study as a whole
    Column("source", String, nullable=False),  # exchange.completeness.Source: pacs | images-list | commitment
    Column("origin", String, nullable=False),  # the PACS node, list or requester that said it
    Column("expected", Integer, nullable=False),  # instances
    Column("told_at", BigInteger, nullable=False),
    UniqueConstraint("study_uid", "series_uid", "source", "origin", "hospital_code"),
)

work = Table(  # what has to be done: one row per list, exam, document or batch, never per instance
    "work",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),  # what it is about; (kind, key) is asked for once
    Column("hospital_code", String, nullable=False),
    Column("destination", String, nullable=False),  # work_destinations.name; '' = none
    Column("priority", Integer, nullable=False),  # exchange.work.Priority; the lowest number goes first
    Column("payload", Text, nullable=False),  # JSON
    Column("state", String, nullable=False),  # exchange.work.WorkState
    Column("run", Integer, nullable=False),  # how often it was asked for anew: replayed, grown
    Column("attempt", Integer, nullable=False),  # within this run; (id, run, attempt) names a try for ever
    Column("failures", Integer, nullable=False),  # tries that failed one after the other; spaces the next
    Column("again", Boolean, nullable=False),  # asked for while it was being done: once more afterwards
    Column("executor", String, nullable=False),  # the process that has it in hand; '' = none
    Column("due_at", BigInteger, nullable=False),
    Column("error_class", String, nullable=False),  # exchange.work.ErrorClass; '' = none
    Column("reason", Text, nullable=False),  # Chinese, of the last failure
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("progress_bytes", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    UniqueConstraint("kind", "key"),
    Index("ix_work_admission", "destination", "state", "priority", "id"),
    Index("ix_work_due", "state", "due_at"),
    Index("ix_work_state", "state", "id"),
    Index(
        "ix_work_executor",
        "executor",
        sqlite_where=text("executor <> ''"),
        postgresql_where=text("executor <> ''"),
    ),
    Index("ix_work_hospital", "hospital_code", "state", "id"),
    Index("ix_work_kind", "kind", "state", "id"),
)

work_destinations = Table(  # whom work goes to, and what holds for all of it: limits, windows, breaker
    "work_destinations",
    metadata,
    Column(
        "name", String, primary_key=True
    ),  # '<hospital>/<scheme>://<host>:<port>', '<hospital>/pacs/<name>'
    Column("hospital_code", String, nullable=False, index=True),
    Column("held", Boolean, nullable=False),  # paused by a person
    Column("held_reason", Text, nullable=False),
    Column("max_parallel", Integer, nullable=False),
    Column("bytes_per_second", BigInteger, nullable=False),  # 0 = no limit
    Column("windows", String, nullable=False),  # '22:00-06:00,…' Beijing time; '' = always
    Column("failures", Integer, nullable=False),  # one after the other, by the destination's fault
    Column("open_until", BigInteger, nullable=False),  # the breaker lets nothing through until then
    Column("last_error", Text, nullable=False),
    Column("last_error_at", BigInteger),
    Column("last_success_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
)

work_executors = Table(  # PostgreSQL: the processes that do work; one that beats no more is gone
    "work_executors",
    metadata,
    Column("name", String, primary_key=True),
    Column("beat", BigInteger, nullable=False),  # grows while it lives
    Column("beat_at", BigInteger, nullable=False),
)

work_timers = Table(  # what is done every so often, by whichever process comes first
    "work_timers",
    metadata,
    Column("name", String, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("executor", String, nullable=False),
)

fetch_hosts = Table(  # where a hospital's URLs may lead; nothing else is ever fetched
    "fetch_hosts",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False),
    Column("scheme", String, nullable=False),  # http | https | ftp | ftps | sftp | s3 | file
    Column("host", String, nullable=False),  # name, address or CIDR; of s3 the bucket; of file ''
    Column("port", Integer, nullable=False),  # 0 = the scheme's own
    Column("root", String, nullable=False),  # path prefix; of file the folder
    Column("private", Boolean, nullable=False),  # may resolve to private, loopback or link-local addresses
    Column("path_encoding", String, nullable=False),  # utf-8 | gb18030: of characters outside ASCII in paths
    Column(
        "options", Text, nullable=False
    ),  # JSON: region, endpoint, TLS CA or fingerprint, headers' names …
    Column("sealed", LargeBinary),  # JSON of user, password, access key …, under the master key
    Column("destination", ForeignKey("work_destinations.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "scheme", "host", "port", "root"),
)

image_lists = Table(  # one series' list of addresses (/images/list); upsert by SERIESIUID (T95)
    "image_lists",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("accession_number", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("patient_name", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("study_date", String, nullable=False),
    Column("submission_id", BigInteger, nullable=False),  # the last that named it
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("relay_due", Boolean, nullable=False),  # has files no work was made for yet
    UniqueConstraint("hospital_code", "series_uid"),
    Index("ix_image_lists_relay_due", "relay_due", "id"),
    Index("ix_image_lists_study", "study_uid"),
)

image_files = Table(  # one address of a list, and what became of it
    "image_files",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("list_id", ForeignKey("image_lists.id"), nullable=False),
    Column("url_digest", LargeBinary, nullable=False),  # SHA-256 of the address as sent
    Column("url", Text, nullable=False),
    Column("state", String, nullable=False),  # exchange.fetch.FileState
    Column("attempts", Integer, nullable=False),
    Column("error_class", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sop_uids", Text, nullable=False),  # comma list of what was in it
    Column("instance_count", Integer, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("digest", LargeBinary),  # SHA-256 of the file as fetched
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("list_id", "url_digest"),
    Index("ix_image_files_state", "list_id", "state", "id"),
)

report_documents = Table(  # a report version's PDF brought from its pdf_path
    "report_documents",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
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

pacs_nodes = Table(  # a hospital's Q/R service
    "pacs_nodes",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False),
    Column("name", String, nullable=False),
    Column("ae_title", String, nullable=False),
    Column("host", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("calling_aet", String, nullable=False),  # '' = the gateway's own
    Column("retrieve_by", String, nullable=False),  # auto | move | get
    Column("charset", String, nullable=False),  # of queries: '' = GB18030 when needed
    Column("options", Text, nullable=False),  # JSON: exchange.pull.PacsOptions
    Column("disabled", Boolean, nullable=False),
    Column("destination", ForeignKey("work_destinations.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "name"),
)

commitments = Table(  # storage commitment requests (PS3.4 annex J) and what was answered
    "commitments",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("transaction_uid", String, nullable=False),
    Column("hospital_code", String, nullable=False),
    Column("requester_aet", String, nullable=False),
    Column("called_aet", String, nullable=False),  # ours, as the requester called us
    Column("peer", String, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("referenced", LargeBinary, nullable=False),  # zstd of JSON [[SOP class UID, SOP instance UID], …]
    Column("reference_count", Integer, nullable=False),
    Column("failed_count", Integer),  # NULL until judged
    Column("judged_at", BigInteger),
    Column("notified_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # Chinese, why the last try to report did not succeed
    UniqueConstraint("requester_aet", "transaction_uid"),
    Index(
        "ix_commitments_unreported",
        "id",
        sqlite_where=text("notified_at IS NULL"),
        postgresql_where=text("notified_at IS NULL"),
    ),
)
