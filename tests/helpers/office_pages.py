"""A running gateway with a signing office, and steps on its pages that several tests take."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.peers.browser import said
from tests.peers.gateway import RunningGateway
from yingqiao.app.signing_office import open_office
from yingqiao.app.stores import open_stores
from yingqiao.settings import read_settings
from yingqiao.store.signing.staff import Role

FIRST, OWN = "first-pass-1", "own-pass-22"
STAFF = {"经办甲": Role.OPERATOR, "审批乙": Role.APPROVER, "管理员": Role.ADMIN}
NEWCOMER = "经办新"
"""An operator who never logged in."""


def with_office(data: Path) -> RunningGateway:
    """Started: a hospital, a CA, staff with passwords of their own and one without; its address is in codes and certificates."""
    made = RunningGateway(data)
    made.environ = {"YINGQIAO_SIGNING_PUBLIC_URL": made.url}
    made.add_hospital()
    settings = read_settings(environ=os.environ | made.environ, flags={"data": str(data)})
    with open_stores(settings) as stores:
        office = open_office(settings, stores)
        office.authority.start("测试 CA")
        for name, role in STAFF.items():
            office.staff.add(name, role, FIRST)
            office.staff.set_password(name, OWN, by_themselves=True)
        office.staff.add(NEWCOMER, Role.OPERATOR, FIRST)
    made.start()
    return made


def snapshot(page: Page, name: str) -> None:
    """Kept when YINGQIAO_SHOTS names a folder: pages are looked at by people."""
    if folder := os.environ.get("YINGQIAO_SHOTS"):
        page.wait_for_timeout(400)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def log_in(page: Page, gateway: RunningGateway, name: str, password: str) -> None:
    page.goto(f"{gateway.url}/admin/")
    page.get_by_label("账号").fill(name)
    page.get_by_label("口令").fill(password)
    page.get_by_role("button", name=re.compile("登\\s*录")).click()


def come_in(page: Page, gateway: RunningGateway, name: str) -> None:
    """One of STAFF, at the desk."""
    log_in(page, gateway, name, OWN)
    expect(page.get_by_role("button", name="修改口令")).to_be_visible()


def set_password(page: Page, old: str, new: str) -> None:
    page.get_by_label("原口令").fill(old)
    page.get_by_label("新口令", exact=True).fill(new)
    page.get_by_label("再输一次新口令").fill(new)
    page.get_by_role("button", name="设置口令").click()


def hand_in(desk: Page, entries: dict[str, str]) -> int:
    """Annex 3 filled in by an operator; the application's number."""
    desk.get_by_role("tab", name="填写申请").click()
    desk.get_by_label("医疗机构").click()
    desk.get_by_title("某某医院").last.click()
    for label, text in entries.items():
        desk.get_by_label(label, exact=True).fill(text)
    return submitted(desk)


def submitted(desk: Page) -> int:
    """The form as it is filled in, handed in; the application's number."""
    with desk.expect_response("**/web/api/admin/cases") as answered:
        desk.get_by_role("button", name="提交申请").click()
    number = int(answered.value.json()["id"])
    said(desk, f"已提交，编号 {number}")
    return number


def row_of(page: Page, number: int) -> Locator:
    """The row of a list that begins with this number."""
    return page.get_by_role("row").filter(has=page.get_by_role("cell", name=str(number), exact=True))


def approve(desk: Page, number: int, sees: str, name: str = "") -> None:
    """By an approver, out of the list, who has seen the application's entries."""
    desk.get_by_role("tab", name="申请", exact=True).click()
    row = row_of(desk, number)
    row.get_by_role("button", name="查看").click()
    expect(desk.get_by_text(sees)).to_be_visible()
    if name:
        desk.wait_for_load_state("networkidle")
        snapshot(desk, name)
    desk.get_by_role("button", name=re.compile("通\\s*过")).click()
    expect(row.get_by_text("已通过")).to_be_visible()


def self_service(page: Page, gateway: RunningGateway, mobile: str, password: str, own: str) -> bytes:
    """A doctor logs in by mobile number and the last six, sets a password and asks for the QR code: PNG."""
    page.goto(f"{gateway.url}/web/Selfcertification/#/")
    page.get_by_label("手机号").fill(mobile)
    page.get_by_label("口令").fill(password)
    snapshot(page, "self-1-login")
    page.get_by_role("button", name=re.compile("登\\s*录")).click()
    expect(page.get_by_text("请先设置自己的口令", exact=False)).to_be_visible()
    snapshot(page, "self-2-password")
    set_password(page, password, own)
    expect(page.get_by_text("还没有证书", exact=False)).to_be_visible()
    snapshot(page, "self-3-home")
    page.get_by_role("button", name="获取激活二维码").click()
    code = page.get_by_alt_text("激活二维码")
    expect(code).to_be_visible()
    snapshot(page, "self-4-activation")
    return base64.b64decode((code.get_attribute("src") or "").partition(",")[2])
