"""The jobs of a doctor: those addressed to the doctor's user id, and those addressed to nobody whose ticket the doctor
scanned first (T121).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import Job, JobError, JobStatus
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.store.schema import applications, job_claims
from yingqiao.store.signing.doctors import Doctor
from yingqiao.store.signing.visits import Visitor, signer_of

MOST_LISTED = 200
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class ShownJob:
    """`size` of the data in bytes; in lists the job comes without it."""

    job: Job
    app_name: str
    size: int


@dataclass(frozen=True, slots=True)
class FoundJob:
    """With the doctor who claimed it by its ticket."""

    job: Job
    claimed_by: int | None


class PhoneJobs:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    def by_ticket(self, ticket: str, visitor: Visitor | None = None) -> ShownJob:
        """The job of a scanned code; for a visitor it becomes theirs when it is addressed to nobody."""
        job = sign_jobs.by_ticket(self._database, ticket)
        if job is None:
            raise SigningRefused("ticket", "没有这个签名二维码，或它已失效")
        if visitor is not None:
            self.claim(visitor.doctor, FoundJob(job, self._claimed_by(job)))
        return self.shown(job)

    def find_theirs(self, visitor: Visitor, job_id: str) -> FoundJob:
        """A job of this doctor's; others' answer as if there were none."""
        with self._database.read() as connection:
            return self.find_theirs_in(connection, visitor, job_id)

    @staticmethod
    def find_theirs_in(connection: Connection, visitor: Visitor, job_id: str) -> FoundJob:
        """As `find_theirs`, in the caller's transaction."""
        found = sign_jobs.find_claimed(connection, job_id)
        if found is None or not _is_theirs(visitor.doctor, *found):
            raise SigningRefused("no-job", "没有这个签名任务")
        return FoundJob(*found)

    def refuse_over(self, job: Job) -> None:
        """Raises SigningRefused unless it may still be signed."""
        status = job.status_at(self._now_ms())
        if status is JobStatus.EXPIRE:
            raise SigningRefused("job-expired", "签名任务已过期")
        if status is JobStatus.FINISH:
            raise SigningRefused("job-over", "签名任务已处理")

    def shown(self, job: Job) -> ShownJob:
        return ShownJob(job, self._names().get(job.app_id, job.app_id), len(job.data))

    def listed(
        self, visitor: Visitor, *, search: str = "", status: JobStatus = JobStatus.UNSIGN
    ) -> list[ShownJob]:
        """Newest first, at most `MOST_LISTED`; `search` in title, description and application."""
        doctor, names = visitor.doctor, self._names()
        found = sign_jobs.briefs_of(
            self._database,
            signer_of(doctor),
            doctor.id,
            self._now_ms(),
            status=status,
            limit=MOST_LISTED,
        )
        shown = [
            ShownJob(job, names.get(job.app_id, job.app_id), size)
            for job, size in found
            if not job.for_user or _is_in_reach(doctor, job)
        ]
        wanted = search.strip().lower()
        return [one for one in shown if wanted in _text_of(one)] if wanted else shown

    def refuse(self, visitor: Visitor, job_id: str, reason: str) -> None:
        """拒签, with its reason."""
        reason = reason.strip()
        if not reason or len(reason) > MAX_REASON:
            raise SigningRefused("reason", f"拒签须写明原因，至多 {MAX_REASON} 个字")
        self.claim(visitor.doctor, self.find_theirs(visitor, job_id))
        try:
            sign_jobs.refuse(self._database, job_id, reason, signer=visitor.signer, at=self._now_ms())
        except JobError as error:
            raise SigningRefused("job-over", str(error)) from error

    def claim(self, doctor: Doctor, found: FoundJob) -> None:
        """Who scans first has it; to be known by a signDataId takes the ticket (or the PACS)."""
        job, claimed_by = found.job, found.claimed_by
        if job.for_user:
            if not _is_theirs(doctor, job, None):
                raise SigningRefused("not-yours", "签名任务指定了其他签名人")
            return
        if claimed_by is None:
            claimed_by = self._claim(doctor, job)
        if claimed_by != doctor.id:
            raise SigningRefused("not-yours", "签名任务已由另一位医师扫码领取")

    def _claim(self, doctor: Doctor, job: Job) -> int | None:
        """Whose it is now: another's, if that one was first."""
        row = {"job_id": job.job_id, "doctor_id": doctor.id, "at": self._now_ms()}
        try:
            with self._database.write() as connection:
                connection.execute(insert(job_claims).values(row))
        except IntegrityError:  # someone scanned it at the same moment
            return self._claimed_by(job)
        return doctor.id

    def _claimed_by(self, job: Job) -> int | None:
        of_job = select(job_claims.c.doctor_id).where(job_claims.c.job_id == job.job_id)
        with self._database.read() as connection:
            found: int | None = connection.scalar(of_job)
        return found

    def _names(self) -> Mapping[str, str]:
        with self._database.read() as connection:
            rows = connection.execute(select(applications.c.app_id, applications.c.name)).all()
        return {row.app_id: row.name or row.app_id for row in rows}


def _is_theirs(doctor: Doctor, job: Job, claimed_by: int | None) -> bool:
    if job.for_user:
        return job.for_user == signer_of(doctor) and _is_in_reach(doctor, job)
    return claimed_by in (None, doctor.id)


def _is_in_reach(doctor: Doctor, job: Job) -> bool:
    """User ids are a hospital's own: U7 of another hospital is somebody else."""
    return job.hospital_code in ("", doctor.hospital_code)


def _text_of(shown: ShownJob) -> str:
    return "\n".join((shown.job.title, shown.job.description, shown.app_name)).lower()
