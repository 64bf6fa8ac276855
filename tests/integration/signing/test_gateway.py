"""The contract on a real gateway: trust, verify, dsvs, the API, reports' signatures, lists fetched by address."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, exam, report
from tests.helpers import pki
from tests.helpers.timelines import told
from tests.helpers.trust import crl_of, pem
from tests.peers.gateway import RunningGateway
from tests.unit.signing.test_dsvs import sample
from yingqiao.gm import crl, sm2
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of

W = pki.world()
NOW = datetime.now(UTC)
STAMPER = Stamper(W.tsa.certificate, W.tsa.signer, pki.POLICY, W.chain)
CONTENT = "影像诊断：未见异常。".encode()


@pytest.fixture(scope="module")
def gateway(shared_gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> RunningGateway:
    folder = tmp_path_factory.mktemp("trust")
    (folder / "chain.pem").write_bytes(pem(*W.chain))
    (folder / "ca.crl").write_bytes(crl_of(W.ca, at=NOW).raw)
    words = ("trust", "add", str(folder / "chain.pem"), "--crl", str(folder / "ca.crl"))
    done = shared_gateway.cli(*words)
    assert done.returncode == 0, done.stderr
    return shared_gateway


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """What a hospital hands over, in three armours."""
    value = sm2.sign(W.doctor.private, CONTENT)
    made = {
        "content": CONTENT,
        "signature": base64.b64encode(value),
        "certificate": pem(W.doctor.certificate),
        "token": STAMPER.stamp(Stamp(imprint_of(CONTENT), 1, NOW)),
        "changed": CONTENT + b"!",
    }
    for name, raw in made.items():
        (tmp_path / name).write_bytes(raw)
    return {name: str(tmp_path / name) for name in made}


def verify(gateway: RunningGateway, *words: str, code: int) -> dict[str, Any]:
    done = gateway.cli("verify", *words, "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    assert {"indication", "step", "reason", "details"} <= found.keys()
    return found


def test_the_contract_of_verify(gateway: RunningGateway, files: dict[str, str]):
    signed = ["signature", "--signature", files["signature"], "--certificate", files["certificate"]]
    right = [*signed, "--content", files["content"]]
    assert verify(gateway, *right, code=0)["indication"] == "passed"
    assert verify(gateway, *right, "--token", files["token"], code=0)["details"]["referenceBy"] == "token"
    assert verify(gateway, *signed, "--content", files["changed"], code=1)["step"] == "signature"
    late = verify(gateway, *right, "--at", "2029-01-01T00:00:00Z", code=1)
    assert (late["indication"], late["step"], late["reason"]) == ("failed", "validity", "expired")
    stale = verify(gateway, *right, "--at", "2027-06-01", code=2)
    assert (stale["indication"], stale["step"], stale["reason"]) == ("unknown", "revocation", "crl-stale")
    stamp = ["timestamp", "--token", files["token"], "--content"]
    assert verify(gateway, *stamp, files["content"], code=0)["indication"] == "passed"
    assert verify(gateway, *stamp, files["changed"], code=1)["step"] == "imprint"
    assert verify(gateway, "certificate", files["certificate"], code=0)["indication"] == "passed"
    people = gateway.cli("verify", "certificate", files["certificate"])
    assert "证书验证通过" in people.stdout
    assert "证书链" in people.stdout


def test_verify_without_a_data_folder(gateway: RunningGateway, files: dict[str, str], tmp_path: Path):
    (tmp_path / "chain").write_bytes(pem(*W.chain) + _pem_list(crl_of(W.ca, at=NOW)))
    words = ["verify", "certificate", files["certificate"], "--json"]
    assert json.loads(gateway.cli(*words, data=False).stdout)["reason"] == "no-trusted-chain"
    done = gateway.cli(*words, "--trust", str(tmp_path / "chain"), data=False)
    assert json.loads(done.stdout)["indication"] == "passed"


def _pem_list(one: crl.RevocationList) -> bytes:
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(one.raw) + b"-----END X509 CRL-----\n"


@pytest.mark.parametrize("path", ["/dsvs/v1/pkcs1/verifyDataSign", "/dsvs/pkcs1/verifyDataSign"])
def test_dsvs_answers_the_samples(gateway: RunningGateway, path: str):
    """T110: both addresses."""
    answer = httpx.post(gateway.url + path, json=sample("dsvs_pkcs1_verifyDataSign_request"))
    assert answer.json() == sample("dsvs_pkcs1_verifyDataSign_response")
    wrong = sample("dsvs_pkcs1_verifyDataSign_request") | {"oriData": "other"}
    said = httpx.post(gateway.url + path, json=wrong).json()
    assert said["data"]["result"] == "false"
    assert said["message"].startswith("签名验证不通过")


def test_dsvs_pkcs7_and_odd_requests(gateway: RunningGateway):
    url = f"{gateway.url}/dsvs/v1/pkcs7/verifyDataSign"
    request = sample("dsvs_pkcs7_verifyDataSign_request")
    assert httpx.post(url, json=request).json()["data"]["result"] == "false"
    assert httpx.post(url, json=request | {"oriData": "123"}).json()["data"]["result"] == "true"
    assert httpx.get(url).status_code == 405
    for odd in (b"", b"[]", b"{", '{"a": "中"}'.encode("gbk"), b"null"):
        assert httpx.post(url, content=odd).json()["status"] == 400
    assert httpx.post(url, content=b" " * (13 * 1024 * 1024)).status_code == 413


def test_dsvs_large_and_with_certificates(gateway: RunningGateway):
    url = f"{gateway.url}/dsvs/v1/pkcs1/verifyDataSign"
    content = "影像" * 800_000
    request = {
        "transId": "a" * 32,
        "signAlgIdentifier": "SM3WithSM2",
        "oriData": content,
        "signValue": base64.b64encode(sm2.sign(W.doctor.private, content.encode())).decode(),
        "base64Cert": base64.b64encode(W.doctor.certificate.raw).decode(),
        "verifyCert": True,
    }
    answer = httpx.post(url, json=request, timeout=120).json()
    assert answer["data"] == {"transId": "a" * 32, "result": "true"}, answer


def test_the_api(gateway: RunningGateway):
    headers = {"authorization": f"Bearer {gateway.token}"}
    url = f"{gateway.url}/api/verify"
    value = base64.b64encode(sm2.sign(W.doctor.private, CONTENT)).decode()
    body = {
        "contentText": CONTENT.decode(),
        "signature": value,
        "certificate": pem(W.doctor.certificate).decode(),
    }
    assert httpx.post(f"{url}/signature", json=body).status_code == 401
    right = httpx.post(f"{url}/signature", json=body, headers=headers).json()
    assert right["indication"] == "passed"
    assert "步骤" in right["text"]
    body["contentText"] += "\n"
    assert httpx.post(f"{url}/signature", json=body, headers=headers).json()["reason"] == "trailing-newline"
    token = base64.b64encode(STAMPER.stamp(Stamp(imprint_of(CONTENT), 2, NOW))).decode()
    stamp = {"token": token, "content": base64.b64encode(CONTENT).decode()}
    assert httpx.post(f"{url}/timestamp", json=stamp, headers=headers).json()["indication"] == "passed"
    given = {"certificates": [pem(W.doctor.certificate).decode()], "at": "2030-01-01"}
    assert httpx.post(f"{url}/certificate", json=given, headers=headers).json()["reason"] == "expired"
    for odd in (
        {"nothing": 1},
        {},
        {"signature": "x", "at": "never"},
        {"signature": "x", "policy": {"a": 1}},
    ):
        assert httpx.post(f"{url}/signature", json=odd, headers=headers).status_code == 400


def signature_fields(record: str, content: bytes = CONTENT, **changes: Any) -> dict[str, Any]:
    """The five fields of a report (三(六) 66–70), CAData as base64 (T66)."""
    value = sm2.sign(W.doctor.private, content)
    return {
        "CAData": base64.b64encode(content).decode(),
        "ClientCert": base64.b64encode(W.doctor.certificate.raw).decode(),
        "SignType": 1,
        "SignValue": base64.b64encode(value).decode(),
        "Timestampvalue": base64.b64encode(STAMPER.stamp(Stamp(imprint_of(content), 3, NOW))).decode(),
    } | changes


def judged(gateway: RunningGateway, record: str) -> dict[str, Any]:
    """The newest verdict on a report's signature, once it is there."""
    headers = {"authorization": f"Bearer {gateway.token}"}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = httpx.get(f"{gateway.url}/api/reports/{HOSPITAL}/{record}", headers=headers)
        found = answer.json().get("signatures") if answer.status_code == 200 else None
        if found and found[0]["state"] == "done":
            newest: dict[str, Any] = found[0]
            return newest
        time.sleep(0.1)
    raise AssertionError(answer.text[:2000])


def test_reports_signatures_are_judged(gateway: RunningGateway):
    """T66: right and wrong, a verdict and a line of the timeline."""
    gateway.push("/exam-sync", exam("S1"))
    assert gateway.push("/report/sync", report("R1", "S1") | signature_fields("R1"))["code"] == 1
    right = judged(gateway, "R1")
    assert right["indication"] == "passed", right
    assert right["words"] == "报告签名验证通过"
    wrong = signature_fields("R2", CAData="altered afterwards")
    assert gateway.push("/report/sync", report("R2", "S1") | wrong)["code"] == 1
    assert judged(gateway, "R2")["indication"] == "failed"
    kinds = told(gateway, "S1", "signature-passed", "signature-failed")
    assert "报告 R1：报告签名验证通过" in kinds["signature-passed"]
    assert "R2" in kinds["signature-failed"]
    assert "报告签名验证通过" in gateway.cli("reports", "show", HOSPITAL, "R1").stdout


def test_a_profile_refuses_wrong_signatures_at_once(gateway: RunningGateway):
    """The per-hospital switch: warn or refuse; unknown is not refused."""
    code = "12140000MB00000099"
    gateway.add_hospital(code, name="严格医院")
    profile = json.dumps({"grades": {"signature": "refuse"}})
    done = gateway.cli("hospitals", "profile", "set", code, "-", stdin=profile)
    assert done.returncode == 0, done.stderr
    more = {"hospitalCode": code}
    wrong = report("R3", "S3") | signature_fields("R3", CAData="altered") | more
    answer = gateway.push("/report/sync", wrong, hospital=code)
    assert answer["code"] == 0
    assert "CA 签名值" in answer["message"]
    right = report("R3", "S3") | signature_fields("R3") | more
    assert gateway.push("/report/sync", right, hospital=code)["code"] == 1
    stranger = pki.make(pki.Profile.SIGNING, "外省医生")
    given = signature_fields(
        "R4",
        ClientCert=base64.b64encode(stranger.certificate.raw).decode(),
        SignValue=base64.b64encode(sm2.sign(stranger.private, CONTENT)).decode(),
    )
    unknown = gateway.push("/report/sync", report("R4", "S3") | given | more, hospital=code)
    assert unknown["code"] == 1
    assert any(finding["rule"] == "signature" for finding in unknown["content"]["findings"])


class _Lists(http.server.BaseHTTPRequestHandler):
    """Serves one revocation list."""

    def do_GET(self) -> None:
        body = crl_of(W.root, crl.Entry(4711, NOW - timedelta(days=1)), at=NOW).raw
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def publisher() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Lists)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/root.crl"
    server.shutdown()
    thread.join()
    server.server_close()


def test_lists_are_fetched_from_their_address(gateway: RunningGateway, publisher: str, tmp_path: Path):
    (tmp_path / "root.cer").write_bytes(W.root.certificate.raw)
    done = gateway.cli("trust", "add", str(tmp_path / "root.cer"), "--crl", publisher)
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rows = gateway.json("trust", "list")
        found = [one for row in rows for one in row["lists"] if one["url"] == publisher]
        if found and found[0]["count"] == 1:
            return
        time.sleep(0.5)
    raise AssertionError(found)
