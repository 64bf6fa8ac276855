"""Servers that lie, cut, drip and hang, on raw sockets: every call ends in time, in a designed error or an answer."""

import asyncio
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.certificates import certificate
from tests.helpers.receiver_server import serve_receiver
from tests.unit.exchange import records
from yingqiao.client import (
    AnswerTooLarge,
    AsyncGateway,
    ClientError,
    DayTotals,
    ExamQuestion,
    Gateway,
    HospitalSystem,
    Limits,
    ListStatus,
    ListTaken,
    Misunderstood,
    Refused,
    Unreachable,
    protocol,
    reconciliation,
)
from yingqiao.client.talk import Response

CODE, KEY = records.CODE, "0123456789abcdeffedcba9876543210"
PATIENT = Limits(connect=60, silence=60, whole=120, answer_bytes=100_000, tries=1)
QUICK = replace(PATIENT, silence=0.3, whole=0.8)
"""For servers that never end: no other may be too slow on a busy machine."""
OK = b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"code":1}'
Way = Callable[[socket.socket], None]


def _hear(connection: socket.socket) -> None:
    """The whole request: what is closed with bytes unread is reset, and the answer may be lost with it."""
    connection.settimeout(60)
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += _more(connection)
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *([0-9]+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        missing -= len(_more(connection))
    connection.settimeout(None)


def _more(connection: socket.socket) -> bytes:
    more = connection.recv(1 << 20)
    if not more:
        raise ConnectionError
    return more


@contextmanager
def serving(way: Way, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Does `way` with every connection after its first request has come."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            plain,
            tls.wrap_socket(plain, server_side=True) if tls else plain as connection,
        ):
            _hear(connection)
            way(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _drip(head: bytes) -> Way:
    def way(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    return way


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")


WAYS: dict[str, tuple[Way, type[ClientError]]] = {
    "hangs": (lambda c: time.sleep(600), Unreachable),
    "hangs up": (lambda c: None, Unreachable),
    "cuts the body": (lambda c: c.sendall(OK[:-3]), Unreachable),
    "cuts the head": (lambda c: c.sendall(OK[:20]), Unreachable),
    "drips the body": (_drip(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"), Unreachable),
    "is no HTTP": (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Misunderstood),
    "has no end": (_endless, AnswerTooLarge),
    "has a huge head": (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000), Misunderstood),
    "redirects": (
        lambda c: c.sendall(b"HTTP/1.1 302 F\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
        Misunderstood,
    ),
    "is empty": (lambda c: c.sendall(b"HTTP/1.1 204 N\r\n\r\n"), Misunderstood),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_ends_in_time(name):
    way, error = WAYS[name]
    limits = QUICK if name in ("hangs", "drips the body") else PATIENT
    began = time.monotonic()
    with serving(way) as url:
        with Gateway(url, CODE, KEY, limits=limits) as gateway, pytest.raises(error) as caught:
            gateway.push_exam({})
        assert not isinstance(caught.value, Unreachable) or caught.value.sent

        async def push() -> None:
            async with AsyncGateway(url, CODE, KEY, limits=limits) as gateway:
                await gateway.push_exam({})

        with pytest.raises(error):
            asyncio.run(push())
    assert time.monotonic() - began < 60


def test_an_async_call_is_bounded_as_a_whole():
    """Even when the head of the answer drips."""

    async def push(url: str) -> None:
        async with AsyncGateway(url, CODE, KEY, limits=QUICK) as gateway:
            await gateway.push_exam({})

    began = time.monotonic()
    with serving(_drip(b"HTTP/1.1 200 OK\r\nx: ")) as url, pytest.raises(Unreachable, match="过慢"):
        asyncio.run(push(url))
    assert time.monotonic() - began < 60


def test_a_connection_that_was_closed_meanwhile_is_made_anew():
    """Servers close idle connections; the next call must not fail for it."""
    with serving(lambda c: c.sendall(OK)) as url, Gateway(url, CODE, KEY) as gateway:
        for _ in range(3):
            assert gateway.push_exam({}).accepted
            time.sleep(0.05)


def test_an_async_connection_that_was_closed_meanwhile_is_made_anew():
    """Closed by the server right after its answer, or just when the next request goes out: nobody notices."""

    async def push(url: str) -> None:
        async with AsyncGateway(url, CODE, KEY, limits=PATIENT) as gateway:
            for pause in (0, 0.05, 0, 0):
                assert (await gateway.push_exam({})).accepted
                await asyncio.sleep(pause)

    with serving(lambda c: c.sendall(OK)) as url:
        asyncio.run(push(url))


PLAIN = b'{"code":1}'
FORMS = {
    "until it closes": b"HTTP/1.0 200 OK\r\n\r\n" + PLAIN,
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n" + PLAIN[:4] + b"\r\n6\r\n"
    b"" + PLAIN[4:] + b"\r\n0\r\n\r\n",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "after 103": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK,
    "and more than asked": OK + OK,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_answer_is_read_by_both_faces(form):
    async def push(url: str) -> None:
        async with AsyncGateway(url, CODE, KEY, limits=PATIENT) as gateway:
            for _ in range(2):
                assert (await gateway.push_exam({})).accepted

    with serving(lambda c: c.sendall(FORMS[form])) as url:
        asyncio.run(push(url))
        with Gateway(url, CODE, KEY, limits=PATIENT) as gateway:
            assert gateway.push_exam({}).accepted


def test_a_compressed_answer_nobody_asked_for_is_refused_by_both_faces():
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n"

    async def push(url: str) -> None:
        async with AsyncGateway(url, CODE, KEY, limits=PATIENT) as gateway:
            await gateway.push_exam({})

    with serving(lambda c: c.sendall(head + PLAIN)) as url:
        with pytest.raises(Misunderstood, match="压缩"):
            asyncio.run(push(url))
        with Gateway(url, CODE, KEY, limits=PATIENT) as gateway, pytest.raises(Misunderstood, match="压缩"):
            gateway.push_exam({})


def test_tls_is_checked_by_name_on_both_faces(tmp_path):
    """Also when the name is not looked up: the address is pinned, the certificate is the name's."""
    made = certificate(tmp_path, "his.example.cn")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.file)
    trust = ssl.create_default_context(cadata=made.pem)

    async def push(url: str, verify: bool | ssl.SSLContext) -> None:
        async with AsyncGateway(url, CODE, KEY, limits=PATIENT, verify=verify) as gateway:
            assert (await gateway.push_exam({})).accepted

    def ask(name: str, port: str) -> None:
        with HospitalSystem(f"https://{name}:{port}", at="127.0.0.1", verify=trust, limits=PATIENT) as system:
            assert list(system.exams(ExamQuestion("2026-01-01", "2026-01-02"))) == []

    answer = b'HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{"code":1,"message":"","content":[]}    '
    with serving(lambda c: c.sendall(answer), server) as url:
        url = url.replace("http://", "https://")
        asyncio.run(push(url, trust))
        with pytest.raises(Unreachable):
            asyncio.run(push(url, True))
        port = url.rpartition(":")[2]
        ask("his.example.cn", port)
        with pytest.raises(Unreachable):
            ask("other.example.cn", port)


def test_one_gateway_serves_many_threads():
    with (
        serve_receiver(CODE, KEY) as peer,
        Gateway(peer.url, CODE, KEY) as gateway,
        ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda n: gateway.push_exam(records.exam(risStudyId=f"R{n}")), range(100)))
    assert all(answer.accepted for answer in answers)
    assert {answer.content["risStudyId"] for answer in answers} == {f"R{n}" for n in range(100)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
NAMED = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from([0, 1, "0", "1", None, True, 2]) | JSON,
        "status": st.sampled_from(["0", "-1", 0, -1]) | JSON,
        "message": JSON,
        "data": JSON,
        "content": JSON
        | st.lists(st.dictionaries(st.sampled_from(["field", "rule", "level", "mend"]), JSON, max_size=4))
        | st.fixed_dictionaries({"lists": JSON | st.lists(JSON), "refused": JSON, "findings": JSON}),
    },
)


@settings(max_examples=300)
@given(NAMED | JSON, st.sampled_from([200, 400, 404, 413, 500, 302]), st.text(max_size=5))
def test_any_json_is_an_answer_or_a_designed_error(said, status, header):
    try:
        body = orjson.dumps(said)
    except TypeError:  # an integer of more than 64 bits, a lone surrogate
        return
    response = Response(status, {"retry-after": header, "date": header}, body)
    with suppress(ClientError):
        answer = protocol.read_answer(response, 0.0)
        assert answer.accepted
        parts = (answer.code, answer.message, answer.content, answer.findings, answer.status)
        taken, listed = ListTaken(*parts), ListStatus(*parts)
        assert taken.added + taken.already_there + len(taken.refused) + len(listed.series) is not None
        assert isinstance(answer.digest, str)
    with suppress(ClientError):
        assert all(
            isinstance(one, str) for one in reconciliation.read_answer(response, bytes(16), 0.0).missing
        )


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_designed_error(body):
    for read in (
        lambda r: protocol.read_answer(r, 0.0),
        lambda r: reconciliation.read_answer(r, bytes(16), 0.0),
    ):
        with suppress(ClientError):
            read(Response(200, {}, body))


def test_errors_repeat_nothing_of_the_record_or_the_key():
    secret = "张三丰13900000000"
    with serve_receiver(CODE, KEY) as peer, Gateway(peer.url, CODE, KEY, limits=PATIENT) as gateway:
        peer.fixed = (200, {}, secret.encode())
        with pytest.raises(Misunderstood) as caught:
            gateway.push_exam({"patName": secret})
        assert secret not in str(caught.value)
        peer.fixed = (200, {}, b'{"status":"-1","message":"no"}')
        with pytest.raises(Refused) as refused:
            gateway.reconcile("2026-01-05", [DayTotals("CT", [secret])])
    assert KEY not in repr(gateway) + repr(refused.value)
