"""The whole journey of a signature in Chromium (四(二)4): from a doctor's application to the report shown verified."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, Response, expect

from tests.acceptance.senders import HOSPITAL, KEY_HEX, exam, report
from tests.helpers.coss import APP, SECRET, call, job, openssl_hmac
from tests.helpers.office_pages import FIRST, OWN, approve, come_in, hand_in, self_service, with_office
from tests.helpers.phone_screens import (
    PIN,
    REPORT,
    Camera,
    choose_pin,
    give_pin,
    log_in,
    log_out,
    open_scanner,
    shot,
)
from tests.peers.browser import watched_page
from tests.peers.gateway import RunningGateway

DOCTOR = {
    "姓名": "欧阳明慧",
    "身份证号": "11010519491231002X",
    "手机号": "13800138000",
    "科室": "放射科",
    "工号": "U7",
}
SELF_PASSWORD = "radiology-2026"
TITLE = "张三丰的胸部 CT 报告"
PLACES = ("certificates", "seal", "auto", "jobs", "settings", "service/detail", "mine")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    made = with_office(tmp_path / "data")
    done = made.cli("apps", "add", APP, "--secret", SECRET, "--name", "放射科 PACS", "--hospital", HOSPITAL)
    assert done.returncode == 0, done.stderr
    yield made
    made.stop()


@pytest.fixture
def other_desk(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))


@pytest.fixture
def doctors_desk(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))


class Overheard:
    """Every value that went between a phone and its service: none of it belongs into a log."""

    _OPEN = re.compile(
        "keyId|id|jobId|job|url|user|serial|hospital|department|appName|name|version|state|stateWords|profile|"
        "algorithm|type|contentType|certificateState|certificateStateWords"
    )
    """What a log may name, or what is no secret and looked for apart."""

    def __init__(self, page: Page) -> None:
        self._asked: list[str] = []
        self._answers: list[Response] = []
        page.on("request", self._hear_question)
        page.on("response", self._hear_answer)

    def _hear_question(self, request: Request) -> None:
        if "/coss/phone/" in request.url and request.post_data:
            self._asked.append(request.post_data)

    def _hear_answer(self, response: Response) -> None:
        if "/coss/phone/" in response.url and response.request.method == "POST":
            self._answers.append(response)

    def values(self) -> set[str]:
        """All texts of so many calls."""
        kept: set[str] = set()
        for asked in self._asked:
            self._keep(kept, json.loads(asked))
        for answer in self._answers:
            self._keep(kept, answer.json()["data"])
        return kept

    def _keep(self, kept: set[str], value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for member, one in value.items():
                self._keep(kept, one, member)
        elif isinstance(value, list):
            for one in value:
                self._keep(kept, one, name)
        elif isinstance(value, str) and len(value) > 3 and not self._OPEN.fullmatch(name):
            kept.add(value)


def test_from_application_to_verified_report(
    gateway: RunningGateway, desk: Page, other_desk: Page, doctors_desk: Page, phone: Page
) -> None:
    """Issue's journey: application, four eyes, activation, job, scan, signature, polling, time stamp, upload, verdict; and
    what no log may say of it.
    """
    overheard, camera = Overheard(phone), Camera(phone.context)
    enrol(gateway, desk, other_desk)
    code = self_service(doctors_desk, gateway, DOCTOR["手机号"], DOCTOR["身份证号"][-6:], SELF_PASSWORD)
    activate(gateway, phone, camera, code)
    pushed = add_job(gateway)
    sign(phone, camera, base64.b64decode(pushed["qrCode"]))
    signed = polled(gateway, pushed["signDataId"])
    token = call(gateway.url, "createAndGetTssInfo", {"oriData": REPORT, "attachCert": "true"})["data"][
        "tsResp"
    ]
    upload(gateway, signed, token)
    assert_verified(gateway)
    look_around(gateway, phone)
    cookies = {one["value"] for page in (desk, other_desk, doctors_desk) for one in page.context.cookies()}
    values = overheard.values()
    assert (len(cookies), len(values) > 25) == (3, True)
    assert_silent(gateway, cookies | values | {signed["signResult"], signed["hmac"], token, pushed["qrCode"]})


def enrol(gateway: RunningGateway, desk: Page, other_desk: Page) -> None:
    """Annex 3: one hands in and cannot approve, another approves."""
    come_in(desk, gateway, "经办甲")
    number = hand_in(desk, DOCTOR)
    desk.get_by_role("tab", name="申请", exact=True).click()
    desk.get_by_role("button", name="查看").click()
    expect(desk.get_by_role("button", name=re.compile("撤\\s*回"))).to_be_visible()
    expect(desk.get_by_role("button", name=re.compile("通\\s*过"))).to_have_count(0)
    come_in(other_desk, gateway, "审批乙")
    approve(other_desk, number, DOCTOR["身份证号"])


def activate(gateway: RunningGateway, phone: Page, camera: Camera, code: bytes) -> None:
    """The phone's camera before the self-service page."""
    camera.hold(code)
    open_scanner(phone, gateway.url)
    phone.get_by_role("button", name="添加", exact=True).click()
    expect(phone.get_by_text(DOCTOR["姓名"])).to_be_visible()
    shot(phone, "journey-1-pin")
    choose_pin(phone)
    expect(phone.get_by_text("某某医院")).to_be_visible()
    shot(phone, "journey-2-home")


def add_job(gateway: RunningGateway) -> dict[str, str]:
    """The PACS asks, for this doctor; the code as a picture (T118)."""
    data = base64.b64encode(REPORT.encode()).decode()
    asked = job(title=TITLE, data=data, authorizedUserId="U7", requireQrCode="Y", transId="JOURNEY-000000001")
    answer = until(lambda: call(gateway.url, "addSignJob", asked), lambda said: said["status"] == 200)
    pushed: dict[str, str] = answer["data"]
    waiting = call(gateway.url, "getAuthSignResult", {"signDataId": pushed["signDataId"]})["data"]
    assert waiting["jobStatus"] == "UNSIGN"
    return pushed


def sign(phone: Page, camera: Camera, code: bytes) -> None:
    """Scanned off the PACS's screen, read, signed."""
    camera.hold(code)
    phone.get_by_text("扫码", exact=True).click()
    expect(phone.get_by_text("影像诊断：未见异常。", exact=False)).to_be_visible()
    expect(phone.get_by_text("放射科 PACS")).to_be_visible()
    shot(phone, "journey-3-detail")
    phone.get_by_role("button", name="签名", exact=True).click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_be_visible()
    shot(phone, "journey-4-signed")
    phone.get_by_role("button", name="返回首页").click()


def polled(gateway: RunningGateway, number: str) -> dict[str, str]:
    """What the PACS gets; its hmac judged by OpenSSL."""
    found: dict[str, str] = call(gateway.url, "getAuthSignResult", {"signDataId": number})["data"]
    assert (found["jobStatus"], found["result"], found["userId"]) == ("FINISH", "true", "U7")
    text = f"appId={APP}&ext={found['ext']}&result=true&userId=U7"
    assert found["hmac"] == openssl_hmac(SECRET, text)
    return found


def upload(gateway: RunningGateway, signed: dict[str, str], token: str) -> None:
    """三(六) 66 to 70: the five fields, over the sealed envelope."""
    assert gateway.push("/exam-sync", exam("S1"))["code"] == 1
    fields = {
        "CAData": base64.b64encode(REPORT.encode()).decode(),
        "SignValue": signed["signResult"],
        "ClientCert": signed["signCert"],
        "SignType": 1,
        "Timestampvalue": token,
    }
    answer = gateway.push("/report/sync", report("R1", "S1") | fields)
    assert answer["code"] == 1, answer


def assert_verified(gateway: RunningGateway) -> None:
    """By the built-in CA, its list, and the gateway's own stamps; in the report and on the examination's timeline."""
    found = until(
        lambda: read(gateway, f"/api/reports/{HOSPITAL}/R1"),
        lambda said: bool(said.get("signatures")) and said["signatures"][0]["state"] == "done",
    )
    verdict = found["signatures"][0]
    assert (verdict["indication"], verdict["words"]) == ("passed", "报告签名验证通过"), verdict
    until(
        lambda: read(gateway, f"/api/exams/{HOSPITAL}/S1"),
        lambda said: "报告签名验证通过" in json.dumps(said, ensure_ascii=False),
    )


def read(gateway: RunningGateway, path: str) -> dict[str, Any]:
    answer = httpx.get(f"{gateway.url}{path}", headers={"authorization": f"Bearer {gateway.token}"})
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return found


def look_around(gateway: RunningGateway, phone: Page) -> None:
    """The other screens with a real gateway behind them; out, and in again."""
    for place in PLACES:
        phone.goto(f"{gateway.url}/phone/#/{place}")
        expect(phone.get_by_text("正在读取", exact=False)).to_have_count(0)
        expect(phone.get_by_text("没有读到")).to_have_count(0)
        shot(phone, f"journey-5-{place.replace('/', '-')}")
    phone.goto(f"{gateway.url}/phone/#/home")
    log_out(phone)
    log_in(phone)


def assert_silent(gateway: RunningGateway, secrets: set[str]) -> None:
    """No secret, PIN, share, nonce or personal data in any log: the gateway's output, and what commands wrote."""
    patient = (exam("S1"), report("R1", "S1"))
    personal = {
        str(record[name])
        for record in patient
        for name in ("patName", "idCard", "patTelephone", "findings")
        if name in record
    }
    personal |= {
        DOCTOR["姓名"],
        DOCTOR["身份证号"],
        DOCTOR["身份证号"][-6:],
        DOCTOR["手机号"],
        TITLE,
        *REPORT.splitlines(),
    }
    hidden = secrets | personal | {SECRET, KEY_HEX, FIRST, OWN, SELF_PASSWORD, gateway.token}
    hidden |= {base64.b64encode(REPORT.encode()).decode(), (gateway.data / "master.key").read_text().strip()}
    logs = {gateway.log_file: gateway.log}
    logs |= {path: path.read_text("utf-8", "replace") for path in gateway.data.rglob("*.log")}
    assert len(gateway.log) > 2000
    found = {(path.name, one) for path, text in logs.items() for one in hidden if one and one in text}
    assert found == set()
    assert not any(re.search(rf"(?<![\d.]){PIN}(?!\d)", text) for text in logs.values())


def until(ask: Callable[[], dict[str, Any]], good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What was asked for, once it is there."""
    end = time.monotonic() + 120
    while not good(found := ask()):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found
