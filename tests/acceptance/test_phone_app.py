"""The signing app /phone/ in Debian's Chromium at a phone's size (annex 7), with the gateway's half of the cryptography."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.helpers.phone_screens import PIN, REPORT, draw_seal, give_pin, job_code, log_out, scan, shot
from tests.helpers.phone_service import PhoneService, serve_phones
from tests.peers.browser import patient
from tests.peers.gateway import RunningGateway
from yingqiao.gm import certificates, sm2


@pytest.fixture
def service() -> Iterator[PhoneService]:
    with serve_phones() as serving:
        yield serving


def activate(phone: Page, pages: str, service: PhoneService) -> None:
    """From the welcome to the main page, by an activation's QR code."""
    phone.goto(f"{pages}/phone/")
    shot(phone, "01-welcome")
    phone.get_by_role("button", name="开始使用").click()
    shot(phone, "02-service")
    phone.get_by_role("button", name="扫码连接服务").click()
    code = {"t": "yingqiao-activation", "sUrl": service.url, "code": service.code, "cv": "2.0"}
    scan(phone, json.dumps(code))
    phone.get_by_role("button", name="添加", exact=True).click()
    phone.locator("input[aria-label=证书密码]").fill("123456")
    expect(phone.get_by_text("密码过于简单", exact=False)).to_be_visible()
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.locator("input[aria-label=再输入一次]").fill(PIN)
    shot(phone, "03-pin")
    phone.get_by_role("button", name="完成").click()
    expect(phone.get_by_text("下证成功")).to_be_visible()
    shot(phone, "04-done")
    phone.get_by_role("button", name="确定").click()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()


def verified(service: PhoneService, job: str, content: str) -> bool:
    [held] = service.keys.values()
    certificate = certificates.parse(held.certificate)
    public = sm2.PublicKey.from_point(certificate.key.point)
    return sm2.verify(public, content.encode(), service.signatures[job])


def test_a_doctor_activates_logs_in_signs_and_refuses(
    shared_gateway: RunningGateway, phone: Page, service: PhoneService
) -> None:
    """Annex 7, rows 1 to 7, 10, 12 to 16: what was shown is what was signed; and how long the phone computed."""
    first = service.add_job("胸部 CT 报告", REPORT.encode())
    second = service.add_job("头颅 MRI 报告", b"\x00\x01\x02" * 300)
    activate(phone, shared_gateway.url, service)
    expect(phone.get_by_text("有 2 份文件等待签名")).to_be_visible()
    shot(phone, "05-home")
    phone.get_by_role("button", name="待办列表").click()
    shot(phone, "06-jobs")
    phone.get_by_placeholder("搜索").fill("胸部")
    phone.get_by_placeholder("搜索").press("Enter")
    expect(phone.get_by_text("头颅 MRI 报告")).to_have_count(0)
    phone.get_by_text("胸部 CT 报告").click()
    expect(phone.get_by_text("影像诊断：未见异常。", exact=False)).to_be_visible()
    shot(phone, "07-detail")
    phone.get_by_role("button", name="签名", exact=True).click()
    give_pin(phone, "975310")
    expect(phone.get_by_text("PIN 码不对", exact=False)).to_be_visible()
    assert first not in service.signatures
    phone.get_by_role("button", name="重新签名").click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_be_visible()
    assert verified(service, first, REPORT)
    spent = phone.evaluate("performance.getEntriesByName('yingqiao.signature').map((one) => one.duration)")
    assert min(spent) < 500, spent  # some ten here, by the wall clock of a machine that does other things
    phone.get_by_role("img", name="返回").click()
    phone.get_by_text("头颅 MRI 报告").click()
    expect(phone.get_by_text("以十六进制显示", exact=False)).to_be_visible()
    shot(phone, "09-binary")
    phone.get_by_role("button", name="拒签").click()
    phone.locator("textarea").fill("与影像不符")
    shot(phone, "10-refuse")
    phone.locator(".adm-dialog").get_by_text("拒签", exact=True).last.click()
    expect(phone.get_by_text("已拒签")).to_be_visible()
    assert service.jobs[second]["reason"] == "与影像不符"
    phone.get_by_role("img", name="返回").click()
    phone.get_by_role("tab", name="已签").click()
    expect(phone.get_by_text("已拒签")).to_be_visible()


def test_login_batch_and_remembering(
    shared_gateway: RunningGateway, phone: Page, service: PhoneService
) -> None:
    """Rows 10, 12, 16, 20: a result for each document; a remembered password asks no more."""
    activate(phone, shared_gateway.url, service)
    log_out(phone)
    shot(phone, "11-login")
    phone.locator("input[aria-label=证书密码]").fill("975310")
    phone.get_by_role("button", name="进入").click()
    expect(phone.get_by_text("PIN 码不对", exact=False)).to_be_visible()
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="重试").click()
    shot(phone, "12-remember")
    phone.get_by_text("记住", exact=True).click()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()
    jobs = [service.add_job(f"第 {number} 份报告", REPORT.encode()) for number in range(3)]
    phone.get_by_role("button", name="待办列表").click()
    phone.get_by_role("button", name="批量签署").click()
    phone.get_by_text("全选").click()
    shot(phone, "13-batch")
    phone.get_by_role("button", name="签名（3）").click()
    expect(phone.get_by_text("已签名")).to_have_count(3)
    shot(phone, "14-batch-done")
    assert all(verified(service, number, REPORT) for number in jobs)


def test_a_jobs_code_and_the_other_screens(
    shared_gateway: RunningGateway, phone: Page, service: PhoneService
) -> None:
    """Rows 9, 11, 17 to 24: a digest is said to be one; the seal is drawn; automatic signing has its end; nothing is too wide."""
    digest = service.add_job("仅有杂凑值", bytes(range(32)), "HASH")
    activate(phone, shared_gateway.url, service)
    phone.get_by_text("扫码", exact=True).click()
    shot(phone, "15-scan")
    scan(phone, job_code(service.url, service.jobs[digest]["ticket"]))
    expect(phone.get_by_text("看不到原文", exact=False)).to_be_visible()
    shot(phone, "16-hash")
    phone.goto(f"{shared_gateway.url}/phone/#/home")
    phone.get_by_role("button", name="电子印章").click()
    phone.get_by_role("button", name="修改").click()
    draw_seal(phone)
    shot(phone, "17-seal")
    phone.get_by_role("button", name="提交").click()
    expect(phone.get_by_alt_text("等待审核")).to_be_visible()
    assert service.picture
    phone.goto(f"{shared_gateway.url}/phone/#/auto")
    phone.get_by_role("switch").click()
    phone.get_by_text("开启", exact=True).last.click()
    expect(phone.get_by_role("switch")).to_be_checked()
    shot(phone, "18-auto")
    assert service.auto["enabled"]
    for number, place in enumerate(
        ("certificates", "mine", "settings", "service/detail", "help", "login"), 19
    ):
        phone.goto(f"{shared_gateway.url}/phone/#/{place}")
        shot(phone, f"{number}-{place.replace('/', '-')}")
    phone.get_by_label("侧边栏").click()
    expect(phone.get_by_text("已添加的服务")).to_be_visible()
    shot(phone, "25-side")


def test_a_code_before_the_camera(
    shared_gateway: RunningGateway, browser: Browser, service: PhoneService, tmp_path: Path
) -> None:
    """Row 3: the camera reads the activation's code; the camera here is a film of it."""
    code = {"t": "yingqiao-activation", "sUrl": service.url, "code": service.code, "cv": "2.0"}
    film = tmp_path / "code.y4m"
    film.write_bytes(film_of(json.dumps(code)))
    camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    seen = browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox", *camera, f"--use-file-for-fake-video-capture={film}"],
    )
    context = patient(seen.new_context(locale="zh-CN", viewport={"width": 390, "height": 844}))
    page = context.new_page()
    page.goto(f"{shared_gateway.url}/phone/#/scan")
    expect(page.get_by_text(service.url, exact=False)).to_be_visible()
    shot(page, "30-camera")
    page.get_by_role("button", name="添加", exact=True).click()
    expect(page.get_by_text("设置证书密码")).to_be_visible()
    seen.close()


def film_of(text: str) -> bytes:
    """One grey frame of 640x480 with the code in the middle, as YUV4MPEG2."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="png", scale=7, border=4)
    frame = Image.new("L", (640, 480), 255)
    code = Image.open(drawn).convert("L")
    frame.paste(code, ((640 - code.width) // 2, (480 - code.height) // 2))
    colours = b"\x80" * (320 * 240 * 2)
    return b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420mpeg2\nFRAME\n" + frame.tobytes() + colours


def test_a_fingerprint_instead_of_the_keyboard(
    shared_gateway: RunningGateway, phone: Page, service: PhoneService
) -> None:
    """Row 23: the authenticator's secret (WebAuthn, PRF) opens the PIN; Chromium's virtual one stands for the finger."""
    devices = phone.context.new_cdp_session(phone)
    devices.send("WebAuthn.enable")
    able = (
        "hasResidentKey",
        "hasUserVerification",
        "hasPrf",
        "isUserVerified",
        "automaticPresenceSimulation",
    )
    options = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal"}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options | dict.fromkeys(able, True)})
    named = shared_gateway.url.replace("127.0.0.1", "localhost")  # WebAuthn knows no addresses
    number = service.add_job("胸部 CT 报告", REPORT.encode())
    activate(phone, named, service)
    phone.goto(f"{named}/phone/#/settings")
    phone.get_by_role("switch", name="生物特征认证").click()
    give_pin(phone)
    expect(phone.get_by_role("switch", name="生物特征认证")).to_be_checked()
    shot(phone, "31-biometric")
    phone.goto(f"{named}/phone/#/job/{number}")
    phone.get_by_role("button", name="签名", exact=True).click()
    expect(phone.get_by_text("已签名")).to_be_visible()
    assert verified(service, number, REPORT)


def test_without_a_network_the_app_opens_and_says_so(
    shared_gateway: RunningGateway, phone: Page, service: PhoneService
) -> None:
    """The shell comes from the service worker; what cannot be read can be tried again."""
    phone = phone.context.new_page()  # a browser without a network has errors to tell its console
    activate(phone, shared_gateway.url, service)
    phone.evaluate("navigator.serviceWorker.ready.then(() => true)")
    phone.reload()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()
    manifest = phone.evaluate("fetch('/phone/manifest.webmanifest').then((answer) => answer.json())")
    assert manifest["start_url"] == manifest["scope"] == "/phone/"
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    phone.context.set_offline(True)
    phone.reload()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()
    phone.get_by_role("button", name="待办列表").click()
    expect(phone.get_by_text("没有连接网络", exact=False)).to_be_visible()
    shot(phone, "27-offline")
    phone.context.set_offline(False)
    phone.get_by_role("button", name="重试").click()
    expect(phone.get_by_text("没有文件")).to_be_visible()
