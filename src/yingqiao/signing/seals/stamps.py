"""Time stamps of seals as they are made: over the signature value (GB/T 38540-2020), checked before they are put in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from yingqiao.gm import timestamp
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.verification.timestamp import CLOCKS_DIFFER

Stamp = Callable[[bytes], bytes | None]
"""A token over a signature value, DER; None: there is none to be had, and the seal goes without. May refuse instead."""
WRONG, APART = "stamp-wrong", "clock-apart"


def check(token: bytes, value: bytes, at: datetime) -> None:
    """Is it over `value`, rightly signed, and does `at` (timeInfo) agree with it. Whom to trust is not judged here.

    Raises SigningRefused `stamp-wrong`, `clock-apart`; TimestampError for what is no token.
    """
    facts = timestamp.examine(timestamp.parse_token(token), original=value)
    if facts.certificate is None:
        raise SigningRefused(WRONG, "时间戳不带证书，别人无法验证，没有盖章")
    if not (
        facts.imprint_ok and facts.signed and facts.bound and facts.purpose_ok and facts.certificate_in_time
    ):
        raise SigningRefused(WRONG, "时间戳服务给出的时间戳不正确，没有盖章")
    apart = facts.token.info.gen_time - at
    if abs(apart) > CLOCKS_DIFFER:
        raise SigningRefused(APART, f"本机时钟与时间戳相差 {_words(abs(apart))}，请先校准本机时钟，没有盖章")


def _words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} 分钟" if minutes < 120 else f"{minutes // 60} 小时"
