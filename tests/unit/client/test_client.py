"""The caller's side of the main interfaces against the real receiver, over a socket (三(一), 四(二)1)."""

import asyncio
import inspect
from decimal import Decimal
from email.utils import formatdate

import pytest

from tests.helpers.receiver_server import serve_receiver
from tests.unit.exchange import records
from yingqiao.client import (
    AnswerTooLarge,
    AsyncGateway,
    BadKey,
    BadSignature,
    Checker,
    Gateway,
    Invalid,
    Limits,
    Misunderstood,
    NotAdmitted,
    Profile,
    Refused,
    RetryLater,
    TooLarge,
    Unavailable,
    Unreachable,
    WrongClock,
)
from yingqiao.client.protocol import findings_of
from yingqiao.exchange.model import Level

CODE, KEY = records.CODE, "0123456789abcdeffedcba9876543210"
ONCE = Limits(tries=1)


@pytest.fixture
def peer():
    with serve_receiver(CODE, KEY) as server:
        yield server


def test_a_refusal_lists_all_findings(peer):
    """三(一): code 0; every missing required field is named at once."""
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Refused) as caught:
        gateway.push_exam({"risStudyId": "1", "lastChangeTime": "2026-01-05 10:00:00", "hospitalCode": CODE})
    fields = {finding.field for finding in caught.value.refusing}
    assert {"patName", "idCard", "sex"} <= fields
    assert {finding.level for finding in caught.value.refusing} == {Level.REFUSE}
    assert not caught.value.retryable


def test_each_cause_has_its_class(peer):
    """Key, code and signature are mended by different people."""
    with Gateway(peer.url, CODE, "00" * 16) as gateway, pytest.raises(BadKey) as caught:
        gateway.push_report({"recordNum": "1"})
    assert caught.value.findings[0].rule == "cannot-decrypt"
    with Gateway(peer.url, "91140000MB1J1X1X1X", KEY) as gateway, pytest.raises(NotAdmitted, match="未登记"):
        gateway.push_exam({})
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(BadSignature):
        gateway.send("/exam-sync", gateway.seal({}).replace(b'"signature":"', b'"signature":"0'))
    peer.fixed = (413, {}, '{"code":0,"message":"请求体超过上限"}'.encode())
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(TooLarge, match="超过上限"):
        gateway.push_exam({})


def test_the_merged_upload_carries_both_members(peer):
    """四(二)1.(2): {"patient": …, "report": …}."""
    with Gateway(peer.url, CODE, bytes.fromhex(KEY)) as gateway, pytest.raises(Refused) as caught:
        gateway.push_merged({"risStudyId": "1"}, {"recordNum": "2"})
    prefixes = {finding.field.partition(".")[0] for finding in caught.value.answer.findings}
    assert {"patient", "report"} <= prefixes


def test_the_async_face_says_the_same(peer):
    async def push():
        async with AsyncGateway(peer.url, CODE, KEY, limits=ONCE) as gateway:
            accepted = await gateway.push_exam(records.exam())
            with pytest.raises(Refused):
                await gateway.push_exam({"risStudyId": "1"})
            peer.fixed = (503, {}, b"{}")
            with pytest.raises(RetryLater):
                await gateway.push_report({})
            return accepted

    answer = asyncio.run(push())
    assert answer.accepted
    with Gateway(peer.url, CODE, KEY) as gateway:
        peer.fixed = None
        assert gateway.push_exam(records.exam()) == answer
    assert len(answer.digest) == 64


@pytest.mark.parametrize(("status", "wait"), [(429, 7.0), (503, 7.0), (408, None), (500, None), (502, 7.0)])
def test_come_again_later(peer, status, wait):
    """T11."""
    peer.fixed = (status, {"Retry-After": "7"} if wait else {}, '{"code":0,"message":"请稍后"}'.encode())
    with Gateway(peer.url, CODE, KEY, limits=ONCE) as gateway, pytest.raises(Unavailable) as caught:
        gateway.push_exam({})
    assert isinstance(caught.value, RetryLater)
    assert str(caught.value) == "请稍后"
    assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (status, wait, True)


def test_a_call_is_patient_but_not_for_long(peer):
    """It comes again as told, up to `tries`, unless told to wait longer than it would."""
    peer.fixed = (503, {"Retry-After": "0"}, b"{}")
    with Gateway(peer.url, CODE, KEY, limits=Limits(tries=4)) as gateway, pytest.raises(RetryLater):
        gateway.push_exam({})
    assert peer.requests == 4
    peer.fixed = (503, {"Retry-After": "11"}, b"{}")
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(RetryLater):
        gateway.push_exam({})
    assert peer.requests == 5


def test_it_recovers_by_itself(peer):
    peer.script = [(503, {"Retry-After": "0"}, b"{}"), (429, {"Retry-After": "0"}, b"<html>")]
    with Gateway(peer.url, CODE, KEY) as gateway:
        assert gateway.push_exam(records.exam()).accepted
    assert peer.requests == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *[(200, b"<html>"), (404, b'{"code":0}'), (200, b'{"code":"?"}'), (200, b"[]"), (302, b"{}")],
        *[(200, b'{"code":true}'), (200, b'{"code":[]}'), (200, b'{"code":1.5}'), (401, b"{}"), (200, b"")],
        *[(200, b"\xff"), (200, b'{"code":1,"content":' + b"[" * 900 + b"]" * 900 + b"}")],
    ],
)
def test_an_answer_of_someone_else(peer, status, body):
    """T08, T11: nothing is known of the record; nothing the answer holds is repeated."""
    peer.fixed = (status, {}, body)
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Misunderstood) as caught:
        gateway.push_exam({})
    assert caught.value.status == status
    assert caught.value.retryable
    assert peer.requests == 1


def test_answers_are_bounded(peer):
    peer.fixed = (200, {}, b'{"code":1,"message":"' + b"x" * 2_000_000 + b'"}')
    with Gateway(peer.url, CODE, KEY, limits=Limits(answer_bytes=1_000_000)) as gateway:
        with pytest.raises(AnswerTooLarge):
            gateway.push_exam({})
        peer.fixed = (200, {"content-encoding": "gzip"}, b'{"code":1}')
        with pytest.raises(Misunderstood, match="压缩"):
            gateway.push_exam({})


def test_nobody_there():
    with (
        Gateway("http://127.0.0.1:9", CODE, KEY, limits=ONCE) as gateway,
        pytest.raises(Unreachable) as caught,
    ):
        gateway.push_exam({})
    assert (caught.value.status, caught.value.sent) == (None, False)


def test_a_clock_that_is_wrong_follows_the_gateways(peer):
    """T03: refused for the timestamp, the answer's Date says how far it is off; sent again by that."""
    peer.profile(Profile(window="refuse"))
    now = 1_800_000_000.0
    peer.clock = lambda: now
    with Gateway(peer.url, CODE, KEY, clock=lambda: now - 5000) as gateway:
        assert gateway.push_exam(records.exam()).accepted
        assert gateway.clock_offset == 5000
        assert gateway.push_exam(records.exam()).accepted
    assert peer.requests == 3
    rigid = Gateway(peer.url, CODE, KEY, clock=lambda: now + 5000, follow_clock=False)
    with rigid as gateway, pytest.raises(WrongClock, match="5000") as caught:
        gateway.push_exam(records.exam())
    assert caught.value.ahead == -5000


@pytest.mark.parametrize(
    "date",
    ["", "x", formatdate(usegmt=True), "Mon, 32 Feb 99999999 99:99:99 GMT"],
    ids=["empty", "word", "now", "no-such-day"],  # the time in a name would be another in each worker
)
def test_a_gateway_that_never_agrees_is_asked_twice_at_most(peer, date):
    said = b'{"code":0,"message":"m","content":[{"rule":"outside-window","level":"refuse"}]}'
    peer.fixed = (200, {"Date": date}, said)
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(WrongClock):
        gateway.push_exam({})
    assert peer.requests <= 2


def test_an_accepted_answer_with_its_findings(peer):
    """T08: integer code; findings of an accepted record sit in content.findings."""
    said = (
        '{"code":"1","message":"成功","content":{"findings":[{"field":"a","level":"warn","rule":"date"},3]}}'
    )
    peer.fixed = (200, {}, said.encode())
    with Gateway(peer.url, CODE, KEY) as gateway:
        answer = gateway.push_exam({})
    assert answer.accepted
    assert [(f.field, f.level) for f in answer.warnings] == [("a", Level.WARN)]


def test_what_the_local_check_refuses_is_not_sent(peer):
    with Gateway(peer.url, CODE, KEY, check=Checker(CODE)) as gateway:
        with pytest.raises(Invalid) as caught:
            gateway.push_exam({"risStudyId": "1"})
        assert peer.requests == 0
        assert caught.value.answer.status == 0
        with pytest.raises(Invalid):
            gateway.push_merged(records.exam(), {"recordNum": ""})
        assert gateway.push_merged(records.exam(), None).accepted


@pytest.mark.parametrize("value", [Decimal("1.5"), object(), "\ud800", 2**70, {1: 2}])
def test_what_is_no_json_is_not_sent(peer, value):
    """What a database may hand over; the error is about the record, as any other."""
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Invalid, match="无法写成 JSON"):
        gateway.push_exam({"patAge": value})
    assert not Checker(CODE).exam({"patAge": value}).accepted
    assert peer.requests == 0


@pytest.mark.parametrize("key", ["00", "zz" * 16, b"0"])
def test_a_key_that_is_none(key):
    with pytest.raises(ValueError, match="16"):
        Gateway("http://127.0.0.1:9", CODE, key)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x"])
def test_an_address_that_is_none(url):
    with pytest.raises(ValueError, match="http"):
        Gateway(url, CODE, KEY)


def test_findings_of_anything():
    assert findings_of(None) == findings_of("x") == findings_of({"findings": 1}) == ()


def test_methods_can_be_looked_up():
    """help() and editors show a call's own parameters and words."""
    with Gateway("http://127.0.0.1:9", CODE, KEY) as gateway:
        assert list(inspect.signature(gateway.push_merged).parameters) == ["exam", "report"]
    for name in ("push_exam", "push_report", "push_merged", "push_images_list", "list_status", "reconcile"):
        assert inspect.isroutine(getattr(Gateway, name))
        assert "POST /" in inspect.getdoc(getattr(AsyncGateway, name))
