"""Too large, too slow, too many, gone: a clear answer, never a crash, and the next request is served."""

from __future__ import annotations

import http.client
import json
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.acceptance.senders import envelope, exam
from tests.helpers.connector import until
from tests.peers.gateway import GatewayMaker, RunningGateway

HEAD = b"POST /exam-sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def connect(gateway: RunningGateway, timeout: float = 120) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.http_port), timeout)


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, object]]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(response.read())


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def limited(data: Path, **limits: object) -> Iterator[RunningGateway]:
    """A gateway with such limits of HTTP."""
    gateway = RunningGateway(data)
    gateway.environ = {f"YINGQIAO_HTTP_{name.upper()}": str(limit) for name, limit in limits.items()}
    gateway.add_hospital()
    gateway.start()
    yield gateway
    gateway.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with limits of size and number a test can reach; with time, for who is slow here is the machine."""
    yield from limited(
        tmp_path_factory.mktemp("small") / "data",
        max_body_bytes=200_000,
        body_seconds=300,
        header_seconds=300,
        max_header_bytes=4096,
        max_connections=300,
        max_in_flight=250,
        max_in_flight_bytes=400_000,
    )


@pytest.fixture
def wary(tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway that waits for no head without end, but longer than the machine may stand still."""
    yield from limited(tmp_path / "data", header_seconds=20, body_seconds=300)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that waits for nobody's body."""
    yield from limited(
        tmp_path_factory.mktemp("hasty") / "data",
        body_seconds=1.5,
        min_body_rate=1_000_000,
        header_seconds=300,
    )


def test_413_before_reading_when_the_length_is_announced(small: RunningGateway) -> None:
    with connect(small) as connection:
        connection.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        status, _, body = answer_of(connection)
    assert (status, body["code"]) == (413, 0)
    assert "200000" in str(body["message"])


def test_413_while_streaming(small: RunningGateway) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with connect(small) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 4)
        status, _, body = answer_of(connection)
    assert (status, body["code"]) == (413, 0)


def test_a_refused_body_is_drained_and_the_connection_goes_on(small: RunningGateway) -> None:
    """Keep-alive right after a refusal: the next request on the connection is answered."""
    with connect(small) as connection:
        connection.sendall(HEAD + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000)
        assert answer_of(connection)[0] == 413
        body = envelope(exam("K1"))
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        status, _, answer = answer_of(connection)
    assert (status, answer["code"]) == (200, 1)


def test_pipelined_requests_after_an_error_are_answered_in_order(small: RunningGateway) -> None:
    body = envelope(exam("K2"))
    bad, good = HEAD + b"Content-Length: 1\r\n\r\n{", HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with connect(small) as connection:
        connection.sendall(bad + good + bad)
        stream = connection.makefile("rb")
        statuses = []
        for _ in range(3):
            statuses.append(int(stream.readline().split()[1]))
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            stream.read(length)
    assert statuses == [400, 200, 400]


def test_expect_100_continue_is_refused_without_the_body(small: RunningGateway) -> None:
    with connect(small) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        status, headers, _ = answer_of(connection)
        assert (status, headers["connection"]) == (413, "close")
        assert is_closed(connection)


def test_408_for_a_slow_body(hasty: RunningGateway) -> None:
    """Not before its time; soon after it, as the 30 s of a gateway that was told nothing are not over."""
    with connect(hasty, 25) as connection:
        started = time.monotonic()
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        status, _, body = answer_of(connection)
        assert (status, body["code"]) == (408, 0)
        assert time.monotonic() - started > 1
        assert is_closed(connection)


def test_a_body_that_trickles_is_ended_too(hasty: RunningGateway) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        for _ in range(200):
            if select.select([connection], [], [], 0)[0]:
                break  # it said what it had to say
            try:
                connection.sendall(b" ")
            except OSError:
                break
            time.sleep(0.1)
        assert answer_of(connection)[0] == 408


def test_slow_heads_are_cut_off_and_others_are_served_meanwhile(wary: RunningGateway) -> None:
    """Many half-open connections (slow loris) do not keep a hospital out."""
    loris: list[socket.socket] = []
    try:
        for _ in range(200):
            loris.append(connect(wary))
            with suppress(OSError):  # on a slow machine the first are cut off by now
                loris[-1].sendall(b"POST /exam-sync HTTP/1.1\r\nHo")
        assert wary.push("/exam-sync", exam("K3"))["code"] == 1
        assert all(is_closed(connection) for connection in loris)
    finally:
        for connection in loris:
            connection.close()


def test_a_head_without_end_is_refused(small: RunningGateway) -> None:
    with connect(small) as connection:
        connection.sendall(b"POST /exam-sync HTTP/1.1\r\nX: " + b"a" * 20_000)
        status, _, body = answer_of(connection)
    assert (status, body["code"]) == (431, 0)


def test_what_is_no_http_answers_400_with_json(small: RunningGateway) -> None:
    with connect(small) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        status, _, body = answer_of(connection)
    assert (status, body["code"]) == (400, 0)


def test_503_when_too_many_bytes_are_in_flight(small: RunningGateway) -> None:
    held = [connect(small) for _ in range(3)]
    try:
        for connection in held:
            connection.sendall(HEAD + b"Content-Length: 180000\r\n\r\n" + b"x" * 130_000)
        answers: list[httpx.Response] = []

        def is_full() -> bool:
            """Once it has read what was sent."""
            answers.append(small.post("/exam-sync", b"x" * 150_000))
            return answers[-1].status_code == 503

        assert until(is_full)
        assert answers[-1].json()["code"] == 0
        assert int(answers[-1].headers["retry-after"]) > 0
    finally:
        for connection in held:
            connection.close()
    assert until(lambda: small.push("/exam-sync", exam("K4"))["code"] == 1)


def test_503_when_too_many_connections_are_open(small: RunningGateway) -> None:
    held = [connect(small) for _ in range(300)]
    try:
        with connect(small) as connection:
            status, headers, body = answer_of(connection)
        assert (status, body["code"]) == (503, 0)
        assert int(headers["retry-after"]) > 0
    finally:
        for connection in held:
            connection.close()
    assert until(lambda: httpx.get(f"{small.url}/health/live").status_code == 200)


def test_clients_that_go_away_leave_nothing_behind(small: RunningGateway) -> None:
    for _ in range(50):
        with connect(small) as connection:
            connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000)
    assert until(lambda: "\nyingqiao_http_in_flight 0.0" in httpx.get(f"{small.url}/metrics").text)
    assert small.push("/exam-sync", exam("K5"))["code"] == 1


def test_429_by_hospital_and_by_peer(make_gateway: GatewayMaker) -> None:
    """A limit of its own for each hospital; Retry-After says when."""
    gateway = make_gateway(HTTP_HOSPITAL_RATE="0.2")  # so few that a slow machine sends too many, too
    other, key = "12140000MB00000006", "ffeeddccbbaa99887766554433221100"
    gateway.add_hospital(other, key)
    answers = [gateway.post("/exam-sync", envelope(exam(f"L{n}"))) for n in range(8)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert all(int(answer.headers["retry-after"]) >= 1 and answer.json()["code"] == 0 for answer in limited)
    record = exam("L9", hospitalCode=other)
    assert gateway.push("/exam-sync", record, hospital=other, key_hex=key)["code"] == 1


def test_concurrent_pushes_are_all_kept(shared_gateway: RunningGateway) -> None:
    codes: list[int] = []

    def push(worker: int) -> None:
        with httpx.Client(base_url=shared_gateway.url) as client:
            for n in range(20):
                codes.append(
                    client.post("/exam-sync", content=envelope(exam(f"C{worker}-{n}"))).json()["code"]
                )

    threads = [threading.Thread(target=push, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [1] * 160
