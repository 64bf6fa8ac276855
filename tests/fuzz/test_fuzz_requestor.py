"""A short turn of the requestor's fuzzer in every test run; the long one is coverage-guided."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_requestor

_SEEDS = sorted({seed[1:] for seed in fuzz_requestor.corpus()})
_STREAM = st.lists(st.sampled_from(_SEEDS) | st.binary(max_size=24), max_size=6).map(b"".join)


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 5), _STREAM, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_answers(mode, stream, changes):
    data = bytearray(bytes([mode]) + stream)
    for position, value in changes:
        if position < len(data):
            data[position] = value
    fuzz_requestor.one_input(bytes(data))
