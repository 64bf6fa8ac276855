"""Certificates on the administration page in Debian's Chromium: the list, a revocation, and those made elsewhere (离线)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.senders import HOSPITAL
from tests.helpers import sm2_reference as reference
from tests.helpers.connector import until
from tests.helpers.office_pages import come_in, row_of, snapshot, with_office
from tests.helpers.phone import PhoneApp
from tests.helpers.seal_office import UNIT, approved, stamp
from tests.integration.store.test_signing_people import ENTRIES
from tests.peers.browser import said
from tests.peers.gateway import RunningGateway
from yingqiao.app.signing_office import open_office
from yingqiao.app.stores import open_stores
from yingqiao.gm import sm2
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.signatures import sm2_key, sm2_signer
from yingqiao.settings import Settings
from yingqiao.signing.certificates.authority import (
    IssuingRule,
    Subject,
    doctor_certificate,
    root_certificate,
)
from yingqiao.signing.moments import moment
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.seal_making import Making

_FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
PHONE_SIZE, DESK_SIZE = (390, 844), (1280, 900)
OTHER = {"idNumber": "440524198001010013", "mobile": "13900139000", "userId": "U8", "name": "欧阳静怡"}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    made = with_office(tmp_path / "data")
    yield made
    made.stop()


@pytest.fixture
def office(gateway: RunningGateway) -> Iterator[Office]:
    settings = Settings(data=str(gateway.data))
    with open_stores(settings) as stores:
        yield open_office(settings, stores)


def activate(gateway: RunningGateway, office: Office, **changed: str) -> PhoneApp:
    """A doctor enrolled by two, with a certificate on a phone or waiting for one."""
    case = office.cases.submit("doctor", HOSPITAL, ENTRIES | changed, "经办甲")
    doctor_id = office.cases.approve(case, "审批乙").doctor_id
    assert doctor_id is not None

    def post(name: str, given: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(f"{gateway.url}/coss/phone/v1/{name}", json=given).json()
        return answer

    phone = PhoneApp(post)
    phone.activate(office.activations.give(doctor_id)[0])
    return phone


def both_sizes(page: Page, name: str) -> None:
    """Looked at as on a desk and on a phone, where nothing but a table's own scroller is wider than the screen."""
    for size, suffix in ((PHONE_SIZE, "phone"), (DESK_SIZE, "desk")):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        # What is closing may still lie where the wider screen was.
        assert until(lambda: page.evaluate(_FITS))
        snapshot(page, f"{name}-{suffix}")


def revoke_the_maker(desk: Page, office: Office) -> None:
    """GB/T 38540 (2.7 row 5): the gateway's own seal maker, on the page of the CA."""
    numbers = [
        approved(office, form, entries, HOSPITAL) for form, entries in (("unit", UNIT), ("stamp", stamp()))
    ]
    office.seal_making.make(Making(*numbers), "审批乙")
    desk.get_by_role("tab", name="CA").click()
    row = desk.get_by_role("row").filter(has_text="正常")
    both_sizes(desk, "certificates-makers-1")
    row.get_by_role("button").click()
    dialog = desk.get_by_role("dialog")
    expect(dialog.get_by_text("它制作的 1 枚印章不能再盖章", exact=False)).to_be_visible()
    dialog.get_by_label("吊销原因").click()
    desk.get_by_title("密钥泄露").click()
    both_sizes(desk, "certificates-makers-2")
    dialog.get_by_role("button").last.click()
    expect(desk.get_by_text("已吊销（密钥泄露）")).to_be_visible()
    expect(dialog).to_have_count(0)
    assert [one.revoked_at is None for one in office.units.makers()] == [False]
    desk.reload()


def test_a_certificate_is_revoked_and_others_come_from_elsewhere(
    gateway: RunningGateway, office: Office, desk: Page
) -> None:
    """Annex 7: a list that is not empty, 吊销 with its reason, 离线场景 from request to imported certificate."""
    activate(gateway, office)
    come_in(desk, gateway, "管理员")
    desk.get_by_role("tab", name="证书").click()
    signing = row_of(desk, "签名证书")
    expect(signing.get_by_text("正常")).to_be_visible()
    both_sizes(desk, "certificates-1-list")
    signing.get_by_role("button").click()
    dialog = desk.get_by_role("dialog")
    expect(dialog.get_by_text("吊销不能撤销", exact=False)).to_be_visible()
    both_sizes(desk, "certificates-2-revoke")
    dialog.get_by_label("吊销原因").click()
    desk.get_by_title("密钥泄露").click()
    both_sizes(desk, "certificates-3-reason")
    dialog.get_by_role("button").last.click()
    expect(row_of(desk, "签名证书").get_by_text("已吊销")).to_be_visible()
    expect(dialog).to_have_count(0)
    both_sizes(desk, "certificates-4-revoked")
    revoke_the_maker(desk, office)
    elsewhere = sm2.generate()
    signer = sm2_signer(elsewhere)
    root = root_certificate("外部 CA", sm2_key(elsewhere.public().point), signer, moment(office.now_ms()))
    office.authority.start_offline(root)
    point = reference.encode(activate(gateway, office, **OTHER).phone.public)
    desk.get_by_role("tab", name="CA").click()
    expect(desk.get_by_role("button", name="导入证书")).to_be_visible()
    both_sizes(desk, "certificates-5-offline")
    with desk.expect_download() as waiting:
        desk.get_by_role("link", name="下载证书请求").click()
    assert Path(waiting.value.path()).read_text().count("BEGIN CERTIFICATE REQUEST") == 1
    outside = Authority.of(office.authority.current().certificate, signer)
    subject, now = Subject("某某医院", OTHER["name"]), moment(office.now_ms())
    made = doctor_certificate(Profile.SIGNING, subject, sm2_key(point), outside, IssuingRule(), now)
    choose = desk.locator("input[type=file]")
    for content in (root, made):
        choose.set_input_files([{"name": "a.cer", "mimeType": "application/x-x509", "buffer": content}])  # type: ignore[list-item]
        if content == root:
            expect(desk.get_by_text("没有与该证书公钥相符", exact=False)).to_be_visible()
        else:
            said(desk, "已导入 1 张证书")
        both_sizes(desk, "certificates-6-refused" if content == root else "certificates-7-imported")
    desk.get_by_role("tab", name="证书").click()
    expect(row_of(desk, OTHER["name"]).first).to_be_visible()
    both_sizes(desk, "certificates-8-list")
