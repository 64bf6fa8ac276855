"""The signing office over HTTP: sessions, roles, foreign requests, limits; applications, certificates, lists (四(二)4)."""

from __future__ import annotations

import asyncio
import base64
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from yingqiao.gm import armor, certificates, crl, csr, names, oids, sm2
from yingqiao.gm.issuing import Authority as IssuingAuthority
from yingqiao.gm.issuing import Profile
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.gm.signatures import sm2_key, sm2_signer
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.limits import MIB
from yingqiao.signing.certificates.authority import (
    AUTHORITY_PLACE,
    IssuingRule,
    Subject,
    doctor_certificate,
    root_certificate,
)
from yingqiao.signing.certificates.states import CertificateState
from yingqiao.signing.enrolment.annexes import DOCTOR
from yingqiao.signing.enrolment.sheets import template
from yingqiao.signing.moments import moment
from yingqiao.store.database import Database, open_database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.store.signing.logins import SESSION_MS
from yingqiao.store.signing.office import Office, office_of
from yingqiao.store.signing.staff import Role
from yingqiao.tasks.revocation import ListPublisher
from yingqiao.web.office import DoorRule, office_routes
from yingqiao.web.site import _starlette

BASE = "http://gateway"
OURS = {"x-yingqiao": "1", "origin": BASE}
ID_NUMBER = "11010519491231002X"
ENTRIES = {"name": "王医生", "idNumber": ID_NUMBER, "mobile": "13800138000", "department": "放射科"}
PASSWORD = "first-pass-1"
DAY = 24 * 3600 * 1000


def png(width: int = 40, height: int = 20) -> bytes:
    """A white picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = zlib.compress((b"\0" + b"\xff" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


class Desk:
    """The office with a clock that a test sets, and browsers that ask it."""

    def __init__(self, database: Database, folder: Path, pictures: Sandbox | None = None) -> None:
        self.now = 1_795_000_000_000
        self.pictures = pictures or Sandbox()
        self.database = database
        key = MasterKey(new_master_key())
        registry = HospitalRegistry(database, key)
        registry.add("H1", "太原市第一医院", "00" * 16)
        registry.add("H2", "大同市第二医院", "11" * 16)
        rule = IssuingRule(crl_urls=(f"{BASE}/crl/{AUTHORITY_PLACE}.crl",))
        self.office: Office = office_of(
            database, key, LocalObjects(folder), rule, lambda: self.now, "http://public"
        )
        self.app = _starlette(office_routes(self.office, DoorRule(logins_per_minute=0), self.pictures))

    def browser(self) -> Browser:
        return Browser(self.app)

    def staff(self, name: str, role: Role, hospital: str | None = None) -> Browser:
        """A browser in which somebody of this role is logged in with an own password."""
        self.office.staff.add(name, role, PASSWORD, hospital)
        self.office.staff.set_password(name, "own-pass-22", by_themselves=True)
        browser = self.browser()
        assert browser.post("/admin/login", name=name, password="own-pass-22").status_code == 200
        return browser

    def doctor(self, **changed: str) -> int:
        case = self.office.cases.submit("doctor", "H1", ENTRIES | changed, "甲")
        return self.office.cases.approve(case, "乙").doctor_id or 0

    def issue(self, doctor_id: int) -> int:
        with self.database.write() as connection:
            doctor, public = self.office.doctors.get(doctor_id), sm2.generate().public()
            made = self.office.authority.issue_pair(connection, doctor, f"k{self.now}", public, b"")
        return made[0]


class Browser:
    """Keeps cookies and says where it is; asks without a socket between."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=self.cookies) as client:
                answer = await client.request(method, path, **how)
                self.cookies = client.cookies
                return answer

        return asyncio.run(one())

    def post(self, path: str, headers: dict[str, str] = OURS, **body: object) -> httpx.Response:
        return self.ask("POST", f"/web/api{path}", json=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", f"/web/api{path}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = open_database(tmp_path)
    database.migrate()
    with Sandbox(
        SandboxLimits(memory=400 * MIB, workers=1)
    ) as pictures:  # no process until a picture is opened
        yield Desk(database, tmp_path / "objects", pictures)
    database.close()


def code(answer: httpx.Response) -> tuple[int, str]:
    said = answer.json()
    assert said["message"]
    return answer.status_code, said["code"]


# --- self-service --------------------------------------------------------------------------------------------------


def test_a_doctor_gets_an_activation_code_after_setting_a_password(desk: Desk) -> None:
    """四(二)4: mobile number, last six, forced own password, 获取激活二维码."""
    doctor_id = desk.doctor()
    browser = desk.browser()
    assert browser.get("/self/session").json() == {"doctor": None}
    assert code(browser.post("/self/login", mobile="13800138000", password="31002x")) == (
        401,
        "wrong-password",
    )
    came = browser.post("/self/login", mobile="13800138000", password="31002X")
    assert came.json()["doctor"]["mustChange"] is True
    cookie = came.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/web/api"))
    assert code(browser.post("/self/activation")) == (403, "must-change")
    assert code(browser.post("/self/password", old="31002X", new="31002X")) == (422, "password-same")
    assert code(browser.post("/self/password", old="guess", new="radiology-2026"))[0] == 401
    assert browser.post("/self/password", old="31002X", new="radiology-2026").status_code == 200
    given = browser.post("/self/activation").json()
    assert given["qrText"].startswith('{"t":"yingqiao-activation","sUrl":"http://public/')
    assert base64.b64decode(given["qrPng"]).startswith(b"\x89PNG")
    assert desk.office.activations.look(given["code"]) == doctor_id
    desk.office.authority.start("测试 CA")
    desk.issue(doctor_id)
    assert [c["stateWords"] for c in browser.get("/self/certificates").json()] == ["正常", "正常"]
    browser.post("/self/logout")
    assert code(browser.get("/self/certificates")) == (401, "login")


def test_a_session_ends_with_time_and_with_the_account(desk: Desk) -> None:
    browser = desk.staff("审批乙", Role.APPROVER)
    assert browser.get("/admin/cases").status_code == 200
    desk.now += SESSION_MS
    assert code(browser.get("/admin/cases")) == (401, "login")
    other = desk.staff("审批丙", Role.APPROVER)
    desk.office.staff.set_disabled("审批丙", disabled=True)
    assert code(other.get("/admin/cases")) == (401, "login")


def test_a_doctor_is_no_staff(desk: Desk) -> None:
    """A cookie of one door opens no other."""
    desk.doctor()
    browser = desk.browser()
    browser.post("/self/login", mobile="13800138000", password="31002X")
    token = browser.cookies["yingqiao_doctor"]
    browser.cookies.set("yingqiao_staff", token)
    assert code(browser.get("/admin/cases")) == (401, "login")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-yingqiao": "1"},
        {"origin": BASE},
        {"x-yingqiao": "1", "origin": "http://elsewhere"},
        {"x-yingqiao": "1", "origin": "null"},
    ],
)
def test_what_another_site_could_send_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    browser = desk.staff("管理员", Role.ADMIN)
    answer = browser.post("/admin/staff", headers, name="x", role="admin", password=PASSWORD, hospital="")
    assert code(answer) == (403, "foreign")
    assert len(desk.office.staff.list()) == 1


def test_guessing_is_slow(desk: Desk) -> None:
    app = _starlette(office_routes(desk.office, DoorRule(logins_per_minute=3), desk.pictures))
    browser = Browser(app)
    tries = [browser.post("/admin/login", name="nobody", password="guess") for _ in range(5)]
    assert [answer.status_code for answer in tries] == [401, 401, 401, 429, 429]
    assert int(tries[-1].headers["retry-after"]) > 0


def test_five_wrong_passwords_lock_the_account(desk: Desk) -> None:
    desk.office.staff.add("甲乙", Role.OPERATOR, PASSWORD)
    browser = desk.browser()
    for _ in range(5):
        browser.post("/admin/login", name="甲乙", password="guess")
    assert code(browser.post("/admin/login", name="甲乙", password=PASSWORD)) == (423, "locked")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"name": 1, "password": []}', b'"' + b"x" * 70_000 + b'"']
)
def test_bodies_that_are_none(desk: Desk, raw: bytes) -> None:
    answer = desk.browser().ask("POST", "/web/api/admin/login", content=raw, headers=OURS)
    assert answer.status_code in (400, 413)


# --- applications --------------------------------------------------------------------------------------------------


def test_an_operator_hands_in_and_another_approves(desk: Desk) -> None:
    operator, approver = desk.staff("经办甲", Role.OPERATOR, "H1"), desk.staff("审批乙", Role.APPROVER)
    wrong = operator.post("/admin/cases", form="doctor", hospital="H1", entries={"name": "王"})
    assert [p["field"] for p in wrong.json()["problems"]] == ["idNumber", "mobile", "department"]
    made = operator.post("/admin/cases", form="doctor", hospital="H2", entries=ENTRIES).json()["id"]
    whole = approver.get(f"/admin/cases/{made}").json()
    assert whole["hospital"] == "H1"
    """Whoever belongs to a hospital hands in for that one."""
    assert whole["entries"]["idNumber"] == ID_NUMBER
    assert code(operator.post(f"/admin/cases/{made}/approve")) == (403, "role")
    assert approver.post(f"/admin/cases/{made}/approve").json()["state"] == "approved"
    assert code(approver.post(f"/admin/cases/{made}/reject", reason="晚了")) == (409, "decided")
    (doctor,) = approver.get("/admin/doctors").json()
    assert (doctor["name"], doctor["mobile"]) == ("王医生", "138****8000")


def test_four_eyes_hold_over_http(desk: Desk) -> None:
    """Somebody who was an operator and became an approver does not approve their own."""
    case = desk.office.cases.submit("doctor", "H1", ENTRIES, "审批乙")
    assert code(desk.staff("审批乙", Role.APPROVER).post(f"/admin/cases/{case}/approve")) == (
        409,
        "four-eyes",
    )


def test_a_hospital_sees_its_own(desk: Desk) -> None:
    case = desk.office.cases.submit("doctor", "H1", ENTRIES, "甲")
    desk.office.cases.approve(case, "乙")
    other = desk.staff("二院", Role.APPROVER, "H2")
    for path in (f"/admin/cases/{case}", f"/admin/cases/{case}/form.pdf"):
        assert code(other.get(path)) == (404, "no-case")
    assert code(other.post(f"/admin/cases/{case}/approve")) == (404, "no-case")
    for path in ("/admin/cases?hospital=H1", "/admin/doctors", "/admin/certificates"):
        assert other.get(path).json() == []
    admin = desk.staff("二院管理", Role.ADMIN, "H2")
    assert code(admin.post("/admin/doctors/1/disable")) == (404, "no-doctor")
    assert code(admin.post("/admin/staff/甲/disable")) == (404, "no-account")
    desk.office.staff.add("一院", Role.OPERATOR, PASSWORD, "H1")
    assert code(admin.post("/admin/staff/一院/disable")) == (404, "no-account")
    admin.post("/admin/staff", name="新人", role="admin", password=PASSWORD, hospital="H1")
    assert desk.office.staff.get("新人").hospital_code == "H2"


ROLES: list[tuple[str, dict[str, object], Role]] = [
    ("/admin/cases", {"form": "doctor", "hospital": "H1", "entries": {}}, Role.OPERATOR),
    ("/admin/sheet", {"form": "doctor", "hospital": "H1", "name": "a.csv", "content": ""}, Role.OPERATOR),
    ("/admin/cases/1/withdraw", {}, Role.OPERATOR),
    ("/admin/cases/1/approve", {}, Role.APPROVER),
    ("/admin/cases/1/reject", {"reason": "x"}, Role.APPROVER),
    ("/admin/doctors/1/disable", {}, Role.ADMIN),
    ("/admin/certificates/1/revoke", {"reason": 1}, Role.ADMIN),
    ("/admin/staff", {"name": "x", "role": "admin", "password": PASSWORD, "hospital": ""}, Role.ADMIN),
    ("/admin/staff/x/password", {"password": PASSWORD}, Role.ADMIN),
]


def test_each_role_does_its_own(desk: Desk) -> None:
    browsers = {role: desk.staff(role.words, role) for role in Role}
    for path, body, may in ROLES:
        for role, browser in browsers.items():
            refused = browser.post(path, **body).json().get("code") == "role"
            assert refused == (role is not may), (path, role)
        assert code(desk.browser().post(path, **body)) == (401, "login")
    for path in ("/admin/staff", "/admin/staff.csv", "/admin/authority"):
        assert browsers[Role.OPERATOR].get(path).status_code == 403
        assert desk.browser().get(path).status_code == 401


def test_a_signature_is_sampled_and_printed(desk: Desk) -> None:
    """Annex 4: two samples; what is no picture is refused by its content."""
    desk.doctor()
    operator, approver = desk.staff("经办甲", Role.OPERATOR), desk.staff("审批乙", Role.APPROVER)
    picture = base64.b64encode(png()).decode()
    entries = {
        "name": "王医生",
        "idNumber": ID_NUMBER,
        "department": "放射科",
        "picture1": picture,
        "picture2": picture,
    }
    bad = {
        "picture-format": b"GIF89a" + bytes(40),
        "picture-damaged": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "picture-size": png(5000, 1),
    }
    for why, content in bad.items():
        wrong = entries | {"picture2": base64.b64encode(content).decode()}
        assert code(operator.post("/admin/cases", form="sample", hospital="H1", entries=wrong)) == (422, why)
    digest = desk.office.objects.put(b"somebody's report")
    sneaked = operator.post(
        "/admin/cases", form="sample", hospital="H1", entries=entries | {"picture1": digest}
    )
    assert sneaked.status_code == 400
    made = operator.post("/admin/cases", form="sample", hospital="H1", entries=entries).json()["id"]
    shown = approver.get(f"/admin/cases/{made}/pictures/picture1")
    assert (shown.content, shown.headers["content-type"]) == (png(), "image/png")
    assert approver.get(f"/admin/cases/{made}/pictures/name").status_code == 404
    paper = approver.get(f"/admin/cases/{made}/form.pdf")
    assert paper.content.startswith(b"%PDF")
    approver.post(f"/admin/cases/{made}/approve")
    assert approver.get("/admin/doctors").json()[0]["sampled"] is True


def test_a_sheet_is_handed_in_when_every_row_is_right(desk: Desk) -> None:
    operator = desk.staff("经办甲", Role.OPERATOR, "H1")
    head = "*姓名,*身份证号,*手机号,*科室\r\n"
    right, wrong = f"王医生,{ID_NUMBER},13800138000,放射科\r\n", "李医生,1,2,\r\n"

    def send(text: str, commit: bool) -> dict[str, Any]:
        content = base64.b64encode(text.encode("gb18030")).decode()
        answer = operator.post("/admin/sheet", form="doctor", name="医师.csv", content=content, commit=commit)
        found: dict[str, Any] = answer.json()
        return found

    both = send(head + right + wrong, True)
    assert (both["wrong"], both["made"]) == (1, [])
    assert [p["field"] for p in both["rows"][1]["problems"]] == ["idNumber", "mobile", "department"]
    assert send(head + right, False)["made"] == []
    assert len(send(head + right, True)["made"]) == 1
    assert send("a,b\r\n1,2\r\n", False)["code"] == "sheet-head"
    empty = operator.get("/admin/forms/doctor/template.xlsx").content
    assert empty[:2] == b"PK"
    assert template(DOCTOR)[:2] == b"PK"


def test_lists_are_files_too(desk: Desk) -> None:
    desk.office.cases.submit("doctor", "H1", ENTRIES | {"name": "=1+1"}, "甲")
    admin = desk.staff("管理员", Role.ADMIN)
    for name in ("cases", "doctors", "certificates", "staff"):
        answer = admin.get(f"/admin/{name}.csv")
        assert answer.content.startswith(b"\xef\xbb\xbf"), name
        assert ID_NUMBER not in answer.text
    assert "'=1+1" in admin.get("/admin/cases.csv").text


# --- the CA --------------------------------------------------------------------------------------------------------


def test_a_revocation_is_served_at_once_where_the_certificate_says(desk: Desk) -> None:
    desk.office.authority.start("测试 CA")
    admin = desk.staff("管理员", Role.ADMIN)
    issued = desk.issue(desk.doctor())
    certificate = certificates.parse(desk.office.authority.get(issued).certificate or b"")
    url = f"{BASE}/crl/1.crl"
    assert url.encode() in certificate.raw
    before = admin.ask("GET", url)
    assert before.headers["content-type"] == "application/pkix-crl"
    assert before.headers["cache-control"] == "public, max-age=600"
    again = admin.ask("GET", url, headers={"if-none-match": before.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert code(admin.post(f"/admin/certificates/{issued}/revoke", reason=6)) == (400, "bad-request")
    assert admin.post(f"/admin/certificates/{issued}/revoke", reason=1).json()["stateWords"] == "已吊销"
    assert code(admin.post(f"/admin/certificates/{issued}/revoke", reason=1)) == (409, "revoked")
    served = crl.parse(admin.ask("GET", url).content)
    assert served.check(certificate, moment(desk.now + 1000)).state is crl.State.REVOKED
    assert admin.ask("GET", "/crl/99.crl").status_code == 404
    assert admin.get("/admin/authority").json()["crlUrl"] == "http://public/crl/1.crl"
    desk.office.authority.start("测试 CA")
    desk.now += 60_000
    assert ListPublisher(desk.office.authority.lists, 60_000, lambda: desk.now).turn()
    assert crl.parse(admin.ask("GET", url).content).this_update > served.this_update
    shown = admin.get("/admin/authority").json()
    assert [shown["crlUrl"], shown["earlier"][0]["crlUrl"]] == [
        "http://public/crl/2.crl",
        "http://public/crl/1.crl",
    ]
    assert (shown["earlier"][0]["lists"], shown["imports"]) == ("继续发布", False)


def _stranger() -> IssuingAuthority:
    key = sm2.generate()
    point, signer = sm2_key(key.public().point), sm2_signer(key)
    return IssuingAuthority(names.build([(oids.COMMON_NAME, "别家")]), point, signer)


def test_certificates_made_elsewhere_are_imported_on_the_page(desk: Desk) -> None:
    """离线场景: requests out, certificates in; one that fits no request is told apart; not for one hospital's administrator."""
    outside = sm2.generate()
    signer = sm2_signer(outside)
    der = root_certificate("外部 CA", sm2_key(outside.public().point), signer, moment(desk.now))
    desk.office.authority.start_offline(der)
    doctor_id, private = desk.doctor(), sm2.generate()
    subject = names.build([(oids.COMMON_NAME, "王医生")])
    request = csr.build(subject, sm2_key(private.public().point), sm2_signer(private))
    with desk.database.write() as connection:
        doctor = desk.office.doctors.get(doctor_id)
        number, _ = desk.office.authority.issue_pair(connection, doctor, "k", private.public(), request)
    admin = desk.staff("管理员", Role.ADMIN)
    got = admin.get("/admin/requests.pem").content
    assert csr.parse(armor.unwrap_one(got)).key.point == private.public().point
    by, person = IssuingAuthority.of(certificates.parse(der), signer), Subject("医院", "王医生")
    rule, keys = IssuingRule(), (private, sm2.generate())
    made = [
        doctor_certificate(Profile.SIGNING, person, sm2_key(one.public().point), by, rule, moment(desk.now))
        for one in keys
    ]
    file = "".join(
        f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(one).decode()}-----END CERTIFICATE-----\n"
        for one in made
    )
    content = base64.b64encode(file.encode()).decode()
    said = admin.post("/admin/certificates/import", content=content).json()
    assert (said["made"], len(said["refused"])) == ([number], 1)
    listed = crl.issue(by, (), 1, moment(desk.now), moment(desk.now + DAY))
    for named, taken in ((listed, [1]), (crl.issue(_stranger(), (), 1, moment(0), moment(DAY)), [])):
        list_file = base64.b64encode(named).decode()
        said = admin.post("/admin/certificates/import", content=list_file).json()
        assert (said["lists"], len(said["refused"])) == (taken, 1 - len(taken))
    assert admin.ask("GET", f"{BASE}/crl/1.crl").content == listed
    assert desk.office.authority.get(number).state is CertificateState.NORMAL
    assert code(admin.post("/admin/certificates/import", content="!!")) == (400, "bad-request")
    assert admin.post("/admin/certificates/import", content="AAAA").status_code == 422
    assert code(desk.staff("一院管理", Role.ADMIN, "H1").get("/admin/requests.pem")) == (403, "role")
    assert code(desk.staff("审批乙", Role.APPROVER).post("/admin/certificates/import", content=content)) == (
        403,
        "role",
    )


def test_the_list_is_published_daily_and_the_alarm_rings_before_it_ends(desk: Desk) -> None:
    publisher = ListPublisher(desk.office.authority.lists, DAY, lambda: desk.now)
    assert publisher.turn() is False
    assert publisher.gauges()["crl_seconds_left"] == float("inf")
    desk.office.authority.start("测试 CA")
    assert publisher.turn() is False
    desk.now += DAY
    assert publisher.turn() is True
    assert publisher.turn() is False
    late = ListPublisher(desk.office.authority.lists, 100 * DAY, lambda: desk.now)
    desk.now += 8 * DAY
    assert late.gauges()["crl_seconds_left"] == -DAY / 1000
