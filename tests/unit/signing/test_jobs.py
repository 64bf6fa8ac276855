"""Signing jobs: what addSignJob may ask, and every way a job ends (四(二)4(1), (2), T121–T125)."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.signing import jobs, qr
from yingqiao.signing.applications import AppSettings
from yingqiao.signing.hmac_signature import Parameters, sign
from yingqiao.signing.jobs import DataType, Job, JobError, JobStatus

NOW = 1_766_000_000_000
ASKED = {"appId": "APP_X", "dataType": "DATA", "algo": "SM3withSM2", "data": "QUJD"}


def asked(**more: str) -> jobs.NewJob:
    return jobs.read_request(Parameters(ASKED | more), AppSettings())


def opened(**more: str) -> Job:
    return jobs.open_job(asked(**more), "H1", NOW)


def test_defaults():
    """T122: a day; nobody in particular; no picture."""
    job = asked()
    assert (job.minutes, job.wants_picture, job.data, job.data_type) == (1440, False, b"ABC", DataType.DATA)


def test_names_in_either_case():
    """T116: the tables' Title, Data, Algo and the samples' lower case alike."""
    found = jobs.read_request(
        Parameters({"appId": "A", "DataType": "data", "Algo": "sm3WITHsm2", "Data": "QUJD", "Title": "题"}),
        AppSettings(),
    )
    assert (found.title, found.data) == ("题", b"ABC")


@pytest.mark.parametrize("minutes", ["1", "4320", "0060"])
def test_minutes(minutes: str):
    assert asked(expiryDate=minutes).minutes == int(minutes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("expiryDate", text) for text in ("0", "4321", "-1", "1.5", "2026-01-01", "１２", "9" * 30)),
        *(("data", text) for text in ("", "QUJD!", "QU JD", "QUJ", "A", "=", "é")),
        ("title", "x" * 101),
        ("description", "x" * 4097),
        ("requireQrCode", "X"),
        ("dataType", "PDF"),
        ("algo", "SM2"),
        ("userId", "x" * 129),
        ("notes", "a\0b"),
    ],
)
def test_what_is_refused(name: str, value: str):
    with pytest.raises(JobError, match=name):
        asked(**{name: value})


def test_edges_of_length():
    """T123: 100 and 4096 characters, not bytes; lengths of data are configurable."""
    asked(title="题" * 100, description="述" * 4096)
    with pytest.raises(JobError, match="data 超过 3"):
        jobs.read_request(Parameters(ASKED), AppSettings(max_data_bytes=3))


def test_hash_is_a_digest():
    """dataType HASH: 32 bytes, used as e."""
    asked(dataType="HASH", data=base64.b64encode(bytes(32)).decode())
    for size in (20, 31, 33, 64):
        with pytest.raises(JobError, match="32"):
            asked(dataType="HASH", data=base64.b64encode(bytes(size)).decode())


def test_signed_once():
    """The same signature again changes nothing; another, or a refusal, is too late."""
    job = opened(expiryDate="10")
    done = jobs.finish(job, b"s", b"c", "u1", NOW + 5)
    assert (done.status, done.result, done.finished_at, done.signer) == (
        JobStatus.FINISH,
        True,
        NOW + 5,
        "u1",
    )
    assert jobs.finish(done, b"s", b"c", "u1", NOW + 10**9) == done
    for late in (lambda: jobs.finish(done, b"t", b"c", "u1", NOW), lambda: jobs.refuse(done, "", "u1", NOW)):
        with pytest.raises(JobError):
            late()


def test_refused_is_finish_and_false():
    """T125: no fourth status: FINISH with result false."""
    done = jobs.refuse(opened(), "影像与患者不符", "u1", NOW + 5)
    result = jobs.result_of(done, b"secretsecret", NOW + 6)
    assert (result["jobStatus"], result["result"]) == ("FINISH", "false")
    assert "signResult" not in result
    assert "影像" not in str(result)
    assert jobs.refuse(done, "x", "u1", NOW + 7) == done


def test_only_who_was_asked():
    """T121: authorizedUserId before userId; without both, whoever scans."""
    for more, signer, fine in (
        ({"userId": "u1"}, "u2", False),
        ({"userId": "u1"}, "u1", True),
        ({"userId": "u1", "authorizedUserId": "u2"}, "u1", False),
        ({"userId": "u1", "authorizedUserId": "u2"}, "u2", True),
        ({}, "anybody", True),
    ):
        job = opened(**more)
        if fine:
            assert jobs.finish(job, b"s", b"c", signer, NOW).signer == signer
        else:
            with pytest.raises(JobError, match="其他签名人"):
                jobs.finish(job, b"s", b"c", signer, NOW)


def test_expiry_to_the_millisecond():
    """Expired from the moment on, written down or not; nothing ends it otherwise."""
    job = opened(expiryDate="1")
    end = NOW + 60_000
    assert job.status_at(end - 1) is JobStatus.UNSIGN
    assert job.status_at(end) is JobStatus.EXPIRE
    assert jobs.expire(job, end - 1) is job
    over = jobs.expire(job, end + 999)
    assert (over.status, over.finished_at) == (JobStatus.EXPIRE, end)
    for one in (job, over):
        with pytest.raises(JobError, match="过期"):
            jobs.finish(one, b"s", b"c", "u", end)
    assert jobs.finish(job, b"s", b"c", "u", end - 1).result
    told = [jobs.result_of(one, b"secretsecret", end) for one in (job, over)]
    assert told[0] == told[1], "the same answer before and after it was written down"
    assert (told[0]["jobStatus"], "ext" in told[0]) == ("EXPIRE", False)


def test_members_of_an_answer():
    """四(二)4(2): members and order of the sample; ext in Beijing time; hmac over four of them."""
    job = replace(opened(userId="u1"), job_id="SD_1")
    done = jobs.finish(job, b"s", b"c", "u1", 1_670_552_886_000)
    result = jobs.result_of(done, b"secretsecret", NOW)
    names = "signDataId signResult signCert jobStatus msspId ext result appId hmac userId"
    assert list(result) == names.split()
    assert result["ext"] == "20221209102806"
    assert result["hmac"] == sign(b"secretsecret", "appId=APP_X&ext=20221209102806&result=true&userId=u1")


@given(
    st.lists(st.tuples(st.sampled_from(["finish", "refuse", "expire"]), st.integers(0, 180_000)), max_size=8)
)
def test_nothing_leaves_an_end(steps: list[tuple[str, int]]):
    """Property: whatever comes in whatever order, an end stays, and a signature is there exactly when result is true."""
    job = opened(expiryDate="2")
    for name, after in steps:
        before = job
        try:
            if name == "finish":
                job = jobs.finish(job, b"s", b"c", "u", NOW + after)
            elif name == "refuse":
                job = jobs.refuse(job, "", "u", NOW + after)
            else:
                job = jobs.expire(job, NOW + after)
        except JobError:
            assert job.status_at(NOW + after) is not JobStatus.UNSIGN
        if before.status is not JobStatus.UNSIGN:
            assert job == before
        assert bool(job.signature) == (job.result is True)


def test_codes():
    """T118: the whole text or the ticket alone; nothing else is a code of ours."""
    job = opened()
    text = qr.text_of("APP_X", "https://sign.example:8443/", job.ticket)
    assert qr.read(text) == qr.Scanned(job.ticket, "APP_X", "https://sign.example:8443")
    assert qr.read(f" {job.ticket}\n") == qr.Scanned(job.ticket)
    assert job.job_id not in text
    for other in (
        "",
        "x",
        "[]",
        "{}",
        "{" * 5000,
        '{"o":1}',
        text.replace("phone", "other"),
        '{"o":"short"}',
    ):
        assert qr.read(other) is None
    assert base64.b64decode(qr.picture_of(text)).startswith(b"\x89PNG")
    assert len({opened().ticket for _ in range(100)}) == 100
