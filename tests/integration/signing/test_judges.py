"""What OpenSSL and BouncyCastle make, judged by us; what they refuse, refused by us."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers import pki
from tests.helpers.trust import crl_of, pem, trust_in
from tests.peers.bouncycastle import BouncyCastle
from yingqiao.gm import crl
from yingqiao.gm.crl import RevocationList
from yingqiao.gm.timestamp_writing import imprint_of
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.asked import Asked, verify_signed, verify_stamped
from yingqiao.signing.verification.report import Indication

W = pki.world()
DATA = "影像诊断".encode()
pytestmark = pytest.mark.peer


def openssl(*arguments: str | Path) -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=30, check=True)
    return done.stdout


@pytest.fixture
def signed_by_openssl(tmp_path: Path):
    """A doctor's key in a file, and what OpenSSL signs with it."""
    (tmp_path / "key.der").write_bytes(W.doctor.private.to_pkcs8())
    (tmp_path / "data").write_bytes(DATA)

    def sign(*options: str) -> bytes:
        key = ("-inkey", tmp_path / "key.der", "-keyform", "DER")
        return openssl(
            "pkeyutl", "-sign", "-rawin", "-digest", "sm3", *key, "-in", tmp_path / "data", *options
        )

    return sign


def test_signatures_by_openssl(signed_by_openssl):
    asked, certificate = Asked(trust_in(), pki.NOW), pem(W.doctor.certificate)
    right = signed_by_openssl("-pkeyopt", "distid:1234567812345678")
    report = verify_signed(asked, signature=right, content=DATA, certificate=certificate)
    assert report.indication is Indication.PASSED
    bare = signed_by_openssl()
    wrong = verify_signed(asked, signature=bare, content=DATA, certificate=certificate)
    assert wrong.deciding.reason == "user-id"


@pytest.mark.parametrize("form", ["der", "ber", "direct der", "direct ber"])
def test_messages_by_bouncycastle(bouncycastle: BouncyCastle, form: str):
    """CMS of another writer: with and without signed attributes, DER and BER of indefinite length."""
    key, certificate = W.doctor.private.to_pkcs8(), W.doctor.certificate.raw
    (made,) = bouncycastle.make("make-cms", key, certificate, DATA, form)
    asked = Asked(trust_in(), pki.NOW)
    assert verify_signed(asked, signature=made, content=DATA).indication is Indication.PASSED
    assert verify_signed(asked, signature=made, content=b"other").indication is Indication.FAILED


def test_tokens_and_lists_by_bouncycastle(bouncycastle: BouncyCastle):
    """A token of now, and a list that revokes the doctor."""
    key, certificate = W.tsa.private.to_pkcs8(), W.tsa.certificate.raw
    (token,) = bouncycastle.make("make-token", key, certificate, imprint_of(DATA).digest)
    now = datetime.now(UTC)
    given = [*W.chain, W.tsa.certificate]  # it attaches no certificate unless asked
    asked = Asked(trust_in(given, crl_of(W.ca, at=now)), now)
    found = {step.name: step.reason for step in verify_stamped(asked, token, DATA).steps}
    assert {name for name, reason in found.items() if reason != "ok"} <= {"binding"}, found
    assert verify_stamped(asked, token, b"other").indication is Indication.FAILED
    key, issuer = W.ca.private.to_pkcs8(), W.ca.certificate.raw
    (raw,) = bouncycastle.make("make-crl", key, issuer, W.doctor.certificate.serial)
    listed: RevocationList = crl.parse(raw)
    trust: Trust = trust_in(None, listed)
    answer = trust.revocation(W.doctor.certificate, W.ca.certificate, listed.this_update, ())
    assert answer.state is crl.State.REVOKED
