"""SM3 (GM/T 0004, GB/T 32905): 32 bytes, by OpenSSL through hashlib; by `cryptography` where hashlib has none."""

from __future__ import annotations

import hashlib
from typing import Protocol, Self

from cryptography.hazmat.primitives import hashes

DIGEST_LENGTH = 32
BLOCK_LENGTH = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
IN_HASHLIB = "sm3" in hashlib.algorithms_available


class Hash(Protocol):
    """A running hash, as hashlib's."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Self: ...


class FallbackHash:
    """The same over `cryptography`, which brings its own OpenSSL."""

    digest_size, block_size, name = DIGEST_LENGTH, BLOCK_LENGTH, "sm3"

    def __init__(
        self, data: bytes | bytearray | memoryview = b"", _running: hashes.Hash | None = None
    ) -> None:
        self._running = _running or hashes.Hash(hashes.SM3())
        self._running.update(data)

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._running.update(data)

    def digest(self) -> bytes:
        return self._running.copy().finalize()

    def hexdigest(self) -> str:
        return self.digest().hex()

    def copy(self) -> FallbackHash:
        return FallbackHash(_running=self._running.copy())


def new(data: bytes | bytearray | memoryview = b"") -> Hash:
    """A running SM3 that has taken `data`; what goes in piece by piece is hashed as one message."""
    return hashlib.new("sm3", data) if IN_HASHLIB else FallbackHash(data)


def digest(*parts: bytes | bytearray | memoryview) -> bytes:
    """The 32 bytes of the parts one after another."""
    running = new(parts[0] if parts else b"")
    for part in parts[1:]:
        running.update(part)
    return running.digest()


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SM3, 32 bytes (1.2.156.10197.1.401.2)."""
    key = (digest(key) if len(key) > BLOCK_LENGTH else key).ljust(BLOCK_LENGTH, b"\0")
    inner = digest(key.translate(_INNER), *parts)
    return digest(key.translate(_OUTER), inner)
