"""How long, how large, how often a call may be."""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.client.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how large, how often. Seconds and bytes."""

    connect: float = 10.0
    silence: float = 30.0
    """Longest wait for the next bytes; a gateway's commit takes milliseconds."""
    whole: float = 120.0
    """Longest time for one request and its answer."""
    answer_bytes: int = 16 << 20
    tries: int = 3
    """Attempts of one call when the other side is away or says later; 1 = never by itself."""
    longest_wait: float = 10.0
    """Longest wait between two attempts; when told to wait longer, the call ends with the error."""
    connections: int = 20
    """Connections kept open at most; further calls wait for one."""


def too_slow(limits: Limits) -> Unreachable:
    return Unreachable(f"应答过慢，已超过 {limits.whole:g} 秒", sent=True)
