"""Where seals and their keys are: a seam. Behind it a folder of wallets; a key device (GM/T 0016) fits the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from yingqiao.gm.ses import Seal


@dataclass(frozen=True, slots=True)
class HeldSeal:
    """A seal that can be used here once its PIN is given."""

    id: str
    """Names it among those of the device; not secret."""
    seal: Seal
    certificate: bytes = field(repr=False)
    """Of the signer, DER."""


class Key(Protocol):
    """A signer's key while it may be used."""

    def sign(self, message: bytes) -> bytes:
        """The DER SM2 signature of SM3(Z ‖ message), default user id."""


class Device(Protocol):
    """Nobody outside sees a private key or keeps a PIN."""

    def seals(self) -> Sequence[HeldSeal]:
        """What it holds now. Raises Refused when it cannot be asked."""

    def unlocked(self, seal_id: str, pin: str) -> AbstractContextManager[Key]:
        """The key for one act. Raises tries.WrongPin, Refused."""
