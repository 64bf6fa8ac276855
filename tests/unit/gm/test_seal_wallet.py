"""Wallets: seal, certificate and key under a PIN; nothing can be exchanged, wrong PINs are counted."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import seals as samples
from yingqiao.client.seal_wallet import WalletFile
from yingqiao.gm import seal_wallet, sm2
from yingqiao.gm.seal_wallet import MOST_TRIES, Cost, WalletError

PIN = "医院印章2026"
CHEAP = Cost(1, 8 * 1024, 1)


@cache
def made() -> bytes:
    signer = samples.seal_world().signer
    return seal_wallet.make_wallet(
        "某某医院", samples.make_seal(), signer.certificate.raw, signer.private, PIN, CHEAP
    )


def code(act: Callable[..., object], *given_: object) -> str:
    with pytest.raises(WalletError) as refused:
        act(*given_)
    assert refused.value.reason
    return refused.value.code


def test_the_pin_opens_it() -> None:
    wallet = seal_wallet.read_wallet(made())
    private = seal_wallet.open_wallet(wallet, PIN)
    signer = samples.seal_world().signer
    assert private.public() == signer.private.public()
    assert wallet.certificate == signer.certificate.raw
    assert signer.private.to_pkcs8() not in made()
    assert code(seal_wallet.open_wallet, wallet, PIN + " ") == "wrong-pin"
    assert code(seal_wallet.open_wallet, wallet, "") == "wrong-pin"


def test_the_usual_cost_is_that_of_passwords() -> None:
    """64 MiB and three passes: what argon2 recommends where memory is scarce (RFC 9106, 4)."""
    assert (Cost().time, Cost().memory) == (3, 64 * 1024)


@pytest.mark.parametrize(
    "change",
    [
        {"esl": b64encode(b"another").decode()},
        {"name": "别的医院"},
        {"certificate": b64encode(b"another").decode()},
    ],
)
def test_no_part_can_be_exchanged(change: dict[str, Any]) -> None:
    wallet = seal_wallet.read_wallet(json.dumps(json.loads(made()) | change).encode())
    assert code(seal_wallet.open_wallet, wallet, PIN) == "wrong-pin"


def test_parameters_beyond_reason_are_refused() -> None:
    """A file that asks for a terabyte is not opened."""
    for change in ({"memory": 2**30}, {"time": 10**6}, {"lanes": 0}, {"memory": True}, {"salt": ""}):
        said = json.loads(made())
        said["kdf"] |= change
        assert code(seal_wallet.read_wallet, json.dumps(said).encode()) == "wallet"


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b'{"format": "yingqiao-seal-wallet"}', b"\xff" * 9]
)
def test_what_is_no_wallet(raw: bytes) -> None:
    assert code(seal_wallet.read_wallet, raw) == "wallet"


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.booleans(),
        lambda more: st.dictionaries(
            st.sampled_from(
                ["format", "version", "name", "esl", "kdf", "nonce", "key", "tries", "certificate"]
            ),
            more,
        ),
    )
)
def test_reading_raises_nothing_else(said: object) -> None:
    base = json.loads(made())
    given_ = base | said if isinstance(said, dict) else said
    with contextlib.suppress(WalletError):
        seal_wallet.to_bytes(seal_wallet.read_wallet(json.dumps(given_).encode()))


def test_a_pin_has_a_length_and_a_key_its_certificate() -> None:
    signer = samples.seal_world().signer
    esl, certificate = samples.make_seal(), signer.certificate.raw
    assert (
        code(seal_wallet.make_wallet, "x", esl, certificate, signer.private, "12345", CHEAP) == "pin-length"
    )
    assert code(seal_wallet.make_wallet, "x", esl, certificate, sm2.generate(), PIN, CHEAP) == "wallet"


def test_wrong_pins_are_counted_in_the_file_and_lock_it(tmp_path: Path) -> None:
    file = WalletFile(tmp_path / "a.seal.json")
    file.path.write_bytes(made())
    assert code(file.open, "wrong-1") == "wrong-pin"
    assert file.look().tries == 1
    assert file.open(PIN).public() == samples.seal_world().signer.private.public()
    assert file.look().tries == 0
    for _ in range(MOST_TRIES):
        assert code(file.open, "wrong-1") == "wrong-pin"
    assert code(file.open, PIN) == "wallet-locked"
    assert file.path.stat().st_mode & 0o777 == 0o600
