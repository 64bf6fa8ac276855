"""`/statisticalData/upload` from outside (四(二)5, T150–T159), and the day it becomes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, envelope, exam
from tests.peers.gateway import GatewayMaker, RunningGateway
from tests.peers.pynetdicom import Entity
from tests.peers.query_server import QueryServer

PATH = "/statisticalData/upload"
DAY = "2026-11-20"


def content(value: object, key_hex: str = KEY_HEX) -> str:
    """Base64(SM4(JSON)), by the envelope's helper."""
    return str(json.loads(envelope(value, key_hex=key_hex))["data"])  # type: ignore[arg-type]


def opened(data: str, key_hex: str = KEY_HEX) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4

    plain = Cipher(SM4(bytes.fromhex(key_hex)), modes.ECB()).decryptor().update(base64.b64decode(data))
    return json.loads(plain[: -plain[-1]])


def stated(*groups: tuple[str, int, list[str]], day: str = DAY, code: str = HOSPITAL) -> dict[str, object]:
    info = [{"imgExamType": kind, "pushExamNum": count, "study_uids": ids} for kind, count, ids in groups]
    return {"hospitalCode": code, "date": day, "examInfo": info}


def send(gateway: RunningGateway, value: object, key_hex: str = KEY_HEX, **headers: str) -> httpx.Response:
    return gateway.post(PATH, json.dumps({"content": content(value, key_hex)}).encode(), **headers)


def test_missing_ids_come_back_encrypted(shared_gateway: RunningGateway) -> None:
    """四(二)5, T150, T151, T154, T155, T157: no hospitalCode outside, ids by any of three names."""
    for key in ("R1", "R2", "R3"):
        assert shared_gateway.push("/exam-sync", exam(key))["code"] == 1
    uid = exam("R2")["studyUid"]
    said = stated(("CT", 3, ["R1", str(uid), "AR3", "R9", "R9"]), ("MR", 1, ["M1"]))
    answer = send(shared_gateway, said)
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "message", "data"}
    assert answer.json()["status"] == "0"
    assert opened(answer.json()["data"]) == ["R9", "M1"]
    assert "缺少 2 个检查" in answer.json()["message"]
    assert "重复" in answer.json()["message"]


def test_nothing_missing_is_an_empty_data(shared_gateway: RunningGateway) -> None:
    """The sample's answer: SUCCESS and "" (T157); a day without exams is an empty array (T159)."""
    answer = send(shared_gateway, stated(day="2020-01-01")).json()
    assert answer == {"status": "0", "message": "SUCCESS", "data": ""}


def test_the_standard_envelope_and_a_code_outside_are_taken(shared_gateway: RunningGateway) -> None:
    """T150: accept the standard envelope too."""
    said = stated(("CT", 1, ["X1"]), day="2020-01-02")
    assert opened(shared_gateway.push(PATH, said)["data"]) == ["X1"]
    body = {"hospitalCode": HOSPITAL, "content": content(said)}
    assert shared_gateway.post(PATH, json.dumps(body).encode()).json()["status"] == "0"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "JSON"),
        (b"[]", 400, "对象"),
        (b'{"content": ""}', 200, "content"),
        (b'{"content": "!!!"}', 200, "Base64"),
        (json.dumps({"content": content({"date": "x"}, "0" * 31 + "1")}).encode(), 200, "解密"),
        (json.dumps({"content": content(stated(code="999"))}).encode(), 200, "解密"),
        (json.dumps({"content": content({"hospitalCode": HOSPITAL, "date": DAY})}).encode(), 200, "examInfo"),
        (
            json.dumps(
                {"content": content({"hospitalCode": HOSPITAL, "date": "?", "examInfo": []})}
            ).encode(),
            200,
            "date",
        ),
    ],
)
def test_what_cannot_be_taken_is_minus_one(
    shared_gateway: RunningGateway, body: bytes, status: int, words: str
) -> None:
    """T151: "-1", a reason in Chinese, no data."""
    answer = shared_gateway.post(PATH, body)
    assert answer.status_code == status
    assert answer.json()["status"] == "-1"
    assert answer.json()["data"] == ""
    assert words in answer.json()["message"]


def test_a_refused_statement_is_kept_and_replayed(make_gateway: GatewayMaker) -> None:
    """A statement nobody could open is taken once the hospital is registered."""
    gateway = make_gateway(hospital=False)
    said = stated(("CT", 1, ["X1"]))
    answer = gateway.post(PATH, json.dumps({"hospitalCode": HOSPITAL, "content": content(said)}).encode())
    assert answer.json()["status"] == "-1"
    gateway.add_hospital()
    done = gateway.cli("submissions", "replay", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    assert gateway.json("submissions", "list")[0]["outcome"] == "accepted"


def test_strangers_are_slowed_down(make_gateway: GatewayMaker) -> None:
    """Each body costs a trial of every key: one address may send few of them."""
    gateway = make_gateway(HTTP_REFUSAL_RATE="1")  # so few that a slow machine sends too many, too
    body = json.dumps({"content": content({}, "0" * 31 + "1")}).encode()
    with httpx.Client(base_url=gateway.url) as client:
        answers = [client.post(PATH, content=body) for _ in range(90)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert late[0].headers["retry-after"]
    assert late[0].json()["status"] == "-1"


def test_two_hospitals_with_one_key_are_told_apart(make_gateway: GatewayMaker) -> None:
    """T150: the key alone does not name the hospital; what it says inside does."""
    gateway = make_gateway(start=False)
    gateway.add_hospital("H2", KEY_HEX, "二院")
    gateway.start()
    assert send(gateway, stated(("CT", 1, ["X1"]), code="H2")).json()["status"] == "0"
    assert gateway.json("submissions", "list")[0]["hospitalCode"] == "H2"


def listed(gateway: RunningGateway) -> Any:
    (only,) = gateway.json("reconcile", "list")
    return only


def test_a_day_from_statement_to_export(make_gateway: GatewayMaker, tmp_path: Path) -> None:
    """Stated, shown, closed, amended, verified, exported: by command and by /api/ alike."""
    gateway = make_gateway()
    assert gateway.push("/exam-sync", exam("E1"))["code"] == 1
    assert send(gateway, stated(("CT", 2, ["E1", "X1"]))).json()["status"] == "0"
    with httpx.Client(
        base_url=f"{gateway.url}/api", headers={"authorization": f"Bearer {gateway.token}"}, timeout=120
    ) as api:
        until(lambda: api.get("/reconcile/missing").json()["items"])
        assert api.get("/reconcile/missing").json()["items"][0]["listedId"] == "X1"
        # The gateway closes past days by itself, too: then there is nothing to amend yet.
        closed = api.post(f"/reconcile/{HOSPITAL}/{DAY}/close").json()["entry"] or listed(gateway)
        assert (closed["verdict"], closed["missing"]) == ("不平", 1)
        assert gateway.push("/exam-sync", exam("X1"))["code"] == 1
        amended = gateway.cli("reconcile", "close", DAY, "--hospital", HOSPITAL)
        assert "补记：第 2 条，平" in amended.stdout, amended.stdout + amended.stderr
        shown = gateway.json("reconcile", "show", DAY, "--hospital", HOSPITAL)
        assert [entry["kind"] for entry in shown["entries"]] == ["close", "amend"]
        assert shown["now"]["verdict"] == "平"
        assert "没有改动" in gateway.cli("reconcile", "verify").stdout
        assert api.get("/reconcile/verify").json()["items"][0]["intact"]
        for shape, head in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
            out = tmp_path / f"day.{shape}"
            done = gateway.cli("reconcile", "export", "--format", shape, "--out", str(out))
            assert done.returncode == 0, done.stderr
            assert out.read_bytes().startswith(head)
            assert api.get("/reconcile/export", params={"format": shape}).content.startswith(head)
        assert gateway.cli("reconcile", "show", DAY, "--hospital", HOSPITAL).returncode == 0
        assert len(gateway.json("reconcile", "list")) == 2


def test_receipts_of_records_and_images(make_gateway: GatewayMaker) -> None:
    """Proof of custody: of every version of a record, of an instance by its stored bytes."""
    gateway = make_gateway()
    assert gateway.push("/exam-sync", exam("E1"))["code"] == 1
    (shown,) = gateway.json("receipt", "show", "--hospital", HOSPITAL, "--exam", "E1")
    assert shown["edition"] == "shanxi/v2_1"
    assert len(shown["sha256"]) == len(shown["sm3"]) == 64
    store_one(gateway, "1.2.3.4.5")
    until(lambda: gateway.cli("receipt", "show", "--instance", "1.2.3.4.5").returncode == 0)
    done = gateway.cli("receipt", "verify", "--instance", "1.2.3.4.5")
    assert done.returncode == 0, done.stdout
    assert "原样" in done.stdout
    (segment,) = (gateway.data / "landing").glob("*.landing")
    raw = bytearray(segment.read_bytes())
    at = raw.find(b"PATIENT^ONE")
    raw[at] ^= 1
    segment.write_bytes(raw)
    done = gateway.cli("receipt", "verify", "--instance", "1.2.3.4.5")
    assert done.returncode == 1
    assert "影像内容与收到时的 SHA-256 不符" in done.stdout
    assert gateway.cli("receipt", "verify", "1").returncode == 0
    assert gateway.cli("receipt", "show", "99").returncode == 1


def store_one(gateway: RunningGateway, sop_uid: str) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", sop_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.PatientID, dataset.PatientName = "P1", "PATIENT^ONE"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    entity = Entity("CT1")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", gateway.dicom_port, ae_title="YINGQIAO")
    assert association.send_c_store(dataset).Status == 0
    association.release()


def test_the_gateway_asks_the_hospital_for_what_is_missing(
    make_gateway: GatewayMaker, query_server: QueryServer
) -> None:
    """Stated, missing, queried, taken in: without anybody doing anything; and a comparison by command."""
    gateway = make_gateway()
    done = gateway.cli("hospitals", "set-query", HOSPITAL, query_server.url, "--private")
    assert done.returncode == 0, done.stderr
    query_server.records["/exam/get"] = [exam("X1")]
    assert opened(send(gateway, stated(("CT", 1, ["X1"]))).json()["data"]) == ["X1"]
    until(lambda: gateway.json("exams", "list"))
    assert send(gateway, stated(("CT", 1, ["X1"]))).json()["data"] == ""
    query_server.records["/exam/get"].append(exam("X2"))
    window = ("--hospital", HOSPITAL, "--from", DAY, "--to", "2026-11-21")
    found = gateway.json("query", "exams", *window)
    assert (found["compared"], found["differing"]) == (2, 1)
    (one,) = gateway.json("query", "differences", "--state", "open")
    bearer = {"authorization": f"Bearer {gateway.token}"}
    with httpx.Client(base_url=f"{gateway.url}/api/differences", headers=bearer, timeout=120) as api:
        assert api.post(f"/{one['id']}/ignore", params={"reason": "测试"}).json()["state"] == "ignored"
        mended = api.post(f"/{one['id']}/mend").json()
        assert (mended["state"], mended["record"]["risStudyId"]) == ("mended", "X2")
        assert api.post("/999999/mend").status_code == api.post("/999999/ignore").status_code == 404
        assert api.post(f"/{one['id']}/mend", params={"reason": "x"}).status_code == 400
    assert gateway.json("query", "exams", *window)["differing"] == 0
    assert gateway.json("query", "differences", "--state", "open") == []
    assert gateway.json("query", "show", str(one["id"]))["record"]["risStudyId"] == "X2"
    assert gateway.json("query", "runs")
    assert gateway.json("hospitals", "queries")[0]["url"] == query_server.url


def until(done: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
