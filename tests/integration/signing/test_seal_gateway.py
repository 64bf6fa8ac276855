"""Seals on a real gateway: SEF_VerifySeal (四(二)4, T143 to T145), the API, commands, reports' PDFs at intake."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, exam, report
from tests.helpers import pdfs, seal_desk, seals
from tests.helpers import report_pdf as reports
from tests.helpers.coss import APP, SECRET, call
from tests.helpers.ports import free_port
from tests.helpers.seal_desk import Pacs, SealDesk
from tests.helpers.sealed_files import report_pdf, sealed_pdf, trust_files
from tests.helpers.timelines import told
from tests.peers.bouncycastle import BouncyCastle
from tests.peers.gateway import RunningGateway
from yingqiao.gm import ses, timestamp
from yingqiao.signing.seals.pdf.reading import read

NOW = datetime.now(UTC)
SEALED = sealed_pdf()
REPORT = reports.report(2)


def altered(raw: bytes = SEALED) -> bytes:
    """Something appended after the seal's revision, and the file's own text changed under it."""
    return raw.replace(b"/Helvetica", b"/Helvetic1", 1)


@pytest.fixture(scope="module")
def gateway(shared_gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> RunningGateway:
    for words in trust_files(tmp_path_factory.mktemp("trust"), NOW):
        done = shared_gateway.cli(*words)
        assert done.returncode == 0, done.stderr
    return shared_gateway


def ask(gateway: RunningGateway, data: bytes | str, **changes: Any) -> httpx.Response:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    body = {
        "transId": "d57abf092e614d91838a74f07cc6e399",
        "requestTime": int(time.time() * 1000),
        "filename": "报告.pdf",
        "fileDataType": 1 if isinstance(data, str) else 0,
        "fileData": text,
    }
    return httpx.post(f"{gateway.url}/sef/v1/SEF_VerifySeal", json=body | changes, timeout=120)


def test_sef_answers_for_a_sealed_report(gateway: RunningGateway):
    answer = ask(gateway, SEALED)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["transId"], said["resultCode"], said["resultMessage"]) == (
        "d57abf092e614d91838a74f07cc6e399",
        0,
        "SUCCESS",
    )
    assert said["fileVerifyInfo"]["totalCount"] == 1
    (entry,) = said["fileVerifyInfo"]["signInfoList"]
    assert (entry["signIndex"], entry["pageIndex"], entry["verifyResult"]) == (0, 1, 0), entry["resultMsg"]
    assert (entry["signDate"], entry["signAlg"]) == ("2026-03-01 10:05:06", "SM3WithSM2")
    assert len(base64.b64decode(entry["signedValue"])) == 64
    assert base64.b64decode(entry["sealImage"]) == seals.png()


def test_sef_tells_of_an_rsa_signature(gateway: RunningGateway):
    """Found: the gateway, which loads no pyHanko itself, took its worker's verdict for a crash."""
    (entry,) = ask(gateway, pdfs.rsa_signed(report_pdf())).json()["fileVerifyInfo"]["signInfoList"]
    assert entry["signAlg"] == "SHA256WithRSA", entry["resultMsg"]
    assert entry["signCert"] == base64.b64encode(pdfs.rsa_root()).decode()
    assert entry["verifyResult"] != 0  # nobody trusts its certificate


def test_sef_names_what_is_wrong(gateway: RunningGateway):
    (entry,) = ask(gateway, altered()).json()["fileVerifyInfo"]["signInfoList"]
    assert entry["verifyResult"] == 1010
    assert "重新索取" in entry["resultMsg"]
    unsealed = ask(gateway, report_pdf()).json()
    assert (unsealed["resultCode"], unsealed["fileVerifyInfo"]["totalCount"]) == (0, 0)


def test_sef_refuses_in_its_own_form(gateway: RunningGateway):
    """Errors in the answer's own form, sizes bounded."""
    url = f"{gateway.url}/sef/v1/SEF_VerifySeal"
    for changes, code in (({"transId": "x" * 40}, 400), ({"fileDataType": 7}, 400), ({"fileData": "!"}, 400)):
        said = ask(gateway, SEALED, **changes).json()
        assert said["resultCode"] == code
        assert said["fileVerifyInfo"] == {"totalCount": 0, "signInfoList": []}
    assert ask(gateway, b"no pdf").json()["resultCode"] == 422
    assert ask(gateway, b"%PDF-1.7 broken").json()["resultCode"] == 422
    for odd in (b"", b"[]", b"{", '{"a": "中"}'.encode("gbk"), b"null", b"[" * 100_000):
        assert httpx.post(url, content=odd).json()["resultCode"] == 400
    assert httpx.get(url).json()["resultCode"] == 405
    large = httpx.post(url, content=b" " * (46 * 1024 * 1024), timeout=120)
    assert (large.status_code, large.json()["resultCode"]) == (413, 413)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """A hospital's server of documents."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(SEALED)))
            self.end_headers()
            self.wfile.write(SEALED)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_sef_fetches_registered_addresses_only(gateway: RunningGateway, served: str):
    """The guarded fetcher: a host nobody registered is not asked, a shared folder never."""
    refused = ask(gateway, f"{served}/a.pdf").json()
    assert refused["resultCode"] == 404
    assert refused["resultMessage"].startswith("文件取不到")
    for address in ("file:///etc/passwd", "http://169.254.169.254/latest", "nonsense", "gopher://a/b"):
        assert ask(gateway, address).json()["resultCode"] == 404
    done = gateway.cli("hospitals", "hosts", "add", HOSPITAL, served, "--private")
    assert done.returncode == 0, done.stderr
    said = ask(gateway, f"{served}/a.pdf").json()
    assert said["fileVerifyInfo"]["signInfoList"][0]["verifyResult"] == 0, said


def test_many_at_once_do_not_keep_intake_waiting(gateway: RunningGateway):
    """All are answered in turn; a report sent meanwhile is taken at once."""
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(ask, gateway, SEALED) for _ in range(24)]
        time.sleep(0.2)
        began = time.monotonic()
        assert gateway.push("/exam-sync", exam("SEF-BUSY"))["code"] == 1
        took = time.monotonic() - began
        results = [
            one.result().json()["fileVerifyInfo"]["signInfoList"][0]["verifyResult"] for one in answers
        ]
    assert results == [0] * 24
    assert took < 20


def verify(gateway: RunningGateway, *words: str, code: int) -> list[dict[str, Any]]:
    done = gateway.cli("verify", "seal", *words, "--json")
    assert done.returncode == code, (done.stdout, done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_the_command(gateway: RunningGateway, tmp_path: Path):
    files = {
        "sealed.pdf": SEALED,
        "altered.pdf": altered(),
        "plain.pdf": report_pdf(),
        "broken.pdf": b"%PDF-1.7 broken",
        "seal.esl": seals.make_seal(),
        "SignedValue": seals.make_signature(),
        "document": seals.DOCUMENT,
    }
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    at = {name: str(tmp_path / name) for name in files}
    (right,) = verify(gateway, at["sealed.pdf"], code=0)
    assert (right["indication"], right["code"], right["signer"]) == ("passed", 0, "影桥测试医院")
    assert right["time"] == "2026-03-01T02:05:06Z"
    assert verify(gateway, at["altered.pdf"], code=1)[0]["code"] == 1010
    assert verify(gateway, at["plain.pdf"], code=2) == []
    assert verify(gateway, at["broken.pdf"], code=1)[0]["code"] == 1001
    assert verify(gateway, at["seal.esl"], code=0)[0]["kind"] == "seal"
    assert verify(gateway, at["SignedValue"], "--content", at["document"], code=0)[0]["code"] == 0
    assert verify(gateway, at["sealed.pdf"], "--at", "2026-01-30", code=2)[0]["code"] == 1009
    people = gateway.cli("verify", "seal", at["sealed.pdf"])
    assert "影桥测试医院影像诊断专用章" in people.stdout
    assert "电子签章验证通过" in people.stdout


def test_the_api(gateway: RunningGateway):
    headers = {"authorization": f"Bearer {gateway.token}"}
    url = f"{gateway.url}/api/verify/seal"
    body = {"file": base64.b64encode(SEALED).decode()}
    assert httpx.post(url, json=body).status_code == 401
    said = httpx.post(url, json=body, headers=headers, timeout=120).json()
    assert (said["indication"], said["code"], said["count"]) == ("passed", 0, 1)
    assert said["seals"][0]["picture"].startswith("data:image/png;base64,")
    assert "签章后的改动" in said["seals"][0]["text"]
    none = httpx.post(
        url, json={"file": base64.b64encode(report_pdf()).decode()}, headers=headers, timeout=120
    ).json()
    assert (none["indication"], none["count"]) == ("unknown", 0)
    for odd in ({}, {"file": "!"}, {"file": "AAAA", "at": "never"}, {"file": "AAAA", "more": 1}):
        assert httpx.post(url, json=odd, headers=headers).status_code == 400


def judged(gateway: RunningGateway, record: str) -> dict[str, Any]:
    """The verdict on a report's PDF, once it is there."""
    headers = {"authorization": f"Bearer {gateway.token}"}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = httpx.get(f"{gateway.url}/api/reports/{HOSPITAL}/{record}", headers=headers)
        found = answer.json().get("seals") if answer.status_code == 200 else None
        if found and found[0]["state"] == "done":
            newest: dict[str, Any] = found[0]
            return newest
        time.sleep(0.1)
    raise AssertionError(answer.text[:2000])


def with_pdf(raw: bytes) -> dict[str, Any]:
    return {"reportPdfBase64": base64.b64encode(raw).decode()}


def test_reports_pdfs_are_judged_after_their_arrival(gateway: RunningGateway):
    """Embedded: right, altered, unsealed; a verdict and a line of the timeline each."""
    gateway.push("/exam-sync", exam("SEAL1"))
    for record, raw in (("SR1", SEALED), ("SR2", altered()), ("SR3", report_pdf())):
        assert gateway.push("/report/sync", report(record, "SEAL1") | with_pdf(raw))["code"] == 1
    right = judged(gateway, "SR1")
    assert (right["indication"], right["code"], right["count"]) == ("passed", 0, 1), right
    assert "影桥测试医院" in right["words"]
    assert (judged(gateway, "SR2")["indication"], judged(gateway, "SR2")["code"]) == ("failed", 1010)
    assert judged(gateway, "SR3")["indication"] == "unsealed"
    kinds = told(gateway, "SEAL1", "seal-passed", "seal-failed", "seal-unsealed")
    assert "报告 SR1：电子签章验证通过" in kinds["seal-passed"]
    assert "SR2" in kinds["seal-failed"]
    assert "没有电子签章" in kinds["seal-unsealed"]


def test_a_fetched_pdf_is_judged_too(gateway: RunningGateway, served: str):
    gateway.cli("hospitals", "hosts", "add", HOSPITAL, served, "--private")
    gateway.push("/exam-sync", exam("SEAL2"))
    said = report("SR4", "SEAL2") | {"pdf_path": f"{served}/r.pdf"}
    del said["reportPdfBase64"]
    assert gateway.push("/report/sync", said)["code"] == 1
    assert judged(gateway, "SR4")["indication"] == "passed"


def test_a_profile_refuses_wrong_seals_at_once(gateway: RunningGateway):
    """The per-hospital switch: warn or refuse, also of a PDF without a seal."""
    code = "12140000MB00000077"
    gateway.add_hospital(code, name="严格签章医院")
    profile = json.dumps({"grades": {"seal": "refuse", "unsealed": "refuse"}})
    done = gateway.cli("hospitals", "profile", "set", code, "-", stdin=profile)
    assert done.returncode == 0, done.stderr
    more = {"hospitalCode": code}
    for record, raw, accepted in (("SR5", altered(), 0), ("SR6", report_pdf(), 0), ("SR7", SEALED, 1)):
        answer = gateway.push("/report/sync", report(record, "S5") | with_pdf(raw) | more, hospital=code)
        assert answer["code"] == accepted, answer
        assert ("电子签章" in answer["message"]) == (not accepted)


@pytest.fixture(scope="module")
def stamping(gateway: RunningGateway) -> RunningGateway:
    """It knows an application that may ask for time stamps."""
    done = gateway.cli("apps", "add", APP, "--secret", SECRET)
    assert done.returncode == 0, done.stderr
    return gateway


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    with seal_desk.pacs() as running:
        running.put("/a.pdf", REPORT, "application/pdf")
        running.put("/sealed.pdf", sealed_pdf(REPORT, page=1), "application/pdf")
        yield running


def desk_of(folder: Path, pacs: Pacs, url: str, **stamp: object) -> AbstractContextManager[SealDesk]:
    folder.mkdir(exist_ok=True)
    (folder / "stamp.secret").write_text(f"{SECRET}\n")
    told = {"url": url, "app": APP, "seconds": 30} | stamp
    return seal_desk.seal_desk(
        folder, [], open={"hosts": [pacs.url()]}, stamp=told, verify={"url": url, "seconds": 30}
    )


def where(pacs: Pacs, name: str = "a") -> dict[str, str]:
    return {"fileUrl": f"{pacs.url()}/{name}.pdf", "savePath": f"{pacs.url()}/upload"}


def sealed_on(page: seal_desk.DeskPage) -> dict:
    answer = page.seal(page.open()["sm3"], (2, 60.0, 60.0))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.peer
def test_stamped_judged_and_saved(
    stamping: RunningGateway, pacs: Pacs, tmp_path: Path, bouncycastle: BouncyCastle
):
    """§2.6: a token over the signature value, in the gateway's journal; passed by our verification and by BouncyCastle."""
    with desk_of(tmp_path, pacs, stamping.url) as running:
        page = running.page(**where(pacs))
        said = sealed_on(page)
        assert (said["stamped"], said["withoutStamp"]) == (True, "")
        [one] = said["signatures"]
        assert (one["whole"], one["stamped"], one["signer"]) == (True, True, "影桥测试医院")
        trust = page.ask("trust").json()
        assert (trust["words"], trust["missing"]) == ("", False)
        assert trust["verdicts"] == [{"trusted": True, "code": 0, "words": "成功"}]
        assert page.ask("save").json()["stamped"] is True
        assert running.uses()[-1]["stamped"] is True
        sealed = page.ask("pdf").content
    [signature] = read(sealed).signatures
    token = ses.parse_signature(signature.contents).token
    assert timestamp.parse_token(token).info.imprint.of(ses.parse_signature(signature.contents).signature)
    spans = b"".join(
        sealed[at : at + size] for at, size in zip(*[iter(signature.byte_range)] * 2, strict=True)
    )
    assert bouncycastle.ask("seal-signature", signature.contents, spans) == "OK stamped"


def test_earlier_seals_are_told_with_trust(stamping: RunningGateway, pacs: Pacs, tmp_path: Path):
    """Who, when, whole or not, and what the gateway holds of it; a changed file, and a gateway that is away."""
    with desk_of(tmp_path, pacs, stamping.url) as running:
        page = running.page(**where(pacs, "sealed"))
        [one] = page.open()["signatures"]
        assert (one["name"], one["whole"], one["problem"], one["kind"]) == (
            *("影桥测试医院影像诊断专用章", True, ""),
            "seal",
        )
        assert datetime.fromtimestamp(one["time"] / 1000, UTC) == datetime(2026, 3, 1, 2, 5, 6, tzinfo=UTC)
        assert page.ask("trust").json()["verdicts"][0]["code"] == 0
        changed = sealed_pdf(REPORT).replace(b"/STSong-Light/Enc", b"/STSong-Lighd/Enc", 1)
        pacs.put("/changed.pdf", changed, "application/pdf")
        page = running.page(**where(pacs, "changed"))
        [one] = page.open()["signatures"]
        assert (one["whole"], "改动" in one["problem"]) == (False, True)
        assert page.ask("trust").json()["verdicts"][0]["code"] == 1010
    with desk_of(tmp_path / "away", pacs, f"http://127.0.0.1:{free_port()}") as running:
        page = running.page(**where(pacs, "sealed"))
        assert page.open()["signatures"][0]["whole"] is True
        said = page.ask("trust").json()
        assert (said["verdicts"], "没有判断" in said["words"]) == ([], True)


def test_an_authority_that_is_silent(pacs: Pacs, tmp_path: Path):
    """`stamp.silent = "refuse"`: nothing is sealed, and the person may try again. (`seal` is tried in Chromium.)"""
    with desk_of(tmp_path, pacs, f"http://127.0.0.1:{free_port()}") as running:
        page = running.page(**where(pacs))
        answer = page.seal(page.open()["sm3"], (1, 60.0, 60.0), (2, 10.0, 10.0))
        assert (answer.status_code, answer.json()["code"]) == (503, "stamp-silent")
        assert "没有应答" in answer.json()["message"]
        assert running.uses() == []
        assert page.ask("pdf").content == REPORT


def test_a_wrong_secret_never_seals(stamping: RunningGateway, pacs: Pacs, tmp_path: Path):
    """Not silence: somebody has to mend it, whatever `silent` says."""
    with desk_of(tmp_path, pacs, stamping.url, app="another", silent="seal") as running:
        page = running.page(**where(pacs))
        answer = page.seal(page.open()["sm3"], (1, 60.0, 60.0))
        assert (answer.status_code, answer.json()["code"]) == (409, "stamp-refused")
        assert running.uses() == []


def test_what_base64_stands_for_is_stamped(stamping: RunningGateway):
    """oriDataType (our extension of 四(二)4(3)): binary values; nothing else is taken for it."""
    value = bytes(range(256))
    asked = {"oriData": base64.b64encode(value).decode(), "oriDataType": "BASE64", "attachCert": "true"}
    token = call(stamping.url, "createAndGetTssInfo", asked)["data"]["tsResp"]
    assert timestamp.parse_token(base64.b64decode(token)).info.imprint.of(value)
    verified = call(stamping.url, "verifyTS", asked | {"tsResp": token})
    assert verified["data"] == {"verifyRes": "1"}
    for odd in ({"oriData": "!"}, {"oriDataType": "HEX"}):
        assert call(stamping.url, "createAndGetTssInfo", asked | odd)["status"] == 400


def test_the_command_line_stamps(stamping: RunningGateway, tmp_path: Path):
    """`seal sign --stamp`: the gateway's authority by an application's secret. (The data folder's own: test_seal_office.)"""
    wallet, source, target = (tmp_path / name for name in ("a.seal.json", "in.pdf", "out.pdf"))
    wallet.write_bytes(seal_desk.wallet())
    source.write_bytes(REPORT)
    stamping.environ = {
        "YINGQIAO_PIN": seal_desk.PIN,
        "YINGQIAO_STAMP_APP": APP,
        "YINGQIAO_STAMP_SECRET": SECRET,
    }
    files = (str(source), str(target), "--wallet", str(wallet), "--at", "1,60,60", "--paging")
    done = stamping.cli("seal", "sign", *files, "--stamp", stamping.url)
    assert done.returncode == 0, done.stderr
    assert "带时间戳" in done.stdout
    body = {
        "transId": "1",
        "requestTime": 1,
        "fileDataType": 0,
        "fileData": base64.b64encode(target.read_bytes()).decode(),
    }
    answer = httpx.post(f"{stamping.url}/sef/v1/SEF_VerifySeal", json=body, timeout=120).json()
    judged = answer["fileVerifyInfo"]["signInfoList"]
    assert [(one["verifyResult"], one["resultMsg"]) for one in judged] == [(0, "成功")] * 2
    stamping.environ = {}
