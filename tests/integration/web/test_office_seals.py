"""Seals over HTTP on the administration page: sampled, made, stopped, handed out; roles, hospitals, files."""

# ruff: noqa: F811 -- fixtures of another module

from __future__ import annotations

import base64
import io

import httpx
import openpyxl
import pytest
from PIL import Image

from tests.helpers.seal_office import UNIT, made, stamp
from tests.helpers.stamps import photograph
from tests.integration.web.test_office import Desk, code, desk  # noqa: F401
from yingqiao.gm import seal_wallet, sm3
from yingqiao.store.signing.staff import Role


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def whole(sampled: dict[str, object]) -> dict[str, object]:
    """The entries of annex 6 as the page hands them in."""
    entries = stamp(width=str(sampled["width"]), height=str(sampled["height"]))
    return entries | {"picture1": sampled["before"], "result": sampled["png"]}


def test_from_a_photograph_to_a_seal(desk: Desk) -> None:
    """Annexes 5 and 6: sampled and looked at, handed in, approved by another, made, printed."""
    desk.office.authority.start("测试 CA")
    operator, approver = desk.staff("经办甲", Role.OPERATOR, "H1"), desk.staff("审批乙", Role.APPROVER)
    found = operator.post("/admin/seals/sample", picture=encoded(photograph()), width=42).json()
    assert (found["width"], found["height"], found["notes"]) == (42, 42, [])
    assert Image.open(io.BytesIO(base64.b64decode(found["png"]))).mode == "RGBA"
    assert Image.open(io.BytesIO(base64.b64decode(found["before"]))).format == "JPEG"
    numbers = [
        operator.post("/admin/cases", form=form, hospital="H1", entries=entries).json()["id"]
        for form, entries in (("unit", UNIT), ("stamp", whole(found)))
    ]
    assert approver.get("/admin/seals/ready").json() == []
    for number in numbers:
        assert approver.post(f"/admin/cases/{number}/approve").status_code == 200
        assert approver.get(f"/admin/cases/{number}/form.pdf").content.startswith(b"%PDF")
    ready = approver.get("/admin/seals/ready").json()
    assert [(one["form"], one["business"]) for one in ready] == [("unit", "初次办理"), ("stamp", "")]
    seal = approver.post("/admin/seals", unitCase=numbers[0], stampCase=numbers[1]).json()
    assert (seal["name"], seal["state"], seal["keyHere"]) == ("太原市第一医院", "in-force", True)
    shown = approver.get(f"/admin/seals/{seal['id']}").json()
    assert [one["actWords"] for one in shown["changes"]] == ["制作"]
    assert approver.get(f"/admin/seals/{seal['id']}/picture.png").content.startswith(b"\x89PNG")
    assert approver.get(f"/admin/seals/{seal['id']}/form.pdf").content.startswith(b"%PDF")
    esl = approver.get(f"/admin/seals/{seal['id']}/seal.esl").content
    assert esl == desk.office.seals.get(seal["id"]).esl
    assert seal["esId"] in approver.get("/admin/seals.csv").text


def test_a_seal_is_stopped_started_and_handed_out(desk: Desk) -> None:
    desk.office.authority.start("测试 CA")
    seal = made(desk.office)
    path = f"/admin/seals/{seal.id}"
    operator, approver = desk.staff("经办甲", Role.OPERATOR), desk.staff("审批乙", Role.APPROVER)
    assert code(operator.post(f"{path}/suspend", reason=" ")) == (422, "reason")
    assert operator.post(f"{path}/suspend", reason="搬家").json()["state"] == "suspended"
    assert code(operator.post(f"{path}/resume", reason="回来")) == (403, "role")
    assert code(approver.post(f"{path}/wallet", pin="a1b2c3")) == (409, "seal-state")
    assert approver.post(f"{path}/resume", reason="回来").json()["state"] == "resumed"
    assert code(approver.post(f"{path}/wallet", pin="123")) == (422, "pin-length")
    wallet = approver.post(f"{path}/wallet", pin="a1b2c3")
    assert seal_wallet.read_wallet(wallet.content).esl == seal.esl
    assert code(approver.post(f"{path}/burn", reason="x")) == (404, "not-found")
    with desk.office.seals.use(seal.id, "api", sm3.digest(b"x"), "=1+1", "api"):
        pass
    (use,) = approver.get(f"{path}/uses").json()
    assert (use["document"], use["resultWords"]) == (sm3.digest(b"x").hex(), "已盖章")
    assert "'=1+1" in approver.get(f"{path}/uses.csv").text
    book = openpyxl.load_workbook(io.BytesIO(approver.get(f"{path}/uses.xlsx").content))
    row = [cell.value for cell in book.active[2]]
    assert "=1+1" in row
    assert book.active[2][row.index("=1+1")].data_type == "s"
    assert approver.post(f"{path}/revoke", reason="更名").json()["stateWords"] == "已吊销"


def test_a_hospital_sees_its_own_seals(desk: Desk) -> None:
    desk.office.authority.start("测试 CA")
    seal = made(desk.office)
    other = desk.staff("二院", Role.APPROVER, "H2")
    assert other.get("/admin/seals").json() == []
    assert other.get("/admin/seals/ready").json() == []
    for path in ("", "/picture.png", "/seal.esl", "/form.pdf", "/uses", "/uses.xlsx"):
        assert code(other.get(f"/admin/seals/{seal.id}{path}")) == (404, "no-seal")
    assert code(other.post(f"/admin/seals/{seal.id}/revoke", reason="x")) == (404, "no-seal")
    assert code(other.post(f"/admin/seals/{seal.id}/wallet", pin="a1b2c3")) == (404, "no-seal")
    made_here = other.post("/admin/seals", unitCase=seal.unit_case, stampCase=seal.stamp_case)
    assert code(made_here) == (404, "no-case")


ROLES = [
    ("/admin/seals/sample", {"picture": ""}, {Role.OPERATOR}),
    ("/admin/seals", {"unitCase": 1, "stampCase": 2}, {Role.APPROVER}),
    ("/admin/seals/9/wallet", {"pin": "a1b2c3"}, {Role.APPROVER}),
    ("/admin/seals/9/resume", {"reason": "x"}, {Role.APPROVER}),
    ("/admin/seals/9/revoke", {"reason": "x"}, {Role.APPROVER, Role.ADMIN}),
    ("/admin/seal-makers/9/revoke", {"reason": 1}, {Role.ADMIN}),
    ("/admin/seals/9/suspend", {"reason": "x"}, set(Role)),
    ("/admin/seals/9/lost", {"reason": "x"}, set(Role)),
]


def test_an_administrator_of_all_hospitals_revokes_the_seal_maker(desk: Desk) -> None:
    """2.7 row 5, the gateway's own: as a certificate of the CA, by one person; its seals stop working."""
    desk.office.authority.start("测试 CA")
    seal = made(desk.office)
    admin, local = desk.staff("管理员甲", Role.ADMIN), desk.staff("管理员乙", Role.ADMIN, "H1")
    (maker,) = admin.get("/admin/seal-makers").json()
    assert (maker["seals"], maker["state"], maker["stateWords"]) == (1, "valid", "正常")
    path = f"/admin/seal-makers/{maker['id']}/revoke"
    assert code(local.post(path, reason=1)) == (403, "role")
    assert code(local.get("/admin/seal-makers")) == (403, "role")
    assert code(admin.post(path, reason="1")) == (400, "bad-request")
    assert code(admin.post("/admin/seal-makers/999/revoke", reason=1)) == (404, "no-certificate")
    done = admin.post(path, reason=1).json()
    assert (done["state"], done["stateWords"]) == ("revoked", "已吊销（密钥泄露）")
    assert code(admin.post(path, reason=1)) == (409, "revoked")
    shown = admin.get(f"/admin/seals/{seal.id}").json()
    assert (shown["usable"], shown["stateWords"]) == (False, "正常（制章者证书已吊销）")


def test_each_role_does_its_own(desk: Desk) -> None:
    browsers = {role: desk.staff(role.words, role) for role in Role}
    for path, body, may in ROLES:
        for role, browser in browsers.items():
            refused = browser.post(path, **body).json().get("code") == "role"
            assert refused == (role not in may), (path, role)
        assert code(desk.browser().post(path, **body)) == (401, "login")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"unitCase": "1", "stampCase": 2},
        {"unitCase": 1, "stampCase": 2, "kind": 99},
        {"unitCase": 1, "stampCase": 2, "certificates": "x"},
        {"unitCase": -1, "stampCase": 2},
        {"unitCase": 2**40, "stampCase": 2},
    ],
)
def test_making_is_asked_for_properly(desk: Desk, body: dict[str, object]) -> None:
    assert code(desk.staff("审批乙", Role.APPROVER).post("/admin/seals", **body)) == (400, "bad-request")


def test_sampling_refuses_what_is_no_stamp(desk: Desk) -> None:
    operator = desk.staff("经办甲", Role.OPERATOR)
    for picture, why in ((b"GIF89a" + bytes(40), "picture-format"), (photograph()[:4000], "picture-damaged")):
        answer = operator.post("/admin/seals/sample", picture=encoded(picture), width=42)
        assert code(answer) == (422, why)
    unknown = operator.post("/admin/seals/sample", picture=encoded(photograph()))
    assert code(unknown) == (422, "size-unknown")
    wrong = operator.post("/admin/seals/sample", picture=encoded(photograph()), ink="gold")
    assert code(wrong) == (400, "bad-request")


def test_a_sheet_of_annex_5_is_imported_and_annex_6_is_not(desk: Desk) -> None:
    operator = desk.staff("经办甲", Role.OPERATOR, "H1")
    sheet = encoded(httpx.Request("POST", "http://x", json=[UNIT, UNIT | {"handlerEmail": "x"}]).content)
    read = operator.post(
        "/admin/sheet", form="unit", hospital="H1", name="a.json", content=sheet, commit=True
    )
    assert (read.json()["wrong"], read.json()["made"]) == (1, [])
    pictures = operator.post("/admin/sheet", form="stamp", hospital="H1", name="a.json", content=sheet)
    assert code(pictures) == (422, "sheet-form")


def test_blank_forms_are_printed(desk: Desk) -> None:
    operator = desk.staff("经办甲", Role.OPERATOR)
    for form in ("access", "doctor", "sample", "unit", "stamp"):
        assert operator.get(f"/admin/forms/{form}/blank.pdf").content.startswith(b"%PDF")


def test_a_hostile_picture_costs_its_sender_an_answer_only(desk: Desk) -> None:
    """Annexes 4 and 6: what people upload is opened in a bounded process. Here too much memory is asked for, by a small
    file; and, printed, a handwriting sample whose content is not what its head says.
    """
    operator, approver = desk.staff("经办甲", Role.OPERATOR, "H1"), desk.staff("审批乙", Role.APPROVER)
    bomb = encoded(blank(6000, 6000))
    assert code(operator.post("/admin/seals/sample", picture=bomb, width=42)) == (422, "too-big")
    entries = stamp() | {"picture1": encoded(photograph()[:4000]), "result": encoded(blank(64, 64)[:60])}
    number = operator.post("/admin/cases", form="stamp", hospital="H1", entries=entries).json()["id"]
    assert approver.get(f"/admin/cases/{number}/form.pdf").content.startswith(b"%PDF")


def blank(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (width, height), "white").save(out, "PNG", compress_level=1)
    return out.getvalue()
