"""verifyTS: each result code, the order between them, the standard's samples (四(二)4(4), T134–T137)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.gm_samples import token_samples
from tests.helpers.pki import END, NOW, POLICY, START, make, world
from yingqiao.gm import issuing, timestamp
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.timestamp import TimestampError
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of, write_refusal, write_response
from yingqiao.signing import tsa
from yingqiao.signing.timestamps import VerifyRes, verify, verify_text
from yingqiao.signing.tsa import Tsa

W = world()
DATA = "影像报告".encode()


@dataclass
class Trust:
    anchors: Sequence[Certificate] = (W.root.certificate,)
    others: Sequence[Certificate] = (W.ca.certificate,)
    revoked_at: datetime | None = None

    def roots(self) -> Sequence[Certificate]:
        return self.anchors

    def known(self) -> Sequence[Certificate]:
        return self.others

    def revoked(self, certificate: Certificate, issuer: Certificate, at: datetime) -> bool:
        return self.revoked_at is not None and certificate == W.tsa.certificate and at >= self.revoked_at


class _Always(Certificate):
    """A certificate that lets itself be stamped with at any time, for tokens that are wrong in their time alone."""

    def valid_at(self, moment: datetime) -> bool:
        return True


def token(at: datetime = NOW, *, attach: bool = True, data: bytes = DATA) -> bytes:
    stamper = Stamper(W.tsa.certificate, W.tsa.signer, POLICY)
    fields = {name: getattr(W.tsa.certificate, name) for name in Certificate.__slots__}
    stamper.certificate = _Always(**fields)
    return stamper.stamp(Stamp(imprint_of(data), 7, at), attach=attach)


def code(raw: bytes, trust: Trust | None = None, data: bytes = DATA) -> str:
    return str(verify(data, raw, trust or Trust()).code)


def flipped(raw: bytes) -> bytes:
    """Its signature value wrong in the last byte."""
    return raw[:-1] + bytes((raw[-1] ^ 1,))


def test_valid():
    """1, as a token, as a response, with and without a certificate when it is known."""
    assert code(token()) == "1"
    assert code(write_response(token())) == "1"
    known = Trust(others=(W.ca.certificate, W.tsa.certificate))
    assert code(token(attach=False), known) == "1"
    assert verify_text(DATA, base64.b64encode(token()).decode(), Trust()).code is VerifyRes.VALID


def test_expired_since_is_no_matter():
    """At the ends of the validity, both inside."""
    assert code(token(START)) == "1"
    assert code(token(END)) == "1"


@pytest.mark.parametrize("raw", [b"", b"0", b"\x30\x00", b"\x30\x80\x00\x00", flipped(token())])
def test_minus_1_broken(raw: bytes):
    assert code(raw) == "-1"


def test_minus_1_of_purpose_and_refusals():
    """A response that refuses holds no token."""
    assert code(write_refusal(timestamp.Failure.BAD_REQUEST, "不")) == "-1"
    with pytest.raises(TimestampError):
        Stamper(W.doctor.certificate, W.doctor.signer, POLICY)


def test_minus_2_other_original():
    """The bytes exactly as sent: base64 text is not its content."""
    assert code(token(), data=DATA + b" ") == "-2"
    assert code(token(), data=base64.b64encode(DATA)) == "-2"


def test_minus_3_not_trusted_or_revoked():
    other = make(issuing.Profile.CA, "别家的根")
    assert code(token(), Trust(anchors=(other.certificate,))) == "-3"
    assert code(token(), Trust(anchors=())) == "-3"
    assert code(token(), Trust(revoked_at=NOW - timedelta(days=1))) == "-3"
    assert code(token(), Trust(revoked_at=NOW + timedelta(days=1))) == "1"


def test_minus_4_and_6_outside_validity():
    assert code(token(START - timedelta(seconds=1))) == "-4"
    assert code(token(END + timedelta(seconds=1))) == "-6"


def test_minus_5_no_certificate():
    assert code(token(attach=False)) == "-5"


def test_the_order():
    """-5 before -1 before -2 before -3 before -4 and -6 (gm-signing 2.5)."""
    nobody = Trust(anchors=(), others=())
    assert code(flipped(token(attach=False)), nobody, b"other") == "-5"
    assert code(flipped(token()), nobody, b"other") == "-1"
    early = token(START - timedelta(days=1))
    assert code(early, nobody, b"other") == "-2"
    assert code(early, nobody) == "-3"
    assert code(early) == "-4"


@pytest.mark.parametrize("raw", token_samples(), ids=["verifyTS", "createAndGetTssInfo"])
def test_the_samples_of_the_standard(raw: bytes):
    """Part C of the errata, T134: over `test`. Their certificate's binding is misprinted, so it must be trusted itself."""
    certificate = timestamp.parse_token(raw).message.certificates[0]
    trusted = Trust(anchors=(certificate,))
    assert code(raw, trusted, b"test") == "1"
    assert code(raw, trusted, b"Test") == "-2"
    assert code(raw, Trust(anchors=()), b"test") == "-1"


def test_our_own_authority():
    """Made at the first start: stamped, read, verified under its root alone."""
    key = tsa.make("影桥", NOW)
    made = Tsa(key, tsa.DEFAULT_POLICY, timedelta(seconds=1))
    raw, imprint = made.stamp(DATA, 5, NOW, attach=True)
    trust = Trust(anchors=key.chain, others=())
    assert code(raw, trust) == "1"
    info = timestamp.parse_token(raw).info
    assert (info.serial, info.gen_time, info.imprint.digest) == (5, NOW, imprint)
    assert (info.policy, info.accuracy) == (tsa.DEFAULT_POLICY, timedelta(seconds=1))
    with pytest.raises(TimestampError, match="有效期"):
        made.stamp(DATA, 6, NOW + timedelta(days=4000), attach=True)


def test_importing():
    """Key and certificate must be a pair, and the certificate for time stamps."""
    key = tsa.imported(W.tsa.private.to_pkcs8(), W.tsa.certificate.raw, [W.ca.certificate.raw])
    assert key.chain == (W.ca.certificate,)
    for private, certificate in ((W.ca.private, W.tsa.certificate), (W.doctor.private, W.doctor.certificate)):
        with pytest.raises(TimestampError):
            tsa.imported(private.to_pkcs8(), certificate.raw)


SAMPLE = token()


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_a_byte_changed_is_never_valid_or_crashes(at: int, by: int):
    """Property: what is under the signature cannot be changed; what is around it may only be noticed."""
    changed = bytearray(SAMPLE)
    changed[at] ^= by
    verdict = verify(DATA, bytes(changed), Trust())
    if verdict.code is VerifyRes.VALID:
        facts = verdict.facts
        assert facts is not None
        assert facts.token.info == timestamp.parse_token(SAMPLE).info
