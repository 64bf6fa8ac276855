"""Bounds of a worker and of a pool of them."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Of one worker; `workers` at once and `wait_s` are of a line of callers."""

    memory: int = 1024 * MIB
    """Address space, the interpreter and its libraries (some 200 MiB) included."""
    cpu_s: int = 20
    """Of one call."""
    wall_s: float = 40.0
    """Of one call."""
    answer: int = 256 * MIB
    workers: int = 2
    wait_s: float = 60.0
    """How long a call waits for a worker."""
    calls: int = 500
    """After so many a worker is replaced."""
    niceness: int = 5
    """Files of strangers stand back behind intake."""
