"""The harness of `fuzz_sm2` under hypothesis: its seeds, the seeds damaged, and bytes at random."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_sm2 import corpus, one_input

SEEDS = list(corpus())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes(data: bytes):
    one_input(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 300), st.integers(0, 255), st.integers(0, 40))
def test_damaged_structures(seed: bytes, at: int, value: int, cut: int):
    damaged = bytearray(seed)
    damaged[1 + at % (len(seed) - 1)] = value
    one_input(bytes(damaged))
    one_input(seed[: max(1, len(seed) - cut)])


def test_the_seeds_themselves():
    for seed in SEEDS:
        one_input(seed)
