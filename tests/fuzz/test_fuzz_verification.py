"""A short turn of the fuzzer of verification in every test run: damaged structures, hostile input, bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_verification
from tests.fuzz.seeds_gm import structures
from tests.fuzz.test_fuzz_gm import HOSTILE
from tests.helpers import pki
from tests.helpers.trust import trust_in
from yingqiao.gm import sm2
from yingqiao.signing.verification.asked import Asked, verify_signed

_DAMAGED = st.tuples(
    st.sampled_from(list(structures())),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 2000),
)


@pytest.mark.parametrize("cut", [False, True])
def test_damaged_structures(cut: bool):
    @settings(max_examples=40, deadline=None, database=None)
    @given(_DAMAGED)
    def run(case):
        whole, changes, length = case
        data = bytearray(whole[:length] if cut else whole)
        for position, value in changes:
            if position < len(data):
                data[position] = value
        fuzz_verification.one_input(bytes(data))

    run()


@settings(max_examples=60, deadline=None, database=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes):
    fuzz_verification.one_input(data)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_is_refused_quickly(data: bytes):
    begun = time.process_time()
    verify_signed(Asked(trust_in(), pki.NOW), signature=data, content=b"x", certificate=data, tokens=[data])
    assert time.process_time() - begun < 5


def test_explaining_a_refusal_is_bounded():
    """Over 5 MB that somebody else signed: the guesses are few."""
    content = bytes(5 * 1024 * 1024)
    value = sm2.sign(pki.world().nurse.private, b"another")
    begun = time.process_time()
    doctor = pki.world().doctor.certificate.raw
    verify_signed(Asked(trust_in(), pki.NOW), signature=value, content=content, certificate=doctor)
    assert time.process_time() - begun < 2
