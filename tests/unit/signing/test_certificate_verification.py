"""Certificates judged by themselves, what a trust file may hold, policies as data."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from tests.helpers import pki
from tests.helpers.trust import crl_of, pem, trust_in
from yingqiao.gm import cms_writing, crl, der, oids
from yingqiao.gm.errors import GmError
from yingqiao.gm.issuing import Profile
from yingqiao.signing.trust import NOTHING, Role, look_at, read_bundle
from yingqiao.signing.verification.asked import Asked, read_moment, verify_certificates
from yingqiao.signing.verification.certificate import leaves, verify_certificate
from yingqiao.signing.verification.policy import Policy, PolicyError, Weight
from yingqiao.signing.verification.report import Indication, together

W = pki.world()


def said(report):
    return str(report.indication), report.deciding.name, report.deciding.reason


def test_indications():
    doctor = W.doctor.certificate
    assert said(verify_certificate(doctor, trust_in(), pki.NOW)) == ("passed", "complete", "ok")
    assert said(verify_certificate(doctor, NOTHING, pki.NOW)) == ("unknown", "chain", "no-trusted-chain")
    late = verify_certificate(doctor, trust_in(), pki.END + timedelta(days=1))
    assert said(late) == ("failed", "validity", "expired")
    gone = trust_in(None, crl_of(W.ca, crl.Entry(doctor.serial, pki.START)))
    assert said(verify_certificate(doctor, gone, pki.NOW)) == ("failed", "revocation", "revoked")


def test_an_anchor_is_trusted_by_itself():
    assert said(verify_certificate(W.root.certificate, trust_in(), pki.NOW)) == ("passed", "complete", "ok")


def test_intermediates_that_came_along_need_a_list():
    """A CA certificate an operator gave needs none; one that a message brought does."""
    only_root = trust_in([W.root.certificate], crl_of(W.ca))
    report = verify_certificate(W.doctor.certificate, only_root, pki.NOW, pool=[W.ca.certificate])
    assert said(report) == ("unknown", "revocation", "no-crl")
    whole = trust_in([W.root.certificate], crl_of(W.ca), crl_of(W.root))
    again = verify_certificate(W.doctor.certificate, whole, pki.NOW, pool=[W.ca.certificate])
    assert again.indication is Indication.PASSED


def test_a_revoked_ca_takes_its_doctors_with_it():
    lists = (crl_of(W.ca), crl_of(W.root, crl.Entry(W.ca.certificate.serial, pki.START)))
    report = verify_certificate(W.doctor.certificate, trust_in(None, *lists), pki.NOW)
    assert said(report) == ("failed", "revocation", "revoked")


def test_a_chain_asks_about_its_last():
    assert leaves([W.root.certificate, W.ca.certificate, W.doctor.certificate]) == [W.doctor.certificate]
    asked = Asked(trust_in(), pki.NOW)
    reports = verify_certificates(asked, [pem(W.doctor.certificate, *W.chain)])
    assert [str(report.indication) for report in reports] == ["passed"]
    two = verify_certificates(asked, [W.doctor.certificate.raw, b"broken"])
    assert said(two[0]) == ("failed", "format", "unreadable")


def test_several_are_as_good_as_the_worst():
    asked = Asked(trust_in(), pki.NOW)
    stranger = pki.make(Profile.SIGNING, "无名")
    reports = verify_certificates(asked, [W.doctor.certificate.raw, stranger.certificate.raw])
    shown = together(reports, "证书")
    assert shown["indication"] == "unknown"
    assert len(shown["details"]["reports"]) == 2


def test_what_a_trust_file_may_hold():
    """DER, PEM, base64, p7b; a list beside the chain."""
    one, chain = W.doctor.certificate, W.chain
    p7b = cms_writing.content_info(
        oids.PKCS7_SIGNED_DATA,
        der.sequence(
            der.write_integer(1),
            der.set_of([]),
            der.sequence(der.write_oid(oids.PKCS7_DATA)),
            cms_writing.certificate_set(chain, ()),
            der.set_of([]),
        ),
    )
    for raw in (pem(*chain), p7b, base64.b64encode(p7b)):
        assert set(read_bundle(raw).certificates) == set(chain)
    for raw in (one.raw, base64.b64encode(one.raw), pem(one)):
        assert read_bundle(raw).certificates == (one,)
    listed = crl_of(W.ca)
    assert read_bundle(listed.raw).lists[0].raw == listed.raw
    for odd in (b"", b"hello", b"\x30\x00", bytes(50)):
        with pytest.raises(GmError):
            read_bundle(odd)


def test_adding_says_what_is_odd():
    doctor = read_bundle(W.doctor.certificate.raw)
    assert any("不是 CA 证书" in text for text in look_at(doctor, Role.CA, pki.NOW).oddities)
    maker = look_at(read_bundle(pem(*W.chain)), Role.SEAL_MAKER, pki.NOW)
    assert any("它签发的都能制章" in text for text in maker.oddities)
    late = look_at(read_bundle(pem(*W.chain)), Role.CA, pki.END + timedelta(days=1))
    assert sum("不在有效期内" in text for text in late.oddities) == 2


def test_policies_are_data():
    policy = Policy.of({"revocation-missing": "warn", "check-certificate": False, "pre-images": ["rule"]})
    assert policy.revocation_missing is Weight.WARN
    assert policy.shown() == {"revocation-missing": "warn", "check-certificate": False}
    assert Policy.read('raw-form = "fail"\n').raw_form is Weight.FAIL
    assert Policy.read('{"raw-form": "fail"}').raw_form is Weight.FAIL
    for odd in (
        {"nothing": "warn"},
        {"raw-form": "perhaps"},
        {"check-certificate": "yes"},
        {"pre-images": 1},
    ):
        with pytest.raises(PolicyError):
            Policy.of(odd)
    with pytest.raises(PolicyError):
        Policy.read("not = toml = at all")


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-03-01T12:00:00+08:00", 4), ("2026-03-01 12:00:00", 4), ("2026-03-01T12:00:00Z", 12)],
)
def test_times_as_people_write_them(text: str, hour: int):
    """Without a zone it is Beijing's."""
    assert read_moment(text).hour == hour
    with pytest.raises(ValueError, match="应写作"):
        read_moment("yesterday")
