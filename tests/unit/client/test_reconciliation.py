"""Reconciliation as its caller (四(二)5): the body, and every way an answer may read (T150-T159)."""

import asyncio
import time
from datetime import date

import orjson
import pybase64
import pytest

from tests.helpers.receiver_server import serve_receiver
from yingqiao.client import (
    AsyncGateway,
    BadKey,
    DayTotals,
    Gateway,
    Limits,
    Misunderstood,
    NotAdmitted,
    Refused,
    RetryLater,
)
from yingqiao.gm import sm4

CODE, KEY = "12140000MB0001231X", "0123456789abcdeffedcba9876543210"
RAW = bytes.fromhex(KEY)
DAY = date(2026, 1, 5)


def sealed(value: object, key: bytes = RAW) -> str:
    return pybase64.b64encode(sm4.encrypt_ecb(key, orjson.dumps(value))).decode()


@pytest.fixture
def peer():
    with serve_receiver(CODE, KEY) as server:
        yield server


def answer_to(peer, said: dict, **more):
    peer.fixed = (200, {}, orjson.dumps(said))
    with Gateway(peer.url, CODE, KEY, limits=Limits(tries=1)) as gateway:
        return gateway.reconcile(DAY, [DayTotals("CT", ["E1", "E2"])], **more)


def test_the_body_is_the_content_alone(peer):
    """T150, T152, T155, T156: no member outside; each id once; counts only when known."""
    totals = [DayTotals("CT", ["E1", "E2", "E1"]), DayTotals("MR", ["M1"], exams=3, images=40, reports=0)]
    peer.fixed = (200, {}, b'{"status":"0","message":"SUCCESS","data":""}')
    with Gateway(peer.url, CODE, KEY) as gateway:
        gateway.reconcile(DAY, totals)
        gateway.reconcile("2026-01-06", [], name_hospital=True)
    (path, first), (_, second) = ((path, orjson.loads(body)) for path, body in peer.bodies)
    assert path == "/statisticalData/upload"
    assert list(first) == ["content"]
    asked = orjson.loads(sm4.decrypt_ecb(RAW, pybase64.b64decode(first["content"])))
    assert asked == {
        "hospitalCode": CODE,
        "date": "2026-01-05",
        "examInfo": [
            {"imgExamType": "CT", "pushExamNum": 2, "study_uids": ["E1", "E2"]},
            {
                "imgExamType": "MR",
                "pushExamNum": 3,
                "pushImageNum": 40,
                "pushReportNum": 0,
                "study_uids": ["M1"],
            },
        ],
    }
    assert second["hospitalCode"] == CODE
    asked = orjson.loads(sm4.decrypt_ecb(RAW, pybase64.b64decode(second["content"])))
    assert (asked["date"], asked["examInfo"]) == ("2026-01-06", [])


@pytest.mark.parametrize("status", ["0", 0])
@pytest.mark.parametrize(
    ("data", "missing"),
    [
        *[
            ("", ()),
            (None, ()),
            (sealed([]), ()),
            (sealed({"study_uids": []}), ()),
            (sealed({}), ()),
            ([], ()),
        ],
        *[(sealed(["E1", "E2", "E1"]), ("E1", "E2")), (sealed({"study_uids": ["E2", 5]}), ("E2", "5"))],
        *[(["E1"], ("E1",)), ({"study_uids": ["E1"]}, ("E1",)), (sealed(""), ()), (sealed(None), ())],
    ],
)
def test_what_is_missing(peer, status, data, missing):
    """T151, T157: status "0" is success; array or object, sealed or plain; empty = nothing missing."""
    answer = answer_to(peer, {"status": status, "message": "SUCCESS", "data": data})
    assert (answer.missing, answer.complete, answer.message) == (missing, not missing, "SUCCESS")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"status": "-1", "message": "无法识别机构"}, Refused),
        ({"status": -1, "message": "无法识别机构", "data": None}, Refused),
        ({"code": 0, "message": "无法识别机构", "content": None}, Refused),
        ({"code": 0, "content": [{"rule": "unknown-hospital", "level": "refuse"}]}, NotAdmitted),
        ({"status": "0", "data": sealed([], bytes(16))}, BadKey),
        ({"status": "0", "data": "%"}, Misunderstood),
        ({"status": "0", "data": "QUJD"}, BadKey),
        ({"status": "0", "data": sealed("x")}, Misunderstood),
        ({"status": "0", "data": sealed([["x"]])}, Misunderstood),
        ({"status": "0", "data": 5}, Misunderstood),
        ({"status": "1"}, Misunderstood),
        ({"code": 1}, Misunderstood),
        ({}, Misunderstood),
    ],
)
def test_what_goes_wrong(peer, said, error):
    with pytest.raises(error) as caught:
        answer_to(peer, said)
    assert type(caught.value) is error


def test_later(peer):
    peer.fixed = (503, {"Retry-After": "60"}, b"")
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(RetryLater) as caught:
        gateway.reconcile(DAY, [])
    assert caught.value.retry_after == 60


def test_a_large_day(peer):
    """100,000 ids, all of them missing, in a moment, not in the square of it."""
    ids = [f"RIS20260105{number:06d}" for number in range(100_000)]
    peer.fixed = (200, {}, orjson.dumps({"status": "0", "message": "", "data": sealed({"study_uids": ids})}))

    async def ask():
        async with AsyncGateway(peer.url, CODE, KEY) as gateway:
            return await gateway.reconcile(DAY, [DayTotals("CT", ids)])

    began = time.process_time()
    assert asyncio.run(ask()).missing == tuple(ids)
    assert time.process_time() - began < 5
