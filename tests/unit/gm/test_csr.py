"""Certificate requests (PKCS#10): ours read by `cryptography`, its read by us, possession proved."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from tests.helpers.pki import name, rsa_key, world
from yingqiao.gm import csr, der, oids
from yingqiao.gm.csr import RequestError
from yingqiao.gm.signatures import KeyKind, PreImage

W = world()


def test_ours():
    raw = csr.build(name("赵六"), W.nurse.certificate.key, W.nurse.signer)
    found = csr.parse(raw)
    assert (found.subject.common_name, found.key) == ("赵六", W.nurse.certificate.key)
    assert found.proof().pre_image is PreImage.RULE
    other = x509.load_der_x509_csr(raw)
    assert other.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "赵六"


def test_possession_is_proved():
    raw = csr.build(name("赵六"), W.nurse.certificate.key, W.doctor.signer)
    assert not csr.parse(raw).proof().valid


def test_a_foreign_rsa_request_with_extensions():
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    found = csr.parse(builder.sign(rsa_key(), hashes.SHA256()).public_bytes(_der()))
    assert found.key.kind is KeyKind.RSA
    assert [one.oid for one in found.extensions] == [oids.BASIC_CONSTRAINTS]
    assert found.proof().valid


def test_refusals():
    raw = csr.build(name("赵六"), W.nurse.certificate.key, W.nurse.signer)
    version = raw.index(b"\x02\x01\x00")
    with pytest.raises(RequestError):
        csr.parse(raw[: version + 2] + b"\x01" + raw[version + 3 :])
    with pytest.raises(der.DerError):
        csr.parse(W.nurse.certificate.raw)


def _der():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER
