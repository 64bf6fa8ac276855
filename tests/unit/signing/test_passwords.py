"""Passwords: too weak ones refused, wrong ones counted, the account locked for a while."""

from __future__ import annotations

import importlib.util
import sys
from unittest import mock

import pytest

from yingqiao.signing import passwords
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.passwords import LOCK_MS, MOST_FAILURES, Login


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("a1", "password-length"),
        ("12345678", "password-weak"),
        ("a" * 200, "password-length"),
        ("wang2026!", "password-same"),
    ],
)
def test_a_weak_password_is_refused(password: str, code: str) -> None:
    with pytest.raises(SigningRefused) as refused:
        passwords.chosen(password, "wang2026!")
    assert refused.value.code == code


def test_only_the_right_password_matches() -> None:
    login = passwords.chosen("correct horse 1")
    assert passwords.matches(login, "correct horse 1")
    assert not passwords.matches(login, "correct horse 2")
    assert not passwords.matches(None, "correct horse 1")
    assert not passwords.matches(Login("no hash at all"), "correct horse 1")
    assert "correct" not in repr(login)


def test_the_fifth_wrong_password_locks() -> None:
    login = Login("hash")
    for _ in range(MOST_FAILURES - 1):
        login = passwords.after_failure(login, 1000)
        passwords.refuse_locked(login, 1000)
    login = passwords.after_failure(login, 1000)
    with pytest.raises(SigningRefused) as refused:
        passwords.refuse_locked(login, 1000 + LOCK_MS - 1)
    assert refused.value.code == "locked"
    passwords.refuse_locked(login, 1000 + LOCK_MS)


def test_what_a_hash_costs() -> None:
    """64 MiB and three passes (RFC 9106, 4), for the hash kept of nobody too. The tests' own hashes are cheap: `conftest`."""
    spec = importlib.util.find_spec("yingqiao.signing.passwords")
    assert spec is not None
    assert spec.loader is not None
    anew = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {spec.name: anew}):
        spec.loader.exec_module(anew)
    assert (anew._HASHER.time_cost, anew._HASHER.memory_cost) == (3, 64 * 1024)
    assert not anew._HASHER.check_needs_rehash(anew._NOBODY)
