"""Where on the paper the stamp is: the largest patch of ink that belongs together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFilter

from yingqiao.signing.errors import SigningRefused

_GRID = 200
"""Cells along the longer side."""
_INK = 48
_OTHER_SHARE = 0.3
"""Another patch with this much of the ink is worth a word."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """`box` in pixels; `others`: there is another patch that may be a stamp; `cut`: it touches the picture's edge."""

    box: Box
    mask: Image.Image
    others: bool
    cut: bool


@dataclass(slots=True)
class _Patch:
    cells: list[int]
    ink: int = 0

    def box(self, width: int) -> Box:
        across, down = [cell % width for cell in self.cells], [cell // width for cell in self.cells]
        return min(across), min(down), max(across) + 1, max(down) + 1


def find_stamp(alpha: Image.Image) -> Found:
    """The stamp in a picture of ink (L). Raises SigningRefused when there is none."""
    size = max(1, -(-max(alpha.size) // _GRID))
    grid = alpha.reduce(size)
    near = grid.filter(ImageFilter.MaxFilter(5)).point([0] * 12 + [255] * 244)
    width = grid.size[0]
    ink = grid.tobytes()
    patches = sorted(_patches(near.tobytes(), width, ink), key=lambda one: one.ink, reverse=True)
    if not patches or not patches[0].ink:
        raise SigningRefused("no-stamp", "图中没有找到印章，请检查照片，或改用“全部深色”")
    main = patches[0]
    box = main.box(width)
    inside = [one for one in patches[1:] if _touch(box, one.box(width))]
    others = any(one.ink > _OTHER_SHARE * main.ink for one in patches[1:] if one not in inside)
    mask = _mask(near.size, [main, *inside]).resize(
        (near.size[0] * size, near.size[1] * size), Image.Resampling.NEAREST
    )
    mask = mask.crop((0, 0, *alpha.size))
    kept = Image.composite(alpha, Image.new("L", alpha.size), mask)
    exact = kept.point([0] * _INK + [255] * (256 - _INK)).getbbox()
    if exact is None:
        raise SigningRefused("no-stamp", "图中的印迹太淡，请重新盖印或在光线充足处拍摄")
    edge = exact[0] <= 1 or exact[1] <= 1 or exact[2] >= alpha.size[0] - 1 or exact[3] >= alpha.size[1] - 1
    return Found(exact, mask, others, edge)


def _patches(near: bytes, width: int, ink: bytes) -> Iterator[_Patch]:
    """Cells that hang together, over edges and corners."""
    seen = bytearray(len(near))
    for start, value in enumerate(near):
        if not value or seen[start]:
            continue
        patch, waiting = _Patch([]), [start]
        seen[start] = 1
        while waiting:
            cell = waiting.pop()
            patch.cells.append(cell)
            patch.ink += ink[cell]
            for other in _around(cell, width, len(near)):
                if near[other] and not seen[other]:
                    seen[other] = 1
                    waiting.append(other)
        yield patch


def _around(cell: int, width: int, count: int) -> Iterator[int]:
    across = cell % width
    for row in (-width, 0, width):
        for step in (-1, 0, 1):
            other = cell + row + step
            if 0 <= other < count and 0 <= across + step < width:
                yield other


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _mask(size: tuple[int, int], patches: list[_Patch]) -> Image.Image:
    cells = bytearray(size[0] * size[1])
    for patch in patches:
        for cell in patch.cells:
            cells[cell] = 255
    return Image.frombytes("L", size, bytes(cells))
