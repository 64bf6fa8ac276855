"""The signing office as people meet it: commands, and the pages in Debian's Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.senders import HOSPITAL
from tests.peers.browser import watched_page
from tests.peers.gateway import GatewayMaker, RunningGateway

ID_NUMBER = "11010519491231002X"
FIRST, OWN = "first-pass-1", "own-pass-22"


@pytest.fixture
def gateway(make_gateway: GatewayMaker) -> RunningGateway:
    made = make_gateway(start=False, SIGNING_PUBLIC_URL="http://127.0.0.1:1")
    assert made.cli("ca", "init", "--name", "测试 CA").returncode == 0
    for name, role in (("经办甲", "operator"), ("审批乙", "approver"), ("管理员", "admin")):
        done = made.cli("staff", "add", name, "--role", role, stdin=f"{FIRST}\n")
        assert done.returncode == 0, done.stderr
    made.start()
    return made


@pytest.fixture
def other_desk(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))


def come_in(page: Page, gateway: RunningGateway, name: str) -> None:
    """Logs in for the first time and sets an own password."""
    page.goto(f"{gateway.url}/admin/")
    page.get_by_label("账号").fill(name)
    page.get_by_label("口令").fill(FIRST)
    page.get_by_role("button", name=re.compile("登\\s*录")).click()
    set_password(page, FIRST, OWN)
    expect(page.get_by_text(name, exact=False).first).to_be_visible()


def set_password(page: Page, old: str, new: str) -> None:
    page.get_by_label("原口令").fill(old)
    page.get_by_label("新口令", exact=True).fill(new)
    page.get_by_label("再输一次新口令").fill(new)
    page.get_by_role("button", name="设置口令").click()


def test_from_application_to_activation(
    gateway: RunningGateway, desk: Page, other_desk: Page, phone: Page, tmp_path: Path
) -> None:
    """四(二)4: one hands in, another approves, the doctor logs in with the last six, must set a password, gets the QR."""
    come_in(desk, gateway, "经办甲")
    desk.get_by_role("tab", name="填写申请").click()
    desk.get_by_label("医疗机构").click()
    desk.get_by_title("某某医院").click()
    for label, text in (
        ("姓名", "王医生"),
        ("身份证号", ID_NUMBER),
        ("手机号", "13800138000"),
        ("科室", "放射科"),
    ):
        desk.get_by_label(label, exact=True).fill(text)
    desk.screenshot(path=tmp_path / "application.png", full_page=True)
    desk.get_by_role("button", name="提交申请").click()
    expect(desk.get_by_text("已提交", exact=False)).to_be_visible()
    sample(desk, tmp_path)
    come_in(other_desk, gateway, "审批乙")
    for number in (1, 2):
        row = other_desk.get_by_role("row").filter(
            has=other_desk.get_by_role("cell", name=str(number), exact=True)
        )
        row.get_by_role("button", name="查看").click()
        expect(other_desk.get_by_text(ID_NUMBER)).to_be_visible()
        other_desk.screenshot(path=tmp_path / f"case{number}.png")
        other_desk.get_by_role("button", name=re.compile("通\\s*过")).click()
        expect(row.get_by_text("已通过")).to_be_visible()
    other_desk.get_by_role("tab", name="医师").click()
    expect(other_desk.get_by_role("cell", name="已采样")).to_be_visible()
    other_desk.screenshot(path=tmp_path / "doctors.png")
    phone.goto(f"{gateway.url}/web/Selfcertification/#/")
    phone.get_by_label("手机号").fill("13800138000")
    phone.get_by_label("口令").fill(ID_NUMBER[-6:])
    phone.screenshot(path=tmp_path / "login.png")
    phone.get_by_role("button", name=re.compile("登\\s*录")).click()
    expect(phone.get_by_text("请先设置自己的口令", exact=False)).to_be_visible()
    phone.screenshot(path=tmp_path / "first.png")
    set_password(phone, ID_NUMBER[-6:], "radiology-2026")
    phone.get_by_role("button", name="获取激活二维码").click()
    expect(phone.get_by_alt_text("激活二维码")).to_be_visible()
    phone.screenshot(path=tmp_path / "activation.png", full_page=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 400
    assert ID_NUMBER not in gateway.log
    assert "13800138000" not in gateway.log
    assert "王医生" not in gateway.log


def sample(page: Page, folder: Path) -> None:
    """Annex 4 drawn with the mouse, twice."""
    page.get_by_label("表单").last.click()
    page.get_by_title("附件 4 个人电子印章采样表").click()
    page.get_by_label("医疗机构").click()
    page.get_by_title("某某医院").last.click()
    for label, text in (("姓名", "王医生"), ("身份证号", ID_NUMBER), ("科室", "放射科")):
        page.get_by_label(label, exact=True).fill(text)
    for area in page.locator("canvas").all():
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 60, box["y"] + 120)
        page.mouse.down()
        for step in range(1, 9):
            page.mouse.move(box["x"] + 60 + 40 * step, box["y"] + (50 if step % 2 else 120), steps=3)
        page.mouse.up()
    page.screenshot(path=folder / "sample.png", full_page=True)
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_text("已提交，编号 2")).to_be_visible()


def test_an_administrator_looks_after_accounts_and_the_ca(
    gateway: RunningGateway, desk: Page, tmp_path: Path
) -> None:
    come_in(desk, gateway, "管理员")
    desk.get_by_role("tab", name="CA").click()
    expect(desk.get_by_text("在线签发")).to_be_visible()
    expect(desk.get_by_text("/crl/1.crl", exact=False)).to_be_visible()
    desk.screenshot(path=tmp_path / "authority.png")
    desk.get_by_role("tab", name="账号").click()
    desk.get_by_role("button", name="增加账号").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("账号").fill("经办丙")
    dialog.get_by_label("首个口令").fill(FIRST)
    desk.screenshot(path=tmp_path / "account.png")
    dialog.get_by_role("button", name=re.compile("增\\s*加")).click()
    expect(desk.get_by_role("cell", name="经办丙")).to_be_visible()
    desk.screenshot(path=tmp_path / "staff.png")


def test_the_commands_do_the_same(gateway: RunningGateway, tmp_path: Path) -> None:
    """A sheet made by the program is filled in, handed in, approved by another; the doctor gets a code."""
    sheet = tmp_path / "doctors.xlsx"
    assert gateway.cli("cases", "template", "doctor", "--out", str(sheet), data=False).returncode == 0
    book = openpyxl.load_workbook(sheet)
    book.active.append(["王医生", ID_NUMBER, 13800138000, "放射科"])
    book.save(sheet)
    done = gateway.cli("cases", "submit", "doctor", "--hospital", HOSPITAL, "--from", str(sheet))
    assert done.returncode == 0, done.stderr
    refused = gateway.cli("cases", "approve", "1")
    assert (refused.returncode, "四" in refused.stderr or "另一人" in refused.stderr) == (1, True)
    assert gateway.cli("cases", "approve", "1", "--by", "审批乙").returncode == 0
    (doctor,) = gateway.json("doctors", "list")
    given = gateway.json("doctors", "activate", str(doctor["id"]))
    assert re.fullmatch(r"\w{4}-\w{4}-\w{4}", given["code"])
    shown = gateway.json("ca", "show")
    assert shown["mode"] == "online"
    served = httpx.get(f"{gateway.url}/crl/{shown['id']}.crl")
    assert served.headers["content-type"] == "application/pkix-crl"
    assert gateway.cli("ca", "publish").returncode == 0
    assert httpx.get(f"{gateway.url}/crl/{shown['id']}.crl").content != served.content
    assert gateway.cli("ca", "init").returncode == 1
