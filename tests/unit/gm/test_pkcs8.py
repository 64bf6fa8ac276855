"""Private keys under a password (RFC 8018), also as OpenSSL writes them."""

import subprocess

import pytest

from yingqiao.gm import der, pkcs8, sm2
from yingqiao.gm.errors import GmError
from yingqiao.gm.pkcs8 import Pkcs8Error

KEY = sm2.generate()
PLAIN = KEY.to_pkcs8()


def test_there_and_back():
    sealed = pkcs8.encrypt(PLAIN, b"secret", iterations=1000)
    assert pkcs8.is_encrypted(sealed)
    assert not pkcs8.is_encrypted(PLAIN)
    assert not pkcs8.is_encrypted(b"\x30\x00")
    assert not pkcs8.is_encrypted(b"")
    assert pkcs8.decrypt(sealed, b"secret") == PLAIN


def test_the_wrong_password_has_a_code_of_its_own():
    sealed = pkcs8.encrypt(PLAIN, b"secret", iterations=1000)
    with pytest.raises(Pkcs8Error) as caught:
        pkcs8.decrypt(sealed, b"Secret")
    assert caught.value.code == "wrong-password"


@pytest.mark.parametrize(
    "options", [["-v2", "sm4-cbc"], ["-v2", "aes-256-cbc"], ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"]]
)
def test_openssl_s_are_read(options: list[str]):
    command = [
        "openssl",
        "pkcs8",
        "-topk8",
        "-inform",
        "DER",
        "-outform",
        "DER",
        "-passout",
        "pass:secret",
        *options,
    ]
    done = subprocess.run(command, input=PLAIN, capture_output=True, check=True)
    assert sm2.PrivateKey.from_pkcs8(pkcs8.decrypt(done.stdout, b"secret")).public() == KEY.public()


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_damaged_ones_are_refused(at: int):
    sealed = bytearray(pkcs8.encrypt(PLAIN, b"secret", iterations=1000))
    sealed[at] ^= 0x55
    try:
        found = pkcs8.decrypt(bytes(sealed), b"secret")
    except GmError:
        found = b""
    assert found != PLAIN


def test_costs_beyond_reason_are_refused():
    salt = der.sequence(der.write_octets(b"salt"), der.write_integer(1 << 40))
    scheme = der.sequence(
        der.write_algorithm(pkcs8.PBKDF2, [salt]),
        der.write_algorithm(pkcs8.SM4_CBC, [der.write_octets(bytes(16))]),
    )
    raw = der.sequence(der.write_algorithm(pkcs8.PBES2, [scheme]), der.write_octets(bytes(16)))
    with pytest.raises(Pkcs8Error):
        pkcs8.decrypt(raw, b"secret")
