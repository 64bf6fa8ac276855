"""Bare signature values (PKCS#1 of 四(二)4(5)1): the standard's sample, in every form of its key."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.gm_samples import vectors
from tests.helpers.pki import rsa_entity, world
from yingqiao.gm import oids, signatures
from yingqiao.gm.signatures import PreImage

W = world()


def test_the_sample_of_the_standard():
    """四(二)4(5)1: `12345678` under a key of 65 bytes, Z with the default id."""
    sample = vectors()["sm2_pkcs1"][0]
    point, value = base64.b64decode(sample["pubKey_base64"]), base64.b64decode(sample["signValue_base64"])
    message = sample["oriData_utf8"].encode()
    spki = signatures.sm2_key(point).raw
    for key in map(signatures.any_key, (point, point[1:], spki)):
        found = signatures.examine(key, oids.SM2_SM3, message, value)
        assert (found.valid, found.pre_image, found.oddities) == (True, PreImage.RULE, ())
        assert signatures.examine(key, oids.SM2_SM3, b"123", value) == signatures.Examined(valid=False)
        assert not signatures.examine(key, oids.SM2_SM3, message, value[:-1]).valid


@given(st.binary(max_size=200), st.binary(max_size=80))
def test_any_bytes_are_examined(message: bytes, value: bytes):
    assert not signatures.examine(W.doctor.certificate.key, oids.SM2_SM3, message, value).valid
    assert not signatures.examine(rsa_entity()[0].key, oids.SHA256_RSA, message, value).valid


@given(st.binary(max_size=200))
def test_what_is_signed_is_valid(message: bytes):
    value = W.doctor.signer.sign(message)
    assert (
        signatures.examine(W.doctor.certificate.key, oids.SM2_SM3, message, value).pre_image is PreImage.RULE
    )
