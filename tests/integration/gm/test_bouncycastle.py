"""Structures judged by BouncyCastle, and BouncyCastle's read by us: certificates, requests, lists, messages, stamps."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers.pki import NOW, POLICY, later, name, rsa_entity, world
from tests.peers.bouncycastle import BouncyCastle
from yingqiao.gm import certificates, cms, cms_facts, crl, csr, oids, signatures, timestamp
from yingqiao.gm.cms_writing import MessageSigner, gm_signed_data, gm_signer
from yingqiao.gm.crl import Entry, Reason, State
from yingqiao.gm.timestamp import Failure, Request
from yingqiao.gm.timestamp_writing import (
    Stamp,
    Stamper,
    imprint_of,
    write_refusal,
    write_request,
    write_response,
)

pytestmark = pytest.mark.peer
W = world()
CONTENT = "影像报告签名原文".encode()


def test_certificates_of_ours_verify(bouncycastle: BouncyCastle):
    """GB/T 20518-2018: the chain as issued by us."""
    for one, issuer in ((W.root, W.root), (W.ca, W.root), (W.doctor, W.ca), (W.tsa, W.ca)):
        answer = bouncycastle.ask("certificate", one.certificate.raw, issuer.certificate.raw)
        assert answer.startswith(f"OK {oids.SM2_SM3} {one.certificate.serial} "), answer
    assert bouncycastle.ask("certificate", W.doctor.certificate.raw, W.root.certificate.raw).startswith(
        "ERROR"
    )


def test_requests_of_ours_verify(bouncycastle: BouncyCastle):
    raw = csr.build(name("赵六"), W.nurse.certificate.key, W.nurse.signer)
    assert bouncycastle.ask("csr", raw) == "OK"
    forged = csr.build(name("赵六"), W.doctor.certificate.key, W.nurse.signer)
    assert bouncycastle.ask("csr", forged) == "BAD"


def test_lists_of_ours_verify(bouncycastle: BouncyCastle):
    serial = W.nurse.certificate.serial
    entries = [Entry(1, NOW), Entry(serial, NOW, Reason.KEY_COMPROMISE)]
    raw = crl.issue(W.ca.authority, entries, 7, NOW, later(days=7))
    ca = W.ca.certificate.raw
    assert bouncycastle.ask("crl", raw, ca, serial) == f"REVOKED {int(NOW.timestamp())} KEY_COMPROMISE"
    assert bouncycastle.ask("crl", raw, ca, W.doctor.certificate.serial) == "GOOD"
    assert bouncycastle.ask("crl", raw, W.root.certificate.raw, serial).startswith("ERROR")


def test_its_lists_are_read(bouncycastle: BouncyCastle):
    (raw,) = bouncycastle.make("make-crl", W.ca.private.to_pkcs8(), W.ca.certificate.raw, 4711)
    found, now = crl.parse(raw), datetime.now(UTC)
    assert found.signed_by(W.ca.certificate.key).valid
    assert not found.signed_by(W.root.certificate.key).valid
    assert found.check_serial(4711, now).reason is Reason.KEY_COMPROMISE
    assert found.check_serial(4712, now).state is State.GOOD
    assert found.check_serial(4712, now + timedelta(days=2)).state is State.UNKNOWN


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("signing_time", [None, NOW])
@pytest.mark.parametrize("make", [gm_signer, signatures.sm2_signer])
def test_messages_of_ours_verify(bouncycastle: BouncyCastle, detached, signing_time, make):
    """GM/T 0010 as emitted, one and two signers. BouncyCastle does not know 301.1, so it judges 501."""
    for entities in ((W.doctor,), (W.doctor, W.nurse)):
        signers = [MessageSigner(one.certificate, make(one.private)) for one in entities]
        raw = gm_signed_data(CONTENT, signers, detached=detached, chain=W.chain, signing_time=signing_time)
        assert cms_facts.examine(cms.parse(raw), CONTENT).valid
        if make is not gm_signer:
            form = "detached" if detached else "embedded"
            assert bouncycastle.ask("cms", raw, form, CONTENT) == f"OK {len(entities)}"
        if detached and make is not gm_signer:
            assert not bouncycastle.ask("cms", raw, "detached", b"other").startswith("OK")


@pytest.mark.parametrize("form", ["embedded ber", "embedded", "detached", "direct", "direct detached ber"])
def test_its_messages_are_read(bouncycastle: BouncyCastle, form: str):
    """Java producers write indefinite lengths (`getEncoded`)."""
    key, certificate = W.doctor.private.to_pkcs8(), W.doctor.certificate.raw
    (raw,) = bouncycastle.make("make-cms", key, certificate, CONTENT, form)
    message = cms.parse(raw)
    facts = cms_facts.examine(message, CONTENT)
    assert facts.valid, facts
    assert facts.content is (cms_facts.Content.DETACHED if "detached" in form else cms_facts.Content.EMBEDDED)
    assert ("使用了不定长编码（BER）" in facts.oddities) == ("ber" in form)
    assert facts.signers[0].algorithms_ok is (None if "direct" in form else True)
    assert not cms_facts.examine(message, CONTENT + b" ").valid


def test_rsa_messages_of_ours_verify(bouncycastle: BouncyCastle):
    """SHA256WithRSA (5.5)."""
    certificate, signer = rsa_entity()
    for signing_time in (None, NOW):
        raw = gm_signed_data(CONTENT, [MessageSigner(certificate, signer)], signing_time=signing_time)
        assert bouncycastle.ask("cms", raw, "embedded", CONTENT) == "OK 1"
        assert cms_facts.examine(cms.parse(raw), CONTENT).valid


def test_tokens_of_ours_verify(bouncycastle: BouncyCastle):
    """GM/T 0033: SM3 with SM2, ESSCertIDv2 by SM3, algorithm protection."""
    stamper = Stamper(W.tsa.certificate, W.tsa.signer, POLICY, W.chain)
    request = Request(imprint_of(CONTENT), POLICY, 99, wants_certificate=True)
    stamp = Stamp(request.imprint, 12345678901234567890, NOW, 99, timedelta(seconds=1, milliseconds=500))
    token = stamper.stamp(stamp)
    answer = bouncycastle.ask("token", token, W.tsa.certificate.raw)
    expected = f"OK 12345678901234567890 {int(NOW.timestamp()) * 1000} 99 {oids.SM3} {POLICY}"
    assert answer == expected
    assert bouncycastle.ask("response", write_response(token), write_request(request)) == "OK 0 -"
    other = Request(imprint_of(b"other"), POLICY, 99)
    assert bouncycastle.ask("response", write_response(token), write_request(other)).startswith("ERROR")
    assert bouncycastle.ask("token", token, W.doctor.certificate.raw).startswith("ERROR")


def test_tokens_without_certificate_verify(bouncycastle: BouncyCastle):
    """`attachCert` false (四(二)4(4)3)."""
    token = Stamper(W.tsa.certificate, W.tsa.signer, POLICY).stamp(
        Stamp(imprint_of(CONTENT), 1, NOW), attach=False
    )
    assert bouncycastle.ask("token", token, W.tsa.certificate.raw).startswith("OK 1 ")


def test_refusals_of_ours_are_understood(bouncycastle: BouncyCastle):
    """PKIFailureInfo is a named bit list; BouncyCastle counts its bits as DER does."""
    refusal = write_refusal(Failure.TIME_NOT_AVAILABLE, "时钟不可信")
    answer = bouncycastle.ask("response", refusal, write_request(Request(imprint_of(CONTENT))))
    assert answer == f"OK 2 {1 << 9}"
    assert timestamp.parse_response(refusal).failures == (Failure.TIME_NOT_AVAILABLE,)


def test_its_tokens_are_read(bouncycastle: BouncyCastle):
    """Without the certificate inside, as its request did not ask for it."""
    key, raw = bouncycastle.make("make-tsa")
    certificate = certificates.parse(raw)
    assert certificate.signed_by(certificate.key).valid
    (token_raw,) = bouncycastle.make("make-token", key, raw, imprint_of(CONTENT).digest)
    token = timestamp.parse_token(token_raw)
    assert timestamp.examine(token).certificate is None
    facts = timestamp.examine(token, original=CONTENT, nonce=77, known=[certificate])
    assert (facts.signed, facts.bound, facts.imprint_ok, facts.nonce_ok) == (True, True, True, True)
    assert (facts.purpose_ok, facts.certificate_in_time) == (True, True)
    assert facts.token.info.serial == 4711
    assert facts.token.info.accuracy == timedelta(seconds=1)
    assert certificate.valid_at(facts.token.info.gen_time)
