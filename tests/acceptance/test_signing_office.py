"""The signing office as people meet it: its pages in Debian's Chromium, and its commands."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import Browser, Download, Page, expect

from tests.acceptance.senders import HOSPITAL
from tests.helpers.connector import until
from tests.helpers.office_pages import (
    FIRST,
    NEWCOMER,
    OWN,
    approve,
    come_in,
    hand_in,
    log_in,
    row_of,
    self_service,
    set_password,
    snapshot,
    submitted,
    with_office,
)
from tests.peers.browser import patient, resting, said, watched_page
from tests.peers.gateway import RunningGateway
from yingqiao.cli import main

ID_NUMBER, OTHER_ID = "11010519491231002X", "440524198001010013"
DOCTOR = {"姓名": "王医生", "身份证号": ID_NUMBER, "手机号": "13800138000", "科室": "放射科"}


pytestmark = pytest.mark.xdist_group("signing-office")  # one gateway for all of them


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    made = with_office(tmp_path_factory.mktemp("office") / "data")
    yield made
    made.stop()


@pytest.fixture
def other_desk(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))


def rows_of(download: Download) -> list[list[str]]:
    """A list as a spreadsheet gets it."""
    text = Path(download.path()).read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def exported(page: Page) -> list[list[str]]:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="导出 CSV").click()
    return rows_of(waiting.value)


def test_from_application_to_activation(
    gateway: RunningGateway, desk: Page, other_desk: Page, phone: Page
) -> None:
    """四(二)4: one hands in, another approves, the doctor logs in with the last six, must set a password, gets the QR."""
    log_in(desk, gateway, NEWCOMER, FIRST)
    expect(desk.get_by_text("请先设置自己的口令", exact=False)).to_be_visible()
    snapshot(desk, "office-00-first")
    set_password(desk, FIRST, OWN)
    expect(desk.get_by_role("button", name="修改口令")).to_be_visible()
    snapshot(desk, "office-01-empty")
    first = hand_in(desk, DOCTOR)
    second = sample(desk)
    come_in(other_desk, gateway, "审批乙")
    approve(other_desk, first, ID_NUMBER, "office-04-case")
    approve(other_desk, second, ID_NUMBER, "office-05-sample")
    other_desk.get_by_role("tab", name="医师").click()
    expect(other_desk.get_by_role("cell", name="已采样")).to_be_visible()
    expect(other_desk.get_by_role("cell", name="138****8000")).to_be_visible()
    snapshot(other_desk, "office-06-doctors")
    other_desk.get_by_role("tab", name="证书").click()
    expect(other_desk.get_by_text("还没有证书")).to_be_visible()
    code = self_service(phone, gateway, DOCTOR["手机号"], ID_NUMBER[-6:], "radiology-2026")
    assert code.startswith(b"\x89PNG")
    assert until(lambda: phone.evaluate("document.documentElement.scrollWidth") <= 390)
    for hidden in (ID_NUMBER, DOCTOR["手机号"], DOCTOR["姓名"]):
        assert hidden not in gateway.log


def sample(page: Page) -> int:
    """Annex 4 drawn with the mouse, twice; the application's number."""
    page.get_by_label("表单").last.click()
    page.get_by_title("附件 4 个人电子印章采样表").click()
    page.get_by_label("医疗机构").click()
    page.get_by_title("某某医院").last.click()
    for label in ("姓名", "身份证号", "科室"):
        page.get_by_label(label, exact=True).fill(DOCTOR[label])
    expect(page.locator("canvas")).to_have_count(2)
    for area in page.locator("canvas").all():
        area.scroll_into_view_if_needed()
        box = resting(area)
        page.mouse.move(box["x"] + 60, box["y"] + 120)
        page.mouse.down()
        for step in range(1, 9):
            page.mouse.move(box["x"] + 60 + 40 * step, box["y"] + (50 if step % 2 else 120), steps=3)
        page.mouse.up()
    snapshot(page, "office-03-sample")
    return submitted(page)


def test_what_is_wrong_is_said_where_it_is(
    gateway: RunningGateway, desk: Page, other_desk: Page, tmp_path: Path
) -> None:
    """A sheet with a wrong row, then a right one; a withdrawal, a rejection with its reason; filters."""
    come_in(desk, gateway, "经办甲")
    hand_in_sheet(desk, tmp_path)
    withdrawn = hand_in(
        desk, {"姓名": "赵医生", "身份证号": "110101199003070011", "手机号": "13700137000", "科室": "超声科"}
    )
    desk.get_by_role("tab", name="申请", exact=True).click()
    row_of(desk, withdrawn).get_by_role("button", name="查看").click()
    desk.get_by_role("button", name=re.compile("撤\\s*回")).click()
    expect(row_of(desk, withdrawn).get_by_text("已撤回")).to_be_visible()
    come_in(other_desk, gateway, "审批乙")
    other_desk.get_by_label("状态").click()
    other_desk.get_by_title("待审批").last.click()
    expect(other_desk.get_by_role("button", name="查看")).to_have_count(1)
    snapshot(other_desk, "office-08-waiting")
    other_desk.get_by_role("button", name="查看").click()
    expect(other_desk.get_by_role("button", name=re.compile("退\\s*回"))).to_be_disabled()
    other_desk.get_by_label("退回原因").fill("身份证号与姓名不符")
    other_desk.get_by_role("button", name=re.compile("退\\s*回")).click()
    expect(other_desk.get_by_text("没有符合条件的申请")).to_be_visible()
    other_desk.get_by_label("状态").click()
    other_desk.get_by_title("已退回").last.click()
    expect(other_desk.get_by_text("身份证号与姓名不符")).to_be_visible()
    snapshot(other_desk, "office-09-rejected")
    head, *rows = exported(other_desk)
    assert head[:2] == ["编号", "表单"]
    assert [row[head.index("退回原因")] for row in rows] == ["身份证号与姓名不符"]
    other_desk.get_by_role("button", name="查看").click()
    with other_desk.expect_download() as waiting:
        other_desk.get_by_role("link", name="打印（PDF）").click()
    assert Path(waiting.value.path()).read_bytes().startswith(b"%PDF")


def wrong_form(desk: Page) -> None:
    """Problems stand at their fields."""
    desk.get_by_role("tab", name="填写申请").click()
    desk.get_by_label("医疗机构").click()
    desk.get_by_title("某某医院").last.click()
    for label, text in {"姓名": "李医生", "身份证号": "123", "手机号": "1", "科室": "放射科"}.items():
        desk.get_by_label(label, exact=True).fill(text)
    desk.get_by_role("button", name="提交申请").click()
    expect(desk.get_by_text("有 2 处要改")).to_be_visible()
    snapshot(desk, "office-02-wrong")


def hand_in_sheet(desk: Page, folder: Path) -> None:
    """表格导入: nothing while a row is wrong."""
    desk.get_by_role("tab", name="表格导入").click()
    desk.get_by_label("医疗机构").click()
    desk.get_by_title("某某医院").last.click()
    with desk.expect_download() as waiting:
        desk.get_by_role("link", name="下载空白表格").click()
    empty = Path(waiting.value.path()).read_bytes()
    for name, mobile, words in (("wrong", "12", "1 行要改"), ("right", "13900139000", "1 行全部正确")):
        book = openpyxl.load_workbook(io.BytesIO(empty))
        book.active.append(["李医生", OTHER_ID, mobile, "放射科"])
        book.save(folder / f"{name}.xlsx")
        desk.locator("input[type=file]").set_input_files(folder / f"{name}.xlsx")
        expect(desk.get_by_text(words, exact=False).last).to_be_visible()
        snapshot(desk, f"office-07-sheet-{name}")
    desk.get_by_role("button", name="提交 1 份申请").click()
    said(desk, "已提交 1 份")


def test_an_administrator_looks_after_accounts_doctors_and_the_ca(
    gateway: RunningGateway, desk: Page
) -> None:
    come_in(desk, gateway, "管理员")
    desk.get_by_role("tab", name="CA").click()
    expect(desk.get_by_text("在线签发")).to_be_visible()
    expect(desk.get_by_text(f"{gateway.url}/crl/1.crl")).to_be_visible()
    snapshot(desk, "office-10-authority")
    desk.get_by_role("tab", name="账号").click()
    desk.get_by_role("button", name="增加账号").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("账号").fill("经办丙")
    dialog.get_by_label("首个口令").fill(FIRST)
    snapshot(desk, "office-11-account")
    dialog.get_by_role("button", name=re.compile("增\\s*加")).click()
    row = desk.get_by_role("row").filter(has_text="经办丙")
    expect(row).to_be_visible()
    row.get_by_role("button", name=re.compile("停\\s*用")).click()
    expect(row.get_by_text("停用", exact=True)).to_be_visible()
    snapshot(desk, "office-12-staff")
    names = [row[0] for row in exported(desk)]
    assert {"账号", "经办甲", "经办丙"} <= set(names)
    desk.get_by_role("tab", name="医师").click()
    desk.get_by_label("查找医师").fill("没有这个人")
    desk.get_by_label("查找医师").press("Enter")
    expect(desk.get_by_text("没有找到")).to_be_visible()
    snapshot(desk, "office-13-nobody")
    expect(desk.get_by_role("button", name="修改口令")).to_be_visible()
    desk.get_by_role("button", name="修改口令").click()
    snapshot(desk, "office-14-password")


def test_wrong_passwords_wrong_forms_and_lost_sessions(gateway: RunningGateway, browser: Browser) -> None:
    """What is refused is said in Chinese, problems at their fields; whose session ended comes back to the login."""
    context = patient(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))
    page = context.new_page()  # not watched: refusals stand in a browser's console
    page.goto(f"{gateway.url}/web/Selfcertification/#/")
    page.get_by_label("手机号").fill("13600136000")
    page.get_by_label("口令").fill("000000")
    page.get_by_role("button", name=re.compile("登\\s*录")).click()
    expect(page.get_by_text("请联系医院的证书管理人员", exact=False)).to_be_visible()
    snapshot(page, "self-5-refused")
    log_in(page, gateway, "经办甲", "guess-guess-1")
    expect(page.get_by_text("用户名或口令不对")).to_be_visible()
    snapshot(page, "office-15-refused")
    come_in(page, gateway, "经办甲")
    wrong_form(page)
    context.clear_cookies()
    page.get_by_role("tab", name="医师").click()
    expect(page.get_by_text("登录已失效，请重新登录")).to_be_visible()
    context.close()


def command(gateway: RunningGateway, *words: str, data: bool = True, stdin: str | None = None) -> Result:
    """A command beside the running gateway, within this process: a new one takes seconds on a busy machine."""
    where = ["--data", str(gateway.data)] if data else []
    return CliRunner().invoke(main, [*words, *where], input=stdin, env=gateway.environ)


def answer(gateway: RunningGateway, *words: str) -> Any:
    done = command(gateway, *words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_commands_do_the_same(gateway: RunningGateway, tmp_path: Path) -> None:
    """A sheet made by the program is filled in, handed in, approved by another; withdrawn; the doctor gets a code. Who did
    what stands in office.log, and no more.
    """
    sheet, person = tmp_path / "doctors.xlsx", ["孙医生", "330106198505050019", 13500135000, "放射科"]
    assert command(gateway, "cases", "template", "doctor", "--out", str(sheet), data=False).exit_code == 0
    book = openpyxl.load_workbook(sheet)
    book.active.append(person)
    book.save(sheet)
    handed = ["cases", "submit", "doctor", "--hospital", HOSPITAL, "--from", str(sheet)]
    numbers = []
    for _ in range(2):
        done = command(gateway, *handed)
        assert done.exit_code == 0, done.stderr
        numbers.append(re.sub(r".*编号 ", "", done.stdout).strip())
    refused = command(gateway, "cases", "approve", numbers[0])
    assert (refused.exit_code, "另一人" in refused.stderr) == (1, True)
    assert command(gateway, "cases", "withdraw", numbers[1], "--by", "别人").exit_code == 1
    assert command(gateway, "cases", "withdraw", numbers[1]).exit_code == 0
    assert command(gateway, "cases", "approve", numbers[1], "--by", "审批乙").exit_code == 1
    assert command(gateway, "cases", "approve", numbers[0], "--by", "审批乙").exit_code == 0
    (doctor,) = [one for one in answer(gateway, "doctors", "list") if one["name"] == "孙医生"]
    given = answer(gateway, "doctors", "activate", str(doctor["id"]))
    assert re.fullmatch(r"\w{4}-\w{4}-\w{4}", given["code"])
    assert given["qrText"].startswith(f'{{"t":"yingqiao-activation","sUrl":"{gateway.url}/')
    assert command(gateway, "staff", "add", "经办丁", "--role", "operator", stdin=f"{FIRST}\n").exit_code == 0
    log = (gateway.data / "office.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    acts = [(one["act"], one["subject"]) for one in lines]
    assert acts == [
        ("case.submit", numbers[0]),
        ("case.submit", numbers[1]),
        ("case.withdraw", numbers[1]),
        ("case.approve", numbers[0]),
        ("doctor.activate", str(doctor["id"])),
        ("staff.add", "经办丁"),
    ]
    assert (lines[3]["who"], lines[3]["account"][:4]) == ("审批乙", "cli:")
    assert not any(str(text) in log for text in (*person[:3], given["code"], FIRST))
    assert (gateway.data / "office.log").stat().st_mode & 0o777 == 0o600


def test_the_ca_of_the_commands(gateway: RunningGateway) -> None:
    """The list is where certificates say; a second CA only on purpose."""
    shown = answer(gateway, "ca", "show")
    assert shown["mode"] == "online"
    served = httpx.get(f"{gateway.url}/crl/{shown['id']}.crl")
    assert served.headers["content-type"] == "application/pkix-crl"
    assert command(gateway, "ca", "publish").exit_code == 0
    assert httpx.get(f"{gateway.url}/crl/{shown['id']}.crl").content != served.content
    assert command(gateway, "ca", "init").exit_code == 1
