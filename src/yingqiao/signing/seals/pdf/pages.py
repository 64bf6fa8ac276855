"""The pages of a file: where they are, how they are shown. Points are default user space, millimetres what people see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, IndirectObject, Reference
from pyhanko.pdf_utils.rw_common import PdfHandler

from yingqiao.signing.seals.pdf.document import got
from yingqiao.signing.seals.pdf.errors import PdfError, damaged, too_big
from yingqiao.signing.seals.pdf.limits import DEFAULT, Limits

POINTS_PER_MM = 72 / 25.4
_A4 = (0.0, 0.0, 595.276, 841.89)
_DEEPEST = 64
_INHERITED = ("/MediaBox", "/CropBox", "/Rotate")
_LONGEST_EDGE = 1_000_000.0

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is seen of a page: its crop box within its media box, turned clockwise by `rotation` degrees."""

    number: int
    """From 1."""
    ref: Reference
    box: Box
    rotation: int
    unit: float
    """Points of one unit of user space (UserUnit)."""

    @property
    def per_mm(self) -> float:
        """Units of user space a millimetre."""
        return POINTS_PER_MM / self.unit

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height as shown."""
        left, bottom, right, top = self.box
        across, up = (right - left) / self.per_mm, (top - bottom) / self.per_mm
        return (up, across) if self.rotation in (90, 270) else (across, up)

    def point(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """User space of a place given from the left and the top of the page as shown."""
        left, bottom, right, top = self.box
        x, y = x_mm * self.per_mm, y_mm * self.per_mm
        return {
            0: (left + x, top - y),
            90: (left + y, bottom + x),
            180: (right - x, bottom + y),
            270: (right - y, top - x),
        }[self.rotation]

    def shown(self, x: float, y: float) -> tuple[float, float]:
        """The inverse of `point`: millimetres from the left and the top of the page as shown."""
        left, bottom, right, top = self.box
        across, down = {
            0: (x - left, top - y),
            90: (y - bottom, x - left),
            180: (right - x, y - bottom),
            270: (top - y, right - x),
        }[self.rotation]
        return across / self.per_mm, down / self.per_mm

    def rect(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> Box:
        """User space of a rectangle whose upper left corner, as shown, is at x, y."""
        first, second = self.point(x_mm, y_mm), self.point(x_mm + width_mm, y_mm + height_mm)
        (x1, x2), (y1, y2) = sorted((first[0], second[0])), sorted((first[1], second[1]))
        return x1, y1, x2, y2


def walk(handler: PdfHandler, limits: Limits = DEFAULT) -> Iterator[Page]:
    """The pages in their order. Raises PdfError on a tree that is none, and whatever pyHanko raises on odd objects."""
    root = handler.root.raw_get("/Pages")
    waiting: list[tuple[Any, Mapping[str, Any], int]] = [(root, {}, 0)]
    seen: set[Reference] = set()
    number = 0
    while waiting:
        pointer, inherited, depth = waiting.pop()
        if not isinstance(pointer, IndirectObject) or pointer.reference in seen or depth > _DEEPEST:
            raise damaged("页面树不完整或成环")
        seen.add(pointer.reference)
        node = pointer.get_object()
        if not isinstance(node, DictionaryObject):
            raise damaged("页面树不完整")
        own = {key: got(node, key) for key in _INHERITED if key in node}
        inherited = {**inherited, **own}
        kids = got(node, "/Kids")
        if isinstance(kids, list) and got(node, "/Type") != "/Page":
            waiting.extend((kid, inherited, depth + 1) for kid in reversed(list(kids)))
            continue
        number += 1
        if number > limits.pages:
            raise too_big(f"超过 {limits.pages} 页")
        yield _page(number, pointer.reference, node, inherited)


def find(handler: PdfHandler, number: int, limits: Limits = DEFAULT) -> Page:
    """Page `number`, from 1. Raises PdfError `pdf-page`."""
    count = 0
    for page in walk(handler, limits) if number > 0 else ():
        count = page.number
        if count == number:
            return page
    raise PdfError(f"没有第 {number} 页" + (f"：文件共 {count} 页" if count else ""), code="pdf-page")


def _page(number: int, ref: Reference, node: DictionaryObject, inherited: Mapping[str, Any]) -> Page:
    media = box_of(inherited.get("/MediaBox")) or _A4
    crop = box_of(inherited.get("/CropBox")) or media
    seen = (
        max(media[0], crop[0]),
        max(media[1], crop[1]),
        min(media[2], crop[2]),
        min(media[3], crop[3]),
    )
    box = seen if seen[0] < seen[2] and seen[1] < seen[3] else media
    rotation = int(inherited.get("/Rotate") or 0) % 360
    unit = float(got(node, "/UserUnit", 1))
    return Page(number, ref, box, rotation if rotation % 90 == 0 else 0, unit if unit > 0 else 1.0)


def box_of(value: Any) -> Box | None:
    """A rectangle of the file, normalised; None for what is none."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    x1, y1, x2, y2 = (float(value[index]) for index in range(4))
    box = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
    fits = all(abs(edge) <= _LONGEST_EDGE for edge in box) and box[0] < box[2] and box[1] < box[3]
    return box if fits else None
