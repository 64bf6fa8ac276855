"""The seal client over HTTP: the way of a report, and everything that is refused on it (四(二)4(6))."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.helpers import report_pdf, seal_desk
from tests.helpers.in_process import InProcess
from tests.helpers.seal_desk import PIN, Pacs, SealDesk
from yingqiao.gm import ses, sm2, sm3
from yingqiao.seal_client.config import Config, load
from yingqiao.seal_client.device import HeldSeal
from yingqiao.seal_client.errors import StartError
from yingqiao.seal_client.running import build
from yingqiao.seal_client.tries import WrongPin
from yingqiao.signing.seals import merging
from yingqiao.signing.seals.parallel import ParallelError
from yingqiao.signing.seals.pdf.reading import read

PDF = report_pdf.report(3)


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    with seal_desk.pacs() as running:
        running.put("/reports/a.pdf", PDF, "application/pdf")
        running.put("/reports/page.pdf", "<html>登录</html>", "application/pdf")
        yield running


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs, local: Path) -> Iterator[SealDesk]:
    opened = {"hosts": [f"{pacs.url()}/reports", f"{pacs.url()}/upload"], "folders": [str(local)]}
    with seal_desk.seal_desk(
        tmp_path_factory.mktemp("desk"), ["https://pacs.hospital.cn"], open=opened, seal={"pin_tries": 20}
    ) as running:
        yield running


@pytest.fixture
def net(pacs: Pacs) -> dict[str, str]:
    pacs.uploads.clear()
    pacs.upload_status = 200
    return {"fileUrl": f"{pacs.url()}/reports/a.pdf", "savePath": f"{pacs.url()}/upload", "token": "业务 7"}


def test_opened_sealed_and_uploaded(desk: SealDesk, pacs: Pacs, net: dict[str, str]):
    """saveType=net: fileUrl fetched, the sealed file in a form at savePath, journaled."""
    page = desk.page(**net)
    opened = page.open()
    assert (opened["refusal"], opened["pages"], opened["signatures"]) == (None, 3, [])
    assert opened["sm3"] == sm3.digest(PDF).hex()
    assert page.ask("pdf").content == PDF
    sealed = page.seal(opened["sm3"], (1, 120.0, 200.0)).json()
    [signature] = sealed["signatures"]
    assert (signature["page"], signature["name"], signature["problem"]) == (1, seal_desk.SEAL_NAME, "")
    assert signature["rect"] == pytest.approx(
        {"page": 1, "x": 120, "y": 200, "width": 42, "height": 42}, abs=0.02
    )
    saved = page.ask("save").json()
    assert saved["answer"] == {"id": "影像-1"}
    [upload] = pacs.uploads
    assert (upload.fields, upload.name) == ({"token": "业务 7"}, "a.pdf")
    assert upload.data.startswith(PDF)
    assert sm3.digest(upload.data).hex() == saved["sm3"] == desk.uses()[-1]["sealed"]
    found = read(upload.data).signatures[0]
    assert found.envelope_problem is None
    said = ses.parse_signature(found.contents)
    assert said.data_hash == found.digest()
    assert said.certificate == seal_desk.signer().certificate.raw
    use = desk.uses()[-1]
    assert (use["token"], use["pages"], use["base"]) == ("业务 7", [1], sm3.digest(PDF).hex())


def test_several_places_and_a_paging_seal_in_one_act(desk: SealDesk, net: dict[str, str]):
    """One PIN; each place a signature, the paging seal one (§3.5); the earlier ones stay whole."""
    page = desk.page(**net)
    base = page.open()["sm3"]
    sealed = page.seal(
        base, (1, 100.0, 200.0), (3, 100.0, 200.0), (2, 10.0, 10.0), paging={"side": "right"}
    ).json()
    assert [one["page"] for one in sealed["signatures"]] == [1, 2, 1]
    assert [one["problem"] for one in sealed["signatures"]] == ["", "", ""]


def test_the_paging_seal_is_planned_as_it_is_made(desk: SealDesk, net: dict[str, str]):
    page = desk.page(**net)
    base = page.open()["sm3"]
    wishes = {"points": [], "paging": {"side": "right", "offset": 50}}
    pieces = page.ask("plan", {"seal": page.seal_id(), "wishes": wishes}).json()
    assert [one["page"] for one in pieces] == [1, 2, 3]
    assert [one["width"] for one in pieces] == [14, 14, 14]
    assert [one["left"] for one in pieces] == [0, 14, 28]
    assert all(one["x"] == pytest.approx(210 - 14, abs=0.01) and one["y"] == 50 for one in pieces)
    [made] = page.seal(base, paging={"side": "right", "offset": 50}).json()["signatures"]
    assert made["rect"] == pytest.approx({"page": 1, "x": 196, "y": 50, "width": 14, "height": 42}, abs=0.02)


def test_a_paging_seal_over_sheets_printed_on_both_sides(desk: SealDesk, net: dict[str, str]):
    """§3.5: which pages, and how many a seal, are the person's to choose."""
    page = desk.page(**net)
    page.open()
    wishes = {"points": [], "paging": {"side": "right", "which": "duplex"}}
    pieces = page.ask("plan", {"seal": page.seal_id(), "wishes": wishes}).json()
    assert [(one["page"], one["width"], one["left"]) for one in pieces] == [
        (1, 21, 0),
        (2, 21, 0),
        (3, 21, 21),
    ]
    assert [one["x"] for one in pieces] == pytest.approx([189, 0, 189], abs=0.01)
    facing = page.ask("plan", {"seal": page.seal_id(), "wishes": {"paging": {"which": "facing"}}}).json()
    assert [one["page"] for one in facing] == [2, 3]
    odd = {"paging": {"which": "sometimes"}}
    assert page.ask("plan", {"seal": page.seal_id(), "wishes": odd}).status_code == 400


def test_every_place_of_a_keyword(desk: SealDesk, net: dict[str, str]):
    page = desk.page(**net)
    page.open()
    hits = page.ask("find", {"keyword": report_pdf.KEYWORD}).json()
    assert [hit["page"] for hit in hits] == [1, 2, 3]
    assert hits[0]["x"] == pytest.approx(report_pdf.KEYWORD_AT[0], abs=1)
    assert hits[0]["y"] + hits[0]["height"] == pytest.approx(report_pdf.KEYWORD_AT[1], abs=3)
    none = page.ask("find", {"keyword": "没有的词"})
    assert (none.status_code, none.json()["code"]) == (422, "pdf-keyword")


def test_saved_over_the_local_file(desk: SealDesk, local: Path):
    """saveType=local: in place, durable, and only when the file is still what was shown."""
    report = local / "报告.pdf"
    report.write_bytes(PDF)
    said = {"fileUrl": str(report), "savePath": str(report), "saveType": "local"}
    page = desk.page(**said)
    opened = page.open()
    assert opened["name"] == "报告.pdf"
    page.seal(opened["sm3"], (1, 10.0, 10.0))
    page.ask("save").raise_for_status()
    assert report.read_bytes().startswith(PDF)
    assert len(read(report.read_bytes()).signatures) == 1
    other = desk.page(**said)
    other.seal(other.open()["sm3"], (2, 10.0, 10.0))
    report.write_bytes(PDF)
    stale = other.ask("save")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert report.read_bytes() == PDF


def test_put_as_another_way_to_upload(tmp_path: Path, pacs: Pacs, net: dict[str, str]):
    opened = {"hosts": [pacs.url()]}
    with seal_desk.seal_desk(tmp_path, [], open=opened, save={"method": "put"}) as desk:
        page = desk.page(**net)
        page.seal(page.open()["sm3"], (1, 10.0, 10.0)).raise_for_status()
        assert page.ask("save").json()["answer"] == "kept"
    [upload] = pacs.uploads
    assert (upload.method, upload.path, upload.data[: len(PDF)]) == ("PUT", "/upload", PDF)


def test_a_failed_upload_is_said_and_may_be_repeated(desk: SealDesk, pacs: Pacs, net: dict[str, str]):
    page = desk.page(**net)
    page.seal(page.open()["sm3"], (1, 10.0, 10.0))
    pacs.upload_status = 302
    assert page.ask("save").json()["code"] == "upload-refused"
    pacs.upload_status = 500
    assert "HTTP 500" in page.ask("save").json()["message"]
    pacs.upload_status = 200
    assert page.ask("save").status_code == 200


def test_parallel_signing(desk: SealDesk, pacs: Pacs, net: dict[str, str]):
    """bParallelSign=1 (§3.4): SES, places and SM3 of the base; merged by the host; a stale base is refused."""
    page = desk.page(**net, bParallelSign="1")
    opened = page.open()
    said = page.seal(opened["sm3"], (1, 120.0, 200.0), (2, 10.0, 10.0)).json()["parallel"]
    assert said["base"] == {"sm3": sm3.digest(PDF).hex(), "size": len(PDF)}
    assert said["token"] == "业务 7"
    assert [one["places"][0]["page"] for one in said["signatures"]] == [1, 2]
    now = datetime.now(UTC)
    merged = merging.merge(PDF, {"type": "parallelSignData", "contents": said}, InProcess(), now)
    assert merged.startswith(PDF)
    first, second = read(merged).signatures
    assert (first.changed_after, second.changed_after) == (None, None)
    assert [ses.parse_signature(one.contents).data_hash for one in (first, second)] == [
        first.digest(),
        second.digest(),
    ]
    with pytest.raises(ParallelError) as stale:
        merging.merge(merged, said, InProcess(), now)
    assert stale.value.code == "stale-base"
    assert page.ask("save").json()["code"] == "not-sealed"
    pacs.put("/reports/a.pdf", PDF + b"\n", "application/pdf")
    try:
        changed = page.seal(opened["sm3"], (1, 120.0, 200.0))
    finally:
        pacs.put("/reports/a.pdf", PDF, "application/pdf")
    assert (changed.status_code, changed.json()["code"]) == (409, "stale")


def test_what_is_shown_is_what_is_sealed(desk: SealDesk, net: dict[str, str]):
    page = desk.page(**net)
    page.open()
    answer = page.seal("00" * 32, (1, 10.0, 10.0))
    assert (answer.status_code, answer.json()["code"]) == (409, "stale")


@pytest.mark.parametrize(
    ("file_url", "code"),
    [
        ("http://127.0.0.1:1/reports/a.pdf", "address-refused"),
        ("http://169.254.169.254/latest/meta-data", "address-refused"),
        ("file:///etc/passwd", "address-refused"),
        ("{pacs}/other/a.pdf", "address-refused"),
        ("{pacs}/reports/../other/a.pdf", "address-refused"),
        ("{pacs}/reports/none.pdf", "no-file"),
        ("{pacs}/reports/page.pdf", "not-pdf"),
    ],
)
def test_only_registered_addresses(desk: SealDesk, pacs: Pacs, net: dict[str, str], file_url: str, code: str):
    opened = desk.page(**net | {"fileUrl": file_url.format(pacs=pacs.url())}).open()
    assert opened["refusal"]["code"] == code
    assert "sm3" not in opened


def test_a_place_to_save_that_is_not_registered_is_said_before_anybody_seals(
    desk: SealDesk, net: dict[str, str]
):
    opened = desk.page(**net | {"savePath": "http://evil.example/upload"}).open()
    assert opened["refusal"]["code"] == "address-refused"
    opened = desk.page(fileUrl="/etc/passwd.pdf", savePath="/etc/a.pdf", saveType="local").open()
    assert opened["refusal"]["code"] == "path-refused"


def test_bad_parameters_are_told_to_the_page(desk: SealDesk):
    opened = desk.page(fileUrl="x", savePath="y", saveType="ftp", token="7").open()
    assert opened["refusal"]["code"] == "bad-parameters"


def test_the_pin_is_asked_each_time_and_kept_nowhere(
    desk: SealDesk, net: dict[str, str], capfd: pytest.CaptureFixture[str]
):
    page = desk.page(**net)
    base = page.open()["sm3"]
    wrong = page.seal(base, (1, 10.0, 10.0), pin="wrong-pin-1")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong-pin")
    after = page.seal(base, (1, 10.0, 10.0)).json()
    assert page.ask("seal", {"seal": page.seal_id(), "base": after["sm3"], "wishes": {}}).status_code == 400
    assert page.seal(after["sm3"], (1, 60.0, 10.0), pin="").status_code == 400
    written = b"".join(one.read_bytes() for one in desk.folder.rglob("*") if one.is_file())
    said = capfd.readouterr()
    for pin in (PIN, "wrong-pin-1"):
        assert pin.encode() not in written
        assert pin not in said.out + said.err


def test_wrong_pins_lock(tmp_path: Path, pacs: Pacs, net: dict[str, str]):
    with seal_desk.seal_desk(tmp_path, [], open={"hosts": [pacs.url()]}, seal={"pin_tries": 2}) as desk:
        page = desk.page(**net)
        base = page.open()["sm3"]
        codes = [page.seal(base, (1, 10.0, 10.0), pin="nonsense").json()["code"] for _ in range(3)]
        assert codes == ["wrong-pin", "wrong-pin", "pin-locked"]
        right = page.seal(base, (1, 10.0, 10.0))
        assert (right.status_code, right.json()["code"]) == (423, "pin-locked")
        assert int(right.headers["retry-after"]) > 60
        assert desk.uses() == []


class Token:
    """A key device with a key that is not the certificate's, or the right one (GM/T 0016 tokens answer so)."""

    def __init__(self, private: sm2.PrivateKey) -> None:
        self.private = private

    def seals(self) -> list[HeldSeal]:
        return [HeldSeal("token-1", ses.parse_seal(seal_desk.seal()), seal_desk.signer().certificate.raw)]

    @contextmanager
    def unlocked(self, seal_id: str, pin: str) -> Iterator[Token]:
        if pin != PIN:
            raise WrongPin
        yield self

    def sign(self, message: bytes) -> bytes:
        return sm2.sign(self.private, message)


def test_a_device_in_place_of_wallets(tmp_path: Path, pacs: Pacs, net: dict[str, str]):
    """The seam for key devices; a device that signs with another key is found out before anything is handed over."""
    token = Token(seal_desk.signer().private)
    with seal_desk.seal_desk(tmp_path, [], open={"hosts": [pacs.url()]}, held=token) as desk:
        page = desk.page(**net)
        base = page.open()["sm3"]
        assert page.seal(base, (1, 10.0, 10.0), pin="other").json()["code"] == "wrong-pin"
        after = page.seal(base, (1, 10.0, 10.0)).json()
        assert len(after["signatures"]) == 1
        token.private = sm2.generate()
        assert page.seal(after["sm3"], (1, 60.0, 10.0)).json()["code"] == "key-mismatch"
        assert len(desk.uses()) == 1


def test_a_journal_that_cannot_be_written_stops_the_sealing(desk: SealDesk, net: dict[str, str]):
    page = desk.page(**net)
    base = page.open()["sm3"]
    journal = desk.folder / "state" / "uses.jsonl"
    kept = journal.read_bytes() if journal.exists() else b""
    journal.unlink(missing_ok=True)
    journal.mkdir()
    try:
        assert page.seal(base, (1, 10.0, 10.0)).json()["code"] == "journal"
        assert page.ask("pdf").content == PDF
    finally:
        journal.rmdir()
        journal.write_bytes(kept)


def test_a_seal_out_of_its_time_is_not_used(tmp_path: Path, pacs: Pacs, net: dict[str, str]):
    wallets = [seal_desk.wallet("过期章", -1)]
    with seal_desk.seal_desk(tmp_path, [], open={"hosts": [pacs.url()]}, wallets=wallets) as desk:
        page = desk.page(**net)
        base = page.open()["sm3"]
        assert "到期" in page.ask("seals").json()[0]["unusable"]
        assert page.seal(base, (1, 10.0, 10.0)).json()["code"] == "seal-unusable"


def test_no_place_beside_the_page(desk: SealDesk, net: dict[str, str]):
    page = desk.page(**net)
    base = page.open()["sm3"]
    assert page.seal(base, (1, 190.0, 10.0)).json()["code"] == "pdf-place"
    assert page.seal(base, (4, 10.0, 10.0)).json()["code"] == "pdf-page"
    assert page.seal(base).json()["code"] == "no-place"
    assert page.seal(base, (1, float("1e9"), 10.0)).status_code == 400


def test_other_pages_of_this_machine_get_nothing(desk: SealDesk, net: dict[str, str]):
    """Another origin, another Host (DNS rebinding), no secret, another's secret."""
    page = desk.page(**net)
    page.open()
    for headers in (
        {"origin": "https://pacs.hospital.cn"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"host": "evil.example"},
        {"host": f"evil.example:{desk.port}", "origin": f"http://evil.example:{desk.port}"},
        {"sec-fetch-site": "cross-site"},
        {"content-type": "text/plain"},
        {"x-yingqiao-session": ""},
        {"x-yingqiao-session": "a" * 43},
    ):
        answer = page.ask("seals", **headers)
        assert answer.status_code in (401, 403, 415), headers
        assert "access-control-allow-origin" not in answer.headers
    assert httpx.post(f"{desk.url}/PDFClient/api/seals", json={}).status_code == 403
    assert httpx.get(f"{desk.url}/PDFClient/api/seals").status_code == 405
    preflight = httpx.options(f"{desk.url}/PDFClient/api/seals", headers={"origin": "https://evil.example"})
    assert preflight.status_code == 403


def test_the_page_is_framed_by_the_pacs_alone(desk: SealDesk, net: dict[str, str]):
    html = desk.page(**net).html
    policy = html.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://pacs.hospital.cn")
    assert html.headers["cache-control"] == "no-store"
    evil = {"referer": "https://evil.example/", "sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"}
    refused = httpx.get(desk.viewer(**net), headers=evil)
    assert refused.status_code == 403
    assert "yingqiao-session" not in refused.text
    assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]


def test_each_load_has_a_secret_of_its_own(desk: SealDesk, net: dict[str, str]):
    one, other = desk.page(**net), desk.page(**net)
    assert len(one.secret) > 40
    assert one.secret != other.secret
    one.open()
    assert other.ask("pdf").json()["code"] == "not-open"
    one.ask("close").raise_for_status()
    assert one.ask("pdf").json()["code"] == "no-session"


def test_only_the_loopback_interface_and_both_of_it(desk: SealDesk):
    assert httpx.get(f"http://127.0.0.1:{desk.port}/PDFClient/viewer.html?").status_code == 200
    assert httpx.get(f"http://[::1]:{desk.port}/PDFClient/viewer.html?").status_code == 200
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    if own not in ("0.0.0.0", "127.0.0.1"):
        with pytest.raises(OSError, match=r"refused|unreachable"):
            socket.create_connection((own, desk.port), 2).close()


def test_a_port_that_is_taken_is_said(desk: SealDesk, tmp_path: Path):
    told = load(msgspec.convert({"client": {"origins": [], "port": desk.port}}, Config), tmp_path)
    with pytest.raises(StartError, match="不能监听"):
        build(told, seal_desk.BuiltPages()).start()


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b'{"a":' + b"[" * 5000, b" " * 70_000])
def test_odd_bodies(desk: SealDesk, net: dict[str, str], body: bytes):
    page = desk.page(**net)
    headers = page.headers | {"content-type": "application/json"}
    answer = page.http.post("/PDFClient/api/find", content=body, headers=headers)
    assert answer.status_code in (400, 413)
    assert set(answer.json()) == {"code", "message"}


def test_a_file_that_is_no_pdf_inside(desk: SealDesk, pacs: Pacs, net: dict[str, str]):
    pacs.put("/reports/broken.pdf", b"%PDF-1.7\n" + b"nonsense" * 100, "application/pdf")
    opened = desk.page(**net | {"fileUrl": f"{pacs.url()}/reports/broken.pdf"}).open()
    assert opened["refusal"]["code"] == "pdf-damaged"


def test_a_file_above_the_limit(tmp_path: Path, pacs: Pacs, net: dict[str, str]):
    with seal_desk.seal_desk(tmp_path, [], open={"hosts": [pacs.url()], "max_bytes": 1024}) as desk:
        refusal = desk.page(**net).open()["refusal"]
        assert refusal["code"] in ("network", "too-large")
        assert "上限" in refusal["message"]
