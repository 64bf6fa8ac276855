"""How a signature's widget looks, drawn by pdfium on white, beside the picture of its seal. Warnings only."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from typing import Any

import pypdfium2
from PIL import Image, ImageChops, ImageStat
from pyhanko.pdf_utils.generic import DictionaryObject, StreamObject, pdf_name
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter

from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import parse_signature
from yingqiao.signing.seals.pdf.document import got, hostile
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.fields import Field
from yingqiao.signing.seals.pdf.model import Appearance
from yingqiao.signing.seals.pdf.pages import POINTS_PER_MM, Box, box_of
from yingqiao.signing.seals.pdf.picture import Pixels, pixels

_EDGE = 160
"""Pixels of the longer side that is compared."""
_MOST_PIXELS = 25_000_000
_DIFFERENT = 0.35
"""Share of the ink that is elsewhere; drawing the same picture at another size gives below 0.15."""
_STEPS = 32


def picture_of(contents: bytes) -> tuple[bytes, float, float] | None:
    """The seal's picture with its size in mm, from a seal signature; None when there is none to be had."""
    try:
        picture = parse_signature(contents).seal.info.picture
    except GmError:
        return None
    return picture.data, float(picture.width), float(picture.height)


def look(field: Field, contents: bytes) -> Appearance | None:
    """The widget of `field` as drawn, compared with the picture in `contents`. None when it shows nothing."""
    told = picture_of(contents)
    try:
        with hostile():
            if told is not None and _as_written(field, *told):
                return Appearance(told[0], same=True)
            drawn = _drawn(field)
    except PdfError:
        return None
    if drawn is None:
        return None
    seal = decoded(told[0]) if told else None
    same = None if seal is None or told is None else alike(drawn, seal, told[1], told[2])
    out = BytesIO()
    drawn[0].save(out, "PNG")
    return Appearance(out.getvalue(), same)


_DRAWS = re.compile(rb"q ([\d.]+) 0 0 ([\d.]+) 0 0 cm /Seal Do Q")
_FORM_KEYS = {"/Type", "/Subtype", "/FormType", "/BBox", "/Matrix", "/Resources", "/Length"}
_IMAGE_KEYS = {
    "/Type",
    "/Subtype",
    "/Width",
    "/Height",
    "/ColorSpace",
    "/BitsPerComponent",
    "/Filter",
    "/Length",
    "/SMask",
}


def _as_written(field: Field, data: bytes, width: float, height: float) -> bool:
    """Whether the widget is what `writing` makes of this picture, to the byte: then nothing needs drawing."""
    node = field.widgets[0][1] if field.widgets else DictionaryObject()
    form, rect = _form(node), box_of(got(node, "/Rect"))
    box = box_of(got(form, "/BBox")) if form is not None else None
    found = _DRAWS.fullmatch(form.encoded_data) if form is not None and not form.keys() - _FORM_KEYS else None
    if form is None or rect is None or box is None or found is None:
        return False
    across, up = float(found[1]), float(found[2])
    turned = _turn(form) in (90, 270)
    shown = (rect[3] - rect[1], rect[2] - rect[0]) if turned else (rect[2] - rect[0], rect[3] - rect[1])
    fits = box[0] >= -0.01 and box[1] >= -0.01 and box[2] <= across + 0.01 and box[3] <= up + 0.01
    as_large = abs(box[2] - box[0] - shown[0]) < 0.01 and abs(box[3] - box[1] - shown[1]) < 0.01
    in_shape = abs(across * height - up * width) < 0.001 * across * height
    image = got(got(got(form, "/Resources", {}), "/XObject", {}), "/Seal")
    return fits and as_large and in_shape and _is_picture(image, data)


def _is_picture(image: Any, data: bytes) -> bool:
    try:
        wanted = pixels(data)
    except PdfError:
        return False
    return _is_image(image, wanted, wanted.colours, "/DeviceRGB") and (
        "/SMask" not in image
        if wanted.alpha is None
        else _is_image(got(image, "/SMask"), wanted, wanted.alpha, "/DeviceGray")
    )


def _is_image(image: Any, wanted: Pixels, encoded: bytes, space: str) -> bool:
    if not isinstance(image, StreamObject) or image.keys() - _IMAGE_KEYS:
        return False
    said = tuple(
        got(image, key) for key in ("/Width", "/Height", "/ColorSpace", "/BitsPerComponent", "/Filter")
    )
    same: bool = (
        said == (wanted.width, wanted.height, space, 8, "/FlateDecode") and image.encoded_data == encoded
    )
    return same


def decoded(data: bytes) -> Image.Image | None:
    """A picture (PNG, GIF, JPEG, BMP) on white; None for what is none, too large, or a whole OFD."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(BytesIO(data), formats=("PNG", "GIF", "JPEG", "BMP")) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    return None
                return _on_white(opened.convert("RGBA"))
    except Exception:  # noqa: BLE001 decoders of pictures raise whatever broken pictures make them
        return None


def _on_white(picture: Image.Image) -> Image.Image:
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture)
    return page.convert("RGB")


def alike(drawn: tuple[Image.Image, float, float], seal: Image.Image, width: float, height: float) -> bool:
    """Whether `drawn` (with its size in mm) is the seal, or a slice of it from edge to edge (骑缝章)."""
    image, across, up = drawn
    if width <= 0 or height <= 0:
        return False
    if abs(across - width) < 0.05 * width and abs(up - height) < 0.05 * height:
        return _distance(image, seal) < _DIFFERENT
    if abs(up - height) < 0.05 * height and across < width:
        return any(
            _distance(image, part) < _DIFFERENT for part in _slices(seal, across / width, upright=False)
        )
    if abs(across - width) < 0.05 * width and up < height:
        return any(_distance(image, part) < _DIFFERENT for part in _slices(seal, up / height, upright=True))
    return _distance(image, seal) < _DIFFERENT


def _slices(seal: Image.Image, share: float, *, upright: bool) -> list[Image.Image]:
    whole = seal.height if upright else seal.width
    size = max(1, round(whole * share))
    starts = {round((whole - size) * step / _STEPS) for step in range(_STEPS + 1)}
    if upright:
        return [seal.crop((0, start, seal.width, start + size)) for start in sorted(starts)]
    return [seal.crop((start, 0, start + size, seal.height)) for start in sorted(starts)]


def _distance(one: Image.Image, other: Image.Image) -> float:
    """0 for the same ink in the same places, 1 for no ink in common."""
    scale = _EDGE / max(other.size)
    size = max(1, round(other.width * scale)), max(1, round(other.height * scale))
    first, second = (_ink(image.resize(size, Image.Resampling.BOX)) for image in (one, other))
    total = sum(ImageStat.Stat(first).sum) + sum(ImageStat.Stat(second).sum)
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).sum) / total if total else 0.0


def _ink(image: Image.Image) -> Image.Image:
    return ImageChops.invert(image.convert("RGB"))


def _drawn(field: Field) -> tuple[Image.Image, float, float] | None:
    """Its first visible widget, upright, with its width and height in mm."""
    for _, node in field.widgets:
        rect = box_of(got(node, "/Rect"))
        form = _form(node)
        if rect is not None and form is not None:
            return _render(form, rect)
    return None


def _form(node: DictionaryObject) -> StreamObject | None:
    normal = got(got(node, "/AP", {}), "/N")
    return normal if isinstance(normal, StreamObject) else None


def _render(form: StreamObject, rect: Box) -> tuple[Image.Image, float, float] | None:
    """The appearance alone on a page of its own, as a viewer fits it into the rectangle (12.5.5), then turned upright."""
    turn = _turn(form)
    width, height = rect[2] - rect[0], rect[3] - rect[1]
    writer = PdfFileWriter(stream_xrefs=False)
    name = writer.add_object(writer.import_object(form))
    resources = DictionaryObject({pdf_name("/XObject"): DictionaryObject({pdf_name("/A"): name})})
    try:
        matrix = _fit(form, width, height)
    except (ArithmeticError, ValueError):
        return None
    white = b"1 g 0 0 %.4f %.4f re f" % (width, height)  # drawn, so that blending has something to blend with
    content = writer.add_object(StreamObject(stream_data=b"q %s Q q %s cm /A Do Q" % (white, matrix)))
    writer.insert_page(PageObject(content, (0, 0, width, height), resources))
    out = BytesIO()
    writer.write(out)
    with pypdfium2.PdfDocument(out.getvalue()) as document:
        page = document[0]
        image = page.render(scale=_EDGE * 2 / max(width, height, 1.0)).to_pil().convert("RGB")
    upright = image.rotate(-turn, expand=True) if turn else image
    across, up = (height, width) if turn in (90, 270) else (width, height)
    return upright, across / POINTS_PER_MM, up / POINTS_PER_MM


def _matrix(form: StreamObject) -> list[float]:
    written: Any = got(form, "/Matrix")
    if not isinstance(written, list) or len(written) != 6:
        return [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    return [float(written[index]) for index in range(6)]


def _turn(form: StreamObject) -> int:
    """Degrees counterclockwise by which the form's own matrix turns it: for pages that are shown turned."""
    a, b, *_ = _matrix(form)
    return {(0, 1): 90, (-1, 0): 180, (0, -1): 270}.get((round(a), round(b)), 0)


def _fit(form: StreamObject, width: float, height: float) -> bytes:
    """The matrix that brings the form's transformed bounding box onto 0, 0, width, height. Raises ValueError."""
    box = box_of(got(form, "/BBox"))
    if box is None:
        raise ValueError("no bounding box")
    a, b, c, d, e, f = _matrix(form)
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (box[0], box[2]) for y in (box[1], box[3])]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    low, high = min(y for _, y in corners), max(y for _, y in corners)
    sx, sy = width / (right - left), height / (high - low)
    return f"{sx:.6f} 0 0 {sy:.6f} {-left * sx:.6f} {-low * sy:.6f}".encode()
