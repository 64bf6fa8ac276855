"""Electronic seals as people meet them: on the pages in Debian's Chromium, and at the command line (annexes 5 and 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pypdfium2
import pytest
from fpdf import FPDF
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.senders import HOSPITAL
from tests.helpers.office_pages import come_in, with_office
from tests.helpers.seal_office import UNIT
from tests.helpers.stamps import photograph
from tests.peers.browser import said, watched_page
from tests.peers.gateway import RunningGateway
from yingqiao.gm import seal_wallet

LABELS = {
    "unitName": "单位名称",
    "unitPhone": "单位电话",
    "address": "通信地址",
    "legalName": "法定代表人姓名",
    "handlerName": "经办人姓名",
    "handlerMobile": "经办人手机",
    "handlerEmail": "经办人邮箱",
    "handlerNumber": "经办人证件号",
    "creditCode": "统一社会信用代码",
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    made = with_office(tmp_path / "data")
    yield made
    made.stop()


@pytest.fixture
def other_desk(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}))


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_title(option, exact=True).last.click()


def fill_in(page: Page, form: str) -> None:
    """The form chosen, for the one hospital."""
    page.get_by_label("表单").last.click()
    page.get_by_title(form).click()
    page.get_by_label("医疗机构").click()
    page.get_by_title("某某医院").last.click()


def apply(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="填写申请").click()
    fill_in(page, "附件 5 单位数字证书申请表")
    choose(page, "证书业务类型", "初次办理")
    choose(page, "经办人证件类型", "居民身份证")
    for name, label in LABELS.items():
        page.get_by_label(label, exact=True).fill(UNIT[name])
    page.screenshot(path=folder / "annex5.png", full_page=True)
    page.get_by_role("button", name="提交申请").click()
    said(page, "已提交，编号 1")


def sample(page: Page, folder: Path) -> None:
    fill_in(page, "附件 6 单位电子印章采样表")
    photo = folder / "stamp.jpg"
    photo.write_bytes(photograph())
    page.get_by_label("采样宽（毫米）").fill("42")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="选择照片").click()
    chooser.value.set_files(photo)
    expect(page.get_by_text("42×42 毫米", exact=False)).to_be_visible()
    page.screenshot(path=folder / "sampled.png", full_page=True)
    page.get_by_role("button", name="与原件一致，采用").click()
    page.get_by_label("单位名称", exact=True).fill(UNIT["unitName"])
    page.screenshot(path=folder / "annex6.png", full_page=True)
    page.get_by_role("button", name="提交申请").click()
    said(page, "已提交，编号 2")


def approve(page: Page) -> None:
    for number in (1, 2):
        row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=str(number), exact=True))
        row.get_by_role("button", name="查看").click()
        page.get_by_role("button", name=re.compile("通\\s*过")).click()
        expect(row.get_by_text("已通过")).to_be_visible()


def make(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="印章").click()
    page.get_by_role("button", name="制作印章").click()
    dialog = page.get_by_role("dialog")
    for label in ("申请表（附件 5，已通过）", "采样表（附件 6，已通过）"):
        dialog.get_by_label(label).click()
        first = page.locator(
            ".ant-select-dropdown:not(.ant-select-dropdown-hidden) .ant-select-item-option"
        ).first
        expect(first).to_have_class(re.compile("option-active"))
        page.keyboard.press("Enter")
        expect(first).to_be_hidden()
    page.screenshot(path=folder / "make.png")
    dialog.get_by_role("button", name=re.compile("制\\s*作")).click()
    expect(page.get_by_role("cell", name=UNIT["unitName"]).first).to_be_visible()
    page.screenshot(path=folder / "seals.png")


def test_from_application_to_seal(
    gateway: RunningGateway,
    desk: Page,
    other_desk: Page,
    tmp_path: Path,
) -> None:
    """Applied for, sampled, approved by another, made, its papers downloaded, stopped and started, handed out."""
    come_in(desk, gateway, "经办甲")
    apply(desk, tmp_path)
    sample(desk, tmp_path)
    come_in(other_desk, gateway, "审批乙")
    approve(other_desk)
    make(other_desk, tmp_path)
    other_desk.get_by_role("button", name="查看").click()
    drawer = other_desk.get_by_role("dialog")
    expect(drawer.get_by_text("制作 审批乙", exact=False)).to_be_visible()
    other_desk.screenshot(path=tmp_path / "seal.png")
    for paper in ("登记表（PDF）", "申请表（PDF）", "采样表（PDF）"):
        with other_desk.expect_download() as coming:
            drawer.get_by_role("link", name=paper).click()
        content = Path(coming.value.path()).read_bytes()
        render(content, tmp_path / f"{paper}.png")
    desk.get_by_role("tab", name="印章").click()
    desk.get_by_role("button", name="查看").click()
    desk.get_by_role("button", name=re.compile("停\\s*用")).click()
    desk.get_by_label("原因").fill("搬家")
    desk.get_by_role("dialog").get_by_role("button", name=re.compile("停\\s*用")).last.click()
    expect(desk.get_by_text("停用 经办甲 搬家", exact=False)).to_be_visible()
    desk.screenshot(path=tmp_path / "suspended.png")
    assert gateway.cli("seals", "resume", "1", "--reason", "搬完").returncode == 0
    other_desk.locator(".ant-drawer-close").click()
    other_desk.get_by_role("button", name="查看").click()
    other_desk.get_by_role("button", name="导出给签章客户端").click()
    for label in ("PIN", "再输一次 PIN"):
        other_desk.get_by_label(label, exact=True).fill("a1b2c3")
    other_desk.screenshot(path=tmp_path / "export.png")
    with other_desk.expect_download() as coming:
        other_desk.get_by_role("button", name=re.compile("导\\s*出$")).last.click()
    wallet = seal_wallet.read_wallet(Path(coming.value.path()).read_bytes())
    seal_wallet.open_wallet(wallet, "a1b2c3")
    assert UNIT["handlerNumber"] not in gateway.log
    assert UNIT["unitName"] not in gateway.log


def render(pdf: bytes, to: Path) -> None:
    """All pages, to be looked at."""
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) >= 1
    for number in range(len(document)):
        document[number].render(scale=1.2).to_pil().save(to.with_stem(f"{to.stem}-{number + 1}"))
    document.close()


def report() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=14)
    pdf.text(20, 30, "Report")
    return bytes(pdf.output())


@pytest.mark.long
def test_the_commands_do_the_same_and_programs_seal(gateway: RunningGateway, tmp_path: Path) -> None:
    """apply, approve, make by another; the API seals a report; the journal knows; verification knows the seal."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photograph())
    sampled = gateway.cli(
        "seals", "sample", str(photo), str(tmp_path / "seal.png"), "--width", "42",
        "--before", str(tmp_path / "before.jpg"), data=False,
    )  # fmt: skip
    assert sampled.returncode == 0, sampled.stderr
    stamp = {
        "unitName": UNIT["unitName"],
        "width": "42",
        "height": "42",
        "picture1": "before.jpg",
        "result": "seal.png",
    }
    (tmp_path / "unit.json").write_text(json.dumps(UNIT))
    (tmp_path / "stamp.json").write_text(json.dumps(stamp))
    files = ("--unit", str(tmp_path / "unit.json"), "--stamp", str(tmp_path / "stamp.json"))
    done = gateway.cli("seals", "apply", "--hospital", HOSPITAL, *files, "--by", "经办甲")
    assert done.returncode == 0, done.stderr
    assert gateway.cli("seals", "approve", "1", "2", "--by", "经办甲").returncode == 1
    assert gateway.cli("seals", "approve", "1", "2", "--by", "审批乙").returncode == 0
    made = gateway.cli("seals", "make", "--unit", "1", "--stamp", "2", "--kind", "report", "--by", "审批乙")
    assert made.returncode == 0, made.stderr
    (seal,) = gateway.json("seals", "list")
    assert (seal["state"], seal["kindWords"]) == ("in-force", "报告专用章")
    token = {"authorization": f"Bearer {gateway.token}"}
    address = f"{gateway.url}/api/seals/{seal['esId']}/pdf"
    asked = {"at": "1,150,220", "matter": "R-1", "who": "PACS"}
    answer = httpx.post(address, params=asked, content=report(), headers=token, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(report()[:100])
    assert answer.headers["x-yingqiao-stamped"] == "true"
    assert httpx.post(address, params=asked, content=report()).status_code == 401
    (use,) = gateway.json("seals", "uses")
    assert (use["who"], use["matter"], use["result"]) == ("api:PACS", "R-1", "sealed")
    sealed = tmp_path / "sealed.pdf"
    sealed.write_bytes(answer.content)
    found = json.loads(gateway.cli("verify", "seal", str(sealed), "--json").stdout)
    assert [one["indication"] for one in found] == ["passed"], found
    source, target = tmp_path / "plain.pdf", tmp_path / "twice.pdf"
    source.write_bytes(report())
    again = gateway.cli(
        "seal", "sign", str(source), str(target), "--seal", "1", "--at", "1,60,60", "--matter", "R-2"
    )
    assert (again.returncode, "带时间戳" in again.stdout) == (0, True), again.stderr
    assert gateway.cli("seals", "suspend", "1", "--reason", "搬家").returncode == 0
    stopped = json.loads(gateway.cli("verify", "seal", str(target), "--json").stdout)
    assert [(one["indication"], one["code"]) for one in stopped] == [
        ("passed", 0)
    ]  # stamped before it was stopped
    assert (
        gateway.cli("seal", "sign", str(source), str(target), "--seal", "1", "--at", "1,60,60").returncode
        == 1
    )
    assert [one["matter"] for one in gateway.json("seals", "uses")] == ["R-2", "R-1"]
    assert gateway.cli("seals", "revoke", "1", "--reason", "更名", "--by", "审批乙").returncode == 0
    assert httpx.post(address, params=asked, content=report(), headers=token).status_code == 409
    assert gateway.cli("seals", "form", "unit", "--out", str(tmp_path / "blank.pdf")).returncode == 0
    render((tmp_path / "blank.pdf").read_bytes(), tmp_path / "blank.png")
    assert gateway.cli("seals", "export", "1", "--public", "--out", str(tmp_path / "a.esl")).returncode == 0
    lines = [json.loads(line) for line in (gateway.data / "office.log").read_text().splitlines()]
    seals = [
        (one["act"], one["subject"], one["who"]) for one in lines if one["act"][:5] in ("case.", "seal.")
    ]
    assert seals[:5] == [
        ("case.submit", "1", "经办甲"),
        ("case.submit", "2", "经办甲"),
        ("case.approve", "1", "审批乙"),
        ("case.approve", "2", "审批乙"),
        ("seal.make", "1", "审批乙"),
    ]
    assert [act for act, *_ in seals[5:]] == ["seal.suspend", "seal.revoke"]
