"""SEF_VerifySeal, parameters in and answer out (四(二)4; T143, T144, T145)."""

from __future__ import annotations

import base64
import json
from importlib.resources import files

import pytest

from tests.helpers import pki, seals
from yingqiao.gm import sm2, sm3
from yingqiao.signing.seals import sef
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.judge import judge_signature
from yingqiao.signing.seals.sef import SefError

PDF = b"%PDF-1.7 a file"
REQUEST = {
    "transId": "d57abf092e614d91838a74f07cc6e399",
    "requestTime": 1761766532029,
    "filename": "pdf 文件测试",
    "fileDataType": 0,
    "fileData": base64.b64encode(PDF).decode(),
}


def sample(name: str) -> dict:
    path = files("yingqiao.spec") / f"data/shanxi_v2_1/examples/sef_VerifySeal_{name}.json"
    return json.loads(path.read_text("utf-8"))


def found(raw: bytes | None = None, *, digest: bytes | None = None) -> Found:
    context = SealContext(seals.seal_trust(), pki.NOW)
    raw = seals.make_signature(stamped=seals.SIGNED_AT) if raw is None else raw
    verdict = judge_signature(raw, sm3.digest(seals.DOCUMENT) if digest is None else digest, context)
    return Found(verdict, 3, 2, "Seal1")


def test_the_sample_request_is_read():
    asking = sef.read_request(sample("request") | {"fileData": REQUEST["fileData"]})
    assert (asking.trans_id, asking.filename, asking.data) == (REQUEST["transId"], REQUEST["filename"], PDF)


@pytest.mark.parametrize(
    "changes",
    [
        {"fileDataType": "0"},
        {"requestTime": "1761766532029"},
        {"filename": None},
        {"fileData": "data:application/pdf;base64," + REQUEST["fileData"]},
        {"fileData": "\r\n".join(REQUEST["fileData"][i : i + 4] for i in range(0, 20, 4))},
    ],
)
def test_what_is_read_all_the_same(changes: dict):
    assert sef.read_request(REQUEST | changes).data == PDF


def test_names_are_read_without_regard_to_case_and_addresses_are_left_to_be_fetched():
    said = {name.upper(): value for name, value in REQUEST.items()} | {
        "FILEDATATYPE": 1,
        "FILEDATA": " http://a/b.pdf",
    }
    asking = sef.read_request(said)
    assert (asking.data, asking.address) == (None, "http://a/b.pdf")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"transId": ""}, 400),
        ({"transId": "x" * 37}, 400),
        ({"transId": True}, 400),
        ({"requestTime": None}, 400),
        ({"requestTime": "yesterday"}, 400),
        ({"fileDataType": 2}, 400),
        ({"fileDataType": True}, 400),
        ({"fileData": ""}, 400),
        ({"fileData": "not base64!"}, 400),
        ({"fileDataType": 1, "fileData": "http://" + "a" * 5000}, 400),
        ({"filename": 3}, 400),
        ({"transid": "twice"}, 400),
        ({"fileData": "A" * ((sef.MAX_FILE // 3 + 2) * 4)}, 413),
    ],
)
def test_what_is_refused(changes: dict, code: int):
    with pytest.raises(SefError) as refused:
        sef.read_request(REQUEST | changes)
    assert refused.value.code == code
    assert refused.value.words


def test_a_request_that_is_no_object_is_refused():
    with pytest.raises(SefError):
        sef.read_request([REQUEST])


def test_a_refusal_after_transid_quotes_it():
    with pytest.raises(SefError) as refused:
        sef.read_request(REQUEST | {"fileDataType": 9})
    assert refused.value.trans_id == REQUEST["transId"]


def test_every_field_of_the_answer():
    """Names, order and types of the sample; totalCount is the length of the list, which the sample's is not (T144)."""
    one = found()
    said = sef.answer_found("T1", [one, one])
    wanted = sample("response")
    assert list(said) == list(wanted)
    assert list(said["fileVerifyInfo"]) == list(wanted["fileVerifyInfo"])
    first, second = said["fileVerifyInfo"]["signInfoList"]
    told = wanted["fileVerifyInfo"]["signInfoList"][0]
    assert list(first) == list(told)
    assert {name: type(value) for name, value in first.items()} == {n: type(v) for n, v in told.items()}
    assert (said["transId"], said["resultCode"], said["resultMessage"]) == ("T1", 0, "SUCCESS")
    assert said["fileVerifyInfo"]["totalCount"] == 2
    assert (first["signIndex"], second["signIndex"], first["pageIndex"]) == (0, 1, 2)
    assert (first["verifyResult"], first["resultMsg"], first["signAlg"]) == (0, "成功", "SM3WithSM2")
    assert first["signDate"] == "2026-03-01 10:05:06"
    value = base64.b64decode(first["signedValue"])
    assert len(value) == 64
    assert one.verdict.signature is not None
    assert sm2.raw_to_der(value) == one.verdict.signature.signature
    assert base64.b64decode(first["sealImage"]) == seals.png()
    assert base64.b64decode(first["signCert"]) == seals.seal_world().signer.certificate.raw
    assert base64.b64decode(first["sealMakeCert"]) == seals.seal_world().maker.certificate.raw


def test_a_value_of_64_bytes_goes_as_it_is():
    one = found(seals.make_signature(raw_form=True))
    value = sef.answer("", found=[one])["fileVerifyInfo"]["signInfoList"][0]["signedValue"]
    assert one.verdict.signature is not None
    assert base64.b64decode(value) == one.verdict.signature.signature


def test_a_seal_that_is_wrong_says_why_and_what_to_do():
    (entry,) = sef.answer_found("", [found(digest=b"x" * 32)])["fileVerifyInfo"]["signInfoList"]
    assert entry["verifyResult"] == 1010
    assert "请向出具单位重新索取" in entry["resultMsg"]


def test_bytes_that_are_no_seal_signature_are_an_entry_too():
    (entry,) = sef.answer_found("", [found(b"\x30\0")])["fileVerifyInfo"]["signInfoList"]
    assert (entry["verifyResult"], entry["signedValue"], entry["signCert"], entry["sealMakeCert"]) == (
        1002,
        "",
        "",
        "",
    )


def test_a_file_without_seals():
    said = sef.answer_found("T", [])
    assert (said["resultCode"], said["fileVerifyInfo"]) == (0, {"totalCount": 0, "signInfoList": []})
    assert said["resultMessage"] == "文件中没有电子签章"
