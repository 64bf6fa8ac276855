"""The ledger as it can be read: what came, what was answered, why it was refused."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from yingqiao.exchange.model import BodyKind, Outcome
from yingqiao.store.compression import decompress
from yingqiao.store.queries.common import (
    Page,
    Range,
    as_struct,
    equal,
    findings_of,
    page_of,
    received_within,
    record_of,
)
from yingqiao.store.schema import submissions


class SubmissionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission must be; None = any."""

    hospital_code: str | None = None
    interface: str | None = None
    outcome: Outcome | None = None
    exam_key: str | None = None
    """risStudyId."""
    report_key: str | None = None
    """recordNum."""
    replay_of: int | None = None
    received: Range | None = None
    """Unix ms."""
    before: int | None = None
    """Ids below this one: where the next page begins, whatever has come meanwhile."""


class SubmissionSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: int
    hospital_code: str
    interface: str
    received_at: int
    peer: str
    outcome: str
    exam_key: str
    report_key: str
    last_change_time: str
    message: str
    finding_count: int
    body_kind: str
    edition: str
    replay_of: int | None


class SubmissionDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    submission: SubmissionSummary
    findings: tuple[dict[str, Any], ...]
    digest: str
    """SHA-256 of the body as received, hex."""
    values: dict[str, Any]
    """The record; {} when the envelope could not be opened."""
    body: str
    """What is kept, as text; for an envelope that could not be opened the request as received."""


_LISTED = [c for c in submissions.c if c.name not in ("body", "digest")]


def list_submissions(
    connection: Connection,
    wanted: SubmissionFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[SubmissionSummary]:
    """Submissions that fit, newest first. Raises ValueError for a limit out of range."""
    wanted = wanted or SubmissionFilter()
    names = "hospital_code interface exam_key report_key replay_of"
    conditions = equal(submissions, {name: getattr(wanted, name) for name in names.split()})
    if wanted.outcome is not None:
        conditions.append(submissions.c.outcome == str(wanted.outcome))
    if wanted.before is not None:
        conditions.append(submissions.c.id < wanted.before)
    conditions += received_within(connection, submissions, "received_at", wanted.received)
    statement = select(*_LISTED).where(*conditions).order_by(submissions.c.id.desc())
    return page_of(connection, statement, _summary, limit, offset, with_total)


def show_submission(connection: Connection, submission_id: int) -> SubmissionDetail | None:
    """One submission with findings and body; None when there is none. Raises StoredBodyBroken."""
    row = connection.execute(select(submissions).where(submissions.c.id == submission_id)).first()
    if row is None:
        return None
    return SubmissionDetail(
        submission=_summary(row),
        findings=findings_of(row.findings),
        digest=row.digest.hex(),
        values=record_of(row.body) if row.body_kind == BodyKind.RECORD else {},
        body=decompress(row.body).decode("utf-8", "replace"),
    )


def _summary(row: Row[Any]) -> SubmissionSummary:
    return as_struct(SubmissionSummary, row, finding_count=len(findings_of(row.findings)))
