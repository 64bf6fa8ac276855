"""dsvs (四(二)4(5)): the standard's samples field by field, every form of key, every parameter."""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from tests.helpers import gm_samples, pki
from tests.helpers.trust import pem, trust_in
from yingqiao.gm import cms_writing, sm2, sm3
from yingqiao.gm.cms_writing import MessageSigner
from yingqiao.signing import dsvs
from yingqiao.signing.trust import NOTHING
from yingqiao.signing.verification.policy import DEFAULT, Policy, Weight

W = pki.world()
DOCTOR = W.doctor.certificate
ID = "1234567890123456"


@cache
def sample(name: str) -> dict[str, Any]:
    path = files("yingqiao.spec") / f"data/shanxi_v2_1/examples/{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def pkcs1(trust=NOTHING, policy: Policy = DEFAULT, **changes: Any) -> dict[str, Any]:
    request = sample("dsvs_pkcs1_verifyDataSign_request") | changes
    asking = dsvs.read_pkcs1({name: value for name, value in request.items() if value is not None})
    answer = dsvs.judge_pkcs1(asking, trust, pki.NOW, policy)
    if dsvs.is_plainly_valid(asking, policy):
        assert answer["data"]["result"] == "true"
    return answer


def pkcs7(trust=NOTHING, policy: Policy = DEFAULT, **changes: Any) -> dict[str, Any]:
    request = sample("dsvs_pkcs7_verifyDataSign_request") | changes
    return dsvs.judge_pkcs7(dsvs.read_pkcs7(request), trust, pki.NOW, policy)


def signed(content: bytes = b"12345678", by: pki.Entity = W.doctor, **more: Any) -> dict[str, Any]:
    value = base64.b64encode(sm2.sign(by.private, content)).decode()
    return {"signValue": value, "pubKey": None, "base64Cert": base64.b64encode(DOCTOR.raw).decode()} | more


def test_the_sample_of_pkcs1_is_answered_as_printed():
    assert pkcs1() == sample("dsvs_pkcs1_verifyDataSign_response")


def test_the_sample_of_pkcs7_is_false_for_its_original_and_true_for_123():
    """The message holds 123, the request beside it says 12345678."""
    right = sample("dsvs_pkcs7_verifyDataSign_response")
    assert pkcs7(oriData="123") == right
    wrong = pkcs7()
    assert wrong["data"] == {"transId": ID, "result": "false"}
    assert wrong["status"] == 200
    assert "不一致" in wrong["message"]


def keys() -> dict[str, str]:
    """The doctor's key and certificate in all forms met."""
    point, spki = W.doctor.private.public().point, W.doctor.private.public().spki

    def b64(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return {
        "65 bytes base64": b64(point),
        "64 bytes base64": b64(point[1:]),
        "65 bytes hex": point.hex(),
        "64 bytes hex": point[1:].hex().upper(),
        "spki": b64(spki),
        "spki pem": f"-----BEGIN PUBLIC KEY-----\n{b64(spki)}\n-----END PUBLIC KEY-----\n",
    }


@pytest.mark.parametrize("form", keys())
def test_public_keys_in_every_form(form: str):
    """四(二)4(5)1 says 64 bytes, its sample has 65."""
    assert pkcs1(**signed(pubKey=keys()[form], base64Cert=None))["data"]["result"] == "true"


@pytest.mark.parametrize("form", ["base64", "pem", "chain", "broken lines"])
def test_certificates_in_every_form(form: str):
    text = base64.b64encode(DOCTOR.raw).decode()
    given = {
        "base64": text,
        "pem": pem(DOCTOR).decode(),
        "chain": pem(DOCTOR, *W.chain).decode(),
        "broken lines": "\r\n".join(text[i : i + 64] for i in range(0, len(text), 64)),
    }[form]
    assert pkcs1(**signed(base64Cert=given))["data"]["result"] == "true"


def test_the_certificate_wins_over_the_key():
    other = base64.b64encode(W.nurse.private.public().point).decode()
    assert pkcs1(**signed(pubKey=other))["data"]["result"] == "true"


def test_verify_cert():
    """Chain, validity and list when asked; unknown is not true."""
    asked = signed(verifyCert=True)
    assert pkcs1(trust=trust_in(), **asked)["data"]["result"] == "true"
    unknown = pkcs1(**asked)
    assert unknown["data"]["result"] == "false"
    assert "证书链" in unknown["message"]
    with pytest.raises(dsvs.DsvsError, match="base64Cert"):
        pkcs1(**signed(verifyCert=True, base64Cert=None, pubKey=keys()["spki"]))


def test_rsa():
    certificate, signer = pki.rsa_entity()
    request = {
        "signAlgIdentifier": "sha256withrsa",
        "signValue": base64.b64encode(signer.sign(b"12345678")).decode(),
        "pubKey": base64.b64encode(certificate.key.raw).decode(),
    }
    assert pkcs1(**request)["data"]["result"] == "true"
    mixed = pkcs1(**request | {"signAlgIdentifier": "SM3WithSM2"})
    assert mixed["data"]["result"] == "false"
    assert "RSA" in mixed["message"]


def test_original_as_base64_and_as_text():
    content = "影像所见".encode()
    encoded = base64.b64encode(content).decode()
    assert pkcs1(**signed(content, oriData="影像所见"))["data"]["result"] == "true"
    assert pkcs1(**signed(content, oriData=encoded, base64=True))["data"]["result"] == "true"
    assert pkcs1(**signed(content, oriData=encoded, base64="true"))["data"]["result"] == "true"
    wrong = pkcs1(**signed(content, oriData=encoded))
    assert "Base64" in wrong["message"]


def test_a_digest_in_the_message_only_by_policy():
    signer = MessageSigner(DOCTOR, cms_writing.gm_signer(W.doctor.private))
    made = cms_writing.gm_signed_data(sm3.digest(b"12345678"), [signer])
    value = base64.b64encode(made).decode()
    assert pkcs7(signValue=value)["data"]["result"] == "false"
    allowing = Policy(embedded_digest=Weight.WARN)
    assert pkcs7(signValue=value, policy=allowing)["data"]["result"] == "true"


def test_the_wrong_door_is_named():
    message = base64.b64encode(gm_samples.pkcs7_sample()).decode()
    assert "pkcs7/verifyDataSign" in pkcs1(signValue=message)["message"]
    assert "PKCS#7" in pkcs7(signValue=signed()["signValue"])["message"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"transId": "1" * 14}, "transId"),
        ({"transId": "1" * 65}, "transId"),
        ({"transId": None}, "transId"),
        ({"signAlgIdentifier": "MD5WithRSA"}, "signAlgIdentifier"),
        ({"signValue": "*"}, "signValue"),
        ({"signValue": ""}, "signValue"),
        ({"oriData": None}, "oriData"),
        ({"oriData": {}}, "oriData"),
        ({"oriData": "\ud800"}, "oriData"),
        ({"oriData": "*", "base64": True}, "oriData"),
        ({"oriData": "x" * (5 * 1024 * 1024 + 1)}, "5M"),
        ({"pubKey": None}, "pubKey"),
        ({"pubKey": "AAAA"}, "pubKey"),
        ({"pubKey": "=" * 70}, "pubKey"),
        ({"base64Cert": "AAAA"}, "base64Cert"),
        ({"verifyCert": "maybe"}, "verifycert"),
        ({"TRANSID": ID}, "大小写"),
    ],
)
def test_parameters_that_cannot_be(change: dict[str, Any], word: str):
    """transId 15–64, original of 5 MB at most, certificate or key."""
    with pytest.raises(dsvs.DsvsError, match=word):
        pkcs1(**change)


def test_names_in_any_case():
    """T116: tables and samples disagree."""
    request = {name.upper(): value for name, value in sample("dsvs_pkcs1_verifyDataSign_request").items()}
    assert dsvs.read_pkcs1(request).trans_id == ID


def test_an_original_of_five_megabytes():
    content = b"\xe5\xbd\xb1" * (5 * 1024 * 1024 // 3)
    assert pkcs1(**signed(content, oriData=content.decode()))["data"]["result"] == "true"
