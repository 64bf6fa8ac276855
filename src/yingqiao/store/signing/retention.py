"""What signing keeps of what is over: evidence, not contents.

A job that was signed keeps its signature, certificate, signer, times and e, the digest that was signed: enough to prove the
signature over the original wherever that is kept. One that came to nothing is deleted. Of time stamps issued long ago a
line a day and authority remains: how many, which serial numbers, and the digest over what the journal said of each.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from yingqiao.gm import certificates, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.sm2_keys import PublicKey
from yingqiao.signing.jobs import DataType, Job, JobStatus
from yingqiao.signing.phone import digest_of
from yingqiao.store import sign_jobs as kept
from yingqiao.store.database import Database
from yingqiao.store.schema import (
    cooperative_attempts,
    job_claims,
    sign_jobs,
    timestamp_days,
    timestamp_tokens,
)

BATCH = 500
"""Rows of one short transaction: nobody waits long to write."""
DAY_MS = 86_400_000
_ATTEMPTS_KEPT_MS = 7 * DAY_MS
"""Longer than any job lives (three days): what is forgotten could be answered no more."""
_log = structlog.get_logger(__name__)
_j, _t, _d = sign_jobs.c, timestamp_tokens.c, timestamp_days.c


def reduce_jobs(database: Database, before_ms: int, *, batch: int = BATCH) -> tuple[int, int]:
    """Jobs that ended before `before_ms` (Unix ms): how many were reduced, how many deleted. Raises StoreUnavailable."""
    reduced = deleted = 0
    over = (_j.status != str(JobStatus.UNSIGN)) & (_j.finished_at < before_ms)
    while True:
        with database.read() as connection:
            wanted = select(_j.job_id).where(over, _j.result.is_not(True)).limit(batch)
            empty = list(connection.scalars(wanted))
        if not empty:
            break
        with database.write() as connection:
            connection.execute(delete(job_claims).where(job_claims.c.job_id.in_(empty)))
            deleted += connection.execute(delete(sign_jobs).where(_j.job_id.in_(empty), over)).rowcount
    while True:
        with database.read() as connection:
            wanted = select(_j.job_id).where(over, _j.result.is_(True), _j.reduced_at.is_(None)).limit(batch)
            signed = list(connection.scalars(wanted))
        if not signed:
            return reduced, deleted
        for job_id in signed:
            reduced += _reduce(database, job_id, before_ms)


def _reduce(database: Database, job_id: str, at: int) -> int:
    job = kept.find(database, job_id)
    if job is None:
        return 0
    values: dict[str, Any] = {"title": "", "description": "", "notes": "", "reduced_at": at}
    try:
        values |= {"data": _digest(job), "data_type": str(DataType.HASH)}
    except GmError as error:  # what proves the signature must not go: the data stays
        _log.error("coss.not_reduced", job=job_id, reason=error.code)
    with database.write() as connection:
        where = (_j.job_id == job_id) & _j.reduced_at.is_(None)
        return connection.execute(update(sign_jobs).where(where).values(values)).rowcount


def _digest(job: Job) -> bytes:
    """e under the key that signed. Raises GmError."""
    return digest_of(job, PublicKey.from_point(certificates.parse(job.certificate).key.point))


def forget_attempts(database: Database, now_ms: int) -> int:
    """What counted attempts at jobs that ended by themselves long ago; how many. Raises StoreUnavailable."""
    old = cooperative_attempts.c.at < now_ms - _ATTEMPTS_KEPT_MS
    with database.write() as connection:
        return connection.execute(delete(cooperative_attempts).where(old)).rowcount


def forget_tokens(database: Database, before_ms: int, *, batch: int = BATCH) -> int:
    """Journal rows of whole days (UTC) before `before_ms` become lines of timestamp_days; how many rows went.

    The latest of all stays: the clock of the next start is held to it. Raises StoreUnavailable.
    """
    gone = 0
    end = before_ms - before_ms % DAY_MS
    while True:
        with database.write() as connection:
            count = _forget_some(connection, end, batch)
        if not count:
            return gone
        gone += count


def _forget_some(connection: Connection, end: int, batch: int) -> int:
    """Of one day and authority, in the order of serial numbers."""
    latest = select(func.max(_t.gen_time)).scalar_subquery()
    old = (_t.gen_time < end) & (_t.gen_time < latest)
    first = connection.execute(
        select(_t.gen_time, _t.authority_id).where(old).order_by(_t.gen_time).limit(1)
    ).first()
    if first is None:
        return 0
    day = first.gen_time // DAY_MS
    inside = old & (_t.gen_time < (day + 1) * DAY_MS) & (_t.authority_id == first.authority_id)
    rows = connection.execute(select(timestamp_tokens).where(inside).order_by(_t.serial).limit(batch)).all()
    mine = (_d.day == day) & (_d.authority_id == first.authority_id)
    known = connection.execute(select(timestamp_days).where(mine)).first()
    digest = b"" if known is None else bytes(known.digest)
    for row in rows:
        digest = sm3.digest(digest, _line(row))
    values = {
        "tokens": len(rows) + (0 if known is None else known.tokens),
        "first_serial": min([row.serial for row in rows] + ([] if known is None else [known.first_serial])),
        "last_serial": max([row.serial for row in rows] + ([] if known is None else [known.last_serial])),
        "digest": digest,
    }
    if known is None:
        key = {"day": day, "authority_id": first.authority_id}
        connection.execute(insert(timestamp_days).values(values | key))
    else:
        connection.execute(update(timestamp_days).where(mine).values(values))
    connection.execute(delete(timestamp_tokens).where(_t.serial.in_([row.serial for row in rows])))
    return len(rows)


def _line(row: Any) -> bytes:
    """What the chain of a day is over, a row: serial and time (8 bytes each), imprint, digest of the token."""
    return b"".join(
        (
            row.serial.to_bytes(8, "big"),
            row.gen_time.to_bytes(8, "big"),
            bytes(row.imprint),
            bytes(row.token_digest),
        )
    )
