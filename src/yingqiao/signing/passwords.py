"""Passwords of people who log in to pages: kept as argon2id, wrong ones counted, the account locked for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from yingqiao.signing.errors import SigningRefused

MOST_FAILURES: Final = 5
LOCK_MS: Final = 15 * 60 * 1000
SHORTEST, LONGEST = 8, 128
_HASHER = PasswordHasher()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$deUs6SsUJW+3Ums5NPqRYQ$nbGzfW8V8SDCrQo+bJF2iF0QME24FMjfXsZXFhzrtTU"
"""Of a password that nobody has; as dear to try as anybody's. Written down: making it takes a fifth of a second."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is kept of somebody's password. Times are Unix ms."""

    hash: str
    must_change: bool = False
    failures: int = 0
    locked_until: int | None = None


def new_login(password: str, *, must_change: bool = False) -> Login:
    return Login(_HASHER.hash(password), must_change)


def chosen(password: str, *not_this: str) -> Login:
    """The login with a password somebody chose. Raises SigningRefused when it is too weak or one of `not_this`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise SigningRefused("password-length", f"口令应为 {SHORTEST} 至 {LONGEST} 个字符")
    kinds = sum(
        any(test(c) for c in password) for test in (str.isdigit, str.isalpha, lambda c: not c.isalnum())
    )
    if kinds < 2:
        raise SigningRefused("password-weak", "口令应至少含字母、数字、符号中的两种")
    if password in not_this:
        raise SigningRefused("password-same", "新口令不能与原口令或姓名、手机号相同")
    return new_login(password)


def refuse_locked(login: Login, now: int) -> None:
    """Raises SigningRefused while the account is locked."""
    if login.locked_until is not None and now < login.locked_until:
        minutes = -(-(login.locked_until - now) // 60_000)
        raise SigningRefused("locked", f"连续输错，已锁定，请 {minutes} 分钟后再试")


def matches(login: Login | None, password: str) -> bool:
    """Whether it is the password. Nobody (`None`) costs as much time as a wrong one."""
    right = _verify(login.hash if login is not None else _NOBODY, password)
    return right and login is not None


def after_failure(login: Login, now: int) -> Login:
    """One more wrong password; at the fifth in a row the account is locked."""
    failures = login.failures + 1
    if failures < MOST_FAILURES:
        return replace(login, failures=failures)
    return replace(login, failures=0, locked_until=now + LOCK_MS)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
