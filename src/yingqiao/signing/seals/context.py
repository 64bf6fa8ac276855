"""By what seals are judged: trust, moment, policy, and what our own registry says of a seal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from yingqiao.gm.ses import Seal
from yingqiao.signing.trust import Role, Trust
from yingqiao.signing.verification.asked import Asked
from yingqiao.signing.verification.policy import DEFAULT, Policy

MAKERS = frozenset({Role.SEAL_MAKER})
"""Whom seals may come from: a CA that issues signers' certificates makes no seals by that."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A seal as our registry knows it. `since` is when it stopped being usable; None: from the beginning."""

    usable: bool
    words: str
    since: datetime | None = None


def unregistered(_: Seal) -> Standing | None:
    """Nothing is known of any seal."""
    return None


@dataclass(frozen=True, slots=True)
class SealContext:
    """What a verdict depends on beside the bytes. `standing` is asked once a seal and may not raise."""

    trust: Trust
    at: datetime
    policy: Policy = DEFAULT
    standing: Callable[[Seal], Standing | None] = unregistered

    @classmethod
    def of(cls, asked: Asked, standing: Callable[[Seal], Standing | None] = unregistered) -> SealContext:
        return cls(asked.trust, asked.at, asked.policy, standing)
