"""Activation codes: the one word that brings a certificate to a phone; typed, or scanned from a QR.

A code is good once and for a short while, is kept only as a digest.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace

from yingqiao.gm import sm3
from yingqiao.signing.errors import SigningRefused

_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0 O 1 I L, which people mix up."""
_LENGTH = 12
VALID_MS = 24 * 3600 * 1000
_KIND = "yingqiao-activation"


@dataclass(frozen=True, slots=True)
class Activation:
    """One code as kept. Times are Unix ms."""

    digest: bytes
    expires_at: int
    used_at: int | None = None


def new_code() -> str:
    """12 letters and digits in groups of four: 59 bits, unpredictable."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4))


def code_digest(code: str) -> bytes:
    """What is kept of a code, however it was typed: lower case, spaces and dashes do not matter."""
    letters = "".join(character for character in code.upper() if character.isalnum())
    return sm3.new(b"yingqiao activation\0" + letters.encode()).digest()


def new_activation(code: str, now: int, valid_ms: int = VALID_MS) -> Activation:
    return Activation(code_digest(code), now + valid_ms)


def use(activation: Activation | None, now: int) -> Activation:
    """The code is redeemed. Raises SigningRefused: unknown, used already, or too old. The first two read alike to a guesser."""
    if activation is None or activation.used_at is not None:
        raise SigningRefused("activation-unknown", "激活码不对或已使用，请在自助服务页面重新获取")
    if now > activation.expires_at:
        raise SigningRefused("activation-expired", "激活码已过期，请在自助服务页面重新获取")
    return replace(activation, used_at=now)


def qr_text(service_url: str, code: str) -> str:
    """What the QR code of an activation says: which service, which code (annex 7, rows 3 and 12)."""
    return json.dumps({"t": _KIND, "sUrl": service_url, "code": code, "cv": "2.0"}, separators=(",", ":"))
