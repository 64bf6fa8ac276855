"""A short turn of the fuzzer of seals in every test run: damaged structures, hostile input, bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_ses
from tests.fuzz.test_fuzz_gm import HOSTILE

_DAMAGED = st.tuples(
    st.sampled_from(list(fuzz_ses.corpus())),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4),
)


@settings(max_examples=60, deadline=None, database=None)
@given(_DAMAGED)
def test_damaged_structures(case):
    whole, changes = case
    data = bytearray(whole)
    for position, value in changes:
        if position < len(data):
            data[position] = value
    fuzz_ses.one_input(bytes(data))


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_is_refused_quickly(data: bytes):
    begun = time.process_time()
    fuzz_ses.one_input(data)
    assert time.process_time() - begun < 5
