"""Intake with stores that fail: clear answers, nothing acknowledged, nothing told about a record."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import Any

import pytest

from tests.unit.exchange.records import CODE, EDITION, KEY, NOW_S, exam, receiver, report
from yingqiao import logging
from yingqiao.exchange.envelope import seal
from yingqiao.exchange.model import Submission
from yingqiao.settings import HttpSettings
from yingqiao.store.errors import StoreBusy, StoreFull, StoreUnavailable
from yingqiao.web.intake import Intake, Parts
from yingqiao.web.metrics import Metrics
from yingqiao.web.visit import Line


class Recorder:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.kept: list[Submission] = []

    async def record(self, submission: Submission) -> int:
        if self.error is not None:
            raise self.error
        self.kept.append(submission)
        return len(self.kept)

    def submit(self, submission: Submission) -> asyncio.Future[int]:
        return asyncio.ensure_future(self.record(submission))


class Documents:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.kept: list[bytes] = []

    def put(self, content: bytes, digest: str) -> str:
        if self.error is not None:
            raise self.error
        self.kept.append(content)
        return digest


def body(record: dict[str, Any]) -> bytes:
    return json.dumps(seal(json.dumps(record).encode(), CODE, KEY, NOW_S)).encode()


class Strangers:
    """Admits or not, and tells which thread asked."""

    def __init__(self, admits: bool) -> None:
        self.admits = admits
        self.asked: list[tuple[int, int]] = []

    def admit(self, size: int) -> bool:
        self.asked.append((size, threading.get_ident()))
        return self.admits


def call(
    raw: bytes,
    recorder: Recorder,
    documents: Documents | None = None,
    path: str = "exam-sync",
    strangers: Strangers | None = None,
    **settings: Any,
) -> tuple[int, dict[str, str], dict[str, Any], Line]:
    """Status, headers, answer and log line of one request."""
    lines: list[Line] = []
    parts = Parts(
        receiver(keep_unknown=True),
        recorder,
        documents or Documents(),
        EDITION.messages,
        Metrics(),
        lines.append,
        strangers,
    )
    intake = Intake(parts, HttpSettings(**settings))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "client": ("9.9.9.9", 1), "headers": []}
    asyncio.run(intake.app(path)(scope, receive, send))
    intake.close()
    assert (intake.in_flight.requests, intake.in_flight.bytes) == (0, 0)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, json.loads(sent[1]["body"]), lines[0]


def test_accepted_after_it_was_recorded() -> None:
    recorder = Recorder()
    status, _, answer, line = call(body(exam()), recorder)
    assert (status, answer["code"], len(recorder.kept)) == (200, 1, 1)
    assert (line.submission, line.hospital, line.outcome) == (1, CODE, "accepted")


@pytest.mark.parametrize("admits", [True, False])
def test_what_strangers_send_is_kept_within_a_bound_and_always_answered(admits: bool) -> None:
    """Bodies of unregistered hospitals must not fill the disk; counting them must not stop the event loop."""
    recorder, strangers = Recorder(), Strangers(admits)
    raw = json.dumps(seal(json.dumps(exam()).encode(), "NOBODY", KEY, NOW_S)).encode()
    status, _, answer, line = call(raw, recorder, strangers=strangers)
    assert (status, answer["code"], answer["content"][0]["rule"]) == (200, 0, "unknown-hospital")
    assert len(recorder.kept) == admits
    assert line.outcome == "refused"
    ((size, thread),) = strangers.asked
    assert size == len(raw)
    assert thread != threading.get_ident()


def test_a_registered_hospital_is_not_counted_as_a_stranger() -> None:
    strangers = Strangers(admits=False)
    recorder = Recorder()
    call(body(exam()), recorder, strangers=strangers)
    call(body(exam(patName="")), recorder, strangers=strangers)
    assert (len(recorder.kept), strangers.asked) == (2, [])


@pytest.mark.parametrize("error", [StoreUnavailable("x"), StoreFull("x"), StoreBusy("x")])
def test_a_store_that_cannot_answers_503_with_retry_after(error: Exception) -> None:
    status, headers, answer, _ = call(body(exam()), Recorder(error))
    assert (status, answer["code"]) == (503, 0)
    assert int(headers["retry-after"]) > 0


def test_no_record_without_its_document() -> None:
    """The document is durable before the ledger knows of it."""
    pdf = "JVBERi0xLjQKJSVFT0YK"
    recorder = Recorder()
    status, *_ = call(body(report(reportPdfBase64=pdf)), recorder, Documents(StoreFull("x")), "report-sync")
    assert (status, recorder.kept) == (503, [])
    documents = Documents()
    assert call(body(report(reportPdfBase64=pdf)), recorder, documents, "report-sync")[2]["code"] == 1
    assert documents.kept[0].startswith(b"%PDF")


def test_a_defect_answers_500_with_an_incident_and_tells_nothing_of_the_record() -> None:
    stream = io.StringIO()
    logging.configure("info", stream)
    status, _, answer, _ = call(body(exam()), Recorder(KeyError("张三丰的病历")))
    assert (status, answer["code"]) == (500, 0)
    said = json.loads(stream.getvalue().splitlines()[-1])
    assert said["incident"] in answer["message"]
    assert said["kind"] == "KeyError"
    assert "张三丰" not in stream.getvalue()
    assert "张三丰" not in answer["message"]


def test_bodies_above_the_limit_are_judged_in_a_thread() -> None:
    recorder = Recorder()
    assert call(body(exam()), recorder, thread_above_bytes=0)[2]["code"] == 1


def test_unopened_requests_of_one_peer_are_bounded() -> None:
    """A flood of rubbish must not fill the disk: beyond the rate nothing is kept (429)."""
    recorder = Recorder()
    lines: list[Line] = []
    parts = Parts(receiver(), recorder, Documents(), EDITION.messages, Metrics(), lines.append)
    intake = Intake(parts, HttpSettings(refusal_rate=1.0))
    bad = json.loads(body(exam())) | {"signature": "0" * 40}

    async def flood() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(bad).encode(), "more_body": False}

        async def send(_: dict[str, Any]) -> None: ...

        scope = {"type": "http", "method": "POST", "client": ("9.9.9.9", 1), "headers": []}
        for _ in range(1200):
            await intake.app("exam-sync")(scope, receive, send)

    asyncio.run(flood())
    intake.close()
    assert len(recorder.kept) < 1100
    assert lines[-1].status == 429
