"""Days and their balance: what hospitals state, what is missing, what was closed; what the hospitals' own query
services say, and how it differs."""

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
)

from yingqiao.store.schema.base import metadata, row_id

day_statements = Table(  # each accepted statement of a day; the last one counts
    "day_statements",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("day", String, nullable=False),  # yyyy-MM-dd, Beijing time
    Column("submission_id", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("exam_count", BigInteger, nullable=False),
    Column("image_count", BigInteger),
    Column("report_count", BigInteger),
    Column("id_count", Integer, nullable=False),
    Column("missing_count", Integer, nullable=False),  # when it was answered
    Index("ix_day_statements_day", "hospital_code", "day", "id"),
)

missing_exams = Table(  # an id a hospital listed that the ledger did not have
    "missing_exams",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("day", String, nullable=False),
    Column("listed_id", String, nullable=False),  # as listed: risStudyId, study UID or accession (T154)
    Column("imaging", String, nullable=False),  # exchange.statement.CLASSES
    Column("state", String, nullable=False),  # exchange.balance.MissingState
    Column("reason", Text, nullable=False),  # Chinese, of the last try to mend
    Column("found_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "day", "listed_id"),
    Index("ix_missing_exams_state", "state", "hospital_code", "day"),
)

balance_entries = Table(  # the chain of a hospital: closed days and their later amendments; never updated
    "balance_entries",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("sequence", Integer, nullable=False),  # 1, 2, 3 … within the hospital
    Column("day", String, nullable=False),
    Column("kind", String, nullable=False),  # exchange.balance.EntryKind: close | amend
    Column("made_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),  # zstd of the canonical JSON
    Column("leaves", LargeBinary, nullable=False),  # of the day's receipts, see exchange.receipt
    Column("previous", LargeBinary, nullable=False),  # digest of the entry before; 32 zeros for the first
    Column("digest", LargeBinary, nullable=False),  # SM3
    UniqueConstraint("hospital_code", "sequence"),
    Index("ix_balance_entries_day", "day", "hospital_code"),
)

hospital_queries = Table(  # a hospital's /exam/get, /report/get, /series/get
    "hospital_queries",
    metadata,
    Column("hospital_code", ForeignKey("hospitals.code"), primary_key=True),
    Column("url", String, nullable=False),
    Column("sm4", Boolean, nullable=False),  # the standard envelope with its key; else plain JSON (T100)
    Column("private", Boolean, nullable=False),  # may resolve to private, loopback or link-local addresses
    Column("nightly", String, nullable=False),  # HH:MM Beijing time; '' = not by itself
    Column("days", Integer, nullable=False),  # how many past days the nightly comparison covers
    Column("mend", Boolean, nullable=False),  # take what is missing by itself
    Column("destination", ForeignKey("work_destinations.name"), nullable=False),
    Column("asked_for", String, nullable=False),  # the last day the nightly comparison was asked for
    Column("created_at", BigInteger, nullable=False),
)

comparisons = Table(  # one comparison with a hospital's query service
    "comparisons",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("subject", String, nullable=False),  # exams | reports | series
    Column("start", String, nullable=False),  # yyyy-MM-dd HH:mm:ss; '' = by exam or patient
    Column("end", String, nullable=False),
    Column("named", String, nullable=False),  # what it was narrowed to, as name=value; '' = nothing
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("compared", Integer, nullable=False),
    Column("differing", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # Chinese, why it ended early
    Index("ix_comparisons_hospital", "hospital_code", "id"),
)

differences = Table(  # what a hospital's query service has that the gateway has not, or has otherwise
    "differences",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("kind", String, nullable=False),  # exchange.query.Kind
    Column("key", String, nullable=False),  # risStudyId, recordNum or series UID
    Column("study_uid", String, nullable=False),
    Column("fields", Text, nullable=False),  # JSON [{name, label, ours, theirs}]
    Column("record", LargeBinary, nullable=False),  # zstd of the hospital's record
    Column("state", String, nullable=False),  # exchange.query.State
    Column("reason", Text, nullable=False),  # Chinese, of the last try to mend
    Column("submission_id", BigInteger),  # that mended it
    Column("found_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "kind", "key"),
    Index("ix_differences_state", "state", "id"),
)
