"""Secrets at rest."""

import pytest

from yingqiao.gm.errors import GmError
from yingqiao.gm.keystore import KeystoreError, MasterKey, new_master_key, sealed_by

SECRET = bytes(range(16))


def test_a_secret_comes_back_under_its_context():
    master = MasterKey(new_master_key())
    sealed = master.seal(SECRET, "hospital:A")
    assert SECRET not in sealed
    assert master.unseal(sealed, b"hospital:A") == SECRET
    assert master.seal(SECRET, "hospital:A") != sealed


def test_a_secret_cannot_be_moved_to_another_hospital():
    master = MasterKey(new_master_key())
    with pytest.raises(KeystoreError):
        master.unseal(master.seal(SECRET, "hospital:A"), "hospital:B")


def test_a_replaced_master_key_still_opens_what_it_sealed():
    old, new = new_master_key(), new_master_key()
    sealed = MasterKey(old).seal(SECRET, "c")
    both = MasterKey(new, retired=[old])
    assert both.unseal(sealed, "c") == SECRET
    assert not both.is_current(sealed)
    assert both.is_current(both.seal(SECRET, "c"))
    with pytest.raises(KeystoreError):
        MasterKey(new).unseal(sealed, "c")


def test_every_damaged_byte_is_noticed():
    master = MasterKey(new_master_key())
    sealed = master.seal(SECRET, "c")
    for index in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[index] ^= 1
        with pytest.raises(KeystoreError):
            master.unseal(bytes(damaged), "c")


@pytest.mark.parametrize("sealed", [b"", b"YQ", b"YQ\x02" + bytes(60), b"XX\x01" + bytes(60)])
def test_what_is_no_seal_is_refused(sealed: bytes):
    with pytest.raises(KeystoreError):
        MasterKey(new_master_key()).unseal(sealed, "c")


def test_a_master_key_has_32_bytes():
    with pytest.raises(KeystoreError):
        MasterKey(b"short")


def test_a_secret_moves_to_the_next_key():
    old, new = new_master_key(), new_master_key()
    sealed = MasterKey(old).seal(SECRET, "c")
    ring = MasterKey(new, retired=[old])
    anew = ring.reseal(sealed, "c")
    assert sealed_by(anew) == ring.key_id == ring.key_ids[0]
    assert MasterKey(new).unseal(anew, "c") == SECRET
    with pytest.raises(KeystoreError):
        ring.reseal(sealed, "other")


def test_a_key_twice_is_refused():
    key = new_master_key()
    with pytest.raises(KeystoreError, match="两次"):
        MasterKey(key, retired=[key])


def test_every_refusal_has_a_code_and_a_chinese_reason():
    """One family: GmError."""
    master = MasterKey(new_master_key())
    sealed = master.seal(SECRET, "c")
    cases = {
        "not-sealed": b"",
        "seal-format": b"YQ\x02" + bytes(60),
        "key-unknown": MasterKey(new_master_key()).seal(SECRET, "c"),
        "seal-damaged": sealed[:-1] + bytes([sealed[-1] ^ 1]),
    }
    for code, raw in cases.items():
        with pytest.raises(GmError) as refused:
            master.unseal(raw, "c")
        assert refused.value.code == code
        assert any("\u4e00" <= character <= "\u9fff" for character in refused.value.reason)
