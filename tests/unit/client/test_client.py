"""The caller's side of the main interfaces against the real receiver, over a socket (三(一), 四(二)1)."""

import asyncio

import pytest

from tests.helpers.receiver_server import serve_receiver
from yingqiao.client import AsyncGateway, Gateway, Misunderstood, Refused, Unavailable
from yingqiao.client.protocol import findings_of
from yingqiao.exchange.model import Level

CODE, KEY = "12140000405700101D", "0123456789abcdeffedcba9876543210"


@pytest.fixture
def peer():
    with serve_receiver(CODE, KEY) as server:
        yield server


def test_a_refusal_lists_all_findings(peer):
    """三(一): code 0; every missing required field is named at once."""
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Refused) as caught:
        gateway.push_exam({"risStudyId": "1", "lastChangeTime": "2026-01-05 10:00:00", "hospitalCode": CODE})
    fields = {finding.field for finding in caught.value.answer.findings if finding.level is Level.REFUSE}
    assert {"patName", "idCard", "sex"} <= fields
    assert not caught.value.retryable


def test_a_wrong_key_is_refused_as_such(peer):
    with Gateway(peer.url, CODE, "00" * 16) as gateway, pytest.raises(Refused) as caught:
        gateway.push_report({"recordNum": "1"})
    assert caught.value.answer.findings[0].rule == "cannot-decrypt"


def test_the_merged_upload_carries_both_members(peer):
    """四(二)2: {"patient": …, "report": …}."""
    with Gateway(peer.url, CODE, bytes.fromhex(KEY)) as gateway, pytest.raises(Refused) as caught:
        gateway.push_merged({"risStudyId": "1"}, {"recordNum": "2"})
    prefixes = {finding.field.partition(".")[0] for finding in caught.value.answer.findings}
    assert {"patient", "report"} <= prefixes


def test_the_async_face_says_the_same(peer):
    async def push():
        async with AsyncGateway(peer.url, CODE, KEY) as gateway:
            await gateway.push_exam({"risStudyId": "1"})

    with pytest.raises(Refused):
        asyncio.run(push())


@pytest.mark.parametrize(("status", "wait"), [(429, 7.0), (503, 7.0), (408, None), (500, None)])
def test_come_again_later(peer, status, wait):
    peer.fixed = (status, {"Retry-After": "7"} if wait else {}, '{"code":0,"message":"请稍后"}'.encode())
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Unavailable, match="请稍后") as caught:
        gateway.push_exam({})
    assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (status, wait, True)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (404, b"{}"), (200, b'{"code":"?"}'), (200, b"[]")]
)
def test_an_answer_of_someone_else(peer, status, body):
    peer.fixed = (status, {}, body)
    with Gateway(peer.url, CODE, KEY) as gateway, pytest.raises(Misunderstood):
        gateway.push_exam({})


def test_nobody_there():
    with Gateway("http://127.0.0.1:9", CODE, KEY) as gateway, pytest.raises(Unavailable) as caught:
        gateway.push_exam({})
    assert caught.value.status is None


def test_an_accepted_answer_with_its_findings(peer):
    """T08: integer code; findings of an accepted record sit in content.findings."""
    said = '{"code":1,"message":"成功","content":{"findings":[{"field":"a","level":"warn","rule":"date"},3]}}'
    peer.fixed = (200, {}, said.encode())
    with Gateway(peer.url, CODE, KEY) as gateway:
        answer = gateway.push_exam({})
    assert answer.accepted
    assert [(f.field, f.level) for f in answer.findings] == [("a", Level.WARN)]


def test_a_key_of_the_wrong_length():
    with pytest.raises(ValueError, match="16"):
        Gateway("http://127.0.0.1:9", CODE, "00")


def test_findings_of_anything():
    assert findings_of(None) == findings_of("x") == findings_of({"findings": 1}) == ()
