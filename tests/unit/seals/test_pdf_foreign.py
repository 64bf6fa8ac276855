"""RSA signatures in PDF files, judged by pyHanko with revocation required (§3.6, D8)."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.helpers import pdfs, pki
from yingqiao.signing.seals.pdf.foreign import judge_foreign
from yingqiao.signing.seals.pdf.model import ForeignVerdict
from yingqiao.signing.verification.report import Indication

CA_KEY, LEAF_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
_CA_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RSA CA")])
_LEAF_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RSA Doctor")])


def certificate(name: x509.Name, key: rsa.RSAPrivateKey, *, ca: bool) -> x509.Certificate:
    usage = [not ca, not ca, False, False, False, ca, ca, False, False]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_CA_NAME)
        .public_key(key.public_key())
        .serial_number(1 if ca else 77)
        .not_valid_before(pki.START)
        .not_valid_after(pki.END)
        .add_extension(x509.KeyUsage(*usage), critical=True)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(CA_KEY, hashes.SHA256())
    )


CA = certificate(_CA_NAME, CA_KEY, ca=True)
LEAF = certificate(_LEAF_NAME, LEAF_KEY, ca=False)


def crl(*, revoked: bool) -> bytes:
    made = x509.CertificateRevocationListBuilder().issuer_name(_CA_NAME)
    made = made.last_update(pki.NOW - timedelta(hours=1)).next_update(pki.NOW + timedelta(days=7))
    if revoked:
        entry = (
            x509.RevokedCertificateBuilder().serial_number(77).revocation_date(pki.NOW - timedelta(days=1))
        )
        made = made.add_revoked_certificate(entry.build())
    return made.sign(CA_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def signed() -> bytes:
    private = LEAF_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = signers.SimpleSigner(
        signing_cert=asn1.Certificate.load(LEAF.public_bytes(Encoding.DER)),
        signing_key=asn1_keys.PrivateKeyInfo.load(private),
        cert_registry=SimpleCertificateStore(),
    )
    meta = signers.PdfSignatureMetadata(field_name="Doctor", md_algorithm="sha256")
    spec = fields.SigFieldSpec("Doctor", box=(20, 20, 120, 60))
    writer = IncrementalPdfFileWriter(io.BytesIO(pdfs.make()))
    return bytes(signers.PdfSigner(meta, signer=signer, new_field_spec=spec).sign_pdf(writer).getvalue())


ROOT = CA.public_bytes(Encoding.DER)


def judged(
    data: bytes, *, roots: tuple[bytes, ...] = (ROOT,), crls: tuple[bytes, ...] = ()
) -> ForeignVerdict:
    return judge_foreign(data, 0, roots=roots, crls=crls, at=pki.NOW)


def test_a_right_one_passes_also_under_our_seal(signed: bytes):
    for data in (signed, pdfs.sealed(signed)):
        found = judged(data, crls=(crl(revoked=False),))
        assert (found.indication, found.number) == (Indication.PASSED, 0), found.words
        assert found.signer == "RSA Doctor"
        assert found.certificate == LEAF.public_bytes(Encoding.DER)


def test_revocation_has_to_be_known(signed: bytes):
    """A certificate that names no address passes under hard-fail: `require` does not let it."""
    found = judged(signed)
    assert (found.indication, found.number) == (Indication.UNKNOWN, 1008)
    found = judged(signed, crls=(crl(revoked=True),))
    assert (found.indication, found.number) == (Indication.FAILED, 1008)
    assert "吊销" in found.words


def test_nobody_is_trusted_by_default(signed: bytes):
    found = judged(signed, roots=(), crls=(crl(revoked=False),))
    assert (found.indication, found.number) == (Indication.UNKNOWN, 1008)
    assert "信任" in found.words


def test_changed_content_fails(signed: bytes):
    changed = signed.replace(b"/MediaBox", b"/MediaBux", 1)
    found = judged(changed, crls=(crl(revoked=False),))
    assert (found.indication, found.number) == (Indication.FAILED, 1010)
