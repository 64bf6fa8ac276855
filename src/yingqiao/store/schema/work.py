"""What has to be done, and whom it goes to."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from yingqiao.store.schema.base import metadata, row_id

work = Table(  # what has to be done: one row per list, exam, document or batch, never per instance
    "work",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
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
