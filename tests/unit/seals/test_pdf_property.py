"""Seal, then read, on generated files (issue: property tests): the digest is the file's, whatever the file is like."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import pdfs
from tests.helpers.pdfs import Sheet
from yingqiao.gm import ses, sm3
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Placement, Side, Which
from yingqiao.signing.seals.pdf.reading import read

SIZES = st.sampled_from(
    [pdfs.A4, (0.0, 0.0, 842.0, 595.0), (-200.0, 100.0, 641.0, 1291.0), (0.0, 0.0, 420.0, 595.0)]
)
SHEETS = st.builds(
    Sheet,
    media=SIZES,
    crop=st.sampled_from([None, (10.0, 110.0, 400.0, 590.0)]),
    rotate=st.sampled_from([0, 90, 180, 270]),
)
FILES = st.builds(
    pdfs.make,
    st.lists(SHEETS, min_size=1, max_size=5),
    streams=st.booleans(),
    packed=st.sampled_from([False] * 4 + [True]),
)
PLACES: st.SearchStrategy[Placement] = st.one_of(
    st.builds(AtPoint, st.just((1,)), st.floats(21, 116), st.floats(21, 116)),
    st.builds(Paging, st.sampled_from(Side), st.sampled_from(Which), group=st.none() | st.integers(2, 3)),
    st.builds(AtKeyword, st.just("Report"), st.sampled_from([1, None])),
)


def outcome(data: bytes, placement: Placement) -> bytes | None:
    """None for a refusal by design: one page only, a seal that would lie outside, no such word within the page."""
    try:
        return pdfs.sealed(data, placement)
    except PdfError as error:
        if error.code not in ("pdf-single-page", "pdf-place", "pdf-keyword"):
            raise
        return None


@settings(max_examples=12)
@given(FILES, st.lists(PLACES, min_size=1, max_size=3))
def test_seal_and_read(data: bytes, placements: list[Placement]):
    sealed = 0
    for placement in placements:
        made = outcome(data, placement)
        if made is not None:
            assert made.startswith(data)
            data, sealed = made, sealed + 1
    found = read(data).signatures
    assert len(found) == sealed
    for one in found:
        assert (one.envelope_problem, one.changed_after, one.warnings) == (None, None, ())
        _, a, b, c = one.byte_range
        assert (
            sm3.digest(data[:a], data[b : b + c])
            == one.digest()
            == ses.parse_signature(one.contents).data_hash
        )
    if sealed:
        pdfs.well_formed(data)


@settings(max_examples=100)
@given(st.data())
def test_one_changed_byte_never_passes(data: st.DataObject):
    """Anywhere in what is signed: the digest or the envelope tells, or the file is not read."""
    file = bytearray(SEALED)
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(file)).signatures
    except PdfError:
        return
    for one in found:
        refused = one.envelope_problem or one.changed_after or one.digest() != RIGHT.digest()
        inside = (
            A <= at < B
        )  # what is no longer the signature is refused by its own check; a letter's case does not matter
        assert refused or inside


SEALED = pdfs.sealed(pdfs.make())
(RIGHT,) = read(SEALED).signatures
_, A, B, _ = RIGHT.byte_range


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_five_hundred_pages(packed: bool):
    data = pdfs.make([Sheet(rotate=90 * (number % 4)) for number in range(500)], packed=packed)
    made = pdfs.sealed(pdfs.sealed(data, Paging(), AtPoint((500,), 100, 100)), AtKeyword("Report", 499))
    pdfs.well_formed(made)
    found = read(made).signatures
    assert [one.page_index for one in found] == [1, 500, 499]
    assert all(not (one.envelope_problem or one.changed_after or one.warnings) for one in found)
