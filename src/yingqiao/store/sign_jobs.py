"""Signing jobs kept: durable before anyone hears of them; each end asks for its callback in the same transaction.

For the phone: `by_ticket`, `open_job`, `jobs_of`, `finish`, `refuse`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.exchange.callbacks import callback_address
from yingqiao.exchange.work import NewWork
from yingqiao.signing import jobs
from yingqiao.signing.jobs import DataType, Job, JobStatus
from yingqiao.store.database import Database
from yingqiao.store.schema import job_claims, sign_jobs
from yingqiao.store.text import storable
from yingqiao.store.work import ledger

CALLBACK = "sign-callback"
NO_HOSPITAL = "coss"
"""In whose name the work of applications of no hospital is done."""
_EXPIRED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Opened:
    """A job added; `known` when the same transId had asked for the same before."""

    job: Job
    known: bool


class ConflictError(Exception):
    """The transId stands for another job already."""


def open_job(database: Database, job: Job, request_digest: bytes) -> Opened:
    """Keep a new job, durably when this returns; with a transId known already, the job it made.

    Raises ConflictError, StoreUnavailable.
    """
    row = _row(job) | {"request_digest": request_digest}
    for _ in range(2):
        if job.trans_id:
            with database.read() as connection:
                before = _by_trans_id(connection, job)
            if before is not None:
                if before.request_digest != request_digest:
                    raise ConflictError
                return Opened(_job(before), known=True)
        try:
            with database.write() as connection:
                connection.execute(insert(sign_jobs).values(row))
        except IntegrityError:
            if not job.trans_id:
                raise
            continue  # another request with the same transId came first
        return Opened(job, known=False)
    raise ConflictError


def _by_trans_id(connection: Connection, job: Job) -> Row[Any] | None:
    mine = (sign_jobs.c.app_id == job.app_id, sign_jobs.c.trans_id == storable(job.trans_id))
    return connection.execute(select(sign_jobs).where(*mine)).first()


def find(database: Database, job_id: str) -> Job | None:
    """The job of a signDataId. Raises StoreUnavailable."""
    with database.read() as connection:
        row = connection.execute(_FIND, {"job": job_id}).first()
    return None if row is None else _job(row)


def find_claimed(connection: Connection, job_id: str) -> tuple[Job, int | None] | None:
    """The job of a signDataId, and the doctor who claimed it by its ticket."""
    row = connection.execute(_FIND_CLAIMED, {"job": job_id}).first()
    return None if row is None else (_job(row), row.claimed_by)


def by_ticket(database: Database, ticket: str) -> Job | None:
    """The job of a QR code's ticket. Raises StoreUnavailable."""
    with database.read() as connection:
        row = connection.execute(select(sign_jobs).where(sign_jobs.c.ticket == ticket)).first()
    return None if row is None else _job(row)


def jobs_of(
    database: Database, user_id: str, now: int, *, status: JobStatus = JobStatus.UNSIGN, limit: int = 200
) -> list[Job]:
    """Jobs for this user, newest first: those waiting for a signature, or over by `status`. Raises StoreUnavailable."""
    c = sign_jobs.c
    theirs = or_(c.authorized_user_id == user_id, (c.authorized_user_id == "") & (c.user_id == user_id))
    if status is not JobStatus.UNSIGN:
        theirs = or_(theirs, c.signer == user_id)
    wanted = select(sign_jobs).where(theirs, c.status == str(status)).order_by(c.id.desc()).limit(limit)
    if status is JobStatus.UNSIGN:
        wanted = wanted.where(c.expires_at > now)
    with database.read() as connection:
        return [_job(row) for row in connection.execute(wanted)]


def briefs_of(
    database: Database,
    user_id: str,
    claimed_by: int,
    now: int,
    *,
    status: JobStatus = JobStatus.UNSIGN,
    limit: int = 200,
) -> list[tuple[Job, int]]:
    """As `jobs_of`, with those a doctor claimed by their tickets; without data, but its size in bytes: many jobs may
    hold a megabyte each. Raises StoreUnavailable.
    """
    c = sign_jobs.c
    claimed = select(job_claims.c.job_id).where(job_claims.c.doctor_id == claimed_by)
    named = or_(c.authorized_user_id == user_id, (c.authorized_user_id == "") & (c.user_id == user_id))
    theirs = or_(named, c.job_id.in_(claimed))
    columns: list[Any] = [column for column in c if column.name != "data"]
    columns.append(func.length(c.data).label("size"))
    wanted = select(*columns).where(theirs, c.status == str(status)).order_by(c.id.desc()).limit(limit)
    if status is JobStatus.UNSIGN:
        wanted = wanted.where(c.expires_at > now)
    with database.read() as connection:
        return [(_job(row, data=b""), row.size) for row in connection.execute(wanted)]


def finish(
    database: Database, job_id: str, signature: bytes, certificate: bytes, *, signer: str, at: int
) -> Job:
    """The job signed, both in DER, verified by the caller. Raises JobError, StoreUnavailable."""
    return _step(database, job_id, lambda job: jobs.finish(job, signature, certificate, signer, at), at)


def finish_in(
    connection: Connection, before: Job, signature: bytes, certificate: bytes, *, signer: str, at: int
) -> Job:
    """As `finish`, of the job as just read, in the caller's transaction. Raises JobError, also when another was first."""
    after = jobs.finish(before, signature, certificate, signer, at)
    if after != before and not _change(connection, before, after, at):
        raise jobs.JobError("签名任务已处理")
    return after


def refuse(database: Database, job_id: str, reason: str, *, signer: str, at: int) -> Job:
    """The job refused. Raises JobError, StoreUnavailable."""
    return _step(database, job_id, lambda job: jobs.refuse(job, storable(reason), signer, at), at)


def expire_due(database: Database, now: int) -> int:
    """Write down what is over by time, and ask for its callbacks; how many. Raises StoreUnavailable."""
    c = sign_jobs.c
    due = select(sign_jobs).where(c.status == str(JobStatus.UNSIGN), c.expires_at <= now)
    with database.read() as connection:
        found = [_job(row) for row in connection.execute(due.limit(_EXPIRED_AT_ONCE))]
    if not found:
        return 0
    with database.write() as connection:
        return sum(_change(connection, job, jobs.expire(job, now), now) for job in found)


def _step(database: Database, job_id: str, step: Callable[[Job], Job], at: int) -> Job:
    while True:
        before = find(database, job_id)
        if before is None:
            raise jobs.JobError("没有这个签名任务")
        after = step(before)
        if after == before:
            return after
        with database.write() as connection:
            if _change(connection, before, after, at):
                return after


def _change(connection: Connection, before: Job, after: Job, now: int) -> bool:
    """False when someone else was first."""
    given = {
        "of_job": before.job_id,
        "read_status": str(before.status),
        "status": str(after.status),
        "result": after.result,
        "signature": after.signature,
        "certificate": after.certificate,
        "signer": after.signer,
        "reason": after.reason,
        "finished_at": after.finished_at,
    }
    if not connection.execute(_CHANGE, given).rowcount:
        return False
    if after.callback_url:
        ledger.add(connection, [callback_of(after)], now_ms=now)
    return True


def callback_of(job: Job) -> NewWork:
    """The work of telling the job's end. Each host called has a line of its own: windows of fetching are not its."""
    hospital = job.hospital_code or NO_HOSPITAL
    line = f"{hospital}/callback/{callback_address(job.callback_url).origin}"
    return NewWork(CALLBACK, job.job_id, hospital, line)


def _row(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "app_id": job.app_id,
        "hospital_code": job.hospital_code,
        "trans_id": storable(job.trans_id) or None,
        "user_id": job.user_id,
        "authorized_user_id": job.authorized_user_id,
        "title": storable(job.title),
        "description": storable(job.description),
        "data_type": str(job.data_type),
        "data": job.data,
        "notes": job.notes,
        "callback_url": job.callback_url,
        "ticket": job.ticket,
        "status": str(job.status),
        "result": job.result,
        "signature": job.signature,
        "certificate": job.certificate,
        "signer": job.signer,
        "reason": job.reason,
        "created_at": job.created_at,
        "expires_at": job.expires_at,
        "finished_at": job.finished_at,
    }


def _job(row: Row[Any], **more: bytes) -> Job:
    found = dict(row._mapping) | more  # noqa: SLF001 SQLAlchemy's documented way
    for name in ("id", "request_digest", "size", "reduced_at", "claimed_by"):
        found.pop(name, None)
    found["trans_id"] = found["trans_id"] or ""
    found["data_type"], found["status"] = DataType(found["data_type"]), JobStatus(found["status"])
    for name in ("data", "signature", "certificate"):
        found[name] = bytes(found[name])
    return Job(**found)


def shown(found: Sequence[Job]) -> list[dict[str, Any]]:
    """Jobs as lists show them: neither data nor ticket."""
    names = ("job_id", "app_id", "data_type", "status", "result", "created_at", "expires_at", "finished_at")
    return [{name: getattr(job, name) for name in names} for job in found]


_FIND = select(sign_jobs).where(sign_jobs.c.job_id == bindparam("job"))
_FIND_CLAIMED = (
    select(sign_jobs, job_claims.c.doctor_id.label("claimed_by"))
    .outerjoin(job_claims, job_claims.c.job_id == sign_jobs.c.job_id)
    .where(sign_jobs.c.job_id == bindparam("job"))
)
_CHANGE = update(sign_jobs).where(
    sign_jobs.c.job_id == bindparam("of_job"), sign_jobs.c.status == bindparam("read_status")
)
