"""From a photograph or scan of a stamp to the picture of a seal: background removed, colour kept, cropped, in mm."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageChops

from yingqiao.signing.enrolment.form import LEAST_MM, MOST_MM
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.sampling.finding import Box, Found, find_stamp
from yingqiao.signing.seals.sampling.ink import Ink, Inked, find_ink, ink_colour, mean_colour
from yingqiao.signing.seals.sampling.opening import Opened, open_picture

PER_MM: Final = 12
"""Pixels a millimetre of the result, about 300 dpi: crisp at 200 % on a screen."""
_WORK = 1600
_SMALLEST = 60
_FEW_PER_MM = 6
_MARGIN = 0.08
_FAINT = 90
_CUT_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Wish:
    """Millimetres where the person knows them, or dots an inch of the scan; else the file has to say."""

    width: int | None = None
    height: int | None = None
    dpi: float | None = None
    ink: Ink = Ink.AUTO
    clearing: int = 50
    """0 to 100: how much faint stuff is cleared away."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """`png` with transparency, `width` and `height` in mm; `before` is the place in the photograph, as JPEG.
    `notes` are Chinese: what the person should look at before accepting.
    """

    png: bytes = field(repr=False)
    before: bytes = field(repr=False)
    width: int
    height: int
    pixels: tuple[int, int]
    colour: str
    notes: tuple[str, ...]


def sample(content: bytes, wish: Wish | None = None) -> Sampled:
    """Raises SigningRefused: not a picture within bounds, no stamp in it, size unknown or impossible."""
    wish = wish or Wish()
    _check(wish)
    opened = open_picture(content)
    region, found, inked = _located(opened.image, wish)
    box = found.box
    size = (box[2] - box[0], box[3] - box[1])
    if min(size) < _SMALLEST:
        raise SigningRefused(
            "picture-small", f"印章在图中只有 {size[0]}×{size[1]} 像素，请拍近一些或提高扫描精度"
        )
    scale = region.scale
    width, height = _millimetres(size, scale, opened, wish)
    picture = _picture(inked, found, (width, height))
    return Sampled(
        _png(picture),
        _before(region.image, box),
        width,
        height,
        picture.size,
        "#{:02x}{:02x}{:02x}".format(*mean_colour(inked.colour, inked.alpha.point([0] * 200 + [255] * 56))),
        tuple(_notes(size, (width, height), found, inked)),
    )


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of the picture at working size; `scale` pixels of the picture to one of these."""

    image: Image.Image
    scale: float


def _located(image: Image.Image, wish: Wish) -> tuple[_Region, Found, Inked]:
    """Roughly in the whole picture, then exactly where it is."""
    region = _shrunk(image)
    inked = _inked(region.image, wish)
    found = find_stamp(inked.alpha)
    if region.scale <= 1:
        return region, found, inked
    near = image.crop(_widened(found.box, region.scale, image.size))
    region = _shrunk(near)
    inked = _inked(region.image, wish)
    return region, find_stamp(inked.alpha), inked


def _shrunk(image: Image.Image) -> _Region:
    scale = max(1.0, max(image.size) / _WORK)
    if scale == 1:
        return _Region(image, 1.0)
    size = (max(1, round(image.size[0] / scale)), max(1, round(image.size[1] / scale)))
    return _Region(image.resize(size, Image.Resampling.BOX), scale)


def _inked(image: Image.Image, wish: Wish) -> Inked:
    """A picture that is cut out already keeps its own transparency."""
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        if sum(alpha.histogram()[:64]) > _CUT_OUT * image.size[0] * image.size[1]:
            return Inked(image.convert("RGB"), alpha, 255, coloured=True)
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image).convert("RGB")
    return find_ink(image, wish.ink, wish.clearing)


def _widened(box: Box, scale: float, size: tuple[int, int]) -> Box:
    """Of the whole picture, with paper around it."""
    across, down = (box[2] - box[0]) * scale * 0.2, (box[3] - box[1]) * scale * 0.2
    return (
        max(0, int(box[0] * scale - across)),
        max(0, int(box[1] * scale - down)),
        min(size[0], int(box[2] * scale + across) + 1),
        min(size[1], int(box[3] * scale + down) + 1),
    )


def _check(wish: Wish) -> None:
    for text, value in (("宽", wish.width), ("高", wish.height)):
        if value is not None and not LEAST_MM <= value <= MOST_MM:
            raise SigningRefused("seal-size", f"印章{text}应为 {LEAST_MM} 至 {MOST_MM} 毫米")
    if wish.dpi is not None and not 72 <= wish.dpi <= 4800:
        raise SigningRefused("seal-size", "扫描精度应为 72 至 4800 dpi")


def _millimetres(size: tuple[int, int], scale: float, opened: Opened, wish: Wish) -> tuple[int, int]:
    """As said; the side not said by proportion; else by the scan's dots an inch. Raises SigningRefused."""
    ratio = size[0] / size[1]
    dpi = wish.dpi or opened.dpi
    if wish.width is not None:
        width, height = wish.width, wish.height or round(wish.width / ratio)
    elif wish.height is not None:
        width, height = round(wish.height * ratio), wish.height
    elif dpi is not None:
        width, height = (round(side * scale * 25.4 / dpi) for side in size)
    else:
        raise SigningRefused(
            "size-unknown", "照片没有尺寸信息，请填写印章的宽或高（毫米），或扫描精度（dpi）"
        )
    if not (LEAST_MM <= width <= MOST_MM and LEAST_MM <= height <= MOST_MM):
        raise SigningRefused(
            "seal-size", f"算得 {width}×{height} 毫米，应在 {LEAST_MM} 至 {MOST_MM} 毫米之间，请填写实际尺寸"
        )
    return width, height


def _picture(inked: Inked, found: Found, mm: tuple[int, int]) -> Image.Image:
    """Cut out, at PER_MM pixels a millimetre at most, in few shades so that it stays small in every signed file."""
    alpha = ImageChops.multiply(inked.alpha, found.mask)
    usual = mean_colour(inked.colour, alpha.point([0] * 200 + [255] * 56))
    colour = ink_colour(inked) if inked.strength < 255 else inked.colour
    picture = colour.crop(found.box)
    picture.putalpha(alpha.crop(found.box))
    size = (mm[0] * PER_MM, mm[1] * PER_MM)
    if picture.size[0] > size[0] or picture.size[1] > size[1]:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    shades = [min(255, (value + 4) // 8 * 8) for value in range(256)]
    opaque = picture.getchannel("A").point([round(value / 17) * 17 for value in range(256)])
    flat = picture.convert("RGB").point(shades * 3)
    clear = Image.new("RGB", picture.size, usual)
    done = Image.composite(flat, clear, opaque.point([0] + [255] * 255))
    done.putalpha(opaque)
    return done


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _before(image: Image.Image, box: Box) -> bytes:
    """The place as photographed, with a margin."""
    across, down = round((box[2] - box[0]) * _MARGIN), round((box[3] - box[1]) * _MARGIN)
    around = (
        max(0, box[0] - across),
        max(0, box[1] - down),
        min(image.size[0], box[2] + across),
        min(image.size[1], box[3] + down),
    )
    cut = image.crop(around)
    if cut.mode == "RGBA":
        cut = Image.alpha_composite(Image.new("RGBA", cut.size, "white"), cut)
    out = io.BytesIO()
    cut.convert("RGB").save(out, "JPEG", quality=88)
    return out.getvalue()


def _notes(size: tuple[int, int], mm: tuple[int, int], found: Found, inked: Inked) -> list[str]:
    said = []
    skew = abs(size[0] / size[1] / (mm[0] / mm[1]) - 1)
    if skew > 0.06:
        said.append(f"图中的长宽比与 {mm[0]}×{mm[1]} 毫米相差 {skew:.0%}，图像将被拉伸")
    elif 0.02 < abs(size[0] / size[1] - 1) < 0.12:
        said.append("印章长宽略有不同：圆章如此多半是拍摄倾斜，请正对纸面重拍或改用扫描")
    if found.cut:
        said.append("印章触及图片边缘，可能不完整")
    if found.others:
        said.append("图中另有一处印迹，只取了最大的一处")
    if min(size[0] / mm[0], size[1] / mm[1]) < _FEW_PER_MM:
        dots = round(min(size[0] / mm[0], size[1] / mm[1]) * 25.4)
        said.append(f"清晰度只有 {dots} dpi，放大会模糊，建议 300 dpi 以上扫描")
    if 0 < inked.strength < _FAINT:
        said.append("印迹较淡，建议重新盖印")
    return said
