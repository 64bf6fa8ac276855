"""A short turn of the fuzzers of gm in every test run, on damaged structures; the long one is coverage-guided."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_certificate, fuzz_cms, fuzz_der
from tests.fuzz.bounds import bounded
from tests.fuzz.seeds_gm import structures
from yingqiao.gm import cms, der
from yingqiao.gm.errors import GmError

_DAMAGED = st.tuples(
    st.sampled_from(list(structures())),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 2000),
)


@pytest.mark.parametrize("harness", [fuzz_der, fuzz_certificate, fuzz_cms])
@pytest.mark.parametrize("cut", [False, True])
def test_damaged_structures(harness, cut):
    @settings(max_examples=60, deadline=None, database=None)
    @given(_DAMAGED)
    def run(case):
        whole, changes, length = case
        data = bytearray(whole[:length] if cut else whole)
        for position, value in changes:
            if position < len(data):
                data[position] = value
        harness.one_input(bytes(data))

    run()


HOSTILE = {
    "nested definite": b"\x30\x80" * 500_000,
    "nested closed": b"\x30\x80" * 31 + b"\x30\0" * 500_000 + b"\0\0" * 31,
    "tiny elements": der.element(0x30, b"\x05\0" * 1_000_000),
    "cut string": b"\x24\x80" + b"\x04\0" * 1_000_000 + b"\0\0",
    "long length": b"\x30\x84\xff\xff\xff\xff" + bytes(1000),
    "long oid": der.element(der.OID, b"\xff" * 100_000 + b"\x01"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input_is_refused_quickly(data: bytes):
    """Bounded in depth, in elements and so in time and memory, whatever the size."""
    with bounded(seconds=10, mib=256):
        for read in (fuzz_der.one_input, fuzz_certificate.one_input, fuzz_cms.one_input):
            read(data)
    with pytest.raises(GmError):
        cms.parse(data)
