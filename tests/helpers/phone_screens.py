"""Steps on the screens of the signing app /phone/ that several tests take; and what stands before its camera."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path

import segno
from playwright.sync_api import BrowserContext, Page, expect

from tests.helpers.connector import until
from tests.peers.browser import resting

PIN = "135790"
REPORT = "检查所见：双肺纹理清晰。\n影像诊断：未见异常。"
WIDTH = 390
"""Pixels of a phone's screen, as the fixture `phone` has it."""

_FILM = """if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => {
  const raw = Uint8Array.from(atob(await window.beforeTheCamera()), (one) => one.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([raw], { type: "image/png" }));
  const canvas = Object.assign(document.createElement("canvas"), { width: 720, height: 720 });
  const pen = canvas.getContext("2d");
  const size = Math.min(560, picture.width * 2);
  setInterval(() => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 720, 720);
    pen.drawImage(picture, (720 - size) / 2, (720 - size) / 2, size, size);
  }, 50);
  return canvas.captureStream(20);
};"""


class Camera:
    """A phone's camera sees the picture that is held before it."""

    def __init__(self, context: BrowserContext) -> None:
        self._picture = b""
        context.expose_function("beforeTheCamera", self._look)
        context.add_init_script(_FILM)

    def hold(self, picture: bytes) -> None:
        """PNG."""
        self._picture = picture

    def _look(self) -> str:
        return base64.b64encode(self._picture).decode()


def shot(page: Page, name: str) -> None:
    """Kept when YINGQIAO_SHOTS names a folder: screens are looked at by people. Nothing may be wider than a phone."""
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert until(lambda: page.evaluate(too_wide) <= 0), name  # what comes in from the side is, on its way
    if folder := os.environ.get("YINGQIAO_SHOTS"):
        page.wait_for_timeout(400)
        page.screenshot(path=Path(folder) / f"{name}.png")


def scan(phone: Page, text: str) -> None:
    """A QR code out of the album."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=5, border=4)
    file = {"name": "qr.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    phone.get_by_label("相册图片").set_input_files([file])  # type: ignore[list-item]


def open_scanner(phone: Page, pages: str) -> None:
    """From the welcome to the scanner."""
    phone.goto(f"{pages}/phone/")
    phone.get_by_role("button", name="开始使用").click()
    phone.get_by_role("button", name="扫码连接服务").click()


def choose_pin(phone: Page, pin: str = PIN) -> None:
    """A new certificate's password; to the main page."""
    for label in ("证书密码", "再输入一次"):
        phone.locator(f"input[aria-label={label}]").fill(pin)
    phone.get_by_role("button", name="完成").click()
    expect(phone.get_by_text("下证成功")).to_be_visible()
    phone.get_by_role("button", name="确定").click()


def activate_by_code(phone: Page, pages: str, text: str) -> None:
    """From the welcome to the main page, by an activation's QR code out of the album."""
    open_scanner(phone, pages)
    scan(phone, text)
    phone.get_by_role("button", name="添加", exact=True).click()
    choose_pin(phone)
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()


def give_pin(phone: Page, pin: str = PIN) -> None:
    """Into the sheet that asks for it before a signature."""
    sheet = phone.locator(".sheet")
    sheet.locator("input[aria-label=证书密码]").fill(pin)
    shot(phone, "08-pin-sheet")
    sheet.get_by_role("button", name="确定").click()
    expect(sheet).to_have_count(0)


def log_in(phone: Page, pin: str = PIN) -> None:
    """On the login page; the password is not remembered."""
    phone.locator("input[aria-label=证书密码]").fill(pin)
    phone.get_by_role("button", name="进入").click()
    phone.get_by_text("跳过", exact=True).click()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()


def log_out(phone: Page) -> None:
    """From the main page to the login page."""
    phone.get_by_role("button", name="切换身份").click()
    phone.get_by_text("退出登录").click()


def job_code(service: str, ticket: str) -> str:
    """What addSignJob's code says."""
    return json.dumps(
        {"id": "1", "sUrl": f"{service}/coss/phone/v1/getServiceInfo", "o": ticket, "cv": "2.0"}
    )


def draw_seal(phone: Page) -> None:
    """A stroke on the pad for the handwritten seal."""
    box = resting(phone.get_by_label("手写区"))
    phone.mouse.move(box["x"] + 60, box["y"] + 60)
    phone.mouse.down()
    phone.mouse.move(box["x"] + 200, box["y"] + 120, steps=5)
    phone.mouse.up()
