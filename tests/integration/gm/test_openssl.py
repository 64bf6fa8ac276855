"""Certificates and requests judged by OpenSSL's command line, and OpenSSL's read by us."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.pki import NOW, name, world
from yingqiao.gm import certificates, csr, oids
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.signatures import KeyKind, PreImage

DISTID = "distid:1234567812345678"
W = world()
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl; run scripts/peers.sh"),
]


def openssl(*arguments: str | Path, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=content, capture_output=True, timeout=120, check=False
    )


def pem(certificate: Certificate, path: Path) -> Path:
    body = base64.encodebytes(certificate.raw).decode()
    path.write_text(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    named = {"root": W.root, "ca": W.ca, "doctor": W.doctor, "tsa": W.tsa}
    return {key: pem(one.certificate, tmp_path / f"{key}.pem") for key, one in named.items()}


def link(below: Path, above: Path, *options: str) -> bool:
    """OpenSSL 3 gives the id to the certificate asked about only, so each link is judged by itself."""
    at = ["-attime", str(int(NOW.timestamp()))]
    done = openssl("verify", *at, "-partial_chain", "-trusted", above, *options, below)
    return done.returncode == 0


@pytest.mark.parametrize("names", [("doctor", "ca"), ("tsa", "ca"), ("ca", "root")])
def test_the_chain_verifies(files: dict[str, Path], names: tuple[str, str]):
    below, above = (files[one] for one in names)
    assert link(below, above, "-vfyopt", DISTID, "-x509_strict")
    assert not link(below, above)


def test_a_purpose_is_seen(files: dict[str, Path]):
    purpose = ("-vfyopt", DISTID, "-purpose", "timestampsign")
    assert link(files["tsa"], files["ca"], *purpose)
    assert not link(files["doctor"], files["ca"], *purpose)


def test_what_it_prints(files: dict[str, Path]):
    text = openssl(
        "x509", "-in", files["doctor"], "-noout", "-text", "-nameopt", "utf8,sname"
    ).stdout.decode()
    assert "CN=张三" in text
    assert "Digital Signature, Non Repudiation" in text
    assert "URI:http://ca.example/crl/1.crl" in text
    assert "SM2-with-SM3" in text


def test_requests_of_ours_verify():
    raw = csr.build(name("赵六"), W.nurse.certificate.key, W.nurse.signer)
    done = openssl("req", "-inform", "DER", "-verify", "-noout", "-vfyopt", DISTID, content=raw)
    assert b"verify OK" in done.stderr + done.stdout
    forged = csr.build(name("赵六"), W.nurse.certificate.key, W.doctor.signer)
    assert (
        b"verify OK"
        not in openssl("req", "-inform", "DER", "-verify", "-noout", "-vfyopt", DISTID, content=forged).stderr
    )


@pytest.mark.parametrize(("options", "pre_image"), [((DISTID,), PreImage.RULE), ((), PreImage.EMPTY_ID)])
def test_its_certificates_are_read(tmp_path: Path, options: tuple[str, ...], pre_image: PreImage):
    """Self-signed by `req -x509`: with `distid` by the rule, without it over Z of an empty id, which is named."""
    key, out = tmp_path / "key.pem", tmp_path / "certificate.der"
    openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
    signing = [part for option in options for part in ("-sigopt", option)]
    done = openssl(
        *("req", "-x509", "-new", "-key", key, "-sm3", "-subj", "/C=CN/CN=openssl", "-utf8"),
        *("-days", "30", "-outform", "DER", "-out", out, *signing),
    )
    assert done.returncode == 0, done.stderr
    found = certificates.parse(out.read_bytes())
    assert (found.key.kind, found.algorithm) == (KeyKind.SM2, oids.SM2_SM3)
    examined = found.signed_by(found.key)
    assert (examined.pre_image, examined.valid) == (pre_image, pre_image is PreImage.RULE)
    assert found.signed_by(found.key, accepted=frozenset(PreImage)).valid


def test_its_requests_are_read(tmp_path: Path):
    key = tmp_path / "key.pem"
    openssl("ecparam", "-name", "SM2", "-genkey", "-noout", "-out", key)
    done = openssl(
        *("req", "-new", "-key", key, "-sm3", "-subj", "/C=CN/CN=openssl", "-outform", "DER"),
        *("-addext", "keyUsage=digitalSignature", "-sigopt", DISTID),
    )
    found = csr.parse(done.stdout)
    assert found.subject.common_name == "openssl"
    assert [one.oid for one in found.extensions] == [oids.KEY_USAGE]
    assert found.proof().valid
