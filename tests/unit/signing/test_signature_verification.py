"""Signatures judged (GM/T 0009, GM/T 0010, EU DSS's three indications): one defect a test, named in Chinese.

Rows of the known conventions: user id, Z, raw r‖s, digest in place of message; T66 (text or base64), T67.
"""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.helpers import gm_samples, pki
from tests.helpers.trust import crl_of, trust_in
from yingqiao.gm import cms_writing, crl, der, oids, signatures, sm2, sm3
from yingqiao.gm.cms_writing import MessageSigner
from yingqiao.gm.issuing import Profile
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of
from yingqiao.signing.trust import NOTHING, Trust
from yingqiao.signing.verification.policy import SIGNATURE_ONLY, Policy, Weight
from yingqiao.signing.verification.readings import Reading, both
from yingqiao.signing.verification.report import Indication, Report
from yingqiao.signing.verification.signature import Question, verify_signature

W = pki.world()
DATA = "影像所见：双肺纹理清晰。\n".encode()
OTHER = pki.make(Profile.SIGNING, "别人", W.ca)
ENCRYPTING = pki.make(Profile.ENCRYPTION, "张三加密", W.ca)
STAMPER = Stamper(W.tsa.certificate, W.tsa.signer, pki.POLICY, W.chain)


def judge(
    signature: bytes,
    content: bytes | None = DATA,
    *,
    by: pki.Entity = W.doctor,
    trust: Trust | None = None,
    policy: Policy = Policy(),  # noqa: B008 a frozen value
    at=pki.NOW,
    **more,
) -> Report:
    readings = () if content is None else (Reading(content),)
    given = {"certificates": (by.certificate,)} | more
    return verify_signature(
        Question(signature, readings, **given), trust_in() if trust is None else trust, at, policy
    )


def sign(content: bytes = DATA, by: pki.Entity = W.doctor, **more) -> bytes:
    return sm2.sign(by.private, content, **more)


def said(report: Report) -> tuple[str, str, str]:
    return str(report.indication), report.deciding.name, report.deciding.reason


def test_a_right_one_passes_every_step():
    report = judge(sign())
    assert said(report) == ("passed", "complete", "ok")
    names = [step.name for step in report.steps]
    assert names == [
        "format",
        "certificate",
        "content",
        "signature",
        "key-usage",
        "chain",
        "validity",
        "revocation",
    ]
    assert "签名验证通过" in report.text()


@pytest.mark.parametrize(
    ("made", "reason", "word"),
    [
        (lambda: sign(user_id=b""), "user-id", "用户标识为空"),
        (lambda: sign(user_id=b"ALICE123@YAHOO.COM"), "user-id", "ALICE123@YAHOO.COM"),
        (lambda: sm2.sign_digest(W.doctor.private, sm3.digest(DATA)), "hash-without-z", "Z 值"),
        (lambda: sign(sm3.digest(DATA)), "hash-signed", "SM3 杂凑值"),
        (lambda: sign(sm3.digest(DATA).hex().encode()), "hash-signed", "十六进制小写"),
        (lambda: sign(base64.b64encode(DATA)), "base64-text", "Base64 文本"),
        (lambda: sign(DATA.decode().encode("gb18030")), "charset", "GBK"),
        (lambda: sign(DATA.decode().encode("utf-16-le")), "charset", "UTF-16"),
        (lambda: sign(b"\xef\xbb\xbf" + DATA), "charset", "BOM"),
        (lambda: sign(DATA.rstrip()), "trailing-newline", "没有换行"),
        (lambda: sign(DATA + b"\n"), "trailing-newline", "多一个换行"),
        (lambda: sign(DATA.replace(b"\n", b"\r\n")), "line-ends", "CRLF"),
        (lambda: sign(by=OTHER), "signature-mismatch", "不是此密钥所签"),
        (lambda: sign(b"another"), "signature-mismatch", "原文或签名值被改动"),
        (lambda: b"\x00" * 256, "rsa-not-sm2", "RSA"),
        (lambda: b"\x30\x03\x02\x01\x01", "signature-form", "DER"),
        (lambda: b"", "empty", "为空"),
    ],
)
def test_each_known_mistake_is_named(made, reason: str, word: str):
    report = judge(made())
    assert report.indication is Indication.FAILED
    assert report.deciding.reason == reason
    assert word in report.words


def test_base64_text_given_where_its_bytes_were_signed():
    """T66, the other way round: what was signed is the content that the given text encodes."""
    report = judge(sign(b"content to sign"), base64.b64encode(b"content to sign"))
    assert said(report) == ("failed", "signature", "base64-decoded")


@pytest.mark.parametrize("signed", [0, 1])
def test_both_readings_of_a_report_are_taken(signed: int):
    """T66: CAData as text and as base64."""
    text = base64.b64encode(b"signed bytes").decode()
    readings = both(text)
    question = Question(sign(readings[signed].content), readings, (W.doctor.certificate,))
    report = verify_signature(question, trust_in(), pki.NOW)
    assert report.indication is Indication.PASSED
    assert report.facts["reading"] == readings[signed].words
    strict = Policy(several_readings=Weight.FAIL)
    again = verify_signature(question, trust_in(), pki.NOW, strict)
    assert again.indication is (Indication.FAILED if signed else Indication.PASSED)


def test_raw_form_is_weighed():
    """64 bytes r‖s (a seal in production): noted, or refused by policy."""
    raw = sm2.der_to_raw(sign())
    noted = judge(raw)
    assert noted.indication is Indication.PASSED
    assert any("r‖s" in note for step in noted.steps for note in step.notes)
    assert said(judge(raw, policy=Policy(raw_form=Weight.FAIL))) == ("failed", "signature", "raw-not-der")


def test_careless_der_is_named():
    """An INTEGER without its leading zero reads as negative: refused, and said so."""
    while True:
        raw = sm2.der_to_raw(sign())
        if raw[0] & 0x80:
            break
    careless = der.sequence(*(der.element(der.INTEGER, part) for part in (raw[:32], raw[32:])))
    assert said(judge(careless)) == ("failed", "signature", "signature-form")


def test_another_signer_is_named():
    report = judge(sign(by=W.nurse), others=(OTHER.certificate, W.nurse.certificate))
    assert said(report) == ("failed", "signature", "other-certificate")
    assert "李四" in report.words


def test_nobody_to_judge_is_unknown():
    assert said(judge(sign(), certificates=())) == ("unknown", "certificate", "no-certificate")
    assert said(judge(sign(), None)) == ("unknown", "content", "no-content")
    key = W.doctor.certificate.key
    assert said(judge(sign(), certificates=(), key=key)) == ("unknown", "certificate", "key-only")
    alone = judge(sign(), certificates=(), key=key, policy=SIGNATURE_ONLY)
    assert alone.indication is Indication.PASSED


@pytest.mark.parametrize(
    ("given", "reason"),
    [(sign(), "sm2-not-rsa"), (b"\x01" * 64, "sm2-not-rsa"), (b"\x01" * 256, "signature-mismatch")],
    ids=["SM2 in DER", "SM2 raw", "RSA"],
)
def test_rsa_keys_with_other_values(given: bytes, reason: str):
    certificate, _ = pki.rsa_entity()
    assert judge(given, certificates=(certificate,)).deciding.reason == reason


def test_rsa_passes_and_another_digest_is_named():
    certificate, signer = pki.rsa_entity()
    assert judge(signer.sign(DATA), certificates=(certificate,)).indication is Indication.PASSED
    other = pki.rsa_key().sign(DATA, padding.PKCS1v15(), hashes.SHA512())
    assert judge(other, certificates=(certificate,)).deciding.reason == "algorithm"


def test_an_encryption_certificate_may_not_sign():
    """GB/T 20518: the second certificate of the pair has no signing usage."""
    report = judge(sign(by=ENCRYPTING), by=ENCRYPTING)
    assert said(report) == ("failed", "key-usage", "key-usage")


def test_no_trusted_chain_is_unknown():
    assert said(judge(sign(), trust=NOTHING)) == ("unknown", "chain", "no-trusted-chain")
    stranger = pki.make(Profile.CA, "陌生的根")
    report = judge(sign(), trust=trust_in([stranger.certificate]))
    assert said(report) == ("unknown", "chain", "no-trusted-chain")
    assert "影桥测试 CA" in report.words


def test_a_certificate_the_ca_never_signed_fails():
    """The names are right, the CA's signature is not: forged."""
    forged = pki.make(Profile.SIGNING, "假冒", W.ca)
    raw = bytearray(forged.certificate.raw)
    raw[raw.index("假冒".encode()) + 1] ^= 1
    from yingqiao.gm import certificates

    certificate = certificates.parse(bytes(raw))
    report = judge(sign(by=forged), certificates=(certificate,))
    assert said(report) == ("failed", "chain", "chain-signature")


def test_a_doctor_cannot_issue():
    """basicConstraints: an end certificate is no CA."""
    name = W.doctor.certificate.subject
    authority = W.doctor.authority
    from yingqiao.gm import certificates, issuing

    private = sm2.generate()
    order = pki.order(Profile.SIGNING, pki.name("冒名"), pki.key_of(private))
    minted = certificates.parse(issuing.issue(order, authority))
    assert minted.issuer.raw == name.raw
    report = judge(sm2.sign(private, DATA), certificates=(minted, W.doctor.certificate), trust=trust_in())
    assert said(report) == ("failed", "chain", "issuer-not-ca")


@pytest.mark.parametrize(
    ("at", "indication", "reason"),
    [
        (pki.START - timedelta(seconds=1), "failed", "not-yet-valid"),
        (pki.START, "passed", "ok"),
        (pki.END, "passed", "ok"),
        (pki.END + timedelta(seconds=1), "failed", "expired"),
    ],
)
def test_validity_to_the_second(at, indication: str, reason: str):
    """Both ends belong to it."""
    report = judge(sign(), at=at, trust=trust_in(None, crl_of(W.ca, at=at)))
    assert (str(report.indication), report.deciding.reason) == (indication, reason)


def test_revoked_before_and_after():
    """A revocation counts from its date."""
    gone = crl.Entry(W.doctor.certificate.serial, pki.NOW, crl.Reason.KEY_COMPROMISE)
    trust = trust_in(None, crl_of(W.ca, gone, at=pki.NOW))
    assert said(judge(sign(), trust=trust)) == ("failed", "revocation", "revoked")
    assert "密钥泄露" in judge(sign(), trust=trust).words
    before = judge(sign(), trust=trust, at=pki.NOW - timedelta(seconds=1))
    assert before.indication is Indication.PASSED
    assert any("在签名之后被吊销" in note for note in before.steps[-1].notes)


@pytest.mark.parametrize("reason", ["no-crl", "crl-stale", "crl-unusable"])
def test_unknown_revocation_is_never_passed_nor_failed(reason: str):
    """No list, a stale one, one of another key: indeterminate, with the reason."""
    impostor = pki.make(Profile.CA, "影桥测试 CA")
    lists = {
        "no-crl": crl_of(W.root),
        "crl-stale": crl_of(W.ca, at=pki.NOW - timedelta(days=30)),
        "crl-unusable": crl.parse(
            crl.issue(
                impostor.authority.__class__(
                    W.ca.certificate.subject, impostor.certificate.key, impostor.signer
                ),
                [],
                1,
                pki.NOW,
                pki.NOW + timedelta(days=1),
            )
        ),
    }
    trust = trust_in(None, lists[reason])
    assert said(judge(sign(), trust=trust)) == ("unknown", "revocation", reason)
    assert judge(sign(), trust=trust, policy=Policy(revocation_missing=Weight.WARN)).indication is (
        Indication.PASSED
    )


def test_a_trusted_stamp_proves_when():
    """Expired today, revoked today: what a stamp proves to be older stands (best signature time)."""
    value = sign()
    token = STAMPER.stamp(Stamp(imprint_of(value), 1, pki.NOW))
    late = pki.END + timedelta(days=9)
    gone = crl.Entry(W.doctor.certificate.serial, pki.NOW + timedelta(days=1))
    trust = trust_in(None, crl_of(W.ca, gone, at=late, days=40))
    assert said(judge(value, at=late, trust=trust)) == ("failed", "validity", "expired")
    report = judge(value, at=late, trust=trust, tokens=(token,))
    assert said(report) == ("passed", "complete", "ok")
    assert report.reference_by == "token"
    assert report.reference == pki.NOW


def test_a_stamp_over_something_else_fails_the_signature():
    token = STAMPER.stamp(Stamp(imprint_of(b"something else"), 1, pki.NOW))
    assert said(judge(sign(), tokens=(token,))) == ("failed", "timestamp", "imprint-mismatch")
    ignoring = Policy(timestamp=Weight.WARN)
    assert judge(sign(), tokens=(token,), policy=ignoring).indication is Indication.PASSED


def message(content: bytes = DATA, by: pki.Entity = W.doctor, **more) -> bytes:
    signer = MessageSigner(by.certificate, cms_writing.gm_signer(by.private))
    return cms_writing.gm_signed_data(content, [signer], **more)


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("signing_time", [None, pki.NOW])
def test_messages_pass(detached: bool, signing_time):
    made = message(detached=detached, signing_time=signing_time)
    report = judge(made, certificates=())
    assert said(report) == ("passed", "complete", "ok"), report.text()
    assert said(judge(made, b"another", certificates=()))[0] == "failed"


def test_a_detached_message_without_an_original_is_unknown():
    report = judge(message(detached=True), None, certificates=())
    assert said(report) == ("unknown", "content", "no-content")
    assert judge(message(), None, certificates=()).indication is Indication.PASSED


def test_the_standards_message_signs_123():
    """四(二)4(5)2: false for the oriData printed beside it, true for what it holds."""
    sample = gm_samples.pkcs7_sample()
    right = judge(sample, b"123", certificates=(), policy=SIGNATURE_ONLY)
    assert right.indication is Indication.PASSED
    wrong = judge(sample, b"12345678", certificates=(), policy=SIGNATURE_ONLY)
    assert said(wrong) == ("failed", "content", "other-content")


def test_a_message_that_holds_a_digest_passes_by_policy_only():
    """eContent = SM3(document): what some producers of PDF and OFD do."""
    made = message(sm3.digest(DATA))
    assert said(judge(made, certificates=())) == ("failed", "content", "embedded-digest")
    allowing = Policy(embedded_digest=Weight.WARN)
    assert judge(made, certificates=(), policy=allowing).indication is Indication.PASSED


def test_a_message_of_another_signer_than_named():
    """T67: for PKCS#7 the signer's certificate inside must be ClientCert."""
    report = judge(message(by=W.nurse), by=W.doctor)
    assert said(report) == ("failed", "certificate", "other-certificate")


def test_all_signers_have_to_be_right():
    """GM/T 0010: several signers, one wrong."""
    wrong = MessageSigner(W.nurse.certificate, cms_writing.gm_signer(W.doctor.private))
    right = MessageSigner(W.doctor.certificate, cms_writing.gm_signer(W.doctor.private))
    both_signed = cms_writing.gm_signed_data(DATA, [right, wrong])
    assert judge(both_signed, certificates=()).indication is Indication.FAILED


def test_a_message_without_certificate_takes_the_one_beside_it():
    """GM/T 0010: certificates [0] is optional."""
    signer = MessageSigner(W.doctor.certificate, cms_writing.gm_signer(W.doctor.private))
    algorithm = der.write_algorithm(oids.SM3, [der.write_null()])
    body = der.sequence(
        der.write_integer(1),
        der.set_of([algorithm]),
        cms_writing.content_info(oids.GM_DATA, der.write_octets(DATA)),
        der.set_of([cms_writing.signer_info(signer, DATA, None, algorithm)]),
    )
    made = cms_writing.content_info(oids.GM_SIGNED_DATA, body)
    assert judge(made, by=W.doctor).indication is Indication.PASSED
    assert said(judge(made, certificates=())) == ("unknown", "certificate", "no-certificate")


def test_odd_bytes_are_a_verdict():
    for odd in (b"0", b"\x30\x80", b"\x30\x06\x06\x01\x00\x00\x00\x00", bytes(70), b"\xff" * 300):
        report = judge(odd, certificates=())
        assert report.indication is not Indication.PASSED
        assert report.deciding.reason


def test_weak_algorithms_are_weighed():
    """RSA of 1024 bits, as the standard's own stamps: indeterminate, or as the policy says."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = rsa.generate_private_key(65537, 1024)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = signatures.read_key(der.parse(spki))
    value = private.sign(DATA, padding.PKCS1v15(), hashes.SHA256())
    weak = judge(value, certificates=(), key=key, policy=SIGNATURE_ONLY)
    assert said(weak) == ("unknown", "algorithm", "weak-algorithm")
    allowing = Policy(check_certificate=False, weak_algorithm=Weight.WARN)
    assert judge(value, certificates=(), key=key, policy=allowing).indication is Indication.PASSED


def test_the_declared_algorithm_has_to_fit():
    value = sign()
    report = judge(value, algorithm=oids.SHA256_RSA)
    assert report.indication is Indication.FAILED
