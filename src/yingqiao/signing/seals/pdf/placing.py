"""Where a seal goes: at a point, at a keyword, across the edges of the pages (骑缝章). Millimetres of what is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.pages import Page

NARROWEST_MM = 3.0
"""A slice below this is not readable."""
_TOLERANCE_MM = 0.4
_HAIR = 1e-6
"""What arithmetic may lose."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the seal's picture in mm from its left and its lower edge."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass(frozen=True, slots=True)
class Mark:
    """The seal, or a part of it, on one page: `x_mm`, `y_mm` is its upper left corner as the page is shown."""

    page: Page
    x_mm: float
    y_mm: float
    part: Part


class Side(StrEnum):
    RIGHT = "right"
    LEFT = "left"
    TOP = "top"
    BOTTOM = "bottom"


class Which(StrEnum):
    """Which pages a paging seal goes over, and what lies on what."""

    ALL = "all"
    ODD = "odd"
    EVEN = "even"
    DUPLEX = "duplex"
    """Sheets printed on both sides: a sheet has one slice, on its front (odd) and, where the same edge is, on its back."""
    FACING = "facing"
    """A book that lies open: 2 and 3, 4 and 5 … share a whole seal across the fold; the cover faces nothing."""


@dataclass(frozen=True, slots=True)
class AtPoint:
    """The centre of the seal, from the left and the top of the page as shown; the same place on each of `pages`."""

    pages: tuple[int, ...]
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class AtKeyword:
    """Centred on a word, moved by `dx_mm` to the right and `dy_mm` downwards, and kept within the page.

    `nth` counts occurrences from 1 through the whole file; None is all of them.
    """

    text: str
    nth: int | None = 1
    dx_mm: float = 0.0
    dy_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Paging:
    """One seal cut across the edges of several pages; many pages make several groups, each with a whole seal."""

    side: Side = Side.RIGHT
    which: Which = Which.ALL
    group: int | None = None
    """About so many pages (of DUPLEX: sheets) a seal, one more where a page would be left alone; never so many that a
    slice is below 3 mm. FACING has two.
    """
    centre_mm: float | None = None
    """Of the seal along the side, from the top or the left of the page as shown; None is the middle."""


Placement = AtPoint | AtKeyword | Paging


def at_point(wish: AtPoint, pages: Sequence[Page], width: float, height: float) -> list[Mark]:
    """A mark for each page. Raises PdfError `pdf-page`, `pdf-place` when the seal would not lie within the page."""
    marks = []
    for number in wish.pages:
        if not 1 <= number <= len(pages):
            raise PdfError(f"没有第 {number} 页：文件共 {len(pages)} 页", code="pdf-page")
        page = pages[number - 1]
        x, y = wish.x_mm - width / 2, wish.y_mm - height / 2
        across, down = page.size_mm
        if (
            min(x, y) < -_TOLERANCE_MM
            or x + width > across + _TOLERANCE_MM
            or y + height > down + _TOLERANCE_MM
        ):
            raise PdfError(
                f"印章（{width:g}×{height:g} mm）以 {wish.x_mm:g}, {wish.y_mm:g} 为中心时超出第 {number} 页"
                f"（{across:.0f}×{down:.0f} mm）",
                code="pdf-place",
            )
        marks.append(Mark(page, x, y, _whole(width, height)))
    if not marks:
        raise PdfError("没有指定页", code="pdf-page")
    return marks


def around(page: Page, x_mm: float, y_mm: float, width: float, height: float) -> Mark:
    """Centred there, or as near to it as the page allows. Raises PdfError `pdf-place` on a page smaller than the seal."""
    across, down = page.size_mm
    if width > across + _TOLERANCE_MM or height > down + _TOLERANCE_MM:
        raise PdfError(f"第 {page.number} 页比印章还小", code="pdf-place")
    x = min(max(x_mm - width / 2, 0.0), max(across - width, 0.0))
    y = min(max(y_mm - height / 2, 0.0), max(down - height, 0.0))
    return Mark(page, x, y, _whole(width, height))


def _whole(width: float, height: float) -> Part:
    return Part(0.0, 0.0, width, height)


def paging(wish: Paging, pages: Sequence[Page], width: float, height: float) -> list[Mark]:
    """The slices, page after page. Raises PdfError `pdf-single-page`, `pdf-place`."""
    if wish.which is Which.FACING:
        return _facing(wish, pages, width, height)
    leaves = _leaves(pages, wish.which)
    if len(leaves) < 2:
        raise PdfError(_TOO_FEW.get(wish.which, "骑缝章至少需要两页"), code="pdf-single-page")
    length = width if wish.side in _UPRIGHT else height
    marks: list[Mark] = []
    at = 0
    for size in groups(len(leaves), length, wish.group):
        edges = _edges(length, size)
        for index, leaf in enumerate(leaves[at : at + size]):
            marks += _leaf(leaf, wish, index, edges, width, height)
        at += size
    return marks


def _edges(length: float, size: int) -> list[float]:
    """Where the slices begin, and the end: in µm, rounded down, so the last one takes what is left."""
    slice_um = math.floor(length / size * 1000 + _HAIR)
    return [slice_um * index / 1000 for index in range(size)] + [length]


_UPRIGHT = (Side.RIGHT, Side.LEFT)
_BACK = {Side.RIGHT: Side.LEFT, Side.LEFT: Side.RIGHT, Side.TOP: Side.TOP, Side.BOTTOM: Side.BOTTOM}
_TOO_FEW = {
    Which.DUPLEX: "双面打印的骑缝章至少需要两张纸（三页）",
    Which.FACING: "对开骑缝章至少需要三页：第 1 页是封面，第 2、3 页相对",
}


def _leaves(pages: Sequence[Page], which: Which) -> list[Sequence[Page]]:
    """The pages of each sheet, its front first."""
    if which is Which.DUPLEX:
        return [pages[at : at + 2] for at in range(0, len(pages), 2)]
    return [(page,) for page in pages if which is Which.ALL or (page.number % 2 == 1) == (which is Which.ODD)]


def _leaf(
    leaf: Sequence[Page], wish: Paging, index: int, edges: list[float], width: float, height: float
) -> list[Mark]:
    """The slice on a sheet's front, and on its back: there the same edge is on the other side, and the last sheet on top."""
    marks = [_slice(leaf[0], wish, wish.side, index, edges, width, height)]
    if len(leaf) > 1:
        length = edges[-1]
        mirrored = [round(length - edge, 3) for edge in reversed(edges)]
        marks.append(_slice(leaf[1], wish, _BACK[wish.side], len(edges) - 2 - index, mirrored, width, height))
    return marks


def _facing(wish: Paging, pages: Sequence[Page], width: float, height: float) -> list[Mark]:
    """The left page's right edge has the left half, the right page's left edge the right half, at one height."""
    if len(pages) < 3:
        raise PdfError(_TOO_FEW[Which.FACING], code="pdf-single-page")
    if wish.side not in _UPRIGHT:
        raise PdfError("对开骑缝章在左右两页之间，不能选上边、下边", code="pdf-place")
    _most_slices(width)
    half = width / 2
    marks: list[Mark] = []
    for left, right in zip(pages[1::2], pages[2::2], strict=False):
        middle = min(left.size_mm[1], right.size_mm[1]) / 2
        both = wish if wish.centre_mm is not None else replace(wish, centre_mm=middle)
        marks.append(_slice(left, both, Side.RIGHT, 0, [0.0, half, width], width, height))
        marks.append(_slice(right, both, Side.LEFT, 0, [0.0, width - half, width], width, height))
    return marks


def groups(count: int, length_mm: float, wanted: int | None = None) -> list[int]:
    """How many of two pages and more share each seal: as even as can be, none alone, no slice below 3 mm.

    Raises PdfError `pdf-place`: two slices are all the seal gives, or none, and the pages are odd in number.
    """
    most = _most_slices(length_mm)
    if wanted is not None and wanted < 2:
        raise PdfError("骑缝章每组至少两页", code="pdf-place")
    if most == 2 and count % 2:
        words = f"印章只有 {length_mm:g} mm，只够两页一组，{count} 页（张）是单数，会剩下一页"
        raise PdfError(f"{words}；请换大一些的印章", code="pdf-place")
    size = min(most, wanted or most)
    number = max(1, min(math.ceil(count / size), count // 2))
    few, more = divmod(count, number)
    return [few + 1] * more + [few] * (number - more)


def _most_slices(length_mm: float) -> int:
    """Into how many slices of 3 mm a seal can be cut. Raises PdfError `pdf-place` below two."""
    most = math.floor(length_mm / NARROWEST_MM + _HAIR)
    if most < 2:
        raise PdfError(f"印章只有 {length_mm:g} mm，分成骑缝后每片不足 {NARROWEST_MM:g} mm", code="pdf-place")
    return most


def _slice(
    page: Page, wish: Paging, side: Side, index: int, edges: list[float], width: float, height: float
) -> Mark:
    """Pages lie one upon the other, the first on top: the next sticks out further, so it shows the next slice."""
    across, down = page.size_mm
    begin, end = edges[index], edges[index + 1]
    length = edges[-1]
    if side in _UPRIGHT:
        y = _along(wish.centre_mm, down, height, page)
        if side is Side.RIGHT:
            return Mark(page, across - (end - begin), y, Part(begin, 0.0, end, height))
        return Mark(page, 0.0, y, Part(length - end, 0.0, length - begin, height))
    x = _along(wish.centre_mm, across, width, page)
    if side is Side.BOTTOM:
        return Mark(page, x, down - (end - begin), Part(0.0, length - end, width, length - begin))
    return Mark(page, x, 0.0, Part(0.0, begin, width, end))


def _along(centre: float | None, edge: float, size: float, page: Page) -> float:
    """Where the slice begins along the side; kept within the page."""
    if size > edge + _TOLERANCE_MM:
        raise PdfError(f"第 {page.number} 页的边长不足以放下骑缝章", code="pdf-place")
    begin = (edge if centre is None else 2 * centre) / 2 - size / 2
    return min(max(begin, 0.0), max(edge - size, 0.0))
