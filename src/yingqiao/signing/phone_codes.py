"""Verification codes by text message (annex 7, rows 8 and 9): who sends them is the operator's; how often is ours."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final, Protocol

DIGITS: Final = 6
VALID_MS: Final = 5 * 60 * 1000
MOST_TRIES: Final = 5
MOST_A_DAY: Final = 10
_DAY_MS: Final = 24 * 3600 * 1000


class CodeSender(Protocol):
    """The seam to a text message service."""

    def send(self, mobile: str, code: str) -> None:
        """Raises OSError when it cannot be sent."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class PhoneCode:
    """What is kept of a doctor's code. Times are Unix ms."""

    digest: bytes | None = None
    expires_at: int = 0
    tries: int = 0
    day: int = 0
    """Since when `sent` counts."""
    sent: int = 0


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def may_send(kept: PhoneCode, now: int) -> bool:
    """Ten a day at most: a phone is not to be flooded."""
    return now - kept.day >= _DAY_MS or kept.sent < MOST_A_DAY


def sent(kept: PhoneCode, digest: bytes, now: int) -> PhoneCode:
    """Another code takes the place of the one before."""
    fresh = now - kept.day >= _DAY_MS
    return PhoneCode(digest, now + VALID_MS, 0, now if fresh else kept.day, 1 if fresh else kept.sent + 1)


def tried(kept: PhoneCode, digest: bytes, now: int) -> tuple[bool, PhoneCode]:
    """Whether it is the code, and what is kept after: a right one is used up, a fifth wrong one ends it."""
    if kept.digest is None or now >= kept.expires_at:
        return False, kept
    if secrets.compare_digest(kept.digest, digest):
        return True, replace(kept, digest=None)
    tries = kept.tries + 1
    return False, replace(kept, tries=tries, digest=None if tries >= MOST_TRIES else kept.digest)
