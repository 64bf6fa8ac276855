"""Running a gateway: ready, metrics, stop, restart, mistakes at start, replay, no patient data in the log."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, envelope, exam, report
from tests.helpers.connector import until
from tests.peers.gateway import GatewayMaker, RunningGateway, free_port
from tests.peers.postgres import start_postgres

WRONG_KEY = "ffffffffffffffffffffffffffffffff"


def test_ready_names_every_part(shared_gateway: RunningGateway) -> None:
    url = f"{shared_gateway.url}/health/ready"
    assert until(lambda: httpx.get(url).status_code == 200)  # a part is given five seconds to answer
    parts = httpx.get(url).json()["parts"]
    assert {"database", "objects", "landing", "dicom", "index", "link", "ledger"} <= set(parts)
    assert httpx.get(f"{shared_gateway.url}/health/live").status_code == 200


def test_metrics_count_by_stage_and_outcome(shared_gateway: RunningGateway) -> None:
    shared_gateway.push("/exam-sync", exam("M1"))
    shared_gateway.push("/exam-sync", exam("M1", patName=""))
    shared_gateway.push("/exam-sync", exam("M1"), key_hex=WRONG_KEY)
    walks = (("record", "accepted"), ("validate", "refused"), ("open", "refused"))
    wanted = {
        f'yingqiao_requests_total{{interface="exam-sync",outcome="{outcome}",stage="{stage}"}}'
        for stage, outcome in walks
    } | {"yingqiao_stage_seconds_bucket", "yingqiao_disk_free_bytes", "yingqiao_index_queue"}

    def missing() -> set[str]:
        text = httpx.get(f"{shared_gateway.url}/metrics").text
        return {name for name in wanted if name not in text}

    assert until(lambda: not missing()), missing()


def test_the_api_wants_its_token(shared_gateway: RunningGateway) -> None:
    """Patient data under /api needs the token of DATA/api.token, also from loopback."""
    url = f"{shared_gateway.url}/api/exams"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert httpx.get(url, headers={"authorization": f"Bearer {shared_gateway.token}"}).status_code == 200
    for name in ("api.token", "master.key"):
        assert (shared_gateway.data / name).stat().st_mode & 0o777 == 0o600


def test_the_standard_is_served(shared_gateway: RunningGateway) -> None:
    described = httpx.get(f"{shared_gateway.url}/openapi.json").json()
    assert {"/exam-sync", "/report/sync", "/examMergeReport-sync"} <= set(described["paths"])
    schema = httpx.get(f"{shared_gateway.url}/schema/exam.json").json()
    assert "risStudyId" in json.dumps(schema)
    assert httpx.get(f"{shared_gateway.url}/schema/nothing.json").status_code == 404


def test_a_stop_answers_what_was_accepted(make_gateway: GatewayMaker) -> None:
    """SIGTERM with requests under way: each is answered, then the process ends with 0."""
    gateway = make_gateway()
    answered: list[int] = []
    acknowledged: list[str] = []
    stop = threading.Event()

    def push(worker: int) -> None:
        with httpx.Client(base_url=gateway.url) as client:
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    answer = client.post("/exam-sync", content=envelope(exam(f"S{worker}-{n}")))
                except httpx.TransportError:
                    return
                answered.append(answer.status_code)
                if answer.json()["code"] == 1:
                    acknowledged.append(f"S{worker}-{n}")

    threads = [threading.Thread(target=push, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    assert until(lambda: len(answered) > 100)
    assert gateway.stop() == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answered) == {200}
    gateway.start()
    kept = {row["examKey"] for row in gateway.json("submissions", "list", "--limit", "1000")}
    assert set(acknowledged[-500:]) <= kept


def test_a_slow_request_under_way_is_finished_at_stop(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway()
    body = envelope(exam("S0"))
    with socket.create_connection(("127.0.0.1", gateway.http_port), 120) as connection:
        connection.sendall(b"POST /exam-sync HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body[:100])
        assert until(lambda: "\nyingqiao_http_in_flight 1.0" in httpx.get(f"{gateway.url}/metrics").text)
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[100:])
        assert b'"code":1' in connection.makefile("rb").read()
    assert gateway.process.wait(120) == 0


def test_a_port_in_use_is_said_in_chinese(make_gateway: GatewayMaker, shared_gateway: RunningGateway) -> None:
    gateway = make_gateway(start=False)
    gateway.http_port = shared_gateway.http_port
    done = gateway.cli("serve", "--http", f"127.0.0.1:{gateway.http_port}", "--dicom", "off")
    assert done.returncode == 2
    assert "端口已被占用" in done.stderr
    done = gateway.cli(
        "serve", "--http", "127.0.0.1:0", "--dicom", f"Y@127.0.0.1:{shared_gateway.dicom_port}"
    )
    assert done.returncode == 2
    assert "端口已被占用" in done.stderr


def test_one_gateway_per_folder(shared_gateway: RunningGateway) -> None:
    done = shared_gateway.cli("serve", "--http", "127.0.0.1:0", "--dicom", "off")
    assert done.returncode == 2
    assert "已有网关在运行" in done.stderr


def test_replay_after_mending_the_key(make_gateway: GatewayMaker) -> None:
    """Refused for a wrong key, kept, accepted by replay once the key is right, while the gateway runs."""
    gateway = make_gateway(hospital=False)
    gateway.add_hospital(key_hex=WRONG_KEY)
    for n in range(3):
        assert gateway.push("/exam-sync", exam(f"P{n}"))["code"] == 0
    refused = gateway.json("submissions", "list", "--outcome", "refused", "--hospital", HOSPITAL)
    assert len(refused) == 3
    done = gateway.cli("hospitals", "rotate-key", HOSPITAL, "--sm4-key", KEY_HEX, "--overlap", "0s")
    assert done.returncode == 0, done.stderr
    one = gateway.json("submissions", "replay", str(refused[0]["id"]))
    assert [result["code"] for result in one] == [1]
    rest = gateway.json("submissions", "replay", "--all-refused", "--hospital", HOSPITAL)
    assert [result["code"] for result in rest] == [1, 1]
    accepted = gateway.json("submissions", "list", "--outcome", "accepted")
    assert {row["examKey"] for row in accepted} == {"P0", "P1", "P2"}
    assert {row["replayOf"] for row in accepted} == {row["id"] for row in refused}
    assert gateway.json("submissions", "replay", "--all-refused", "--hospital", HOSPITAL) == []
    assert gateway.push("/exam-sync", exam("P3"))["code"] == 1


def test_replay_after_mending_the_profile(make_gateway: GatewayMaker) -> None:
    """A refused report with a PDF is accepted once its hospital's profile allows it; the PDF comes along."""
    gateway = make_gateway()
    refused = gateway.push("/report/sync", report("PR1", "PE1", findings=""))
    assert refused["code"] == 0
    profile = json.dumps({"grades": {finding["rule"]: "warn" for finding in refused["content"]}})
    done = gateway.cli("hospitals", "profile", "set", HOSPITAL, "-", stdin=profile)
    assert done.returncode == 0, done.stderr
    replayed = gateway.json("submissions", "replay", "--all-refused", "--hospital", HOSPITAL)
    assert [result["code"] for result in replayed] == [1]


def test_nothing_of_a_patient_is_in_the_log(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway(LOG_LEVEL="info")
    record = exam("LOG1", patName="欧阳测试", patTelephone="13912345678")
    gateway.push("/exam-sync", record)
    gateway.push("/exam-sync", record | {"sex": "欧阳测试", "risStudyId": ""})
    gateway.push("/exam-sync", record, key_hex=WRONG_KEY)
    gateway.post("/exam-sync", b'{"patName": "\xe6\xac\xa7')
    assert gateway.stop() == 0
    for secret in ("欧阳", "140105199003070418", "13912345678", KEY_HEX, gateway.token):
        assert secret not in gateway.log
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "http.request"]
    assert [line["outcome"] for line in requests] == ["accepted", "refused", "refused", "refused"]
    assert all(
        {"hospital", "interface", "bytes", "ms", "status", "submission"} <= set(line) for line in requests
    )
    assert requests[0]["submission"] > 0


def _recorded(gateway: RunningGateway, count: int) -> bool:
    return f'stage="record"}} {count}.0' in httpx.get(f"{gateway.url}/metrics").text


def test_several_processes_on_postgresql(make_gateway: GatewayMaker, postgres_empty_url: str) -> None:
    """Two HTTP processes: both serve, one killed is started again, --data finds the database."""
    gateway = make_gateway("--database", postgres_empty_url, "--workers", "2", hospital=False)
    gateway.add_hospital()
    for n in range(20):
        assert gateway.push("/exam-sync", exam(f"W{n}"))["code"] == 1
    assert len(gateway.json("submissions", "list")) == 20
    # What a process counted is told within a second; killed before that, the count is lost with it.
    assert until(lambda: _recorded(gateway, 20))
    children = _children(gateway)
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    assert until(lambda: set(_children(gateway)) - set(children))
    for n in range(20, 40):
        assert gateway.push("/exam-sync", exam(f"W{n}"))["code"] == 1
    assert until(lambda: _recorded(gateway, 40))
    children = _children(gateway)
    gateway.stop(signal.SIGKILL)
    assert until(
        lambda: not any(_alive(child) for child in children)
    )  # each hears of it, and lets go of the port
    gateway.start()
    assert gateway.push("/exam-sync", exam("W40"))["code"] == 1
    children = _children(gateway)
    assert gateway.stop() == 0
    assert not any(_alive(child) for child in children)
    assert "postgres" not in gateway.cli("serve", "--show-settings").stdout


def _children(gateway: RunningGateway) -> list[int]:
    assert gateway.process is not None
    threads = Path(f"/proc/{gateway.process.pid}/task").glob("*/children")  # a supervising thread has its own
    return [int(pid) for path in threads for pid in path.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second: gone between opening and reading
        return False


def test_one_process_on_sqlite_only(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway(start=False)
    done = gateway.cli("serve", "--http", "127.0.0.1:0", "--dicom", "off", "--workers", "2")
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr


def test_an_address_of_its_own_for_reading(make_gateway: GatewayMaker) -> None:
    admin = free_port()
    gateway = make_gateway("--admin", f"127.0.0.1:{admin}")
    assert httpx.get(f"{gateway.url}/metrics").status_code == 404
    assert httpx.get(f"{gateway.url}/api/exams").status_code == 404
    assert httpx.get(f"http://127.0.0.1:{admin}/metrics").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{admin}/health/ready").status_code == 200
    assert httpx.post(f"http://127.0.0.1:{admin}/exam-sync").status_code == 404


@pytest.mark.long
def test_the_database_goes_away_and_comes_back(make_gateway: GatewayMaker) -> None:
    """503 with Retry-After while it is away, quickly; nothing acknowledged is lost."""
    folder = Path(
        tempfile.mkdtemp(prefix="yingqiao-pg-")
    )  # not below pytest's own folder, which is root's only
    server = start_postgres(folder)
    try:
        gateway = make_gateway("--database", server.url("postgres"), hospital=False)
        gateway.add_hospital()
        assert gateway.push("/exam-sync", exam("D1"))["code"] == 1
        server.stop("immediate")
        answer = gateway.post("/exam-sync", envelope(exam("D2")))
        assert (answer.status_code, answer.json()["code"]) == (503, 0)
        assert int(answer.headers["retry-after"]) > 0
        assert until(lambda: httpx.get(f"{gateway.url}/health/ready").status_code == 503)
        assert httpx.get(f"{gateway.url}/health/live").status_code == 200
        started = time.monotonic()
        assert gateway.post("/exam-sync", envelope(exam("D3"), hospital="NOBODY")).status_code in (200, 503)
        assert time.monotonic() - started < 20
        server.start()
        deadline = time.monotonic() + 120
        while httpx.get(f"{gateway.url}/health/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        while gateway.push("/exam-sync", exam("D2"))["code"] != 1:  # a hospital repeats what was answered 503
            assert time.monotonic() < deadline
            time.sleep(0.2)
        rows = gateway.json("submissions", "list", "--outcome", "accepted")
        assert [row["examKey"] for row in rows] == ["D2", "D1"]
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


def test_the_reserve_of_the_disk_is_kept_free(make_gateway: GatewayMaker) -> None:
    """Below the reserve nothing is taken: 503 with Retry-After, and not ready."""
    gateway = make_gateway(start=False)
    gateway.environ["YINGQIAO_RESERVE_BYTES"] = str(2**60)
    gateway.launch()
    deadline = time.monotonic() + 120
    while not _answers(gateway):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert httpx.get(f"{gateway.url}/health/ready").json()["parts"]["landing"]["ok"] is False
    answer = gateway.post("/exam-sync", envelope(exam("F1")))
    assert (answer.status_code, answer.json()["code"]) == (503, 0)
    assert "retry-after" in answer.headers


def _answers(gateway: RunningGateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_refusals_of_an_exam_are_found_by_it(make_gateway: GatewayMaker) -> None:
    """A refused record that could be read keeps its keys: in `submissions list --exam`, in the exam's timeline."""
    gateway = make_gateway()
    assert gateway.push("/exam-sync", exam("T1"))["code"] == 1
    assert gateway.push("/exam-sync", exam("T1", patName=""))["code"] == 0
    assert gateway.push("/report/sync", report("TR1", "T1", findings=""))["code"] == 0
    listed = gateway.json("submissions", "list", "--exam", "T1")
    assert [row["outcome"] for row in listed] == ["refused", "accepted"]
    assert len(gateway.json("submissions", "list", "--report", "TR1")) == 1
    shown = gateway.json("exams", "show", HOSPITAL, "T1")
    assert [event["kind"] for event in shown["timeline"]].count("refused") == 1
    assert shown["exam"]["patientName"] == exam("T1")["patName"]


def test_what_unregistered_hospitals_send_is_bounded(make_gateway: GatewayMaker) -> None:
    """Over the bound: answered as before, not kept."""
    gateway = make_gateway(EXCHANGE_UNKNOWN_COUNT="3")
    for _ in range(6):
        answer = gateway.push("/exam-sync", exam("U1"), hospital="NOBODY")
        assert (answer["code"], answer["content"][0]["rule"]) == (0, "unknown-hospital")
    assert gateway.push("/exam-sync", exam("U2"))["code"] == 1
    assert len(gateway.json("submissions", "list", "--outcome", "refused")) == 3
    assert until(lambda: "unknown.bound_reached" in gateway.log)
