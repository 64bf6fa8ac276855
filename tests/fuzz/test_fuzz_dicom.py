"""A short turn of the fuzzers in every test run; the long one is coverage-guided (see the scripts)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_charset, fuzz_dicom

_UIDS = st.sampled_from(
    [b"\x08\x00\x05\x00CS", b"\x08\x00\x18\x00UI", b"\x20\x00\x0d\x00UI", b"\x10\x00\x10\x00PN"]
)
_ENDS = st.sampled_from(
    [
        b"\xff\xff\xff\xff",
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\x0d\xe0",
        b"\xfe\xff\xdd\xe0",
        b"SQ\0\0",
        b"UN\0\0",
        b"\4\0",
    ]
)
_DATASET = st.lists(st.one_of(_UIDS, _ENDS, st.binary(max_size=12)), max_size=40).map(b"".join)
_TERMS = st.sampled_from(
    [b"", b"GB18030", b"ISO_IR 100", b"ISO_IR 192", rb"\ISO 2022 IR 58", rb"\ISO 2022 IR 87"]
)
_PIECES = st.sampled_from(
    [b"\n", b"^", b"=", b"\\", b"\x1b$)A", b"\x1b$B", b"\x1b(B", b"\xcd\xf5", "张".encode()]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.binary(max_size=6)), max_size=30).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(_DATASET)
def test_dicom_headers(data):
    fuzz_dicom.one_input(data)


@settings(max_examples=500, deadline=None)
@given(_TERMS, _TEXTS)
def test_character_sets(declared, texts):
    fuzz_charset.one_input(declared + b"\n" + texts)
