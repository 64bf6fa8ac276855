"""The errors of gm: a stable code for programs, a Chinese reason for people. Neither quotes secret bytes."""

from __future__ import annotations


class GmError(Exception):
    """Something is not what the standards want it to be; the family of every error of gm's structures."""

    def __init__(self, code: str, reason: str) -> None:
        """`code` is stable (lower case, hyphens); `reason` is a Chinese sentence without data of a person."""
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class LibcryptoError(GmError):
    """OpenSSL's libcrypto cannot be loaded, is too old, lacks SM2, or failed where it must not."""


class Sm2Error(GmError):
    """A key, signature or cipher text has a form or a value that GM/T 0003 and GM/T 0009 exclude."""
