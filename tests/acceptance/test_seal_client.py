"""The seal client in Debian's Chromium, inside an iframe of a PACS's page on another port (四(二)4(6))."""

from __future__ import annotations

import io
import os
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from tests.helpers import report_pdf, seal_desk
from tests.helpers.certificates import certificate
from tests.helpers.in_process import InProcess
from tests.helpers.ports import free_port
from tests.helpers.seal_desk import PIN, SEAL_MM, SEAL_NAME, SEAL_PIXELS, Pacs, SealDesk
from tests.helpers.sealed_files import sealed_pdf
from tests.peers.browser import patient, resting, said, watched_page
from yingqiao.signing.seals import merging
from yingqiao.signing.seals.pdf.reading import read

PDF = report_pdf.report(3)
SAMPLE = Path(__file__).parent / "samples" / "pdf_seal_iframe.html"
PX_PER_MM = 96 / 25.4
RING_MM = SEAL_MM * (SEAL_PIXELS - 4) / SEAL_PIXELS
"""Across the ring of the test seal."""
ANY = re.compile(".")
"""A frame too narrow for the page begins with the page fitted into it."""
LISTENER = """<script>window.heard = [];
window.addEventListener("message", (e) => window.heard.push({origin: e.origin, data: e.data}));</script>"""


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    with seal_desk.pacs() as running:
        running.put("/reports/a.pdf", PDF, "application/pdf")
        running.put("/reports/one.pdf", report_pdf.report(1), "application/pdf")
        yield running


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs, reports: Path) -> Iterator[SealDesk]:
    opened = {"hosts": [pacs.url()], "folders": [str(reports)]}
    with seal_desk.seal_desk(tmp_path_factory.mktemp("desk"), [pacs.url()], open=opened) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(pacs: Pacs) -> None:
    pacs.uploads.clear()
    pacs.upload_status = 200


@pytest.fixture
def wide(browser: Browser) -> Iterator[Page]:
    yield from watched_page(browser.new_context(locale="zh-CN", viewport={"width": 1400, "height": 1300}))


def embed(
    page: Page, pacs: Pacs, client: SealDesk, size: tuple[int, int] = (1380, 1260), **parameters: str
) -> FrameLocator:
    """The PACS's page with the client in a frame; waits until the file is shown."""
    asked = {
        "fileUrl": f"{pacs.url()}/reports/a.pdf",
        "savePath": f"{pacs.url()}/upload",
        "token": "业务-7",
    } | parameters
    src = client.viewer(**asked).replace("&", "&amp;")
    frame = f'<iframe src="{src}" style="width:{size[0]}px;height:{size[1]}px;border:0"></iframe>'
    pacs.put("/pacs", f"<!doctype html><meta charset=utf-8><body style='margin:4px'>{LISTENER}{frame}")
    page.goto(f"{pacs.url()}/pacs")
    return page.frame_locator("iframe")


def drawn(frame: FrameLocator, number: int = 1, zoom: str | re.Pattern[str] = "1") -> None:
    expect(frame.locator(f".sheet[data-page='{number}'] > canvas")).to_have_attribute("data-drawn", zoom)


def drag_seal(
    page: Page, frame: FrameLocator, number: int, x_mm: float, y_mm: float, zoom: float = 1
) -> None:
    """From its card so that its centre is there."""
    card = resting(frame.get_by_role("button", name=SEAL_NAME))
    sheet = resting(frame.locator(f".sheet[data-page='{number}']"))
    page.mouse.move(card["x"] + 30, card["y"] + 30)
    page.mouse.down()
    page.mouse.move(sheet["x"] + 100, sheet["y"] + 100, steps=4)
    page.mouse.move(sheet["x"] + x_mm * PX_PER_MM * zoom, sheet["y"] + y_mm * PX_PER_MM * zoom, steps=4)
    page.mouse.up()


def enter_pin(frame: FrameLocator, pin: str = PIN) -> None:
    frame.get_by_role("button", name="确认盖章").click()
    frame.get_by_label("印章 PIN", exact=True).fill(pin)
    button(frame, "盖章").click()


def button(frame: FrameLocator, words: str) -> Locator:
    """By its exact words; the component library puts a space between two characters."""
    return frame.get_by_role("button", name=re.compile("^" + r"\s?".join(words) + "$"))


def heard(page: Page, kind: str) -> dict:
    page.wait_for_function(f"window.heard.some((one) => one.data.type === '{kind}')")
    found = [one for one in page.evaluate("window.heard") if one["data"]["type"] == kind]
    assert len(found) == 1
    return found[0]


def test_dragged_sealed_saved_and_the_pacs_hears_of_it(
    wide: Page, pacs: Pacs, client: SealDesk, tmp_path: Path
):
    frame = embed(wide, pacs, client)
    drawn(frame)
    opened = heard(wide, "sealOpened")
    assert opened["origin"] == client.url
    assert opened["data"]["contents"]["pages"] == 3
    drag_seal(wide, frame, 1, 120, 200)
    expect(frame.locator(".ghost img")).to_have_count(1)
    wide.screenshot(path=tmp_path / "ghost.png")
    enter_pin(frame)
    said(frame, "已盖章，请核对后保存")
    drawn(frame)
    wide.screenshot(path=tmp_path / "sealed.png")
    button(frame, "保存").click()
    expect(frame.get_by_text("已盖章并保存")).to_be_visible()
    finished = heard(wide, "sealFinished")["data"]["contents"]
    [upload] = pacs.uploads
    [signature] = read(upload.data).signatures
    assert signature.page_index == 1
    left, bottom, right, top = signature.rect
    assert (left + right) / 2 / report_pdf.POINTS_PER_MM == pytest.approx(120, abs=0.5)
    assert (report_pdf.A4[1] - (bottom + top) / 2) / report_pdf.POINTS_PER_MM == pytest.approx(200, abs=0.5)
    assert (right - left) / report_pdf.POINTS_PER_MM == pytest.approx(SEAL_MM, abs=0.01)
    assert (finished["token"], finished["seals"], finished["answer"]) == ("业务-7", 1, {"id": "影像-1"})
    assert finished["size"] == len(upload.data)


def test_the_seal_on_the_screen(wide: Page, pacs: Pacs, client: SealDesk, tmp_path: Path):
    """At 100 % and 200 %: in the right millimetres, sharp at its edges, and the text under it can be read."""
    frame = embed(wide, pacs, client, fileUrl=f"{pacs.url()}/reports/one.pdf")
    drawn(frame)
    frame.get_by_label("关键字").fill(report_pdf.KEYWORD)
    button(frame, "查找").click()
    frame.get_by_role("button", name="在选中的 1 处放置").click()
    enter_pin(frame)
    expect(frame.get_by_role("dialog")).to_have_count(0)  # nor its shadow over the page
    for zoom in (1, 2):
        expect(frame.locator(".earlier")).to_have_count(1)
        drawn(frame, zoom=str(zoom))
        frame.locator(".earlier").scroll_into_view_if_needed()
        wide.mouse.move(5, 5)
        picture = frame.locator(".earlier").screenshot(path=tmp_path / f"seal-{zoom}.png")
        wide.screenshot(path=tmp_path / f"page-{zoom}.png")
        check_picture(Image.open(io.BytesIO(picture)).convert("RGB"), zoom)
        for _ in range(3 if zoom == 1 else 0):
            frame.get_by_role("button", name="放大").click()


def check_picture(image: Image.Image, zoom: int) -> None:
    """The ring red, its inside the page's white with dark text on it, its edge two pixels at most."""
    left, top, right, bottom = red_of(image, 130).getbbox()
    assert right - left == pytest.approx(RING_MM * PX_PER_MM * zoom, abs=2)
    assert bottom - top == pytest.approx(RING_MM * PX_PER_MM * zoom, abs=2)
    width, height = image.size
    assert image.getpixel((width // 2, height // 4)) == (255, 255, 255)
    assert sum(image.getchannel("R").histogram()[:90]) > 40 * zoom
    row = [image.getpixel((x, height * 2 // 5)) for x in range(width // 2)]
    first = next(index for index, (red, green, _) in enumerate(row) if red - green > 130)
    assert sum(1 for pixel in row[max(0, first - 6) : first] if pixel != (255, 255, 255)) <= 2


def red_of(image: Image.Image, above: int) -> Image.Image:
    """White where red is so much stronger than green."""
    more = ImageChops.subtract(image.getchannel("R"), image.getchannel("G"))
    return more.point(lambda value: 255 if value > above else 0)


def test_keyword_several_pages_undo_paging_seal_and_the_local_file(
    wide: Page, pacs: Pacs, client: SealDesk, reports: Path, tmp_path: Path
):
    report = reports / "报告 1.pdf"
    report.write_bytes(PDF)
    frame = embed(wide, pacs, client, fileUrl=str(report), savePath=str(report), saveType="local")
    drawn(frame)
    frame.get_by_label("关键字").fill(report_pdf.KEYWORD)
    frame.get_by_label("关键字").press("Enter")
    expect(frame.get_by_text("共 3 处")).to_be_visible()
    expect(frame.get_by_role("button", name="第 1 页的关键字")).to_be_visible()
    frame.get_by_text("共 3 处").click()
    frame.get_by_role("button", name="在选中的 3 处放置").click()
    wide.screenshot(path=tmp_path / "keyword.png")
    button(frame, "撤销").click()
    expect(frame.locator(".ghost:not(.piece)")).to_have_count(0)
    frame.get_by_role("button", name="放到第 1 页中央").click()
    frame.get_by_label("盖到哪些页").fill("1,3")
    frame.get_by_role("button", name="复制到这些页").click()
    frame.get_by_role("button", name="骑缝章").click()
    expect(frame.get_by_label("第 1 页的骑缝章")).to_be_visible()
    wide.screenshot(path=tmp_path / "paging.png")
    frame.get_by_role("button", name="确认盖章").click()
    expect(frame.get_by_text("盖 2 处：第 1、3 页")).to_be_visible()
    expect(frame.get_by_text("骑缝章：共 3 页")).to_be_visible()
    frame.get_by_label("印章 PIN", exact=True).fill(PIN)
    frame.get_by_label("印章 PIN", exact=True).press("Enter")
    said(frame, "已盖章，请核对后保存")
    drawn(frame)
    wide.screenshot(path=tmp_path / "paging-sealed.png")
    button(frame, "保存").click()
    heard(wide, "sealFinished")
    saved = report.read_bytes()
    assert saved.startswith(PDF)
    signatures = read(saved).signatures
    assert [one.page_index for one in signatures] == [1, 1]
    assert [(one.envelope_problem, one.changed_after) for one in signatures] == [(None, None)] * 2
    assert pacs.uploads == []


def test_turned_and_mixed_pages(wide: Page, pacs: Pacs, client: SealDesk, tmp_path: Path):
    """The seal is upright and where it was put, whatever /Rotate and the page's size say."""
    sizes = (report_pdf.A4, (841.89, 595.276), (400.0, 500.0), (500.0, 400.0))
    turned = report_pdf.report(4, sizes=sizes, rotate=(90, 180, 270, 0))
    pacs.put("/reports/turned.pdf", turned, "application/pdf")
    frame = embed(wide, pacs, client, fileUrl=f"{pacs.url()}/reports/turned.pdf")
    drawn(frame, 1, ANY)
    frame.get_by_role("button", name="缩放比例").click()
    frame.get_by_role("button", name="缩小").click()
    for number in range(1, 5):
        frame.locator(".thumbnail").nth(number - 1).click()
        frame.get_by_role("button", name=f"放到第 {number} 页中央").click()
    enter_pin(frame)
    said(frame, "已盖章，请核对后保存")
    expect(frame.get_by_role("dialog")).to_have_count(0)
    wide.mouse.move(5, 5)
    for number in range(1, 5):
        frame.locator(".thumbnail").nth(number - 1).click()
        drawn(frame, number, "0.75")
        sheet = frame.locator(f".sheet[data-page='{number}'] > canvas")
        image = Image.open(io.BytesIO(sheet.screenshot(path=tmp_path / f"turned-{number}.png"))).convert(
            "RGB"
        )
        check_centred(image, 0.75)


def test_what_is_out_of_sight_is_not_drawn(wide: Page, pacs: Pacs, client: SealDesk):
    """Nor does its canvas say so: whoever comes back to it waits until it is."""
    frame = embed(wide, pacs, client)
    drawn(frame)
    frame.locator(".thumbnail").nth(2).click()
    drawn(frame, 3)
    drawn(frame, 1, "")
    frame.locator(".thumbnail").nth(0).click()
    drawn(frame)


def check_centred(image: Image.Image, zoom: float) -> None:
    """The ring is in the middle of the page, its line lies across."""
    red = red_of(image, 40)
    left, top, right, bottom = red.getbbox()
    assert (left + right) / 2 == pytest.approx(image.width / 2, abs=2)
    assert (top + bottom) / 2 == pytest.approx(image.height / 2, abs=2)
    inside = round(RING_MM * PX_PER_MM * zoom * 0.3)
    x, y = image.width // 2, image.height // 2
    left, top, right, bottom = red.crop((x - inside, y - inside, x + inside, y + inside)).getbbox()
    assert right - left > 40
    assert bottom - top < 5


def test_by_the_keyboard_alone(wide: Page, pacs: Pacs, client: SealDesk):
    frame = embed(wide, pacs, client)
    drawn(frame)
    frame.get_by_role("button", name="放到第 1 页中央").focus()
    wide.keyboard.press("Enter")
    ghost = frame.get_by_role("button", name="第 1 页的印章")
    ghost.focus()
    for _ in range(3):
        wide.keyboard.press("ArrowRight")
    wide.keyboard.press("Shift+ArrowDown")
    expect(frame.get_by_role("button", name="距左 87 毫米，距上 137.5 毫米")).to_be_visible()
    wide.keyboard.press("Delete")
    expect(frame.locator(".ghost")).to_have_count(0)
    button(frame, "撤销").press("Enter")
    frame.get_by_role("button", name="确认盖章").press("Enter")
    expect(frame.get_by_label("印章 PIN", exact=True)).to_be_focused()
    wide.keyboard.type(PIN)
    wide.keyboard.press("Enter")
    said(frame, "已盖章，请核对后保存")


def test_the_wrong_pin_and_leaving(wide: Page, pacs: Pacs, client: SealDesk):
    """A wrong PIN can be typed again (the browser's own 403 line is no defect); nothing is sealed by leaving."""
    context = wide.context
    page = context.new_page()
    frame = embed(page, pacs, client)
    drawn(frame)
    frame.get_by_role("button", name="放到第 1 页中央").click()
    enter_pin(frame, "wrong-pin")
    expect(frame.get_by_text("PIN 不正确，还可以试 4 次")).to_be_visible()
    expect(frame.get_by_label("印章 PIN", exact=True)).to_have_value("")
    frame.get_by_role("button", name="返回修改").click()
    button(frame, "取消").click()
    button(frame, "放弃").click()
    assert heard(page, "sealCancelled")["data"]["contents"] == {"token": "业务-7"}
    assert pacs.uploads == []
    page.close()


def test_parallel_sign_data(wide: Page, pacs: Pacs, client: SealDesk):
    """bParallelSign=1: message.type == "parallelSignData", message.contents (四(二)4(6)); there is nothing to save."""
    frame = embed(wide, pacs, client, bParallelSign="1")
    drawn(frame)
    expect(button(frame, "保存")).to_have_count(0)
    frame.get_by_role("button", name="放到第 1 页中央").click()
    enter_pin(frame)
    handed = heard(wide, "parallelSignData")
    assert handed["origin"] == client.url
    merged = merging.merge(PDF, handed["data"], InProcess(), datetime.now(UTC))
    assert len(read(merged).signatures) == 1


def test_the_paging_button(wide: Page, pacs: Pacs, client: SealDesk):
    """showPagingSealBtn=0 hides it; a file of one page has none."""
    frame = embed(wide, pacs, client, showPagingSealBtn="0")
    drawn(frame)
    expect(frame.get_by_role("button", name="骑缝章")).to_have_count(0)
    frame = embed(wide, pacs, client, fileUrl=f"{pacs.url()}/reports/one.pdf")
    drawn(frame)
    expect(frame.get_by_role("button", name="骑缝章")).to_be_disabled()


def test_earlier_seals_paging_over_sheets_and_a_silent_authority(wide: Page, pacs: Pacs, tmp_path: Path):
    """Each earlier seal's verdict, and that trust was not judged; §3.5's sheets printed on both sides; sealed without a time
    stamp where that is configured, and said so to the person and the PACS.
    """
    silent = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "stamp.secret").write_text("secret")
    told = {
        "open": {"hosts": [pacs.url()]},
        "stamp": {"url": silent, "app": "A", "silent": "seal", "seconds": 3},
        "verify": {"url": silent, "seconds": 3},
    }
    pacs.put("/reports/sealed.pdf", sealed_pdf(PDF), "application/pdf")
    wide.set_viewport_size({"width": 1040, "height": 620})
    with seal_desk.seal_desk(tmp_path, [pacs.url()], **told) as running:
        frame = embed(wide, pacs, running, size=(1024, 600), fileUrl=f"{pacs.url()}/reports/sealed.pdf")
        expect(frame.locator(".sheet[data-page='1'] > canvas")).to_have_attribute(
            "data-drawn", re.compile(".")
        )
        earlier = frame.locator(".earlier-list > li")
        expect(earlier).to_contain_text("完好")
        expect(earlier).to_contain_text("2026/3/1 02:05:06（有时间戳）")
        expect(earlier).to_contain_text("可信与否没有判断")
        expect(frame.get_by_text("签章者与制章者是否可信没有判断")).to_be_visible()
        sheet = resting(frame.locator(".sheet[data-page='1']"))
        pages = resting(frame.locator("main.pages"))
        assert (
            sheet["x"] + sheet["width"] <= pages["x"] + pages["width"]
        )  # the edge a paging seal is at is seen
        frame.get_by_role("button", name="骑缝章").click()
        frame.get_by_label("骑缝章盖哪些页").click()
        frame.get_by_text("双面打印", exact=True).click()
        expect(frame.get_by_label("第 1 页的骑缝章")).to_be_visible()
        enter_pin(frame)
        expect(frame.get_by_text("没有加盖时间戳", exact=True)).to_be_visible()
        expect(frame.get_by_text(f"时间戳服务 {silent} 没有应答")).to_be_visible()
        expect(earlier).to_have_count(2)
        wide.screenshot(path=tmp_path / "without.png")
        button(frame, "保存").click()
        assert heard(wide, "sealFinished")["data"]["contents"]["stamped"] is False
    first, second = read(pacs.uploads[-1].data).signatures
    assert (first.changed_after, second.changed_after) == (None, None)


def test_a_file_that_cannot_be_had_is_told(wide: Page, pacs: Pacs, client: SealDesk):
    frame = embed(wide, pacs, client, fileUrl=f"{pacs.url()}/reports/none.pdf")
    expect(frame.get_by_text("文件没有打开")).to_be_visible()
    failed = heard(wide, "sealFailed")["data"]["contents"]
    assert (failed["token"], failed["stage"], failed["code"]) == ("业务-7", "open", "no-file")


def test_chinese_text_without_embedded_fonts(wide: Page, pacs: Pacs, client: SealDesk):
    """Character maps come from the client itself; nothing is asked of anybody else."""
    asked: list[str] = []
    wide.on("request", lambda request: asked.append(request.url))
    frame = embed(wide, pacs, client)
    drawn(frame)
    assert any(url.endswith("UniGB-UCS2-H.bcmap") for url in asked)
    assert all(url.startswith((client.url, pacs.url(), "data:", "blob:")) for url in asked)


def test_the_standards_sample_works_unchanged(browser: Browser, tmp_path: Path):
    """The iframe example of 四(二)4(6) word for word: its addresses lead to servers of ours, the client is at 21051.

    Whoever may not listen at ports 443 and 80 has other ports written into the two addresses.
    """
    here = "127.21.0.51"
    secure, plain = (443, 80) if os.geteuid() == 0 else (0, 0)
    made = certificate(tmp_path, "sitecdn.zcycdn.com", here)
    (tmp_path / "ca.pem").write_text(made.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.file)
    with (
        seal_desk.pacs(here, secure, tls) as site,
        seal_desk.pacs(here, plain) as upload,
        seal_desk.pacs() as host,
        seal_desk.seal_desk(
            tmp_path / "desk",
            [host.url()],
            port=21051,
            resolve=lambda name, port: [here],
            open={"hosts": [f"https://sitecdn.zcycdn.com:{site.port}"], "ca": str(tmp_path / "ca.pem")},
            save={"hosts": [f"http://xxx.com:{upload.port}/upload"]},
        ),
    ):
        site.put("/xx/xx.pdf", PDF, "application/pdf")
        sample = SAMPLE.read_text("utf-8")
        if not secure:
            sample = sample.replace("zcycdn.com/", f"zcycdn.com:{site.port}/")
            sample = sample.replace("xxx.com/", f"xxx.com:{upload.port}/")
        host.put("/", sample)
        lines: list[str] = []
        context = browser.new_context(locale="zh-CN", viewport={"width": 1000, "height": 800})
        page = patient(context).new_page()
        page.on("console", lambda line: lines.append(line.text))
        page.goto(host.url())
        page.add_style_tag(content="iframe { width: 960px; height: 760px }")
        frame = page.frame_locator("iframe")
        drawn(frame, 1, ANY)
        frame.get_by_role("button", name="放到第 1 页中央").click()
        enter_pin(frame)
        said(frame, "已盖章，请核对后保存")
        button(frame, "保存").click()
        expect(frame.get_by_text("已盖章并保存")).to_be_visible()
        [sealed] = upload.uploads
        assert sealed.fields == {"token": "123456"}
        assert len(read(sealed.data).signatures) == 1
        assert lines == []
        page.context.close()


def test_a_hostile_page_can_do_nothing(browser: Browser, pacs: Pacs, client: SealDesk):
    """On another origin of the same machine: it cannot frame the page, read it, call it, nor be told anything."""
    target = client.viewer(fileUrl=f"{pacs.url()}/reports/a.pdf", savePath=f"{pacs.url()}/upload")
    evil, before = f"http://127.0.0.1:{pacs.port}", client.uses()
    pacs.put("/evil", f"<!doctype html>{LISTENER}<iframe src='{target.replace('&', '&amp;')}'></iframe>")
    page = patient(browser.new_context()).new_page()
    page.goto(f"{evil}/evil")
    page.wait_for_timeout(500)
    assert page.frames[1].evaluate("document.querySelector('meta[name=yingqiao-session]') === null")
    tried = page.evaluate(HOSTILE, [client.url, target])
    assert tried == dict.fromkeys(("read", "call", "form", "script", "open"), "refused")
    assert page.evaluate("window.heard") == []
    assert client.uses() == before
    assert pacs.uploads == []
    page.context.close()


HOSTILE = """async ([client, target]) => {
  const found = {};
  const refused = (promise) => promise.then(() => "let in", () => "refused");
  found.read = await refused(fetch(target).then((answer) => answer.text()));
  found.call = await refused(fetch(client + "/PDFClient/api/seals", {
    method: "POST", headers: {"content-type": "application/json", "x-yingqiao-session": "x"}, body: "{}"}));
  const blind = await fetch(client + "/PDFClient/api/seals", {method: "POST", mode: "no-cors", body: "{}"})
    .then((answer) => answer.type === "opaque" ? "refused" : "let in", () => "refused");
  found.form = blind;
  found.script = await new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = target;
    script.onload = () => resolve("let in");
    script.onerror = () => resolve("refused");
    document.head.append(script);
  });
  const opened = window.open(target);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  try { found.open = opened && opened.document.querySelector("meta[name=yingqiao-session]") ? "let in" : "refused"; }
  catch { found.open = "refused"; }
  if (opened) opened.close();
  return found;
}"""
