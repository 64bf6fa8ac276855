"""Applications, signing jobs and time stamps on both databases: durable, once, sealed (四(二)4)."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.signing import jobs, tsa
from yingqiao.signing.applications import AppSettings, CallbackHost
from yingqiao.signing.hmac_signature import Parameters
from yingqiao.signing.jobs import JobError, JobStatus
from yingqiao.store import sign_jobs, tokens
from yingqiao.store.applications import AppError, AppRegistry
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.schema import applications, timestamp_authorities, timestamp_tokens, work
from yingqiao.store.sign_jobs import ConflictError
from yingqiao.store.tokens import Issued, TokenJournal, TsaError

NOW = 1_766_000_000_000
KEY = MasterKey(new_master_key())


@pytest.fixture
def apps(database: Database) -> AppRegistry:
    registry = AppRegistry(database, KEY)
    registry.add("APP_X", "secret-of-x", settings=AppSettings())
    return registry


def new(trans_id: str = "", **more: str) -> jobs.Job:
    asked = {"appId": "APP_X", "dataType": "DATA", "algo": "SM3withSM2", "data": "QUJD", "transId": trans_id}
    return jobs.open_job(jobs.read_request(Parameters(asked | more), AppSettings()), "", NOW)


def works(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(work.c.key, work.c.destination))]


def test_secrets_are_sealed_and_rotated(database: Database, apps: AppRegistry):
    """No secret in the table; the one before counts until its time is over, and not afterwards."""
    times = [NOW]
    registry = AppRegistry(database, KEY, now_ms=lambda: times[0])
    registry.rotate("APP_X", "second-secret", 60)
    found = registry.get("APP_X")
    assert found is not None
    assert found.secrets == (b"second-secret", b"secret-of-x")
    assert b"secret" not in repr(found).encode()
    with database.read() as connection:
        row = connection.execute(select(applications)).one()
    assert all(b"secret-of" not in bytes(value) for value in (row.sealed, row.old_sealed))
    times[0] += 60_000
    found = registry.get("APP_X")
    assert found is not None
    assert found.secrets == (b"second-secret",)
    other = AppRegistry(database, MasterKey(new_master_key()))
    assert other.get("APP_X") is None


def test_the_registry(database: Database, apps: AppRegistry):
    """What another process changes is seen; what cannot be is refused in words."""
    other = AppRegistry(database, KEY)
    settings = AppSettings(callbacks=(CallbackHost("http://pacs:8080/", private=True),), dsvs_hmac="off")
    other.set_settings("APP_X", settings)
    other.set_disabled("APP_X", True)
    apps.reload()
    found = apps.get("APP_X")
    assert found is not None
    assert (found.disabled, found.settings) == (True, settings)
    for wrong in (
        lambda: apps.add("APP_X", "secret-of-y", settings=AppSettings()),
        lambda: apps.add("有 空格", "secret-of-y", settings=AppSettings()),
        lambda: apps.add("APP_Y", "short", settings=AppSettings()),
        lambda: apps.rotate("APP_Z", None, 0),
        lambda: apps.set_settings("APP_X", AppSettings(algorithms=("HmacSM3",))),
    ):
        with pytest.raises(AppError):
            wrong()
    assert [one.app_id for one in apps.list()] == ["APP_X"]


def test_a_trans_id_is_one_job(database: Database, apps: AppRegistry):
    """T129: at once from many sides, one job; another content is a conflict; without one, each is its own."""
    found: list[str] = []

    def ask() -> None:
        found.append(sign_jobs.open_job(database, new("T1"), b"same").job.job_id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    with pytest.raises(ConflictError):
        sign_jobs.open_job(database, new("T1"), b"other")
    assert not sign_jobs.open_job(database, new(), b"same").known
    assert not sign_jobs.open_job(database, new(), b"same").known


def test_a_job_and_its_callback(database: Database, apps: AppRegistry):
    """Kept as asked; signed once, and told once; of two that come together one is too late."""
    asked = new(callBackUrl="http://pacs:8080/done?x=1", userId="u1", notes="备注\u0001", title="题\n目")
    job = sign_jobs.open_job(database, asked, b"").job
    assert sign_jobs.find(database, job.job_id) == asked
    assert sign_jobs.by_ticket(database, job.ticket) == asked
    assert sign_jobs.jobs_of(database, "u1", NOW) == [asked]
    assert sign_jobs.jobs_of(database, "u2", NOW) == []
    outcomes: list[str] = []

    def sign(value: bytes) -> None:
        try:
            sign_jobs.finish(database, job.job_id, value, b"c", signer="u1", at=NOW + 1)
            outcomes.append("signed")
        except JobError:
            outcomes.append("late")

    threads = [threading.Thread(target=sign, args=(bytes([n]),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["late"] * 3 + ["signed"]
    assert works(database) == [(job.job_id, "coss/callback/http://pacs:8080")]
    assert [one.job_id for one in sign_jobs.jobs_of(database, "u1", NOW, status=JobStatus.FINISH)] == [
        job.job_id
    ]


def test_expiry_and_refusal(database: Database, apps: AppRegistry):
    """Written down by the timer, told like every end."""
    short = sign_jobs.open_job(database, new(expiryDate="1", callBackUrl="https://pacs/x"), b"").job
    long = sign_jobs.open_job(database, new(expiryDate="2", callBackUrl="https://pacs/x"), b"").job
    assert sign_jobs.expire_due(database, NOW + 59_999) == 0
    assert sign_jobs.expire_due(database, NOW + 60_000) == 1
    assert sign_jobs.expire_due(database, NOW + 60_001) == 0
    refused = sign_jobs.refuse(database, long.job_id, "不是本人的\0报告", signer="u", at=NOW + 60_001)
    assert (refused.result, sign_jobs.find(database, long.job_id)) == (False, refused)
    assert sign_jobs.expire_due(database, NOW + 10**9) == 0
    assert {key for key, _ in works(database)} == {short.job_id, long.job_id}
    with pytest.raises(JobError, match="没有"):
        sign_jobs.refuse(database, "SD_none", "", signer="u", at=NOW)


def test_serials_of_many_processes(database: Database):
    """GM/T 0033: no number twice, however many take blocks at once."""
    taken: list[int] = []

    def take() -> None:
        for _ in range(5):
            taken.extend(tokens.take_serials(database, 10))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == len(taken) == 200
    assert min(taken) == 1


def test_the_key_of_the_authority(database: Database):
    """Sealed at rest; made once; the newest is the one at work, the roots of all stay known."""
    key = tsa.make("影桥", datetime.now(UTC))
    assert tokens.authority(database, KEY) is None
    assert tokens.ensure_authority(database, KEY, lambda: key)
    assert not tokens.ensure_authority(database, KEY, lambda: key)
    found = tokens.authority(database, KEY)
    assert found is not None
    assert found.key.certificate == key.certificate
    assert found.key.chain == key.chain
    assert found.key.private.handle == key.private.handle
    with database.read() as connection:
        row = connection.execute(select(timestamp_authorities)).one()
    assert key.private.handle[-40:] not in bytes(row.sealed_key)
    with pytest.raises(TsaError):
        tokens.authority(database, MasterKey(new_master_key()))
    tokens.keep_authority(database, KEY, replace(key, chain=(), root_private=None), "imported")
    assert len(tokens.roots(database)) == len(tokens.stamping_certificates(database)) == 2


def test_the_journal(database: Database):
    """Done means committed; many together; after closing nothing is taken."""

    async def go() -> list[int]:
        journal = TokenJournal(database)
        journal.start()
        wanted = [Issued(journal.serial(), 1, "APP_X", NOW + n, b"i", b"t") for n in range(3000)]
        waiting = [journal.record(one) for one in wanted]
        await asyncio.gather(*waiting[:100])
        for one in wanted[:100]:
            assert tokens.issued(database, one.serial) == one
        await asyncio.gather(*waiting)
        numbers = [journal.serial() for _ in range(2000)]
        twice = journal.record(wanted[0])
        with pytest.raises(StoreUnavailable):
            await twice
        journal.close()
        with pytest.raises(StoreUnavailable):
            journal.record(wanted[0])
        return [one.serial for one in wanted] + numbers

    numbers = asyncio.run(go())
    assert len(set(numbers)) == len(numbers)
    assert tokens.latest_gen_time(database) == NOW + 2999
    with database.read() as connection:
        assert len(connection.execute(select(timestamp_tokens.c.serial)).all()) == 3000
