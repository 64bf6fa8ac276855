"""The phone API by a running gateway: over HTTP from a page of another origin; nothing secret in its log."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL
from tests.helpers.coss import APP, SECRET, call, job
from tests.helpers.gm_samples import token_samples
from tests.helpers.phone import PhoneApp, b64
from tests.integration.store.test_signing_people import ENTRIES
from tests.peers.gateway import RunningGateway
from yingqiao.app.folder import open_folder
from yingqiao.app.keys import master_key
from yingqiao.app.phone import ConsoleSender
from yingqiao.gm import sm2, timestamp
from yingqiao.settings import PhoneSettings, Settings
from yingqiao.signing.certificates.authority import IssuingRule
from yingqiao.store.database import open_database
from yingqiao.store.objects import LocalObjects
from yingqiao.store.signing.cases import Cases
from yingqiao.store.signing.personal import PersonalData
from yingqiao.store.signing.phone_desk import open_desk

DSVS = "/dsvs/v1/pkcs1/verifyDataSign"


@pytest.fixture(scope="module")
def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    done = shared_gateway.cli("apps", "add", APP, "--secret", SECRET)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: call(shared_gateway.url, "getAuthSignResult", {"signDataId": "SD_x"})["status"] == 404)
    return shared_gateway


def wait_for(condition: Any, seconds: float = 120.0, why: object = "not in time") -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, why
        time.sleep(0.1)


def activation(gateway: RunningGateway) -> str:
    """A CA, an approved doctor and an activation code, as commands and pages make them."""
    settings = Settings(data=str(gateway.data))
    folder, database = open_folder(settings), open_database(gateway.data)
    key = master_key(settings, folder)

    def now() -> int:
        return time.time_ns() // 10**6

    desk = open_desk(
        database, key, LocalObjects(folder.objects), PhoneSettings(), IssuingRule(), ConsoleSender(), now
    )
    desk.authority.start("测试 CA")
    cases = Cases(database, PersonalData(database, key), desk.doctors, now)
    case = cases.approve(cases.submit("doctor", HOSPITAL, ENTRIES, "经办甲"), "审批乙")
    code = desk.activations.give(case.doctor_id or 0)[0]
    database.close()
    return code


def test_a_phone_signs_and_the_log_says_nothing_of_it(gateway: RunningGateway) -> None:
    """Issue's rule: no secret, PIN, share, nonce or personal data in any log; dsvs then verifies with the chain."""
    bodies: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []

    def post(name: str, given: dict[str, Any]) -> dict[str, Any]:
        bodies.append(given)
        answer = httpx.post(f"{gateway.url}/coss/phone/v1/{name}", json=given, timeout=120).json()
        answers.append(answer)
        return dict(answer)

    phone = PhoneApp(post)
    info = phone.call("getServiceInfo")
    assert (info["version"], info["url"], info["autoSignMaxMinutes"]) == ("2.1", gateway.url, 43200)
    done = phone.activate(activation(gateway))
    phone.log_in()
    added = call(gateway.url, "addSignJob", job(authorizedUserId="U7", requireQrCode="N"))["data"]
    phone.call("ticket", o=json.loads(added["qrCode"])["o"])
    number, message = added["signDataId"], base64.b64decode(job()["data"])
    signed = phone.sign(f"job:{number}", message)
    result = call(gateway.url, "getAuthSignResult", {"signDataId": number})["data"]
    assert (result["jobStatus"], result["signResult"]) == ("FINISH", signed["signature"])
    asked = {
        "transId": "T" * 15,
        "signAlgIdentifier": "SM3WithSM2",
        "oriData": job()["data"],
        "base64": "true",
        "signValue": signed["signature"],
        "base64Cert": signed["certificate"],
        "verifyCert": "true",
    }
    said: dict[str, Any] = {}

    def verifies() -> bool:
        """Every process knows within a second whom to trust."""
        said.update(httpx.post(f"{gateway.url}{DSVS}", json=asked).json())
        return bool(said["data"]["result"] == "true")

    wait_for(verifies, why=said)
    phone.with_token("setAutoSign", enabled=True)
    pushed = call(gateway.url, "addSignJob", job(authorizedUserId="U7"))["data"]["signDataId"]
    waiting = {"signDataId": pushed}
    wait_for(lambda: call(gateway.url, "getAuthSignResult", waiting)["data"]["jobStatus"] == "FINISH")
    assert done["state"] == "normal"
    log = gateway.log
    secret = ["13800138000", "王医生", ENTRIES["idNumber"], f"{phone.phone.d1:x}", f"{phone.phone.d1}"]
    for values in (*bodies, *(answer["data"] or {} for answer in answers)):
        for name in ("token", "offer", "finish", "answer", "code", "session", "o", "signature", "challenge"):
            secret += [values[name]] if values.get(name) else []
    assert len(secret) > 20
    assert [one for one in secret if one in log] == []


def test_a_page_of_another_origin_may_call(gateway: RunningGateway) -> None:
    """CORS: the preflight, answers and refusals alike; not for coss itself."""
    url = f"{gateway.url}/coss/phone/v1/getServiceInfo"
    asked = {"origin": "https://phone.example", "access-control-request-method": "POST"}
    before = httpx.options(url, headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-headers"] == "content-type"
    for response in (
        before,
        httpx.post(url, json={}),
        httpx.post(url, content=b"x" * 20_000),
        httpx.get(url),
    ):
        assert response.headers["access-control-allow-origin"] == "*", response.status_code
        assert "access-control-allow-credentials" not in response.headers
    assert (
        "access-control-allow-origin" not in httpx.post(f"{gateway.url}/coss/service/v1/addSignJob").headers
    )
    for body in (b"", b"[]", b"{", b"\xff", b'{"a":' * 300):
        assert httpx.post(url, content=body).json()["data"] == {"code": "json"}


def test_dsvs_holds_an_application_to_its_policy(gateway: RunningGateway) -> None:
    """T130: signed by default for those registered; strangers, as the standard's samples are, are answered."""
    asked = {"transId": "T" * 15, "signAlgIdentifier": "SM3WithSM2", "oriData": "x", "signValue": b64(b"0")}
    asked |= {"pubKey": b64(sm2.generate().public().spki)}
    url = f"{gateway.url}{DSVS}"
    assert httpx.post(url, json=asked | {"appId": APP}).json()["status"] == 401
    assert httpx.post(url, json=asked | {"appId": "APP_NOBODY"}).json()["status"] != 401
    assert httpx.post(url, json=asked).json()["status"] != 401


def test_the_samples_tokens_by_what_is_trusted(gateway: RunningGateway) -> None:
    """T134: -1, as their certificate is misprinted; 1 once an operator trusts that very certificate for time stamps."""
    raw = token_samples()[0]
    asked = {"oriData": "test", "tsResp": b64(raw)}
    assert call(gateway.url, "verifyTS", asked)["data"] == {"verifyRes": "-1"}
    file = gateway.data.parent / "tsa.cer"
    file.write_bytes(timestamp.parse_token(raw).message.certificates[0].raw)
    done = gateway.cli("trust", "add", str(file), "--role", "tsa")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: call(gateway.url, "verifyTS", asked)["data"] == {"verifyRes": "1"})
