"""Signing services: applications, signing jobs, the time stamping authority and its journal."""

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

applications = Table(  # programs that call coss and dsvs
    "applications",
    metadata,
    Column("app_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("hospital_code", String, nullable=False),  # '' = of none in particular
    Column("disabled", Boolean, nullable=False),
    Column("settings", Text, nullable=False),  # JSON: signing.applications.AppSettings
    Column("sealed", LargeBinary, nullable=False),  # the secure code under the master key
    Column("old_sealed", LargeBinary),  # the one before, accepted until `old_until`
    Column("old_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

sign_jobs = Table(  # addSignJob: what shall be signed, and what became of it
    "sign_jobs",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("job_id", String, nullable=False, unique=True),  # signDataId
    Column("app_id", ForeignKey("applications.app_id"), nullable=False),
    Column("hospital_code", String, nullable=False),
    Column("trans_id", String),  # the caller's; the same again is the same job
    Column("request_digest", LargeBinary, nullable=False),  # SHA-256 of what was asked under trans_id
    Column("user_id", String, nullable=False),
    Column("authorized_user_id", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("data_type", String, nullable=False),  # DATA | HASH | WEB_SEAL
    Column("data", LargeBinary, nullable=False),
    Column("notes", Text, nullable=False),
    Column("callback_url", Text, nullable=False),
    Column("ticket", String, nullable=False, unique=True),  # of the QR code
    Column("status", String, nullable=False),  # UNSIGN | FINISH | EXPIRE
    Column("result", Boolean),
    Column("signature", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("signer", String, nullable=False),  # msspId
    Column("reason", Text, nullable=False),  # of a refusal
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("reduced_at", BigInteger),  # when all but the evidence went: data is then e, data_type HASH
    UniqueConstraint("app_id", "trans_id"),
    Index(
        "ix_sign_jobs_open",
        "expires_at",
        sqlite_where=text("status = 'UNSIGN'"),
        postgresql_where=text("status = 'UNSIGN'"),
    ),
    Index(
        "ix_sign_jobs_over",
        "finished_at",
        sqlite_where=text("status <> 'UNSIGN' AND reduced_at IS NULL"),
        postgresql_where=text("status <> 'UNSIGN' AND reduced_at IS NULL"),
    ),
    Index("ix_sign_jobs_user", "user_id", "status", "id"),
    Index("ix_sign_jobs_authorized", "authorized_user_id", "status", "id"),
)

timestamp_authorities = Table(  # the gateway's own; the newest is the one at work
    "timestamp_authorities",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("origin", String, nullable=False),  # built-in | imported
    Column("certificate", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),  # DER after DER, the root last
    Column("sealed_key", LargeBinary, nullable=False),  # PKCS#8 under the master key
    Column("sealed_root_key", LargeBinary),  # likewise, where the root is ours
    Column("created_at", BigInteger, nullable=False),
)

timestamp_serials = Table(  # one row: the first number nobody has taken; processes take blocks of them
    "timestamp_serials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)

timestamp_tokens = Table(  # every time stamp issued, written before it is handed out
    "timestamp_tokens",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("authority_id", BigInteger, nullable=False),
    Column("app_id", String, nullable=False),
    Column("gen_time", BigInteger, nullable=False),  # Unix ms
    Column("imprint", LargeBinary, nullable=False),  # SM3 of the original
    Column("token_digest", LargeBinary, nullable=False),  # SM3 of the token
    Index("ix_timestamp_tokens_gen_time", "gen_time"),
)

timestamp_days = Table(  # what is left of the journal of days long ago, see store/signing/retention
    "timestamp_days",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),  # days since 1970, UTC
    Column("authority_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tokens", BigInteger, nullable=False),  # how many
    Column("first_serial", BigInteger, nullable=False),
    Column("last_serial", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SM3 chain over the rows that went
)
