"""SM4 in ECB mode with PKCS#7 padding, as clause 三(六) wants it (Java calls the padding PKCS5)."""

from __future__ import annotations

import threading
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from yingqiao.gm.errors import GmError

BLOCK = 16
KEY_LENGTH = 16
_PADDING = tuple(bytes([n]) * n for n in range(BLOCK + 1))


class Sm4Error(GmError):
    """Key, cipher text or padding cannot be right; the text never quotes the data."""

    code = "sm4"


def parse_key(hex_key: str) -> bytes:
    """A key written as 32 hex digits (三(六), T06). Raises Sm4Error."""
    try:
        key = bytes.fromhex(hex_key.strip())
    except ValueError as error:
        raise Sm4Error("SM4 密钥应为 32 位十六进制", code="sm4-key") from error
    if len(key) != KEY_LENGTH:
        raise Sm4Error(f"SM4 密钥应为 32 位十六进制，实为 {2 * len(key)} 位", code="sm4-key")
    return key


def encrypt_ecb(key: bytes, plain: bytes) -> bytes:
    """Cipher text of `plain`, padded to whole blocks of 16 bytes. Raises Sm4Error on a key
    that is not 16 bytes.
    """
    encryptor = _cipher(key).encryptor()
    padding = _PADDING[BLOCK - len(plain) % BLOCK]
    return encryptor.update(plain + padding) + encryptor.finalize()


def decrypt_ecb(key: bytes, cipher: bytes) -> bytes:
    """The plain bytes without padding. Raises Sm4Error when length or padding is wrong
    (mostly: the wrong key).
    """
    if not cipher or len(cipher) % BLOCK:
        raise Sm4Error(f"密文 {len(cipher)} 字节，不是 {BLOCK} 字节的整数倍", code="sm4-size")
    plain = _mine.decryptor(key).update(cipher)
    count = plain[-1]
    if not 1 <= count <= BLOCK or not plain.endswith(_PADDING[count]):
        raise Sm4Error("填充不对：密钥不符或密文损坏", code="sm4-padding")
    return plain[:-count]


def decrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """Whole blocks deciphered each by itself, padding and all: a look at a part of a message.

    Raises Sm4Error when they are not whole.
    """
    if len(blocks) % BLOCK:
        raise Sm4Error(f"{len(blocks)} 字节不是 {BLOCK} 字节的整数倍", code="sm4-size")
    return _mine.decryptor(key).update(blocks)


def check_value(key: bytes) -> str:
    """The first 6 hex digits of SM4(key, zeros): names a key in lists and logs, reveals none of it."""
    return _cipher(key).encryptor().update(bytes(BLOCK))[:3].hex().upper()


class _Decryptors(threading.local):
    """A thread's decryptors. In ECB whole blocks leave no state behind: one serves every message of its key."""

    def __init__(self) -> None:
        self.decryptor = lru_cache(maxsize=1024)(_new_decryptor)


def _new_decryptor(key: bytes) -> CipherContext:
    return _cipher(key).decryptor()


_mine = _Decryptors()


@lru_cache(maxsize=4096)
def _cipher(key: bytes) -> Cipher[modes.ECB]:
    if len(key) != KEY_LENGTH:
        raise Sm4Error(f"SM4 密钥应为 {KEY_LENGTH} 字节，实为 {len(key)} 字节", code="sm4-key")
    return Cipher(SM4(key), modes.ECB())  # noqa: S305 -- the standard prescribes ECB (三(六))
