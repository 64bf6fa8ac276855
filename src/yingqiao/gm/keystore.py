"""Secrets at rest: sealed with AES-256-GCM under a master key, bound to what they are for.

A sealed secret is `YQ` | format version (1 byte) | master key id (4 bytes) | nonce (12) |
cipher text and tag.
Everything before the nonce and the caller's context are authenticated, so a secret cannot be moved to another
hospital. The key id tells which master key opens it, so a master key can be replaced while
old seals stay readable.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_LENGTH = 32
_MAGIC = b"YQ"
_VERSION = 1
_HEADER = len(_MAGIC) + 1 + 4
_NONCE = 12
_TAG = 16


class KeystoreError(Exception):
    """A secret cannot be sealed or unsealed; the text never quotes secret bytes."""


class MasterKey:
    """The key that seals secrets; `retired` keys still unseal what they sealed."""

    def __init__(self, raw: bytes, retired: Iterable[bytes] = ()) -> None:
        """`raw` and each of `retired` are 32 bytes. Raises KeystoreError."""
        self.key_id = _key_id(raw)
        self._ciphers = {_key_id(key): AESGCM(key) for key in (*retired, raw)}

    def seal(self, plain: bytes, context: bytes | str) -> bytes:
        """`plain` sealed under this key for `context` (which must be given again to unseal)."""
        header = _MAGIC + bytes([_VERSION]) + self.key_id
        nonce = os.urandom(_NONCE)
        return header + nonce + self._ciphers[self.key_id].encrypt(nonce, plain, header + _bytes(context))

    def unseal(self, sealed: bytes, context: bytes | str) -> bytes:
        """The secret. Raises KeystoreError on another master key, another context or damaged bytes."""
        cipher = self._ciphers.get(_read_key_id(sealed))
        if cipher is None:
            raise KeystoreError("sealed under a master key that is not here")
        header, nonce, body = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
        try:
            return cipher.decrypt(nonce, body, header + _bytes(context))
        except InvalidTag as error:
            raise KeystoreError("sealed for another context, or damaged") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` is under this key and not a retired one. Raises KeystoreError
        when it is no seal.
        """
        return _read_key_id(sealed) == self.key_id


def new_master_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_LENGTH)


def _key_id(raw: bytes) -> bytes:
    if len(raw) != KEY_LENGTH:
        raise KeystoreError(f"a master key has {KEY_LENGTH} bytes, not {len(raw)}")
    return hashlib.sha256(b"yingqiao master key id\0" + raw).digest()[:4]


def _read_key_id(sealed: bytes) -> bytes:
    if len(sealed) < _HEADER + _NONCE + _TAG or not sealed.startswith(_MAGIC):
        raise KeystoreError("not a sealed secret")
    if sealed[len(_MAGIC)] != _VERSION:
        raise KeystoreError(f"sealed in format {sealed[len(_MAGIC)]}, known is {_VERSION}")
    return sealed[len(_MAGIC) + 1 : _HEADER]


def _bytes(context: bytes | str) -> bytes:
    return context.encode() if isinstance(context, str) else context
