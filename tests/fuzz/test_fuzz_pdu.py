"""A short turn of the upper layer's fuzzer in every test run; the long one is coverage-guided."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_pdu
from tests.unit.dicom.conversation import REQUEST, fragments, store_command
from yingqiao.dicom.upper_layer import pdu

_PARTS = st.sampled_from(
    [
        pdu.encode(REQUEST),
        fragments(store_command(), 500, command=True),
        fragments(store_command(), 40, command=True),
        fragments(b"dataset" * 30, 60),
        pdu.encode(pdu.ReleaseRequest()),
        pdu.encode(pdu.Abort(0, 0)),
        b"\4\0\0\0\0\6\0\0\0\2\1\3",
        b"\1\0\0\0",
    ]
)
_STREAM = st.lists(_PARTS | st.binary(max_size=24), max_size=8).map(b"".join)


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 3), _STREAM, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_connections(mode, stream, changes):
    data = bytearray(bytes([mode]) + stream)
    for position, value in changes:
        if position < len(data):
            data[position] = value
    fuzz_pdu.one_input(bytes(data))
