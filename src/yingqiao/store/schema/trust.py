"""Whom signatures are trusted by, revocation lists, and what became of the signatures that reports carry."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yingqiao.store.schema.base import metadata, row_id

trust_certificates = Table(  # what an operator trusts; removing a row ends the trust
    "trust_certificates",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("role", String, nullable=False),  # signing.trust.Role
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of raw
    Column("raw", LargeBinary, nullable=False),  # DER
    Column("subject", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    UniqueConstraint("role", "digest"),
)

trust_lists = Table(  # revocation lists: one a source; `raw` is the newest that could be used
    "trust_lists",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("certificate_id", ForeignKey("trust_certificates.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),  # '' = given as a file
    Column("raw", LargeBinary),  # DER, NULL = none came yet
    Column("this_update", BigInteger),
    Column("next_update", BigInteger),
    Column("fetched_at", BigInteger),
    Column("due_at", BigInteger),  # when to fetch next; NULL = never (a file)
    Column("error", Text, nullable=False),  # why the last try brought nothing; '' = it did
    UniqueConstraint("certificate_id", "url"),
    Index("ix_trust_lists_due", "due_at"),
)

trust_changes = Table(  # one row, counted up with every change: readers in other processes notice
    "trust_changes",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)

report_signatures = Table(  # the verification of an audited report version's signature
    "report_signatures",
    metadata,
    Column("submission_id", row_id, primary_key=True, autoincrement=False),
    Column("hospital_code", String, nullable=False),
    Column("record_num", String, nullable=False),
    Column("state", String, nullable=False),  # due | done
    Column(
        "indication", String, nullable=False
    ),  # passed | failed | unknown; '' while due for the first time
    Column("step", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("words", Text, nullable=False),  # Chinese, one line
    Column("details", Text),  # JSON
    Column("verified_at", BigInteger),
    Index("ix_report_signatures_state", "state", "submission_id"),
    Index("ix_report_signatures_report", "hospital_code", "record_num"),
    Index("ix_report_signatures_indication", "indication", "submission_id"),
)
