"""Private keys under a password: EncryptedPrivateKeyInfo with PBES2 (RFC 8018), as OpenSSL, Tongsuo and gmsm write it.

Written with PBKDF2 over HMAC-SM3 and SM4-CBC; read with HMAC-SHA1, -SHA256 and AES-CBC too.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from yingqiao.gm import der
from yingqiao.gm.der import Node
from yingqiao.gm.errors import GmError

PBES2, PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
HMAC_SM3, SM4_CBC = "1.2.156.10197.1.401.2", "1.2.156.10197.1.104.2"
ITERATIONS = 200_000
_MOST_ITERATIONS = 10_000_000
_PRFS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.11": "sha512",
    HMAC_SM3: "sm3",
    "1.2.156.10197.1.401.3.1": "sm3",
}
_AES = "2.16.840.1.101.3.4.1."
_KEY_LENGTHS = {SM4_CBC: 16, _AES + "2": 16, _AES + "22": 24, _AES + "42": 32}
_BLOCK = 16
_LONGEST_SALT = 1024


class Pkcs8Error(GmError):
    """Not such a key, one of another scheme, or the wrong password (`wrong-password`)."""

    code = "pkcs8"


def is_encrypted(raw: bytes) -> bool:
    """Whether DER is an EncryptedPrivateKeyInfo: it begins with an algorithm, a bare key with a version."""
    try:
        first = next(der.parse(raw).walk(), None)
    except der.DerError:
        return False
    return first is not None and first.tag == der.SEQUENCE


def encrypt(pkcs8: bytes, password: bytes, *, iterations: int = ITERATIONS) -> bytes:
    """`pkcs8` (DER) under `password`, in DER."""
    salt, vector = os.urandom(16), os.urandom(_BLOCK)
    padder = padding.PKCS7(8 * _BLOCK).padder()
    encryptor = _cipher(
        SM4_CBC, hashlib.pbkdf2_hmac("sm3", password, salt, iterations, 16), vector
    ).encryptor()
    body = encryptor.update(padder.update(pkcs8) + padder.finalize()) + encryptor.finalize()
    derivation = der.sequence(
        der.write_octets(salt),
        der.write_integer(iterations),
        der.write_algorithm(HMAC_SM3, [der.write_null()]),
    )
    scheme = der.sequence(
        der.write_algorithm(PBKDF2, [derivation]), der.write_algorithm(SM4_CBC, [der.write_octets(vector)])
    )
    return der.sequence(der.write_algorithm(PBES2, [scheme]), der.write_octets(body))


def decrypt(raw: bytes, password: bytes) -> bytes:
    """The PrivateKeyInfo in DER. Raises Pkcs8Error, DerError."""
    outer = der.Fields(der.parse(raw), "加密的私钥")
    scheme, body = der.Fields(outer.take(der.SEQUENCE), "加密方案"), outer.take(der.OCTET_STRING).content
    outer.end()
    if der.oid(scheme.take()) != PBES2:
        raise Pkcs8Error("私钥的加密方案不受支持，应为 PBES2")
    parts = der.Fields(scheme.take(der.SEQUENCE), "PBES2 参数")
    derivation, encryption = parts.take(der.SEQUENCE), der.Fields(parts.take(der.SEQUENCE), "加密算法")
    algorithm, vector = der.oid(encryption.take()), encryption.take(der.OCTET_STRING).content
    length = _KEY_LENGTHS.get(algorithm)
    if length is None or len(vector) != _BLOCK:
        raise Pkcs8Error("私钥的加密算法不受支持，应为 SM4-CBC 或 AES-CBC")
    decryptor = _cipher(algorithm, _derived(derivation, password, length), vector).decryptor()
    remover = padding.PKCS7(8 * _BLOCK).unpadder()
    try:
        plain = remover.update(decryptor.update(body) + decryptor.finalize()) + remover.finalize()
        der.parse(plain)
    except (ValueError, der.DerError) as error:
        raise Pkcs8Error("口令不对，或私钥文件已损坏", code="wrong-password") from error
    return plain


def _derived(node: Node, password: bytes, length: int) -> bytes:
    fields = der.Fields(node, "口令派生")
    if der.oid(fields.take()) != PBKDF2:
        raise Pkcs8Error("私钥的口令派生方式不受支持，应为 PBKDF2")
    inside = der.Fields(fields.take(der.SEQUENCE), "PBKDF2 参数")
    salt, rounds = inside.take(der.OCTET_STRING).content, der.integer(inside.take(der.INTEGER))
    inside.optional(der.INTEGER)
    prf = inside.optional(der.SEQUENCE)
    name = "sha1" if prf is None else _PRFS.get(der.oid(der.Fields(prf, "派生函数").take()))
    if name is None or not 0 < rounds <= _MOST_ITERATIONS or len(salt) > _LONGEST_SALT:
        raise Pkcs8Error("私钥的口令派生参数不受支持")
    return hashlib.pbkdf2_hmac(name, password, salt, rounds, length)


def _cipher(algorithm: str, key: bytes, vector: bytes) -> Cipher[modes.CBC]:
    kind = algorithms.SM4(key) if algorithm == SM4_CBC else algorithms.AES(key)
    return Cipher(kind, modes.CBC(vector))
