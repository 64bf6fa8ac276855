"""SM4/ECB/PKCS5 and its known answers (三(六), 三(八))."""

import contextlib

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.gm import sm4

KEY = sm4.parse_key("2a77be8ebc9c90cd25ccd1d31dce7a77")


def test_printed_vector():
    """三(八): the sample's compact JSON encrypts exactly (C-01)."""
    plain = '{"patientName":"张三","patientId":"Test123456"}'.encode()
    printed = "laoxZiinrHrTUa1tythils6bY9/PaMJpAdm7xoKwHx0KbPEea+Am911ApbxJwJLy4QI6Vq1xoMTGEWqoUvOzOQ=="
    assert pybase64.b64encode(sm4.encrypt_ecb(KEY, plain)).decode() == printed
    assert sm4.decrypt_ecb(KEY, pybase64.b64decode(printed)) == plain


def test_block_vector_of_gb_t_32907():
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert sm4.encrypt_ecb(key, key)[:16].hex() == "681edf34d206965e86b3e94f536e4246"


def test_check_value_is_the_head_of_encrypted_zeros():
    assert sm4.check_value(KEY) == sm4.encrypt_ecb(KEY, bytes(16))[:3].hex().upper()


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_what_is_encrypted_is_decrypted(plain: bytes, key: bytes):
    assert sm4.decrypt_ecb(key, sm4.encrypt_ecb(key, plain)) == plain


@given(st.binary(max_size=64))
def test_any_bytes_are_decrypted_or_refused(cipher: bytes):
    with contextlib.suppress(sm4.Sm4Error):
        sm4.decrypt_ecb(KEY, cipher)


@pytest.mark.parametrize("text", ["", "2a77", "zz" * 16, "2a" * 17])
def test_a_key_is_32_hex_digits(text: str):
    """T06."""
    with pytest.raises(sm4.Sm4Error):
        sm4.parse_key(text)


def test_a_short_key_is_refused():
    with pytest.raises(sm4.Sm4Error):
        sm4.encrypt_ecb(b"short", b"x")
