"""The signing app against the gateway's own services with a clock that the test sets: what takes months, or a second gateway.

The pages come from a running gateway; the services are those of `web.coss` on a database, behind a socket of their own.
"""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.helpers.connector import until
from tests.helpers.coss import call, job
from tests.helpers.phone_screens import (
    PIN,
    REPORT,
    activate_by_code,
    choose_pin,
    draw_seal,
    give_pin,
    job_code,
    log_in,
    log_out,
    open_scanner,
    scan,
    shot,
)
from tests.helpers.phone_service import serve
from tests.integration.signing.test_phone import DAY, World
from tests.peers.browser import TWO_FRAMES, Held, said
from tests.peers.gateway import RunningGateway
from yingqiao.gm import certificates, sm2
from yingqiao.gm.issuing import Profile
from yingqiao.signing.certificates.activation import qr_text
from yingqiao.signing.enrolment.case import CaseState
from yingqiao.store.database import open_database

MOBILE = "13800138000"
HOLD_READING = """(name) => {
  const getAll = IDBObjectStore.prototype.getAll;
  window.letGo = false;
  IDBObjectStore.prototype.getAll = function (...given) {
    const again = () => {
      if (!window.letGo) this.count().onsuccess = again;
    };
    if (this.name === name) again();
    return getAll.apply(this, given);
  };
}"""
"""What the phone keeps there is not read before `letGo`, as on a slow phone."""
KEYS = """() => new Promise((found) => {
  const asked = indexedDB.open("yingqiao-phone");
  asked.onsuccess = () => {
    const request = asked.result.transaction("keys").objectStore("keys").getAllKeys();
    request.onsuccess = () => found(request.result);
  };
})"""


def holding(phone: Page, name: str) -> Held:
    """From now on such calls of the service wait."""
    return Held(phone, f"**/coss/phone/v1/{name}")


def refuse(phone: Page, title: str) -> None:
    """Out of the list, with a reason."""
    phone.get_by_text(title).click()
    phone.get_by_role("button", name="拒签").click()
    phone.locator("textarea").fill("与影像不符，请重写")
    phone.locator(".adm-dialog").get_by_text("拒签", exact=True).last.click()
    expect(phone.get_by_text("已拒签")).to_be_visible()


@dataclass(frozen=True)
class Service:
    """A gateway's signing services at an address."""

    world: World
    url: str

    def activation(self) -> str:
        """What the activation's QR code says, of an enrolled doctor."""
        code = self.world.desk.activations.give(self.world.enrol())[0]
        return qr_text(f"{self.url}/coss/phone/v1/getServiceInfo", code)

    def push(self, title: str, **more: str) -> tuple[str, str]:
        """A job by the PACS: its signDataId and its ticket."""
        data = base64.b64encode(REPORT.encode()).decode()
        answer = call(self.url, "addSignJob", job(title=title, data=data, **more))
        assert answer["status"] == 200, answer
        return answer["data"]["signDataId"], json.loads(answer["data"]["qrCode"])["o"]

    def result(self, number: str) -> dict[str, str]:
        data: dict[str, str] = call(self.url, "getAuthSignResult", {"signDataId": number})["data"]
        return data

    def ends(self, profile: Profile = Profile.SIGNING) -> int:
        """Until when the doctor's newest certificate is good, Unix ms."""
        return self.world.desk.authority.of_doctor(1, profile)[0].not_after or 0


@contextmanager
def served(folder: Path, **phone: object) -> Iterator[Service]:
    database = open_database(folder)
    database.migrate()
    world = World(database, folder, **phone)
    with serve(world.post) as url:
        world.origin = url
        yield Service(world, url)
    database.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "one").mkdir()
    with served(tmp_path / "one", auto_sign_max_minutes=180) as found:
        yield found


def test_a_certificate_by_the_number_of_a_phone(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Annex 7, rows 3 (b), 8 and 9 (协同一扫签): a job's code, the verification code, a certificate, the signature."""
    service.world.enrol()
    number, ticket = service.push("胸部 CT 报告")
    open_scanner(phone, shared_gateway.url)
    scan(phone, job_code(service.url, ticket))
    phone.get_by_role("button", name="添加", exact=True).click()
    phone.locator("input[aria-label=手机号]").fill(MOBILE)
    phone.get_by_role("button", name="发送验证码").click()
    expect(phone.get_by_text("验证码已发送", exact=False)).to_be_visible()
    [(mobile, code)] = service.world.sent
    assert mobile == MOBILE
    phone.locator("input[aria-label=验证码]").fill("000000" if code != "000000" else "111111")
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("验证码不对或已失效", exact=False)).to_be_visible()
    shot(phone, "40-phone-number")
    phone.locator("input[aria-label=验证码]").fill(code)
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("王医生")).to_be_visible()
    choose_pin(phone)
    expect(phone.get_by_text("影像诊断：未见异常。", exact=False)).to_be_visible()
    phone.get_by_role("button", name="签名", exact=True).click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_be_visible()
    shot(phone, "41-signed-after-one-scan")
    phone.get_by_role("button", name="返回首页").click()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()
    result = service.result(number)
    assert result["jobStatus"] == "FINISH"
    public = sm2.PublicKey.from_point(certificates.parse(base64.b64decode(result["signCert"])).key.point)
    assert sm2.verify(public, REPORT.encode(), base64.b64decode(result["signResult"]))


def test_an_expired_certificate_is_updated_within_a_month(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """证书更新 (28 to 30): 临期 may wait; 过期可更新 lets nobody in until updated; after a month only a new download."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    service.world.now = service.ends() - 20 * DAY
    phone.reload()  # the login of months ago is over
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="进入").click()
    expect(phone.get_by_text("证书即将到期")).to_be_visible()
    shot(phone, "42-expiring")
    phone.get_by_text("以后再说").click()
    phone.get_by_text("跳过", exact=True).click()
    expect(phone.get_by_role("button", name="待办列表")).to_be_visible()
    log_out(phone)
    first, service.world.now = service.ends(), service.ends() + DAY
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="进入").click()
    expect(phone.get_by_text("证书已过期", exact=True)).to_be_visible()
    shot(phone, "43-renewable")
    phone.get_by_text("取消", exact=True).click()
    expect(phone.locator(".adm-dialog")).to_have_count(0)  # the next one has the same words
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="进入").click()
    phone.get_by_text("更新证书", exact=True).click()
    said(phone, "证书已更新")
    assert service.ends() > first + 300 * DAY
    log_in(phone)
    number, _ = service.push("更新之后的报告", authorizedUserId="U7")
    phone.get_by_role("button", name="待办列表").click()
    phone.get_by_role("button", name="签名", exact=True).click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_be_visible()
    assert service.result(number)["result"] == "true"
    service.world.now = service.ends() + 40 * DAY
    phone.goto(f"{shared_gateway.url}/phone/#/login")
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="进入").click()
    dialog = phone.locator(".adm-dialog")
    expect(dialog.get_by_text("请重新下载证书", exact=False)).to_be_visible()
    shot(phone, "44-expired")
    dialog.get_by_text("下载证书", exact=True).click()
    expect(phone.get_by_placeholder("XXXX-XXXX-XXXX")).to_be_visible()


def test_refused_with_a_reason_and_signed_in_a_batch(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Rows 15 and 16: the PACS hears of the refusal; each document of a batch has its result, also the one that expired."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    numbers = [service.push(f"第 {one} 份报告", authorizedUserId="U7")[0] for one in range(3)]
    soon, _ = service.push("即将过期的报告", authorizedUserId="U7", expiryDate="1")
    phone.get_by_role("button", name="待办列表").click()
    refuse(phone, "第 0 份报告")
    assert (service.result(numbers[0])["jobStatus"], service.result(numbers[0])["result"]) == (
        "FINISH",
        "false",
    )
    phone.get_by_role("img", name="返回").click()
    expect(phone.get_by_text("即将过期的报告")).to_be_visible()
    phone.get_by_role("button", name="批量签署").click()
    phone.get_by_text("全选").click()
    service.world.now += 61_000
    phone.get_by_role("button", name="签名（3）").click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_have_count(2)
    expect(phone.get_by_text("签名任务已过期")).to_be_visible()
    shot(phone, "45-batch-with-one-expired")
    assert [service.result(one)["result"] for one in numbers[1:]] == ["true", "true"]
    assert service.result(soon)["jobStatus"] == "EXPIRE"
    phone.get_by_role("tab", name="已签").click()
    expect(phone.get_by_text("已拒签")).to_be_visible()
    phone.get_by_text("第 0 份报告").click()
    expect(phone.get_by_text("拒签原因：与影像不符，请重写")).to_be_visible()


def test_all_chosen_are_those_the_list_still_shows(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """A document that left the list after 全选 is not signed with the rest, and not counted."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    number, _ = service.push("留下的报告", authorizedUserId="U7")
    gone, _ = service.push("即将过期的报告", authorizedUserId="U7", expiryDate="1")
    phone.get_by_role("button", name="待办列表").click()
    phone.get_by_role("button", name="批量签署").click()
    phone.get_by_text("全选").click()
    expect(phone.get_by_role("button", name="签名（2）")).to_be_visible()
    service.world.now += 61_000
    back = "document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))"
    phone.evaluate(back)  # from another app: the list is read again
    expect(phone.get_by_role("button", name="签名（1）")).to_be_visible()
    expect(phone.locator(".bar input")).to_be_checked()
    phone.get_by_role("button", name="签名（1）").click()
    give_pin(phone)
    expect(phone.get_by_text("已签名")).to_be_visible()
    assert service.result(number)["result"] == "true"
    assert service.result(gone)["jobStatus"] == "EXPIRE"


def test_what_was_refused_is_not_offered_again(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Back from a document, the list is read anew: it waits rather than show what it knew before."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    service.push("不该签的报告", authorizedUserId="U7")
    service.push("另一份报告", authorizedUserId="U7")
    phone.get_by_role("button", name="待办列表").click()
    refuse(phone, "不该签的报告")
    held = holding(phone, "jobs")
    phone.get_by_role("button", name="返回列表").click()
    expect(phone.get_by_text("正在读取")).to_be_visible()
    expect(phone.get_by_text("不该签的报告")).to_have_count(0)
    held.let_go()
    expect(phone.get_by_text("另一份报告")).to_be_visible()
    expect(phone.get_by_text("不该签的报告")).to_have_count(0)


def test_a_refused_document_opened_again_is_not_offered(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """What the page knew of it before the refusal had buttons to sign it."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    service.push("不该签的报告", authorizedUserId="U7")
    phone.get_by_role("button", name="待办列表").click()
    refuse(phone, "不该签的报告")
    phone.get_by_role("button", name="返回列表").click()
    phone.get_by_role("tab", name="已签").click()
    held = holding(phone, "job")
    phone.get_by_text("不该签的报告").click()
    expect(phone.get_by_text("正在读取")).to_be_visible()
    expect(phone.get_by_role("button", name="签名", exact=True)).to_have_count(0)
    held.let_go()
    expect(phone.get_by_text("拒签原因：与影像不符，请重写")).to_be_visible()
    expect(phone.get_by_role("button", name="签名", exact=True)).to_have_count(0)


def test_the_list_is_read_anew_from_the_main_page(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """The number on the main page was of then: 全选 is of all that wait now."""
    code = service.activation()
    service.push("先来的报告", authorizedUserId="U7")
    activate_by_code(phone, shared_gateway.url, code)
    expect(phone.get_by_text("有 1 份文件等待签名")).to_be_visible()
    service.push("后来的报告", authorizedUserId="U7")
    held = holding(phone, "jobs")
    phone.get_by_role("button", name="待办列表").click()
    expect(phone.get_by_text("正在读取")).to_be_visible()
    expect(phone.get_by_text("先来的报告")).to_have_count(0)
    held.let_go()
    phone.get_by_role("button", name="批量签署").click()
    phone.get_by_text("全选").click()
    expect(phone.get_by_role("button", name="签名（2）")).to_be_visible()


def test_the_new_certificate_is_told_once_it_is_there(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Told sooner, a password begun for the old one was lost when the new one took its place."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    service.world.now = service.ends() - 20 * DAY
    phone.reload()
    phone.locator("input[aria-label=证书密码]").fill(PIN)
    phone.get_by_role("button", name="进入").click()
    expect(phone.get_by_text("证书即将到期")).to_be_visible()
    phone.evaluate(HOLD_READING, "services")  # what is kept cannot be read again
    before = phone.evaluate(KEYS)
    phone.get_by_text("更新证书", exact=True).click()
    assert until(lambda: len(now := phone.evaluate(KEYS)) == 1 and now != before)
    phone.evaluate(TWO_FRAMES)
    expect(phone.locator("html")).not_to_have_attribute("data-said", re.compile("证书已更新"))
    phone.evaluate("window.letGo = true")
    said(phone, "证书已更新")
    log_in(phone)


def test_nobody_comes_in_while_the_service_moves(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """With what the key said before it moved, the login would be at the old address."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    log_out(phone)
    with serve(service.world.post) as moved:
        service.world.origin = moved
        phone.get_by_role("button", name="刷新服务").click()
        expect(phone.get_by_text("服务地址已变更")).to_be_visible()
        phone.evaluate(HOLD_READING, "services")
        phone.get_by_text("使用新地址").click()
        phone.locator("input[aria-label=证书密码]").fill(PIN)
        expect(phone.get_by_role("button", name="进入")).to_be_disabled()
        phone.evaluate("window.letGo = true")
        log_in(phone)
        phone.goto(f"{shared_gateway.url}/phone/#/service/detail")
        expect(phone.get_by_text(moved)).to_be_visible()


def test_automatic_signing_within_its_limits(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Row 19, above version 2.0: the longest is the administrator's; pushed before the deadline it is signed, after it waits."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    service.push("开启之前的报告", authorizedUserId="U7")
    phone.get_by_role("button", name="自动签名").click()
    expect(phone.get_by_text("最长 3 小时", exact=False)).to_be_visible()
    service.world.now += 1000
    phone.get_by_role("switch").click()
    phone.get_by_text("开启", exact=True).last.click()
    expect(phone.get_by_role("switch")).to_be_checked()
    shot(phone, "46-automatic")
    automatic = service.world.desk.automatic
    pushed, _ = service.push("值守时的报告", authorizedUserId="U7")
    assert automatic.turn() == 1
    assert service.result(pushed)["result"] == "true"
    service.world.now += 181 * 60_000
    late, _ = service.push("截止之后的报告", authorizedUserId="U7")
    assert automatic.turn() == 0
    assert service.result(late)["jobStatus"] == "UNSIGN"
    phone.goto(f"{shared_gateway.url}/phone/#/jobs")
    expect(phone.get_by_text("开启之前的报告")).to_be_visible()
    expect(phone.get_by_text("截止之后的报告")).to_be_visible()
    phone.get_by_role("tab", name="已签").click()
    expect(phone.get_by_text("值守时的报告")).to_be_visible()
    phone.goto(f"{shared_gateway.url}/phone/#/certificates")
    expect(phone.get_by_text("自动签名证书")).to_be_visible()
    shot(phone, "47-certificates")


def test_automatic_signing_that_the_office_switches(
    shared_gateway: RunningGateway, phone: Page, tmp_path: Path
) -> None:
    """Row 19, versions up to 2.0: the switch is the service's; where it is on, the doctor sets a deadline of a day at most."""
    with served(tmp_path, auto_sign_by="office") as service:
        service.world.now = time.time_ns() // 10**6  # a deadline is chosen by the phone's clock
        activate_by_code(phone, shared_gateway.url, service.activation())
        automatic = f"{shared_gateway.url}/phone/#/auto"
        phone.get_by_role("button", name="自动签名").click()
        expect(phone.get_by_text("由管理员在服务端开启和关闭")).to_be_visible()
        expect(phone.get_by_role("switch")).to_be_disabled()
        expect(phone.get_by_text("截止时间", exact=True)).to_have_count(0)
        shot(phone, "48-automatic-managed-off")
        service.world.desk.automatic.switch(1, enabled=True)
        phone.get_by_role("img", name="返回").click()
        phone.get_by_role("button", name="自动签名").click()
        expect(phone).to_have_url(automatic)
        expect(phone.get_by_text("还没有截止时间", exact=False)).to_be_visible()
        phone.get_by_text("截止时间", exact=True).click()
        shot(phone, "49-automatic-deadline")
        phone.get_by_text("确定", exact=True).click()
        expect(phone.get_by_text("还没有截止时间", exact=False)).to_have_count(0)
        shot(phone, "50-automatic-managed-on")
        pushed, _ = service.push("值守时的报告", authorizedUserId="U7")
        assert service.world.desk.automatic.turn() == 1
        assert service.result(pushed)["result"] == "true"


def test_a_handwritten_seal_holds_once_it_is_reviewed(
    shared_gateway: RunningGateway, phone: Page, service: Service
) -> None:
    """Row 18: drawn, waiting, approved by an administrator (annex 4), shown; from the album a photo made smaller."""
    activate_by_code(phone, shared_gateway.url, service.activation())
    phone.get_by_role("button", name="电子印章").click()
    expect(phone.get_by_text("还没有签章")).to_be_visible()
    phone.get_by_role("button", name="修改").click()
    draw_seal(phone)
    phone.get_by_role("button", name="提交").click()
    expect(phone.get_by_alt_text("等待审核")).to_be_visible()
    drawn = phone.get_by_alt_text("等待审核").get_attribute("src") or ""
    photo = io.BytesIO()
    Image.effect_noise((3000, 2000), 90).convert("RGB").save(photo, "jpeg")
    file = {"name": "seal.jpeg", "mimeType": "image/jpeg", "buffer": photo.getvalue()}
    phone.get_by_label("签章图片").set_input_files([file])  # type: ignore[list-item]
    expect(phone.get_by_alt_text("等待审核")).not_to_have_attribute("src", drawn)
    [waiting] = service.world.cases.list(state=CaseState.SUBMITTED)
    service.world.cases.approve(waiting.id, "审批乙")
    phone.goto(f"{shared_gateway.url}/phone/#/home")
    phone.get_by_role("button", name="电子印章").click()
    expect(phone.get_by_alt_text("当前签章")).to_be_visible()
    shot(phone, "50-seal")


def test_a_job_of_another_service_and_one_that_moved(
    shared_gateway: RunningGateway, phone: Page, service: Service, tmp_path: Path
) -> None:
    """Rows 10, 11 and 21: another hospital's code leads there, without phone download to its login; services are switched;
    a service that moved is followed with its certificates.
    """
    activate_by_code(phone, shared_gateway.url, service.activation())
    (tmp_path / "two").mkdir()
    with served(tmp_path / "two", name="另一家医院的签名服务", download_by_mobile=False) as other:
        _, ticket = other.push("另一家医院的报告")
        phone.get_by_text("扫码", exact=True).click()
        scan(phone, job_code(other.url, ticket))
        expect(phone.get_by_text("另一家医院的签名服务", exact=False)).to_be_visible()
        shot(phone, "48-other-service")
        phone.get_by_role("button", name="添加", exact=True).click()
        expect(phone.get_by_text("本机还没有这个服务的证书", exact=False)).to_be_visible()
        phone.get_by_label("侧边栏").click()
        shot(phone, "49-two-services")
        phone.locator(".side").get_by_text("影桥协同签名").click()
        expect(phone.get_by_role("button", name="进入")).to_be_visible()
    with serve(service.world.post) as moved:
        service.world.origin = moved
        phone.get_by_role("button", name="刷新服务").click()
        expect(phone.get_by_text("服务地址已变更")).to_be_visible()
        phone.get_by_text("使用新地址").click()
        log_in(phone)
        phone.goto(f"{shared_gateway.url}/phone/#/service/detail")
        expect(phone.get_by_text(moved)).to_be_visible()
