"""The SM2 signatures inside seals and seal signatures, judged by BouncyCastle as well (GB/T 38540-2020)."""

from __future__ import annotations

import pytest

from tests.helpers import seals
from tests.peers.bouncycastle import BouncyCastle

pytestmark = pytest.mark.peer


def _half(message: bytes) -> bytes:
    return message[:-1] + bytes((message[-1] ^ 1,))


@pytest.mark.parametrize("version", [4, 5])
def test_seals_of_ours(bouncycastle: BouncyCastle, version: int):
    assert bouncycastle.ask("seal", seals.make_seal(version=version)) == "OK"
    assert bouncycastle.ask("seal", seals.make_seal(version=version, over=_half)) == "BAD"


def test_seal_signatures_of_ours(bouncycastle: BouncyCastle):
    """Signer, maker, document hash and time stamp."""
    bare, stamped = seals.make_signature(), seals.make_signature(stamped=seals.SIGNED_AT)
    assert bouncycastle.ask("seal-signature", bare, seals.DOCUMENT) == "OK"
    assert bouncycastle.ask("seal-signature", stamped, seals.DOCUMENT) == "OK stamped"
    assert bouncycastle.ask("seal-signature", bare, b"another") == "BAD document"
    assert (
        bouncycastle.ask("seal-signature", seals.make_signature(over=_half), seals.DOCUMENT) == "BAD signer"
    )
    broken = seals.make_signature(seals.make_seal(over=_half))
    assert bouncycastle.ask("seal-signature", broken, seals.DOCUMENT) == "BAD maker"
