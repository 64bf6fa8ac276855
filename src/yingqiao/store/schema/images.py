"""What images there are, and how many there should be."""

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

studies = Table(
    "studies",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
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
    Column("id", row_id, primary_key=True, autoincrement=True),
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
    Column("id", row_id, primary_key=True, autoincrement=True),
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

study_expectations = Table(  # how many instances a study has, and who said so; never how many we hope for
    "study_expectations",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),  # '' = the study as a whole
    Column("source", String, nullable=False),  # exchange.completeness.Source: pacs | images-list | commitment
    Column("origin", String, nullable=False),  # the PACS node, list or requester that said it
    Column("expected", Integer, nullable=False),  # instances
    Column("told_at", BigInteger, nullable=False),
    UniqueConstraint("study_uid", "series_uid", "source", "origin", "hospital_code"),
)

commitments = Table(  # storage commitment requests (PS3.4 annex J) and what was answered
    "commitments",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
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
