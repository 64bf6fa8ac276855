"""A short turn of the fuzzers of the signing services in every test run: phone, dsvs, keys; bounded time and memory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_coss, fuzz_dsvs, fuzz_keys, fuzz_phone
from tests.fuzz.bounds import bounded

_HARNESSES = {"phone": fuzz_phone, "dsvs": fuzz_dsvs, "keys": fuzz_keys, "coss": fuzz_coss}
_SEEDS = {name: list(harness.corpus()) for name, harness in _HARNESSES.items()}
_CHANGES = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4)


@pytest.mark.parametrize("name", _HARNESSES)
def test_the_corpus(name: str):
    for data in _SEEDS[name][:250]:
        _HARNESSES[name].one_input(data)


@pytest.mark.parametrize("name", _HARNESSES)
def test_damaged_bodies(name: str):
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.sampled_from(_SEEDS[name]), _CHANGES, st.integers(0, 4000))
    def run(seed: bytes, changes: list[tuple[int, int]], length: int):
        data = bytearray(seed[: length or None])
        for position, value in changes:
            if position < len(data):
                data[position] = value
        _HARNESSES[name].one_input(bytes(data))

    run()


HOSTILE = {
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deep lists": b"[" * 100_000,
    "many members": json.dumps({f"n{number}": number for number in range(150_000)}).encode(),
    "one name often": b"{" + b",".join(b'"transId":"x"' for _ in range(100_000)) + b"}",
    "long text": json.dumps({"oriData": "影" * 1_000_000, "token": "t" * 1_000_000}).encode(),
    "long base64": json.dumps({"signValue": "A" * 4_000_000, "offer": "A" * 4_000_000}).encode(),
    "long number": b'{"until":' + b"9" * 200_000 + b"}",
    "escapes": b'{"oriData":"' + b"\\u4e00" * 300_000 + b'"}',
    "sealed, long": b"YQ\x01" + bytes(3_000_000),
    "keys, many": b"\n".join(b"00" * 32 for _ in range(20_000)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", _HARNESSES)
def test_hostile_bodies_cost_little(name: str, data: bytes):
    """Bounded in depth, in members and so in time and memory, whatever the size."""
    _HARNESSES[name].one_input(b"\x08{}")  # what is made once is made
    with bounded(seconds=4, mib=160):
        _HARNESSES[name].one_input(data)
        if name == "phone":
            for service in ("makeKey", "setSeal"):
                fuzz_phone.one_input(bytes([fuzz_phone.NAMES.index(service)]) + data)
