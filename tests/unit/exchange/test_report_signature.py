"""The signature fields of a report (三(六) 66–70): names in any case, both readings, SignType against the value."""

from __future__ import annotations

import base64

import pytest

from tests.helpers import pki
from tests.helpers.trust import pem, trust_in
from yingqiao.exchange.profile import Profile, ProfileError
from yingqiao.exchange.report_signature import judge_report
from yingqiao.gm import cms_writing, sm2
from yingqiao.gm.cms_writing import MessageSigner
from yingqiao.signing.verification.policy import DEFAULT, Weight
from yingqiao.signing.verification.report import Indication, Report

W = pki.world()
CONTENT = "检查所见：未见异常".encode()


def fields(**changes: object) -> dict[str, object]:
    return {
        "CAData": CONTENT.decode(),
        "ClientCert": pem(W.doctor.certificate).decode(),
        "SignType": "1",
        "SignValue": base64.b64encode(sm2.sign(W.doctor.private, CONTENT)).decode(),
        "Timestampvalue": "",
    } | changes


def judge(values: dict[str, object]) -> Report:
    return judge_report(values, trust_in(), pki.NOW, DEFAULT)


def test_names_in_any_case_and_certificates_in_any_armour():
    """T63, T66."""
    assert judge(fields()).indication is Indication.PASSED
    folded = {name.upper(): value for name, value in fields().items()}
    assert judge(folded).indication is Indication.PASSED
    der = base64.b64encode(W.doctor.certificate.raw).decode()
    assert judge(fields(ClientCert=der)).indication is Indication.PASSED


def test_sign_type_against_the_value():
    """T67: the value decides, the contradiction is noted."""
    signer = MessageSigner(W.doctor.certificate, cms_writing.gm_signer(W.doctor.private))
    message = base64.b64encode(cms_writing.gm_signed_data(CONTENT, [signer])).decode()
    right = judge(fields(SignType=2, SignValue=message))
    assert right.indication is Indication.PASSED
    assert not right.steps[0].notes
    odd = judge(fields(SignType=1, SignValue=message))
    assert odd.indication is Indication.PASSED
    assert "SignType 为 1" in odd.steps[0].notes[-1]
    assert any("SignType 为 2" in note for note in judge(fields(SignType=2)).steps[0].notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"SignValue": ""},
        {"SignValue": "不是签名"},
        {"SignValue": {"a": 1}},
        {"ClientCert": "不是证书"},
        {"Timestampvalue": "不是时间戳"},
        {"CAData": "改过的原文"},
        {"CAData": ["x"]},
        {"CAData": "\ud800"},
    ],
)
def test_what_cannot_be_read_is_a_verdict(changes: dict[str, object]):
    report = judge(fields(**changes))
    assert report.indication is Indication.FAILED
    assert report.words.startswith("报告签名验证不通过")


def test_a_hospitals_profile_holds_its_policy():
    text = '{"verification":{"revocation-missing":"warn"}}'
    profile = Profile.from_json(text)
    assert profile.verification.revocation_missing is Weight.WARN
    assert profile.to_json() == text
    for odd in ('{"verification": 1}', '{"verification": {"raw-form": "no"}}'):
        with pytest.raises(ProfileError):
            Profile.from_json(odd)
