"""By what seals are judged: trust, moment, policy, and what our own registry says of a seal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from yingqiao.gm.ses import Seal
from yingqiao.signing.seals.states import Stop
from yingqiao.signing.trust import Role, Trust
from yingqiao.signing.verification.asked import Asked
from yingqiao.signing.verification.policy import DEFAULT, Policy

MAKERS = frozenset({Role.SEAL_MAKER})
"""Whom seals may come from: a CA that issues signers' certificates makes no seals by that."""

REGISTRY_SILENT = "registry-silent"
"""The reason of what could not be judged for want of the registry."""


class RegistrySilentError(Exception):
    """The registry of seals could not be asked."""


def unregistered(_: Seal) -> Sequence[Stop]:
    """Nothing is known of any seal."""
    return ()


@dataclass(frozen=True, slots=True)
class SealContext:
    """What a verdict depends on beside the bytes.

    `stops`, asked once a seal, are the spans in which our registry says it could not be used; none of seals that are not
    ours. May raise RegistrySilentError, nothing else.
    """

    trust: Trust
    at: datetime
    policy: Policy = DEFAULT
    stops: Callable[[Seal], Sequence[Stop]] = unregistered

    @classmethod
    def of(cls, asked: Asked, stops: Callable[[Seal], Sequence[Stop]] = unregistered) -> SealContext:
        return cls(asked.trust, asked.at, asked.policy, stops)
