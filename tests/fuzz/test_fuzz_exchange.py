"""The fuzz harnesses' invariants, run short and the same every time."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_envelope, fuzz_record


@pytest.mark.parametrize("harness", [fuzz_envelope, fuzz_record], ids=lambda module: module.__name__)
def test_the_corpus(harness):
    for data in harness.corpus():
        harness.one_input(data)


@pytest.mark.parametrize("harness", [fuzz_envelope, fuzz_record], ids=lambda module: module.__name__)
def test_every_field_takes_every_value_of_the_corpus(harness):
    if harness is fuzz_record:
        for data in harness.corpus():
            for index in range(0, 120, 7):
                harness.one_input(data[:1] + bytes([index]) + data[2:])


@pytest.mark.parametrize("one_input", [fuzz_envelope.one_input, fuzz_record.one_input])
@settings(derandomize=True, max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes(one_input: Callable[[bytes], None], data: bytes):
    one_input(data)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(head=st.binary(min_size=2, max_size=2), text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_in_any_field(head: bytes, text: str):
    fuzz_record.one_input(head + text.encode())
