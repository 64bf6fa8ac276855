"""What is read out of a PDF for the page: run in a bounded process, since a PDF may be anything. Plain values only."""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.signing.seals.pdf import keywords, pages
from yingqiao.signing.seals.pdf.document import hostile, open_document
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.model import SealedPdf
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import Placement
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.pdf.writing import resolve


@dataclass(frozen=True, slots=True)
class Rect:
    """Millimetres from the left and the top of a page (from 1) as it is shown."""

    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Piece(Rect):
    """A part of the seal's picture: `left`, `top` say where in the picture it begins."""

    left: float
    top: float


@dataclass(frozen=True, slots=True)
class Facts:
    """A file as read; `rects` is where each of its signatures is shown, None where no page shows it."""

    sealed: SealedPdf
    rects: tuple[Rect | None, ...]


def facts(data: bytes, limits: Limits) -> Facts:
    """Raises PdfError."""
    sealed = read(data, limits, appearances=False)
    document = open_document(data, limits)
    with hostile():
        shown = {page.number: page for page in pages.walk(document.reader, limits)}
    rects = []
    for one in sealed.signatures:
        page = shown.get(one.page_index or 0)
        rects.append(_rect(page, one.rect) if page and one.rect else None)
    return Facts(sealed, tuple(rects))


def find(data: bytes, text: str, limits: Limits) -> list[Rect]:
    """Every place of a keyword. Raises PdfError, `pdf-keyword` for none."""
    document = open_document(data, limits)
    with hostile():
        listed = list(pages.walk(document.reader, limits))
        return [_rect(one.page, one.box) for one in keywords.find(data, text, listed)]


def plan(data: bytes, placement: Placement, picture: SealPicture, limits: Limits) -> list[Piece]:
    """Where a seal's parts will be. Raises PdfError."""
    document = open_document(data, limits)
    with hostile():
        marks = resolve(document, placement, picture, limits)
    return [
        Piece(
            mark.page.number,
            round(mark.x_mm, 3),
            round(mark.y_mm, 3),
            round(mark.part.width, 3),
            round(mark.part.height, 3),
            round(mark.part.left, 3),
            round(picture.height_mm - mark.part.top, 3),
        )
        for mark in marks
    ]


def _rect(page: pages.Page, box: pages.Box) -> Rect:
    (x1, y1), (x2, y2) = page.shown(box[0], box[1]), page.shown(box[2], box[3])
    left, right = sorted((x1, x2))
    top, bottom = sorted((y1, y2))
    return Rect(page.number, *(round(value, 2) for value in (left, top, right - left, bottom - top)))
