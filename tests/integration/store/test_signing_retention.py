"""What signing keeps of what is over: the evidence of a signature, a line a day of the journal of time stamps."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import func, insert, select

from tests.helpers import pki
from yingqiao.gm import sm2, sm3
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.signing.applications import AppSettings
from yingqiao.signing.jobs import DataType, JobStatus, NewJob, open_job
from yingqiao.store import sign_jobs, tokens
from yingqiao.store.applications import AppRegistry
from yingqiao.store.database import Database
from yingqiao.store.schema import job_claims, timestamp_days, timestamp_tokens
from yingqiao.store.schema import sign_jobs as jobs_table
from yingqiao.store.signing.retention import DAY_MS, forget_tokens, reduce_jobs

NOW = 1_795_000_000_000
DOCTOR = pki.world().doctor
DATA = "患者张三，胸部 CT".encode()


@pytest.fixture
def apps(database: Database) -> AppRegistry:
    registry = AppRegistry(database, MasterKey(new_master_key()))
    registry.add("APP", "0123456789abcdef", settings=AppSettings())
    return registry


def add(database: Database, days: float, how: str, data: bytes = DATA, kind: DataType = DataType.DATA) -> str:
    """A job that ended so many days ago by `how`."""
    at = NOW - int(days * DAY_MS)
    asked = NewJob(
        "APP", "", "U7", "", "张三的报告", "胸部 CT", kind, data, 60, "", wants_picture=False, notes="备注"
    )
    job = open_job(asked, "", at)
    sign_jobs.open_job(database, job, hashlib.sha256(job.job_id.encode()).digest())
    if how == "signed":
        public = DOCTOR.private.public()
        e = data if kind is DataType.HASH else sm2.digest_for(public, data)
        signature = sm2.sign_digest(DOCTOR.private, e)
        sign_jobs.finish(database, job.job_id, signature, DOCTOR.certificate.raw, signer="U7", at=at)
    elif how == "refused":
        sign_jobs.refuse(database, job.job_id, "不是我的病人", signer="U7", at=at)
    elif how == "expired":
        sign_jobs.expire_due(database, at + 61 * 60_000)
    return job.job_id


def test_a_signed_job_keeps_what_proves_the_signature(database: Database, apps: AppRegistry):
    old, young = add(database, 100, "signed"), add(database, 10, "signed")
    digest = add(database, 100, "signed", sm3.digest(b"x"), DataType.HASH)
    before = sign_jobs.find(database, old)
    assert reduce_jobs(database, NOW - 90 * DAY_MS, batch=1) == (2, 0)
    assert reduce_jobs(database, NOW - 90 * DAY_MS) == (0, 0)
    kept = sign_jobs.find(database, old)
    assert before is not None
    assert kept is not None
    assert (kept.title, kept.description, kept.notes) == ("", "", "")
    assert (kept.signature, kept.certificate, kept.signer) == (before.signature, before.certificate, "U7")
    assert (kept.finished_at, kept.status, kept.result) == (before.finished_at, JobStatus.FINISH, True)
    public = DOCTOR.private.public()
    assert (kept.data_type, kept.data) == (DataType.HASH, sm2.digest_for(public, DATA))
    assert sm2.verify_digest(public, kept.data, kept.signature)
    again = sign_jobs.find(database, digest)
    assert again is not None
    assert again.data == sm3.digest(b"x")
    untouched = sign_jobs.find(database, young)
    assert untouched is not None
    assert untouched.data == DATA


def test_what_came_to_nothing_is_deleted_and_what_is_open_stays(database: Database, apps: AppRegistry):
    gone = [add(database, 100, how) for how in ("refused", "expired")]
    with database.write() as connection:
        _claim(connection, gone[0])
    recent, waiting = add(database, 5, "refused"), add(database, 0.01, "open")
    assert reduce_jobs(database, NOW - 90 * DAY_MS, batch=1) == (0, 2)
    assert [sign_jobs.find(database, one) for one in gone] == [None, None]
    assert sign_jobs.find(database, recent) is not None
    assert sign_jobs.find(database, waiting) is not None


def _claim(connection, job_id: str) -> None:
    """By a doctor who scanned it."""
    from sqlalchemy import text

    hospital = (
        "INSERT INTO hospitals (code, name, disabled, profile, created_at) VALUES ('H1', 'x', :no, '{}', 0)"
    )
    connection.execute(text(hospital), {"no": False})
    doctor = (
        "INSERT INTO doctors (id, hospital_code, name, department, title, identity_digest, mobile_digest, sealed,"
        " password, must_change, failures, disabled, created_at)"
        " VALUES (1, 'H1', 'x', '', '', :a, :b, :c, '', :no, 0, :no, 0)"
    )
    connection.execute(text(doctor), {"a": b"a", "b": b"b", "c": b"c", "no": False})
    connection.execute(insert(job_claims).values(job_id=job_id, doctor_id=1, at=0))


def test_a_certificate_that_cannot_be_read_keeps_the_data(database: Database, apps: AppRegistry):
    """What proves the signature must not go."""
    number = add(database, 100, "signed")
    with database.write() as connection:
        connection.execute(jobs_table.update().values(certificate=b"spoilt"))
    assert reduce_jobs(database, NOW - 90 * DAY_MS) == (1, 0)
    kept = sign_jobs.find(database, number)
    assert kept is not None
    assert (kept.data, kept.title) == (DATA, "")
    assert reduce_jobs(database, NOW - 90 * DAY_MS) == (0, 0)


def journal(
    database: Database, day: int, count: int, authority: int = 1, start: int = 0
) -> list[dict[str, object]]:
    rows = [
        {
            "serial": day * 1000 + start + number,
            "authority_id": authority,
            "app_id": "APP",
            "gen_time": day * DAY_MS + number,
            "imprint": sm3.digest(b"i%d" % number),
            "token_digest": sm3.digest(b"t%d" % number),
        }
        for number in range(count)
    ]
    with database.write() as connection:
        connection.execute(insert(timestamp_tokens), rows)
    return rows


def test_days_of_the_journal_become_lines(database: Database):
    rows = journal(database, 100, 7)
    journal(database, 100, 2, authority=2, start=500)
    journal(database, 101, 3)
    journal(database, 102, 2)
    assert forget_tokens(database, 102 * DAY_MS + 5, batch=3) == 12
    assert forget_tokens(database, 102 * DAY_MS + 5) == 0
    with database.read() as connection:
        lines = {(row.day, row.authority_id): row for row in connection.execute(select(timestamp_days))}
        assert connection.scalar(select(func.count()).select_from(timestamp_tokens)) == 2
    assert {key: line.tokens for key, line in lines.items()} == {(100, 1): 7, (100, 2): 2, (101, 1): 3}
    first = lines[100, 1]
    assert (first.first_serial, first.last_serial) == (100_000, 100_006)
    digest = b""
    for row in rows:
        line = b"".join(
            (
                int(row["serial"]).to_bytes(8, "big"),  # type: ignore[call-overload]
                int(row["gen_time"]).to_bytes(8, "big"),  # type: ignore[call-overload]
                row["imprint"],  # type: ignore[arg-type]
                row["token_digest"],  # type: ignore[arg-type]
            )
        )
        digest = sm3.digest(digest, line)
    assert bytes(first.digest) == digest


def test_the_latest_time_stamped_is_never_forgotten(database: Database):
    """The clock of the next start is held to it."""
    journal(database, 100, 5)
    before = tokens.latest_gen_time(database)
    assert forget_tokens(database, 400 * DAY_MS) == 4
    assert tokens.latest_gen_time(database) == before
