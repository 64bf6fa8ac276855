"""SM2 encryption (GM/T 0003.4, GB/T 32918.4) with SM3: C1 ‖ C3 ‖ C2 or the DER SM2Cipher of GM/T 0009."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_size_t
from enum import StrEnum
from typing import Any

from yingqiao.gm.curve import POINT_SIZE, SIZE, Sm2Error
from yingqiao.gm.libcrypto import libcrypto
from yingqiao.gm.sm2_der import Cipher, decode_cipher, encode_cipher
from yingqiao.gm.sm2_keys import Handle, PrivateKey, PublicKey

LONGEST = 1 << 20
"""Bytes of plain text at most: SM2 carries keys, not documents."""


class Layout(StrEnum):
    """How a cipher text is written."""

    DER = "der"
    C1C3C2 = "c1c3c2"


def encrypt(public: PublicKey, plain: bytes, *, layout: Layout = Layout.DER) -> bytes:
    """1 byte to 1 MiB for `public`. Raises Sm2Error `plain-size`, LibcryptoError."""
    if not 0 < len(plain) <= LONGEST:
        raise Sm2Error("plain-size", "SM2 加密的明文应为 1 字节到 1 MiB")
    while True:
        der = _run(public.handle, "encrypt", plain)
        cipher = decode_cipher(der)
        if cipher.body != plain:  # a key stream of zeros: the standard draws again
            break
    if layout is Layout.DER:
        return encode_cipher(cipher)
    return cipher.point + cipher.digest + cipher.body


def decrypt(private: PrivateKey, cipher: bytes, *, layout: Layout = Layout.DER) -> bytes:
    """The plain bytes. Raises Sm2Error `cipher-form`, `cipher-wrong` (another key, or damaged)."""
    parts = decode_cipher(bytes(cipher)) if layout is Layout.DER else _split(bytes(cipher))
    try:
        plain = _run(private.handle, "decrypt", encode_cipher(parts))
    except Sm2Error as error:
        raise Sm2Error("cipher-wrong", "SM2 密文不是给这把密钥的，或已损坏") from error
    if plain == parts.body:
        raise Sm2Error("cipher-wrong", "SM2 密文的密钥流全为零")
    return plain


def _split(raw: bytes) -> Cipher:
    if len(raw) <= POINT_SIZE + SIZE or raw[0] != 4:
        raise Sm2Error("cipher-form", "SM2 密文应为 C1‖C3‖C2，以 04 开头")
    return Cipher(raw[:POINT_SIZE], raw[POINT_SIZE : POINT_SIZE + SIZE], raw[POINT_SIZE + SIZE :])


def _run(handle: Handle, operation: str, data: bytes) -> bytes:
    lib, length = libcrypto(), c_size_t(0)
    with handle.context(operation) as context:
        function: Any = getattr(lib, f"EVP_PKEY_{operation}")
        done = function(context, None, byref(length), data, len(data))
        if done == 1:
            buffer = ctypes.create_string_buffer(length.value)
            done = function(context, buffer, byref(length), data, len(data))
    if done != 1:
        lib.ERR_clear_error()
        raise Sm2Error("cipher-wrong", "OpenSSL 没有完成 SM2 运算")
    plain = buffer.raw[: length.value]
    lib.OPENSSL_cleanse(buffer, len(buffer))
    return plain
