"""The page /verify/ in Debian's Chromium: paste or drop, and read the report in Chinese."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.helpers import pki
from tests.helpers.connector import until
from tests.helpers.sealed_files import sealed_pdf, trust_files
from tests.helpers.trust import crl_of, pem
from tests.peers.browser import Held
from tests.peers.gateway import RunningGateway
from yingqiao.gm import sm2

W = pki.world()
CONTENT = "影像诊断：未见异常。"
HELD_FILES = """const read = FileReader.prototype.readAsDataURL;
window.held = [];
FileReader.prototype.readAsDataURL = function (file) {
  if (window.holding) window.held.push(() => read.call(this, file));
  else read.call(this, file);
};"""
"""While `holding`, files are not read: as from a slow disk."""


def test_a_signature_is_judged_for_people(shared_gateway: RunningGateway, desk: Page, tmp_path: Path) -> None:
    """Three depths: the line, the steps, the details; an altered original is named."""
    (tmp_path / "chain.pem").write_bytes(pem(*W.chain))
    (tmp_path / "ca.crl").write_bytes(crl_of(W.ca, at=datetime.now(UTC)).raw)
    trust = ("trust", "add", str(tmp_path / "chain.pem"), "--crl", str(tmp_path / "ca.crl"))
    assert shared_gateway.cli(*trust).returncode == 0
    desk.goto(f"{shared_gateway.url}/")
    desk.get_by_role("link", name="验证签名").click()
    expect(desk).to_have_title("影桥 · 验证签名")
    value = sm2.sign(W.doctor.private, CONTENT.encode())
    desk.get_by_label("签名原文", exact=True).fill(CONTENT)
    desk.get_by_label("签名值", exact=True).fill(base64.b64encode(value).decode())
    (tmp_path / "doctor.cer").write_bytes(W.doctor.certificate.raw)
    desk.locator("input[type=file]").nth(2).set_input_files(tmp_path / "doctor.cer")
    expect(desk.get_by_text("doctor.cer")).to_be_visible()
    desk.get_by_label("访问令牌").fill(shared_gateway.token)
    desk.get_by_role("button", name="开始验证").click()
    expect(desk.get_by_text("签名验证通过").first).to_be_visible()
    expect(desk.get_by_role("cell", name="张三 → 影桥测试 CA → 影桥测试根")).to_be_visible()
    desk.get_by_text("详细报告").click()
    expect(desk.get_by_text("证书按此时间判断", exact=False)).to_be_visible()
    desk.screenshot(path=tmp_path / "passed.png", full_page=True)
    desk.get_by_label("签名原文", exact=True).fill(CONTENT + "改")
    desk.get_by_role("button", name="开始验证").click()
    expect(desk.get_by_text("签名验证不通过", exact=False).first).to_be_visible()
    desk.get_by_role("tab", name="验证证书").click()
    expect(desk.get_by_text("doctor.cer")).to_be_visible()
    desk.get_by_label("判定时间").fill("2030-01-01")
    desk.get_by_role("button", name="开始验证").click()
    expect(desk.get_by_text("过期", exact=False).first).to_be_visible()
    desk.emulate_media(media="print")
    expect(desk.get_by_role("button", name="开始验证")).to_be_hidden()
    expect(desk.get_by_text("证书按此时间判断", exact=False)).to_be_visible()
    desk.screenshot(path=tmp_path / "print.png", full_page=True)


def test_the_seals_of_a_pdf_are_shown_to_people(
    shared_gateway: RunningGateway, desk: Page, tmp_path: Path
) -> None:
    """Drop a PDF: each seal, who, when, whether the document changed since, the report in three depths."""
    for words in trust_files(tmp_path, datetime.now(UTC)):
        assert shared_gateway.cli(*words).returncode == 0
    twice = sealed_pdf(sealed_pdf(), page=2, x_mm=60.0)
    (tmp_path / "报告.pdf").write_bytes(twice)
    (tmp_path / "改动.pdf").write_bytes(twice.replace(b"/Helvetica", b"/Helvetic1", 1))
    desk.goto(f"{shared_gateway.url}/")
    desk.get_by_role("link", name="验证签章").click()
    desk.locator("input[type=file]").first.set_input_files(tmp_path / "报告.pdf")
    desk.get_by_label("访问令牌").fill(shared_gateway.token)
    desk.get_by_role("button", name="开始验证").click()
    expect(desk.get_by_text("共 2 处签章：电子签章验证通过")).to_be_visible()
    expect(desk.get_by_text("影桥测试医院影像诊断专用章", exact=False).first).to_be_visible()
    expect(desk.get_by_text("2026-03-01 10:05:06（北京时间）").first).to_be_visible()
    expect(desk.get_by_text("盖章后没有改动").first).to_be_visible()
    picture = desk.get_by_alt_text("印章图片：影桥测试医院影像诊断专用章").first
    assert until(lambda: picture.evaluate("image => image.naturalWidth") > 0)
    desk.get_by_text("详细报告").first.click()
    expect(desk.get_by_text("证书按此时间判断", exact=False).first).to_be_visible()
    desk.screenshot(path=tmp_path / "seals.png", full_page=True)
    desk.emulate_media(media="print")
    expect(desk.get_by_role("button", name="开始验证")).to_be_hidden()
    desk.screenshot(path=tmp_path / "seals-print.png", full_page=True)
    desk.emulate_media(media="screen")
    desk.get_by_label("移除盖章的文件").click()
    desk.locator("input[type=file]").first.set_input_files(tmp_path / "改动.pdf")
    desk.get_by_role("button", name="开始验证").click()
    expect(desk.get_by_text("重新索取原文件", exact=False).first).to_be_visible()
    expect(desk.get_by_text("文件内容在盖章后被改动").first).to_be_visible()
    desk.screenshot(path=tmp_path / "altered.png", full_page=True)


def test_a_verdict_goes_with_what_it_is_of(
    shared_gateway: RunningGateway, desk: Page, tmp_path: Path
) -> None:
    """Another file chosen: no verdict stands beside its name, nothing is judged before it is read, a late answer is nobody's."""
    (tmp_path / "报告.pdf").write_bytes(sealed_pdf())
    (tmp_path / "另一份.pdf").write_bytes(sealed_pdf())
    desk.add_init_script(HELD_FILES)
    desk.goto(f"{shared_gateway.url}/verify/#seal")
    file, button = desk.locator("input[type=file]").first, desk.get_by_role("button", name="开始验证")
    desk.get_by_label("访问令牌").fill(shared_gateway.token)
    file.set_input_files(tmp_path / "报告.pdf")
    button.click()
    expect(desk.get_by_text("签章验证报告")).to_be_visible()
    desk.evaluate("window.holding = true")
    file.set_input_files(tmp_path / "另一份.pdf")
    expect(desk.get_by_text("签章验证报告")).to_have_count(0)
    expect(desk.get_by_text("报告.pdf")).to_have_count(0)
    expect(button).to_be_disabled()
    desk.evaluate("window.holding = false; window.held.forEach((read) => read())")
    expect(desk.get_by_text("另一份.pdf")).to_be_visible()
    held = Held(desk, "**/api/verify/seal")
    button.click()
    expect(button).to_have_class(re.compile("loading"))
    desk.get_by_label("移除盖章的文件").click()
    held.let_go()
    expect(button).not_to_have_class(re.compile("loading"))
    expect(desk.get_by_text("签章验证报告")).to_have_count(0)


def test_the_page_fits_a_phone(shared_gateway: RunningGateway, phone: Page) -> None:
    """No scrolling sideways."""
    phone.goto(f"{shared_gateway.url}/verify/")
    expect(phone.get_by_text("验证签名、时间戳、证书与签章")).to_be_visible()
    assert until(lambda: phone.evaluate("document.documentElement.scrollWidth") <= 400)
