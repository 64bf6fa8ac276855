"""The spool's tables and their version. Times are Unix milliseconds unless said otherwise."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

VERSION = 1
metadata = MetaData()

about = Table("about", metadata, Column("key", String, primary_key=True), Column("value", String))

records = Table(
    "records",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),  # exam | report | images
    Column("key", String, nullable=False),
    Column("source", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the values as canonical JSON
    Column("body", LargeBinary),  # zstd; NULL once sent and older than keep_days
    Column("version", Integer, nullable=False),  # counts contents
    Column("sent_version", Integer, nullable=False, server_default="0"),
    Column("sent_at", BigInteger),
    Column("first_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("at", String, nullable=False),  # Beijing wall time a query's window is compared with
    Column("day", String, nullable=False),  # of checkFinishTime, an exam's (T158)
    Column("apply_id", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("accession", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("deleted", Boolean, nullable=False),  # disableFlag
    UniqueConstraint("kind", "key"),
    Index("records_at", "kind", "at", "id"),
    Index("records_day", "day"),
    Index("records_apply", "apply_id"),
    Index("records_patient", "patient_id"),
    Index("records_study", "study_uid"),
    Index("records_sent", "sent_at"),
)

links = Table(  # the exams a report is about
    "links",
    metadata,
    Column("report_key", String, nullable=False),
    Column("exam_key", String, nullable=False),
    PrimaryKeyConstraint("exam_key", "report_key"),
    Index("links_report", "report_key"),
)

outbox = Table(  # at most one row a record: its newest version, until the gateway has it
    "outbox",
    metadata,
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", String, nullable=False),  # waiting | refused
    Column("queued_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error_class", String, nullable=False, server_default=""),
    Column("reason", String, nullable=False, server_default=""),
    Column("findings", String, nullable=False, server_default="[]"),  # JSON, the gateway's
    PrimaryKeyConstraint("kind", "key"),
    Index("outbox_order", "state", "lane", "kind", "queued_at"),
)

positions = Table(
    "positions",
    metadata,
    Column("source", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("position", String, nullable=False),
    Column("read_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "kind"),
)

troubles = Table(  # rows of a source that could not become records
    "troubles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("place", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    UniqueConstraint("source", "kind", "place"),
)

backfill = Table(
    "backfill",
    metadata,
    Column("day", String, nullable=False),  # Beijing day
    Column("source", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | done
    Column("records", Integer, nullable=False, server_default="0"),
    Column("done_at", BigInteger),
    Column("reason", String, nullable=False, server_default=""),
    PrimaryKeyConstraint("source", "day"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("day", String, primary_key=True),
    Column("state", String, nullable=False),  # done | refused | waiting
    Column("sent_at", BigInteger, nullable=False),
    Column("totals", String, nullable=False),  # JSON: examInfo without ids
    Column("missing", String, nullable=False),  # JSON: ids the gateway lacks
    Column("resent", Integer, nullable=False),
    Column("unknown", String, nullable=False),  # JSON: ids the connector does not know either
    Column("message", String, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("segment", String, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("sop_uid", String, nullable=False),
    Column("sop_class", String, nullable=False),
    Column("syntax", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("state", String, nullable=False),  # waiting | sent | refused
    Column("due_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("reason", String, nullable=False, server_default=""),
    Column("sent_at", BigInteger),
    UniqueConstraint("segment", "offset"),
    Index("images_order", "state", "due_at", "id"),
    Index("images_study", "study_uid"),
)

landing_progress = Table(
    "landing_progress",
    metadata,
    Column("segment", String, primary_key=True),
    Column("indexed_to", BigInteger, nullable=False),
)

said = Table(  # what the running service says of itself, for `status`
    "said",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),  # JSON
    Column("at", BigInteger, nullable=False),
)
