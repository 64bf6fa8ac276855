"""The seal's picture as a PDF image: its own pixels, its transparency as a soft mask, nothing resampled."""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

from PIL import Image
from pyhanko.pdf_utils.generic import (
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    StreamObject,
    pdf_name,
)
from pyhanko.pdf_utils.writer import BasePdfFileWriter

from yingqiao.signing.seals.pdf.errors import PdfError

_MOST_PIXELS = 16_000_000
_LONGEST_MM = 200.0
_FORMATS = ("PNG", "JPEG", "GIF", "BMP")
_MEDIA = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"BM": "image/bmp"}


@dataclass(frozen=True, slots=True)
class SealPicture:
    """As the seal has it (SES_ESPictrueInfo): bytes of a PNG, GIF, JPEG or BMP, width and height in millimetres."""

    data: bytes = field(repr=False)
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Pixels:
    """Deflated samples of 8 bits: RGB, and alpha when anything is transparent."""

    width: int
    height: int
    colours: bytes
    alpha: bytes | None


def media_type(data: bytes) -> str:
    """Of a picture that can be drawn on a page; '' of others (a seal's may be a whole OFD file)."""
    return next((kind for start, kind in _MEDIA.items() if data.startswith(start)), "")


def check(picture: SealPicture) -> None:
    """Raises PdfError `pdf-picture` for a size no seal has."""
    if not (0 < picture.width_mm <= _LONGEST_MM and 0 < picture.height_mm <= _LONGEST_MM):
        reason = f"印章图片的尺寸 {picture.width_mm:g}×{picture.height_mm:g} mm 不合理"
        raise PdfError(reason, code="pdf-picture")


@lru_cache(maxsize=16)
def pixels(data: bytes) -> Pixels:
    """Of a picture file. Raises PdfError `pdf-picture`. Remembered: a seal is used again and again."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(BytesIO(data), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise PdfError("印章图片的像素过多", code="pdf-picture")
                image = opened.convert("RGBA")
    except PdfError:
        raise
    except Exception as error:
        raise PdfError("印章图片无法解码，应为 PNG、JPEG、GIF 或 BMP", code="pdf-picture") from error
    alpha = image.getchannel("A")
    transparent = alpha.getextrema() != (255, 255)
    return Pixels(
        image.width,
        image.height,
        zlib.compress(image.convert("RGB").tobytes(), 6),
        zlib.compress(alpha.tobytes(), 6) if transparent else None,
    )


def embed(writer: BasePdfFileWriter, data: bytes) -> IndirectObject:
    """The image XObject, new in `writer`. Raises PdfError `pdf-picture`."""
    found = pixels(data)
    image = _image(found, found.colours, "/DeviceRGB")
    if found.alpha is not None:
        image[pdf_name("/SMask")] = writer.add_object(_image(found, found.alpha, "/DeviceGray"))
    return writer.add_object(image)


def _image(found: Pixels, encoded: bytes, space: str) -> StreamObject:
    described: dict[NameObject, object] = {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Image"),
        pdf_name("/Width"): NumberObject(found.width),
        pdf_name("/Height"): NumberObject(found.height),
        pdf_name("/ColorSpace"): pdf_name(space),
        pdf_name("/BitsPerComponent"): NumberObject(8),
        pdf_name("/Filter"): pdf_name("/FlateDecode"),
    }
    return StreamObject(DictionaryObject(described), encoded_data=encoded)
