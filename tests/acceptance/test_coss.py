"""coss by a running gateway: requests signed by OpenSSL's command line, callbacks to a real server (四(二)4)."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.helpers.coss import APP, SECRET, call, job, openssl_hmac, signed
from tests.peers.gateway import GatewayMaker, RunningGateway
from yingqiao.gm import timestamp
from yingqiao.store import sign_jobs
from yingqiao.store.database import open_database
from yingqiao.store.tokens import issued

SIGNATURE, CERTIFICATE = b"0\x03\x02\x01\x05", b"0\x03\x02\x01\x07"


@pytest.fixture(scope="module")
def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    running = shared_gateway
    done = running.cli("apps", "add", APP, "--secret", SECRET)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: call(running.url, "getAuthSignResult", {"signDataId": "SD_x"})["status"] == 404)
    return running


def wait_for(condition: object, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


@dataclass
class Receiver:
    """A PACS that takes callbacks: refuses as often as told, then answers 200."""

    failures: int = 0
    bodies: list[dict[str, object]] = field(default_factory=list)
    tries: int = 0
    taken_at: list[int] = field(default_factory=list)
    """The number of each try that was answered 200."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.tries += 1
            failing = told.tries <= told.failures
            if not failing:
                told.taken_at.append(told.tries)
                told.bodies.append(body)
            self.send_response(503 if failing else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_job_from_request_to_signature(gateway: RunningGateway, receiver: Receiver):
    """四(二)4(1), (2): add, poll, sign, callback with retry; T124: hmac judged by OpenSSL; T112: notes come back."""
    receiver.failures = 2
    changed = gateway.cli("apps", "set", APP, "--private-callback", receiver.url)
    assert changed.returncode == 0, changed.stderr
    asked = job(callBackUrl=f"{receiver.url}/done?exam=7", notes="检查 7", userId="u1", transId="T-1")
    wait_for(lambda: call(gateway.url, "addSignJob", asked)["status"] == 200)
    added = call(gateway.url, "addSignJob", asked)
    assert list(added) == ["status", "message", "transId", "data"]
    assert (added["message"], added["transId"], list(added["data"])) == (
        "SUCCESS",
        "T-1",
        ["signDataId", "qrCode"],
    )
    code = json.loads(added["data"]["qrCode"])
    assert (code["id"], code["cv"]) == (APP, "2.0")
    assert code["sUrl"] == f"{gateway.url}/coss/phone/v1/getServiceInfo"
    number = added["data"]["signDataId"]
    waiting = call(gateway.url, "getAuthSignResult", {"signDataId": number})["data"]
    assert (waiting["jobStatus"], "signResult" in waiting) == ("UNSIGN", False)

    database = open_database(gateway.data)
    found = sign_jobs.by_ticket(database, code["o"])
    assert found is not None
    assert found.data.decode() == "签名测试数据"
    assert [one.job_id for one in sign_jobs.jobs_of(database, "u1", found.created_at)] == [number]
    at = time.time_ns() // 10**6
    sign_jobs.finish(database, number, SIGNATURE, CERTIFICATE, signer="u1", at=at)
    database.close()

    done = call(gateway.url, "getAuthSignResult", {"signDataId": number})["data"]
    assert (done["jobStatus"], done["result"], done["notes"]) == ("FINISH", "true", "检查 7")
    assert base64.b64decode(done["signResult"]) == SIGNATURE
    signed_text = f"appId={APP}&ext={done['ext']}&result=true&userId=u1"
    assert done["hmac"] == openssl_hmac(SECRET, signed_text)
    wait_for(lambda: receiver.bodies)
    assert receiver.taken_at[0] == 3  # one that was answered too late comes once more
    assert receiver.bodies[0]["data"] == done


def test_the_same_trans_id_is_the_same_job(gateway: RunningGateway):
    """T129: asked twice, done once; another content under it is refused; of another application it is another."""
    one = call(gateway.url, "addSignJob", job(transId="T-2"))
    assert call(gateway.url, "addSignJob", job(transId="T-2")) == one
    assert call(gateway.url, "addSignJob", job(transId="T-2", title="别的"))["status"] == 409
    assert call(gateway.url, "addSignJob", job())["data"] != call(gateway.url, "addSignJob", job())["data"]


def test_a_picture_of_the_code(gateway: RunningGateway):
    """T118: requireQrCode Y gives a PNG in base64."""
    picture = call(gateway.url, "addSignJob", job(requireQrCode="Y"))["data"]["qrCode"]
    assert base64.b64decode(picture).startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "题" * 101}, "title"),
        ({"description": "述" * 4097}, "description"),
        ({"expiryDate": 4321}, "expiryDate"),
        ({"data": "!!"}, "Base64"),
        ({"dataType": "HASH"}, "32"),
        ({"dataType": ""}, "dataType"),
        ({"algo": "RSA"}, "algo"),
        ({"callBackUrl": "http://169.254.169.254/latest"}, "callBackUrl"),
        ({"callBackUrl": "http://elsewhere.example/x"}, "callBackUrl"),
        ({"data": base64.b64encode(b"x" * 800_000).decode()}, "data"),
    ],
)
def test_what_is_refused(gateway: RunningGateway, change: dict[str, object], words: str):
    """T122, T123: each limit, by name."""
    answer = call(gateway.url, "addSignJob", job(**change))
    assert answer["status"] == 400
    assert words in answer["message"]
    assert answer["data"] is None


def test_numbers_and_booleans_are_signed_as_they_stand(gateway: RunningGateway):
    """T114, T128: 1440 as a number, true without quotes."""
    assert call(gateway.url, "addSignJob", job(expiryDate=1440))["status"] == 200
    stamped = call(gateway.url, "createAndGetTssInfo", {"oriData": "test", "attachCert": True})
    assert stamped["status"] == 200, stamped


def test_wrong_signatures_get_one_answer(gateway: RunningGateway):
    """Gm-signing 5: the same for a bad application and a bad MAC; the log says why, without values."""
    bad = call(gateway.url, "addSignJob", job(title="患者张三"), secret="another secret")
    assert bad["status"] == 401
    assert call(gateway.url, "addSignJob", job(), app="APP_NOBODY") == bad
    url = f"{gateway.url}/coss/service/v1/addSignJob"
    asked = {"version": "1.0", "appId": APP, "signAlgo": "HMAC"} | job()
    text = "&".join(f"{k}={v}" for k, v in sorted(asked.items()))
    gbk = subprocess.run(
        [
            "openssl",
            "dgst",
            "-sha256",
            "-mac",
            "HMAC",
            "-macopt",
            f"hexkey:{SECRET.encode().hex()}",
            "-binary",
        ],
        input=text.encode("gbk"),
        capture_output=True,
        check=True,
    )
    assert httpx.post(url, json=asked | {"signature": base64.b64encode(gbk.stdout).decode()}).json() == bad
    wait_for(lambda: "GBK" in gateway.log)
    assert "张三" not in gateway.log


def test_a_token_is_made_and_verified(gateway: RunningGateway):
    """四(二)4(3), (4): over the UTF-8 bytes as sent; -2 for another original, -1 for rubbish."""
    for attach in ("true", "false"):
        answer = call(gateway.url, "createAndGetTssInfo", {"oriData": "报告原文", "attachCert": attach})
        assert list(answer["data"]) == ["tsResp"]
        token = answer["data"]["tsResp"]
        info = timestamp.parse_token(base64.b64decode(token)).info
        assert info.imprint.of("报告原文".encode())
        assert abs((datetime.now(UTC) - info.gen_time).total_seconds()) < 60
        for original, code in (("报告原文", "1"), ("报告原文 ", "-2")):
            said = call(gateway.url, "verifyTS", {"oriData": original, "tsResp": token})
            assert said["data"] == {"verifyRes": code}
    assert len(base64.b64decode(token)) < 750
    assert call(gateway.url, "verifyTS", {"oriData": "x", "tsResp": "AAAA"})["data"] == {"verifyRes": "-1"}


def test_bounds_of_the_port(gateway: RunningGateway):
    """Errors of the transport in coss's form too: 405, 413, 415, and what is no request at all."""
    url = f"{gateway.url}/coss/service/v1/addSignJob"
    for response in (
        httpx.get(url),
        httpx.post(url, content=b"x" * (9 << 20)),
        httpx.post(url, content=b"x", headers={"content-encoding": "gzip"}),
    ):
        assert response.json()["status"] == response.status_code
    assert {httpx.get(url).status_code} == {405}
    nested = b'{"a":' * 2000 + b"1" + b"}" * 2000
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"a":NaN}',
        b'{"a":1,"A":2}',
        b"\xef\xbb\xbf{}",
        b'{"a":[1]}',
        b"\xff",
        nested,
    ):
        answer = httpx.post(url, content=body).json()
        assert answer["status"] == 400, body[:20]


def test_rotation_and_disabling(gateway: RunningGateway):
    """A secret replaced with an overlap; with none; an application switched off."""
    app, first = "APP_ROTATING", "first-secret-1"
    assert gateway.cli("apps", "add", app, "--secret", "-", stdin=f"{first}\n").returncode == 0

    def status(secret: str) -> int:
        return int(call(gateway.url, "addSignJob", job(), app=app, secret=secret)["status"])

    wait_for(lambda: status(first) == 200)
    rotated = gateway.cli("apps", "rotate", app, "--overlap", "1h")
    second = rotated.stdout.strip().rpartition("：")[2]
    wait_for(lambda: status(second) == 200)
    assert status(first) == 200
    assert gateway.cli("apps", "rotate", app, "--secret", "third-secret-3", "--overlap", "0s").returncode == 0
    wait_for(lambda: status("third-secret-3") == 200)
    assert (status(first), status(second)) == (401, 401)
    assert gateway.cli("apps", "disable", app).returncode == 0
    wait_for(lambda: status("third-secret-3") == 401)
    assert SECRET not in json.dumps(gateway.json("apps", "list"))


def test_serials_after_kills_are_never_repeated(make_gateway: GatewayMaker):
    """GM/T 0033: a serial number once, and every token handed out in the journal, whatever happens to the process."""
    running = make_gateway(hospital=False)
    running.cli("apps", "add", APP, "--secret", SECRET)
    body = json.dumps(signed({"oriData": "x", "attachCert": "false"}))
    url, seen = f"{running.url}/coss/service/v1/createAndGetTssInfo", []
    wait_for(lambda: httpx.post(url, content=body).json()["status"] == 200)
    for _ in range(2):
        with httpx.Client() as client:
            for _ in range(30):
                token = client.post(url, content=body).json()["data"]["tsResp"]
                seen.append(timestamp.parse_token(base64.b64decode(token)).info.serial)
        running.stop(signal.SIGKILL)
        running.start()
    assert len(set(seen)) == len(seen)
    database = open_database(running.data)
    assert all(issued(database, serial) for serial in seen)
    database.close()


def test_no_secret_in_the_log(gateway: RunningGateway):
    """No secret, no key, no data, no title in the log of all of the above."""
    ticket = json.loads(call(gateway.url, "addSignJob", job())["data"]["qrCode"])["o"]
    for hidden in (SECRET, "third-secret-3", ticket, "562+5ZCN5rWL6K+V5pWw5o2u", "测试签名", "签名测试数据"):
        assert hidden not in gateway.log


@pytest.mark.peer
@pytest.mark.long
def test_several_processes_on_postgresql(make_gateway: GatewayMaker, postgres_empty_url: str):
    """Two HTTP processes: one authority, serial numbers never twice, a job added by one is known to the other."""
    running = make_gateway("--database", postgres_empty_url, "--workers", "2", hospital=False)
    assert running.cli("apps", "add", APP, "--secret", SECRET).returncode == 0
    asked = signed({"oriData": "x", "attachCert": "true"})
    url = f"{running.url}/coss/service/v1/createAndGetTssInfo"
    wait_for(lambda: all(httpx.post(url, json=asked).json()["status"] == 200 for _ in range(8)))
    tokens = [timestamp.parse_token(base64.b64decode(stamp(url, asked))) for _ in range(20)]
    assert len({token.info.serial for token in tokens}) == 20
    assert len({token.info.serial // 4096 for token in tokens}) == 2, "each process has numbers of its own"
    assert len({token.message.certificates[0].raw for token in tokens}) == 1
    number = call(running.url, "addSignJob", job())["data"]["signDataId"]
    for _ in range(8):
        assert call(running.url, "getAuthSignResult", {"signDataId": number})["data"]["jobStatus"] == "UNSIGN"


def stamp(url: str, asked: dict[str, object]) -> str:
    """One token, over a connection of its own."""
    return str(httpx.post(url, json=asked).json()["data"]["tsResp"])


def test_a_callback_outlives_a_kill(make_gateway: GatewayMaker, receiver: Receiver):
    """The end of a job and the work of telling it are one commit: killed in between, it is told after the restart."""
    running = make_gateway(hospital=False)
    running.cli("apps", "add", APP, "--secret", SECRET)
    running.cli("apps", "set", APP, "--private-callback", receiver.url)
    asked = job(callBackUrl=f"{receiver.url}/told", transId="K-1")
    wait_for(lambda: call(running.url, "addSignJob", asked)["status"] == 200)
    number = call(running.url, "addSignJob", asked)["data"]["signDataId"]
    running.stop(signal.SIGKILL)
    database = open_database(running.data)
    sign_jobs.refuse(database, number, "不是我的病人", signer="u9", at=time.time_ns() // 10**6)
    database.close()
    running.start()
    assert call(running.url, "addSignJob", asked)["data"]["signDataId"] == number
    wait_for(lambda: receiver.bodies)
    told = receiver.bodies[0]["data"]
    assert isinstance(told, dict)
    assert (told["jobStatus"], told["result"], told["userId"]) == ("FINISH", "false", "u9")
    assert "不是我的病人" not in running.log
