"""Pictures from outside opened within bounds: how large they claim to be is read before anything is unpacked."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from yingqiao.signing.enrolment.pictures import look
from yingqiao.signing.errors import SigningRefused

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_PIXELS: Final = {"image/png": 36_000_000, "image/jpeg": 50_000_000}
"""An A4 page at 600 dpi, and what telephones take."""
_LONGEST = 4000
"""Pixels that a JPEG's longer side is read with, at most twice as many."""
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
_EXIF_CAMERA, _EXPOSURE, _F_NUMBER = 0x8769, 0x829A, 0x829D
_DPI = (100, 2400)
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, OverflowError)
"""What damaged and hostile files make of Pillow."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An upright picture, RGB or RGBA. `dpi` as scanned; None where the file does not say, or a camera made it."""

    image: Image.Image
    dpi: float | None


def open_picture(content: bytes) -> Opened:
    """Raises SigningRefused: no PNG or JPEG, too large, damaged."""
    if len(content) > MAX_BYTES:
        raise SigningRefused("picture-size", f"图片不得超过 {MAX_BYTES // 1024 // 1024} MiB")
    kind, (width, height) = look(content)
    if width * height > MAX_PIXELS[kind]:
        raise SigningRefused("picture-size", f"图片不得超过 {MAX_PIXELS[kind] // 1_000_000} 百万像素")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which is not used
            return _open(content, kind, width * height)
    except SigningRefused:
        raise
    except _BROKEN as error:
        raise SigningRefused("picture-damaged", "图片已损坏，不能读出") from error


def _open(content: bytes, kind: str, pixels: int) -> Opened:
    with Image.open(io.BytesIO(content), formats=(_FORMATS[kind],)) as image:
        width, height = image.size
        if width * height > pixels:
            raise SigningRefused("picture-damaged", "图片的尺寸前后不一")
        dpi = _dpi(image)
        shrink = max(width, height) / _LONGEST
        if kind == "image/jpeg" and shrink > 1:
            image.draft("RGB", (int(width / shrink), int(height / shrink)))
        image.load()
        scale = image.size[0] / width
        upright = ImageOps.exif_transpose(image)
        has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
        return Opened(upright.convert("RGBA" if has_alpha else "RGB"), dpi * scale if dpi else None)


def _dpi(image: Image.Image) -> float | None:
    """Of a scan. A camera's is a number without meaning."""
    said = image.info.get("dpi")
    camera = image.getexif().get_ifd(_EXIF_CAMERA)
    if not isinstance(said, tuple) or len(said) != 2 or _EXPOSURE in camera or _F_NUMBER in camera:
        return None
    across, down = float(said[0]), float(said[1])
    return across if _DPI[0] <= across <= _DPI[1] and abs(across - down) < 1 else None
