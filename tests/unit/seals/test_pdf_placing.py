"""Where seals go (D8, §3.5): points, keywords, slices of a paging seal, on pages turned and cropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import Reference

from tests.helpers import pdfs
from tests.helpers.pdfs import Sheet
from yingqiao.signing.seals.pdf import keywords, pages, placing
from yingqiao.signing.seals.pdf.document import open_document
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.pages import Page
from yingqiao.signing.seals.pdf.placing import AtPoint, Paging, Side, Which


def page(number: int = 1, rotation: int = 0, box: tuple[float, ...] = pdfs.A4, unit: float = 1.0) -> Page:
    return Page(number, Reference(number), box, rotation, unit)  # type: ignore[arg-type]


@given(
    st.sampled_from([0, 90, 180, 270]),
    st.floats(0, 150),
    st.floats(0, 150),
    st.sampled_from([1.0, 2.0]),
    st.sampled_from([pdfs.A4, (-100.0, 50.0, 700.0, 900.0)]),
)
def test_a_point_shown_comes_back(rotation, x, y, unit, box):
    one = page(rotation=rotation, unit=unit, box=box)
    assert one.shown(*one.point(x, y)) == pytest.approx((x, y), abs=1e-6)


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 842)), (90, (0, 0)), (180, (595, 0)), (270, (595, 842))]
)
def test_the_upper_left_corner_as_shown(rotation, corner):
    """/Rotate turns clockwise (7.7.3.3)."""
    assert page(rotation=rotation).point(0, 0) == pytest.approx(corner)
    across, _ = page(rotation=rotation).size_mm
    assert across == pytest.approx((297.0 if rotation in (90, 270) else 209.9), abs=0.1)


@given(
    st.integers(2, 600),
    st.floats(1, 60).map(lambda mm: round(mm, 2)),
    st.none() | st.integers(2, 40),
    st.sampled_from(Which),
)
def test_no_slice_is_below_3_mm_or_the_person_is_told(count, length, wanted, which):
    """§3.5: slices below about 3 mm are not readable. No page alone, groups as even as can be; where that cannot be, words."""
    listed = [page(number) for number in range(1, count + 1)]
    leaves = {Which.DUPLEX: (count + 1) // 2, Which.ODD: (count + 1) // 2, Which.EVEN: count // 2}.get(
        which, count
    )
    few, two_slices = leaves < (3 if which is Which.FACING else 2), length < 9 and which is not Which.FACING
    if few or length < 6 or (two_slices and leaves % 2):
        wish = Paging(which=which, group=wanted)
        refused("pdf-single-page" if few else "pdf-place", lambda: placing.paging(wish, listed, length, 30))
        return
    marks = placing.paging(Paging(which=which, group=wanted), listed, length, 30)
    assert min(mark.part.width for mark in marks) >= placing.NARROWEST_MM - 1e-6
    if which is Which.ALL:
        sizes = placing.groups(count, length, wanted)
        assert sum(sizes) == count
        assert min(sizes) >= 2
        assert max(sizes) - min(sizes) <= 1
        assert wanted is None or max(sizes) <= wanted + 1


def test_three_pages_under_a_seal_of_two_slices_are_refused_with_words():
    """§3.5: 8 mm make two slices; three pages would have 2.7 mm each, or one page alone."""
    three = [page(number) for number in (1, 2, 3)]
    with pytest.raises(PdfError, match=r"8 mm.*3 页.*单数") as told:
        placing.paging(Paging(), three, 8, 30)
    assert told.value.code == "pdf-place"
    facing = Paging(which=Which.FACING)
    with pytest.raises(PdfError, match="不足 3 mm"):
        placing.paging(facing, three, 5, 30)


@pytest.mark.parametrize("side", list(Side))
def test_slices_make_the_whole_seal(side):
    marks = placing.paging(Paging(side), [page(number) for number in range(1, 8)], 40, 30)
    parts = sorted((mark.part for mark in marks), key=lambda part: (part.left, part.bottom))
    upright = side in (Side.TOP, Side.BOTTOM)
    length, at = (30, 0.0) if upright else (40, 0.0)
    for part in parts:
        assert (part.bottom if upright else part.left) == pytest.approx(at, abs=1e-9)
        at = part.top if upright else part.right
    assert at == length


def test_the_slice_lies_on_the_edge_as_shown_and_in_the_middle():
    first, second = placing.paging(Paging(), [page(1), page(2, 90)], 40, 30)
    assert (first.part.left, second.part.right) == (0, 40)
    assert first.x_mm + 20 == pytest.approx(first.page.size_mm[0])
    assert second.x_mm + 20 == pytest.approx(297, abs=0.1)
    assert second.y_mm + 15 == pytest.approx(second.page.size_mm[1] / 2)


@pytest.mark.parametrize(("which", "numbers"), [(Which.ODD, [1, 3, 5]), (Which.EVEN, [2, 4])])
def test_odd_and_even_pages(which, numbers):
    marks = placing.paging(Paging(which=which), [page(number) for number in range(1, 6)], 40, 40)
    assert [mark.page.number for mark in marks] == numbers


@given(st.integers(2, 40), st.floats(20, 60), st.sampled_from(Side))
def test_sheets_printed_on_both_sides_have_one_slice_each(count, size, side):
    """§3.5, double-sided: a sheet's front and back show the same slice on the same edge; turned over, the stack
    shows the seal as well.
    """
    listed = [page(number) for number in range(1, count + 1)]
    if count < 3:
        refused("pdf-single-page", lambda: placing.paging(Paging(side, Which.DUPLEX), listed, size, size))
        return
    marks = placing.paging(Paging(side, Which.DUPLEX), listed, size, size)
    assert [mark.page.number for mark in marks] == list(range(1, count + 1))
    across = listed[0].size_mm[0]
    for front, back in zip(marks[::2], marks[1::2], strict=False):
        if side in (Side.RIGHT, Side.LEFT):
            assert (front.part.left, front.part.right) == pytest.approx(
                (back.part.left, back.part.right), abs=0.01
            )
            assert front.x_mm + front.part.width / 2 == pytest.approx(
                across - back.x_mm - back.part.width / 2, abs=0.01
            )
        else:
            assert front.part.bottom == pytest.approx(size - back.part.top, abs=0.01)
        assert front.y_mm == pytest.approx(back.y_mm, abs=0.01)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_facing_pages_share_a_whole_seal_across_the_fold(count):
    """§3.5, facing pages: 2 and 3, 4 and 5 … of different sizes at one height; the cover and a last even page face nothing."""
    listed = [page(number, box=pdfs.A4 if number % 2 else (0, 0, 400, 500)) for number in range(1, count + 1)]
    marks = placing.paging(Paging(which=Which.FACING), listed, 41, 30)
    assert [mark.page.number for mark in marks] == list(range(2, count + 1 - (count + 1) % 2))
    for left, right in zip(marks[::2], marks[1::2], strict=True):
        assert (left.part.left, left.part.right, right.part.right) == (0, right.part.left, 41)
        assert left.x_mm + left.part.width == pytest.approx(left.page.size_mm[0])
        assert (right.x_mm, right.y_mm) == (0, left.y_mm)
    refused("pdf-single-page", lambda: placing.paging(Paging(which=Which.FACING), listed[:2], 40, 40))
    refused("pdf-place", lambda: placing.paging(Paging(Side.TOP, Which.FACING), listed, 40, 40))


def refused(code: str, call) -> PdfError:
    with pytest.raises(PdfError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def test_what_cannot_be_is_refused_with_its_own_code():
    two = [page(1), page(2)]
    refused("pdf-single-page", lambda: placing.paging(Paging(), two[:1], 40, 40))
    refused("pdf-single-page", lambda: placing.paging(Paging(which=Which.EVEN), two, 40, 40))
    refused("pdf-place", lambda: placing.paging(Paging(), two, 5, 5))
    refused("pdf-place", lambda: placing.paging(Paging(group=1), two, 40, 40))
    refused("pdf-place", lambda: placing.paging(Paging(), [page(1), page(2, box=(0, 0, 50, 50))], 40, 40))
    refused("pdf-place", lambda: placing.at_point(AtPoint((1,), 5, 100), two, 40, 40))
    refused("pdf-page", lambda: placing.at_point(AtPoint((3,), 100, 100), two, 40, 40))
    refused("pdf-page", lambda: placing.at_point(AtPoint((), 100, 100), two, 40, 40))


def found(data: bytes, text: str, nth: int | None = None) -> list[keywords.Occurrence]:
    return keywords.find(data, text, list(pages.walk(open_document(data).reader)), nth)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50.0, 100.0, 500.0, 800.0)])
def test_a_keyword_is_found_where_it_stands(rotate, crop):
    data = pdfs.make([Sheet(words=((200, 400, "Checked by"),), rotate=rotate, crop=crop)])
    (one,) = found(data, "Checkedby")
    left, bottom, right, top = one.box
    assert left == pytest.approx(200, abs=3)
    assert bottom == pytest.approx(400, abs=5)
    assert right - left == pytest.approx(62, abs=5)
    assert one.page.point(*one.centre_mm) == pytest.approx(((left + right) / 2, (bottom + top) / 2))


def test_occurrences_are_counted_through_the_file():
    data = pdfs.make([Sheet(words=((72, 700, "Sign"), (72, 500, "Sign"))), Sheet(words=((72, 300, "Sign"),))])
    assert [one.page.number for one in found(data, "Sign")] == [1, 1, 2]
    assert found(data, "Sign", 3)[0].page.number == 2
    error = refused("pdf-keyword", lambda: found(data, "Sign", 4))
    assert "只出现 3 次" in error.reason
    refused("pdf-keyword", lambda: found(data, "  "))
    assert "扫描件" in refused("pdf-keyword", lambda: found(data, "审核医师")).reason


def test_chinese_keywords_with_blanks_between():
    """Forms write 审 核 医 师 apart."""
    both = found(pdfs.chinese_report(), "审核医师")
    assert [one.page.number for one in both] == [1, 2]
    assert both[0].centre_mm == pytest.approx((131.6, 248), abs=2)
