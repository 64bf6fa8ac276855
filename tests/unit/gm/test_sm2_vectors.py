"""SM2 known answers: GM/T 0003.5 annex A, the standard's PKCS#1 and PKCS#7 samples (四(二)4(5)), key services abroad."""

from base64 import b64decode

import pytest

from tests.helpers import sm2_reference as reference
from yingqiao.gm import sm2, sm3
from yingqiao.gm.sm2_cipher import Layout

D = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
POINT = bytes.fromhex(
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
E = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
RAW = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
CIPHER = bytes.fromhex(
    "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
    "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
    "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
    "21886CA989CA9C7D58087307CA93092D651EFA"
)
CIPHER_DER = bytes.fromhex(
    "307C022004EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
    "022100E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
    "042059983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
    "041321886CA989CA9C7D58087307CA93092D651EFA"
)


def test_the_standards_signature():
    private = sm2.PrivateKey.from_scalar(D)
    public = private.public()
    assert public.point == POINT
    assert sm2.z(public, sm2.DEFAULT_ID).hex() == Z
    e = sm2.digest_for(public, b"message digest", sm2.DEFAULT_ID)
    assert e.hex() == E
    der = sm2.raw_to_der(RAW)
    assert sm2.verify(public, b"message digest", der)
    assert sm2.verify_digest(public, e, der)
    assert not sm2.verify(public, b"message digesT", der)
    r, s = reference.sign(int.from_bytes(D, "big"), e, K)
    assert reference.b32(r) + reference.b32(s) == RAW == sm2.der_to_raw(der)
    fresh = sm2.sign(private, b"message digest")
    assert sm2.verify(public, b"message digest", fresh)
    assert fresh != der


def test_the_standards_encryption():
    private = sm2.PrivateKey.from_scalar(D)
    assert sm2.decrypt(private, CIPHER, layout=Layout.C1C3C2) == b"encryption standard"
    assert sm2.decrypt(private, CIPHER_DER) == b"encryption standard"


def test_the_pkcs1_sample_of_the_standard():
    point = b64decode(
        "BGgWZ3WCFwa9CivPXkOhmg63L0mGh+xRHWJiu6MYHl+UfK+AGFTeMjxGQAegT1lA3Qbb5wgxO1OMLUdoP+cWlp4="
    )
    signature = b64decode(
        "MEUCIQCk5k/prtWmfqTTmOW46pNZO4WBk2GgR/RUehmR6DTTwAIgaosAUqZ9gTm8cv3hDshpSypV1Q8ud/C5mGXJSBkn8/8="
    )
    for form in (point, point[1:]):
        assert sm2.verify(sm2.PublicKey.from_point(form), b"12345678", signature)
    assert not sm2.verify(sm2.PublicKey.from_point(point), b"123", signature)


def test_the_pkcs7_sample_signs_123_and_not_12345678():
    public = sm2.PublicKey.from_point(
        bytes.fromhex(
            "f75f009c54a502b1744e1d1ea9e3095e6a46cbda7150d7aaba5c8bc2a1e44718"
            "af32864cd8d4f6e7a8f15c7f35022d7c4ba9d9ae585b3268f1f08a226e9bd795"
        )
    )
    signature = b64decode(
        "MEQCICdtmLnSCLTyPwK8BkBMWM/4csLAgq1EeKifxnMtHSa6AiAoka17bIo1OKvrIXLCkV2qEL0zKtq8giZEbMkPPrYpfA=="
    )
    assert sm2.verify(public, b"123", signature)
    assert not sm2.verify(public, b"12345678", signature)


@pytest.mark.parametrize(
    ("spki", "signature"),
    [
        (
            (
                "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAERrsLH25zLm2LIo6tivZM9afLprSX"
                "6TCKAmQJArAO7VOtZyW4PQwfaTsUIF7IXEFG4iI8bNuTQwMykUzLu2ypEA=="
            ),
            "MEUCIHV5hOCgYzlO4HkrUhct1Cc8BeKmbXNP+ASje5rGOcCYAiEA2XOajXo3/IihtCEJmNpImtWw3uHIy5CX5TIxit7V0gQ=",
        ),
        (
            (
                "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAENpoOih+9ASfmKYx5lK5mLsrUK3Am"
                "B6kLUsqHlVyglXgoMEwo8Sr8xb/Q3gDMNnd7Wyp2bJE9ksb60ansO4QaKg=="
            ),
            "MEQCIGK8rWDJw5K7a6RZP5pDii8iqY3yLmavaXpkl7aDLORqAiAlMiiSvp7OJYBCJmzmwadBiBhdBnCCfIdjiWhXHX9xcw==",
        ),
    ],
    ids=["aliyun", "huawei"],
)
def test_key_services_sign_a_digest_as_e(spki, signature):
    """The two key services' signatures over e = SM3("abc"), as published with gmsm's tests (MIT)."""
    public, der, e = sm2.PublicKey.from_spki(b64decode(spki)), b64decode(signature), sm3.digest(b"abc")
    assert sm2.verify_digest(public, e, der)
    assert not sm2.verify(public, b"abc", der)
    assert sm2.recognise(public, e, der) is None
    found = sm2.recognise(public, e, der, pre_images=tuple(sm2.PreImage))
    assert found == sm2.Convention(sm2.PreImage.MESSAGE_IS_E, sm2.Form.DER)


def test_the_self_test_names_the_version():
    assert sm2.self_test().startswith("OpenSSL 3") or sm2.self_test().startswith("OpenSSL 4")
