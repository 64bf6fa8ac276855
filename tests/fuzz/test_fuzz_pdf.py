"""A short turn of the fuzzer of sealed PDF files in every test run, on damaged ones."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_pdf

_WHOLE = list(fuzz_pdf.corpus())
_DAMAGED = st.tuples(
    st.sampled_from(_WHOLE),
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 255)), max_size=4),
    st.sampled_from([None, None, 500, 2000, 8000]),
)


@settings(max_examples=120, deadline=None, database=None)
@given(_DAMAGED)
def test_damaged_files(case):
    whole, changes, length = case
    data = bytearray(whole[:length])
    for position, value in changes:
        if data:
            data[position % len(data)] = value
    fuzz_pdf.one_input(bytes(data))


def test_the_corpus_itself():
    for data in _WHOLE:
        fuzz_pdf.one_input(data)
