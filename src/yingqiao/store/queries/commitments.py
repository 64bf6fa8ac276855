"""Storage commitment requests as they can be read: who asked for what, how it was judged, whether it was told."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, select

from yingqiao.exchange.commitment import FAILURE_NAMES
from yingqiao.store.commitments import IsKept, judge_request, read_request
from yingqiao.store.queries.common import Page, Range, as_struct, equal, page_of, received_within
from yingqiao.store.schema import commitments

FAILURES_AT_MOST = 1_000


class CommitmentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a request must be; None = any."""

    hospital_code: str | None = None
    requester_aet: str | None = None
    transaction_uid: str | None = None
    told: bool | None = None
    """False: the requester has not been told the result yet."""
    failed: bool | None = None
    """True: instances were not committed, by the last judgement."""
    received: Range | None = None


class CommitmentSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: int
    transaction_uid: str
    hospital_code: str
    """'' = the requester is in no list of sources."""
    requester_aet: str
    called_aet: str
    peer: str
    received_at: int
    reference_count: int
    failed_count: int | None
    """None: not judged yet."""
    judged_at: int | None
    notified_at: int | None
    """None: the requester has not confirmed the report."""
    attempts: int
    reason: str
    """Why the last try to tell did not succeed."""


class FailureShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sop_class_uid: str
    sop_instance_uid: str
    reason: int
    """Failure Reason (0008,1197)."""
    reason_name: str


class CommitmentDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    commitment: CommitmentSummary
    committed_count: int
    """By what is kept now, as are the failures."""
    failures: tuple[FailureShown, ...]
    """At most FAILURES_AT_MOST."""
    failure_count: int


_LISTED = [c for c in commitments.c if c.name != "referenced"]


def list_commitments(
    connection: Connection,
    wanted: CommitmentFilter | None = None,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[CommitmentSummary]:
    """Requests that fit, newest first. Raises ValueError for a limit out of range."""
    wanted = wanted or CommitmentFilter()
    c = commitments.c
    names = "hospital_code requester_aet transaction_uid"
    conditions: list[ColumnElement[bool]] = equal(
        commitments, {name: getattr(wanted, name) for name in names.split()}
    )
    if wanted.told is not None:
        conditions.append(c.notified_at.is_not(None) if wanted.told else c.notified_at.is_(None))
    if wanted.failed is not None:
        conditions.append(c.failed_count > 0 if wanted.failed else c.failed_count == 0)
    conditions += received_within(connection, commitments, "received_at", wanted.received)
    statement = select(*_LISTED).where(*conditions).order_by(c.id.desc())
    return page_of(connection, statement, _summary, limit, offset, with_total)


def show_commitment(connection: Connection, number: int, is_kept: IsKept) -> CommitmentDetail | None:
    """One request, judged by what is kept now; None when there is none. Raises StoredBodyBroken."""
    row = connection.execute(select(*_LISTED).where(commitments.c.id == number)).first()
    request = read_request(connection, number)
    if row is None or request is None:
        return None
    verdict = judge_request(connection, request.asked, is_kept)
    return CommitmentDetail(
        commitment=_summary(row),
        committed_count=len(verdict.committed),
        failures=tuple(
            FailureShown(
                sop_class_uid=one.reference.sop_class_uid,
                sop_instance_uid=one.reference.sop_instance_uid,
                reason=int(one.reason),
                reason_name=FAILURE_NAMES[one.reason],
            )
            for one in verdict.failed[:FAILURES_AT_MOST]
        ),
        failure_count=len(verdict.failed),
    )


def _summary(row: Row[Any]) -> CommitmentSummary:
    return as_struct(CommitmentSummary, row)
