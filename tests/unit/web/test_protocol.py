"""What HTTP asks of a server, whether a request comes in one piece (answered past ASGI) or in several."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.unit.exchange.records import EDITION, exam, receiver, report
from tests.unit.web.test_intake import Documents, Recorder, body
from yingqiao.settings import HttpSettings
from yingqiao.store.errors import StoreUnavailable
from yingqiao.web.answers import header_lines
from yingqiao.web.intake import INTERFACES, Intake, Parts
from yingqiao.web.metrics import Metrics
from yingqiao.web.protocol import bounded

SEALED = body(exam())
OK = b"HTTP/1.1 200 OK\r\n"


class Wire(asyncio.Transport):
    """What the protocol wrote, write by write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("9.9.9.9", 1), "sockname": ("127.0.0.1", 80)})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


def talk(*pieces: bytes, answers: int = 1, recorder: Recorder | None = None, expect: bytes = OK) -> Wire:
    """What is written in answer to bytes that arrive piece by piece."""

    async def talking() -> Wire:
        parts = Parts(receiver(), recorder or Recorder(), Documents(), EDITION.messages, Metrics(), None)
        settings = HttpSettings()
        intake = Intake(parts, settings)
        protocol_class = bounded(settings, {b"/" + name.encode(): intake.direct(name) for name in INTERFACES})
        config = uvicorn.Config(
            intake.app("exam-sync"), http=protocol_class, lifespan="off", interface="asgi3", log_config=None
        )
        config.load()
        wire = Wire()
        protocol = protocol_class(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
            for _ in range(100):  # turns, not time: whatever the piece sets going comes as far as it can
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
        while b"".join(wire.written).count(expect) < answers:  # noqa: ASYNC110 a transport tells nobody
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        closed_by_us = wire.closed
        protocol.connection_lost(None)
        wire.closed = closed_by_us
        intake.close()
        return wire

    return asyncio.run(asyncio.wait_for(talking(), 120))


def head(*lines: bytes, version: bytes = b"1.1") -> bytes:
    first = b"POST /exam-sync HTTP/%b" % version
    return b"\r\n".join((first, b"host: a", b"content-length: %d" % len(SEALED), *lines, b"", b""))


def test_one_piece_in_one_write_out() -> None:
    """三(一): the answer is JSON, whole, and says its length."""
    (written,) = talk(head() + SEALED).written
    above, _, below = written.partition(b"\r\n\r\n")
    assert above.startswith(OK)
    assert b"content-type: application/json; charset=utf-8" in above
    assert b"content-length: %d" % len(below) in above
    assert below.startswith(b'{"code":1,')


def _but_for_the_clock(said: bytes) -> bytes:
    """The body; a finding tells how many seconds old the request is."""
    return re.sub(rb"\d+", b"#", said.partition(b"\r\n\r\n")[2])


def test_a_body_in_pieces_is_answered_the_same() -> None:
    whole = b"".join(talk(head() + SEALED).written)
    pieces = talk(head(), SEALED[:1000], SEALED[1000:])
    said = b"".join(pieces.written)
    assert said.startswith(OK)
    assert _but_for_the_clock(said) == _but_for_the_clock(whole)
    assert not pieces.closed


def test_pipelined_requests_are_answered_in_turn() -> None:
    wire = talk(3 * (head() + SEALED), answers=3)
    said = b"".join(wire.written)
    assert said.count(OK) == said.count(b'"code":1,') == 3
    assert not wire.closed


@pytest.mark.parametrize("last", [head(b"connection: close"), head(version=b"1.0")])
def test_who_asks_for_it_gets_the_connection_closed(last: bytes) -> None:
    wire = talk(last + SEALED)
    assert b"connection: close\r\n" in b"".join(wire.written)
    assert wire.closed


def test_a_client_that_waits_for_100_gets_it_first() -> None:
    wire = talk(head(b"expect: 100-continue"), SEALED)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)


@pytest.mark.parametrize("kept", [True, False])
def test_a_small_request_past_asgi_is_answered_as_any_other(kept: bool) -> None:
    """A store that cannot: 503 with Retry-After, and the connection stays."""
    error = None if kept else StoreUnavailable("x")
    wire = talk(head() + SEALED, recorder=Recorder(error), expect=OK if kept else b"HTTP/1.1 503 ")
    said = b"".join(wire.written)
    assert (b"retry-after: 5\r\n" in said) is not kept
    assert (b'"code":1,' in said) is kept
    assert not wire.closed


def test_a_stranger_and_a_document_wait_for_a_thread_past_asgi() -> None:
    """三(三): a report with its PDF goes the same way."""
    sealed = body(report(reportPdfBase64="JVBERi0xLjQKJSVFT0YK"))
    first = b"POST /report-sync HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(sealed)
    assert b'"code":1,' in b"".join(talk(first + sealed).written)


def test_who_stays_idle_after_a_direct_answer_is_overdue() -> None:
    """No timer is set for such a request: the server asks every second."""

    async def idling() -> tuple[bool, bool]:
        settings = HttpSettings(keep_alive_seconds=60)
        lines = header_lines()
        protocol_class = bounded(
            settings, {b"/exam-sync": lambda request: request.respond(200, lines, b"{}")}
        )

        async def nothing(scope: Any, receive: Any, send: Any) -> None: ...

        config = uvicorn.Config(
            nothing, http=protocol_class, lifespan="off", interface="asgi3", log_config=None
        )
        config.load()
        protocol = protocol_class(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(Wire())
        protocol.data_received(head() + SEALED)
        now = asyncio.get_running_loop().time()
        return protocol.overdue(now + 59), protocol.overdue(now + 61)

    assert asyncio.run(idling()) == (False, True)
