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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yingqiao.gm.errors import GmError

KEY_LENGTH = 32
_MAGIC = b"YQ"
_VERSION = 1
_HEADER = len(_MAGIC) + 1 + 4
_NONCE = 12
_TAG = 16
KEY_ID_AT, KEY_ID_LENGTH = len(_MAGIC) + 1, 4
"""Where in a sealed secret the id of its master key stands."""

Follow = Callable[[bool], Sequence[bytes] | None]
"""The master keys when they changed, the one that seals first; None when they did not, or cannot be had. Asked with
False before something is sealed (cheap), with True when a secret is sealed under a key that is not here."""


class KeystoreError(GmError):
    """A secret cannot be sealed or unsealed; the text never quotes secret bytes.

    Codes: `master-key`, `key-unknown`, `seal-damaged`, `not-sealed`, `seal-format`.
    """

    code = "keystore"


@dataclass(frozen=True, slots=True, repr=False)
class _Ring:
    current: bytes
    ciphers: Mapping[bytes, AESGCM]

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> _Ring:
        """The first seals. Raises KeystoreError."""
        ciphers: dict[bytes, AESGCM] = {}
        for raw in keys:
            identifier = key_id(raw)
            if identifier in ciphers:
                raise KeystoreError("同一主密钥出现两次", code="master-key")
            ciphers[identifier] = AESGCM(raw)
        if not ciphers:
            raise KeystoreError("没有主密钥", code="master-key")
        return cls(next(iter(ciphers)), ciphers)


class MasterKey:
    """The key that seals secrets; `retired` keys still unseal what they sealed. Safe from any thread."""

    def __init__(self, raw: bytes, retired: Iterable[bytes] = (), follow: Follow | None = None) -> None:
        """`raw` and each of `retired` are 32 bytes; `follow` tells of keys changed since. Raises KeystoreError."""
        self._ring = _Ring.of((raw, *retired))
        self._follow = follow

    @property
    def key_id(self) -> bytes:
        """Of the key that seals now, 4 bytes."""
        return self._ring.current

    @property
    def key_ids(self) -> tuple[bytes, ...]:
        """Of all keys here, the one that seals first."""
        return tuple(self._ring.ciphers)

    def seal(self, plain: bytes, context: bytes | str) -> bytes:
        """`plain` sealed under this key for `context` (which must be given again to unseal)."""
        self._look(urgent=False)
        ring = self._ring
        header = _MAGIC + bytes([_VERSION]) + ring.current
        nonce = os.urandom(_NONCE)
        return header + nonce + ring.ciphers[ring.current].encrypt(nonce, plain, header + _bytes(context))

    def unseal(self, sealed: bytes, context: bytes | str) -> bytes:
        """The secret. Raises KeystoreError on another master key, another context or damaged bytes."""
        identifier = sealed_by(sealed)
        if identifier not in self._ring.ciphers:
            self._look(urgent=True)
        cipher = self._ring.ciphers.get(identifier)
        if cipher is None:
            raise KeystoreError(f"由主密钥 {identifier.hex()} 封存，这里没有它", code="key-unknown")
        header, nonce, body = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
        try:
            return cipher.decrypt(nonce, body, header + _bytes(context))
        except InvalidTag as error:
            raise KeystoreError("封存的内容属于别处，或已损坏", code="seal-damaged") from error

    def reseal(self, sealed: bytes, context: bytes | str) -> bytes:
        """The same secret under the key that seals now, proved to open. Raises KeystoreError."""
        plain = self.unseal(sealed, context)
        anew = self.seal(plain, context)
        if self.unseal(anew, context) != plain:
            raise KeystoreError("重新封存后打不开", code="seal-damaged")
        return anew

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` is under this key and not a retired one. Raises KeystoreError
        when it is no seal.
        """
        return sealed_by(sealed) == self._ring.current

    def _look(self, *, urgent: bool) -> None:
        changed = self._follow(urgent) if self._follow is not None else None
        if changed:
            self._ring = _Ring.of(changed)


def new_master_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_LENGTH)


def key_id(raw: bytes) -> bytes:
    """The 4 bytes that name a master key; they tell nothing of it. Raises KeystoreError."""
    if len(raw) != KEY_LENGTH:
        raise KeystoreError(f"主密钥应为 {KEY_LENGTH} 字节，实为 {len(raw)} 字节", code="master-key")
    return hashlib.sha256(b"yingqiao master key id\0" + raw).digest()[:KEY_ID_LENGTH]


def sealed_by(sealed: bytes) -> bytes:
    """The id of the master key a secret is sealed under. Raises KeystoreError when it is no sealed secret."""
    if len(sealed) < _HEADER + _NONCE + _TAG or not sealed.startswith(_MAGIC):
        raise KeystoreError("不是封存的内容", code="not-sealed")
    if sealed[len(_MAGIC)] != _VERSION:
        raise KeystoreError(f"封存格式 {sealed[len(_MAGIC)]} 不认识，应为 {_VERSION}", code="seal-format")
    return sealed[KEY_ID_AT:_HEADER]


def _bytes(context: bytes | str) -> bytes:
    return context.encode() if isinstance(context, str) else context
