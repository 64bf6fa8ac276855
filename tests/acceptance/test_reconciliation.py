"""`/statisticalData/upload` from outside (四(二)5, T150–T159), and the day it becomes."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, KEY_HEX, envelope, exam
from tests.peers.gateway import GatewayMaker, RunningGateway

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
    gateway = make_gateway()
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
