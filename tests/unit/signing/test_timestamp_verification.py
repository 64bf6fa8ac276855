"""Time stamps judged (GM/T 0033-2023, RFC 3161): the standard's tokens, ours, and one defect a test."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.helpers import gm_samples, pki
from tests.helpers.trust import crl_of, trust_in
from yingqiao.gm import cms_writing, crl, der, oids
from yingqiao.gm.cms_writing import MessageSigner
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of, write_response
from yingqiao.signing.trust import NOTHING, Role, Trust
from yingqiao.signing.verification.policy import Policy, Weight
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import Indication, Report
from yingqiao.signing.verification.timestamp import verify_timestamp

W = pki.world()
DATA = b"test"
STAMPER = Stamper(W.tsa.certificate, W.tsa.signer, pki.POLICY, W.chain)


def token(moment=pki.NOW, content: bytes = DATA, **more) -> bytes:
    return STAMPER.stamp(Stamp(imprint_of(content), 4711, moment), **more)


def judge(raw: bytes, content: bytes | None = DATA, trust: Trust | None = None, at=pki.NOW, **more) -> Report:
    originals = () if content is None else (Reading(content),)
    return verify_timestamp(raw, originals, trust_in() if trust is None else trust, at, **more).report


def said(report: Report) -> tuple[str, str, str]:
    return str(report.indication), report.deciding.name, report.deciding.reason


def test_ours_pass():
    assert said(judge(token())) == ("passed", "complete", "ok")
    assert said(judge(write_response(token()))) == ("passed", "complete", "ok")


@pytest.mark.parametrize("position", [0, 1])
def test_those_of_the_standard_are_right_but_untrusted(position: int):
    """Signature, digest and imprint of `test` hold; RSA-1024 of an unknown CA: unknown, never failed."""
    report = judge(gm_samples.token_samples()[position], trust=NOTHING)
    found = {step.name: str(step.indication) for step in report.steps}
    assert found["signature"] == found["imprint"] == found["purpose"] == found["validity"] == "passed"
    assert found["algorithm"] == found["chain"] == "unknown"
    assert report.indication is Indication.UNKNOWN


def test_another_original_fails():
    assert said(judge(token(), b"other")) == ("failed", "imprint", "imprint-mismatch")
    assert said(judge(token(), b"test\n")) == ("failed", "imprint", "trailing-newline")
    assert said(judge(token(), None)) == ("unknown", "imprint", "no-content")


def test_changed_bytes_fail():
    raw = bytearray(token())
    raw[raw.index(imprint_of(DATA).digest)] ^= 1
    assert said(judge(bytes(raw))) == ("failed", "signature", "digest-mismatch")
    raw = bytearray(token())
    raw[-3] ^= 1
    assert said(judge(bytes(raw))) == ("failed", "signature", "signature-mismatch")


def test_without_a_certificate_the_trusted_ones_are_looked_at():
    bare = token(attach=False)
    assert said(judge(bare)) == ("unknown", "certificate", "no-certificate")
    known = trust_in([*W.chain, W.tsa.certificate])
    assert judge(bare, trust=known).indication is Indication.PASSED


def test_a_certificate_for_something_else():
    """RFC 3161 2.3: timeStamping, critical, alone."""
    made = _made_by(W.doctor)
    assert ("purpose", "not-for-timestamps") in {
        (step.name, step.reason) for step in judge(made).steps if step.indication is Indication.FAILED
    }


def _made_by(entity: pki.Entity) -> bytes:
    """A token whose signer is no time stamping authority, and whose attributes name no certificate."""
    content = gm_info()
    basic = cms_writing.basic_attributes(oids.TST_INFO, content, pki.NOW, oids.SM3)
    algorithm = der.write_algorithm(oids.SM3)
    signer = MessageSigner(entity.certificate, entity.signer)
    info = cms_writing.signer_info(signer, content, basic, algorithm)
    body = der.sequence(
        der.write_integer(3),
        der.set_of([algorithm]),
        cms_writing.content_info(oids.TST_INFO, der.write_octets(content)),
        cms_writing.certificate_set([entity.certificate], ()),
        der.set_of([info]),
    )
    return cms_writing.content_info(oids.PKCS7_SIGNED_DATA, body)


def gm_info() -> bytes:
    from yingqiao.gm import cms

    content = cms.parse(token()).content
    assert content is not None
    return content


def test_attributes_that_name_no_certificate_are_unknown():
    steps = {step.name: step for step in judge(_made_by(W.tsa)).steps}
    assert steps["binding"].reason == "certificate-not-named"
    assert steps["binding"].indication is Indication.UNKNOWN
    strict = judge(_made_by(W.tsa), policy=Policy(binding=Weight.FAIL))
    assert said(strict) == ("failed", "binding", "certificate-not-named")


def test_a_certificate_expired_today_does_not_matter():
    """genTime inside its validity is what counts."""
    late = pki.END + timedelta(days=100)
    assert judge(token(), at=late).indication is Indication.PASSED


def test_revoked_before_the_stamp_and_after():
    for days, expected in ((-1, "failed"), (1, "passed")):
        gone = crl.Entry(W.tsa.certificate.serial, pki.NOW + timedelta(days=days))
        trust = trust_in(None, crl_of(W.ca, gone, at=pki.NOW + timedelta(days=2)))
        assert str(judge(token(), trust=trust).indication) == expected


def test_a_stamp_of_tomorrow_is_unknown():
    report = judge(token(pki.NOW + timedelta(days=1)))
    assert said(report) == ("unknown", "time", "in-the-future")


def test_trusted_as_a_time_stamping_authority_only():
    """A role is what it is for: a TSA's chain does not make a doctor trusted."""
    trust = trust_in(W.chain, crl_of(W.ca), role=Role.TSA)
    assert judge(token(), trust=trust).indication is Indication.PASSED
    seals = trust_in(W.chain, crl_of(W.ca), role=Role.SEAL_MAKER)
    assert said(judge(token(), trust=seals)) == ("unknown", "chain", "no-trusted-chain")


@pytest.mark.parametrize("odd", [b"", b"0", b"\x30\x00", bytes(100), W.doctor.certificate.raw])
def test_odd_bytes_are_a_verdict(odd: bytes):
    assert said(judge(odd)) == ("failed", "format", "not-a-timestamp")
