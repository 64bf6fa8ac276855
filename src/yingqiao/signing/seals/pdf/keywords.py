"""Words of a file and where they stand: pdfium reads the text, blanks do not count ("审 核 医 师" is 审核医师)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from yingqiao.signing.seals.pdf.errors import PdfError, damaged
from yingqiao.signing.seals.pdf.pages import Box, Page

_LONGEST = 100
_MOST_CHARACTERS = 200_000
"""Of one page."""
_MOST_MARKS = 200


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a word stands, in user space of its page."""

    page: Page
    box: Box

    @property
    def centre_mm(self) -> tuple[float, float]:
        """From the left and the top of the page as shown."""
        left, bottom, right, top = self.box
        return self.page.shown((left + right) / 2, (bottom + top) / 2)


def find(data: bytes, text: str, pages: Sequence[Page], nth: int | None = None) -> list[Occurrence]:
    """All occurrences in reading order, or only the `nth`, from 1. Raises PdfError `pdf-keyword` for none."""
    wanted = "".join(text.split())
    if not wanted or len(wanted) > _LONGEST:
        raise PdfError(f"关键字为空或超过 {_LONGEST} 字", code="pdf-keyword")
    found: list[Occurrence] = []
    for one in _occurrences(data, wanted, pages):
        found.append(one)
        if len(found) == nth:
            return [one]
        if nth is None and len(found) > _MOST_MARKS:
            raise PdfError(f"关键字“{text}”出现超过 {_MOST_MARKS} 次，请指定第几处", code="pdf-keyword")
    if not found:
        raise PdfError(
            f"文件中没有关键字“{text}”：请核对文字；扫描件没有文字，请改为指定位置", code="pdf-keyword"
        )
    if nth is not None:
        raise PdfError(f"关键字“{text}”只出现 {len(found)} 次，没有第 {nth} 处", code="pdf-keyword")
    return found


def _occurrences(data: bytes, wanted: str, pages: Sequence[Page]) -> Iterator[Occurrence]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise damaged("无法读取页面上的文字") from error
    with document:
        for page in pages[: len(document)]:
            yield from (Occurrence(page, box) for box in _boxes(document, page.number - 1, wanted))


def _boxes(document: pypdfium2.PdfDocument, index: int, wanted: str) -> Iterator[Box]:
    try:
        text = document[index].get_textpage()
    except pypdfium2.PdfiumError:
        return
    count = min(text.count_chars(), _MOST_CHARACTERS)
    codes = [(number, pdfium.FPDFText_GetUnicode(text, number)) for number in range(count)]
    kept = [(number, chr(code)) for number, code in codes if _printed(code)]
    line = "".join(character for _, character in kept)
    at = line.find(wanted)
    while at >= 0:
        yield _union([text.get_charbox(number) for number, _ in kept[at : at + len(wanted)]])
        at = line.find(wanted, at + len(wanted))


def _printed(code: int) -> bool:
    return 0x20 < code <= 0x10FFFF and not chr(code).isspace()


def _union(boxes: Sequence[Box]) -> Box:
    left, bottom, right, top = zip(*boxes, strict=True)
    return min(left), min(bottom), max(right), max(top)
