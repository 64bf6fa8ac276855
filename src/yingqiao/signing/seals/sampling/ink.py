"""What is ink and what is paper, told pixel by pixel: light is evened out, the stamp's colour found, all else cleared.

Works on whole pictures (Pillow), never pixel by pixel in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageMath

_GROUND = 96
"""Pixels of the longer side at which the paper's brightness is estimated."""
_COLOURED_SHARE = 0.0015
"""Share of coloured pixels from which a stamp is taken to be coloured ink."""
_SATURATED = 60
_NEAR_HUE, _FAR_HUE = 26, 42
"""Of 256: as the dominant colour, and another one."""


class Ink(StrEnum):
    """What to keep."""

    AUTO = "auto"
    COLOUR = "colour"
    """Coloured ink only: black lines and letters beside or below it go."""
    DARK = "dark"
    """Everything dark, whatever its colour."""


@dataclass(frozen=True, slots=True)
class Inked:
    """`colour` is RGB with even light, `alpha` (L) how much ink there is; `strength` 0 to 255, of the ink itself."""

    colour: Image.Image
    alpha: Image.Image
    strength: int
    coloured: bool


def find_ink(image: Image.Image, ink: Ink, clearing: int) -> Inked:
    """`image` RGB; `clearing` 0 to 100: how much faint stuff is cleared away."""
    even = _even(image)
    channels = even.split()
    darkest = ImageChops.darker(ImageChops.darker(*channels[:2]), channels[2])
    lightest = ImageChops.lighter(ImageChops.lighter(*channels[:2]), channels[2])
    depth, chroma = ImageChops.invert(darkest), ImageChops.subtract(lightest, darkest)
    hue = _hue(even, depth, chroma) if ink is not Ink.DARK else None
    if ink is Ink.COLOUR and hue is None:
        hue = Image.new("L", even.size, 255)
    weight = _coloured(depth, chroma, hue) if hue is not None else None
    kept = depth if weight is None else ImageChops.multiply(depth, weight)
    strength = _percentile(kept, 0.8, above=_SATURATED)
    floor = 10 + round(clearing * 0.7)
    full = max(floor + 20, round(strength * 0.85))
    alpha = kept.point([_ramp(value, floor, full) for value in range(256)])
    return Inked(even, _without_specks(alpha), strength, weight is not None)


def ink_colour(inked: Inked) -> Image.Image:
    """The ink's colour everywhere, without paper and noise: what is full ink, spread over its neighbourhood."""
    core = inked.alpha.point([0] * 200 + [255] * 56)
    mean = mean_colour(inked.colour, core)
    radius = max(3.0, max(core.size) / 60)
    share = core.filter(ImageFilter.GaussianBlur(radius))
    spread = []
    for channel, usual in zip(inked.colour.split(), mean, strict=True):
        sum_ = ImageChops.multiply(channel, core).filter(ImageFilter.GaussianBlur(radius))
        spread.append(_divided(sum_, share, usual))
    return Image.merge("RGB", spread)


def mean_colour(image: Image.Image, mask: Image.Image) -> tuple[int, int, int]:
    """Mean RGB of `image` where `mask` is white; a stamp's usual red when it is nowhere."""
    if mask.getbbox() is None:
        return 200, 30, 30
    histogram = image.histogram(mask)
    means = []
    for at in range(3):
        part = histogram[256 * at : 256 * at + 256]
        means.append(round(sum(value * count for value, count in enumerate(part)) / max(1, sum(part))))
    return means[0], means[1], means[2]


def _even(image: Image.Image) -> Image.Image:
    """With the paper white everywhere: shadows and the lamp's colour are gone."""
    factor = max(1, max(image.size) // _GROUND)
    small = image.reduce(factor) if factor > 1 else image
    window = max(3, (max(small.size) // 4) | 1)
    first = small
    for _ in range(2):
        first = first.filter(ImageFilter.MaxFilter(max(3, (window // 2) | 1)))
    blur = ImageFilter.GaussianBlur(max(1.0, window / 3))
    first = first.filter(blur)
    paper = _paper(small, first)
    share = paper.filter(blur)
    channels = []
    for channel, ground, rough in zip(image.split(), small.split(), first.split(), strict=True):
        sum_ = ImageChops.multiply(ground, paper).filter(blur)
        level = ImageMath.lambda_eval(
            lambda args: args["convert"](
                args["min"](args["a"] * 255 / args["max"](args["b"], 1), 255) * (args["b"] > 30)
                + args["c"] * (args["b"] <= 30),
                "L",
            ),
            a=sum_,
            b=share,
            c=rough,
        )
        wide = level.resize(image.size, Image.Resampling.BICUBIC)
        channels.append(_divided(channel, wide, 255))
    return Image.merge("RGB", channels)


def _paper(small: Image.Image, ground: Image.Image) -> Image.Image:
    """White where there is nothing but paper."""
    masks = []
    for channel, level in zip(small.split(), ground.split(), strict=True):
        darker = ImageChops.subtract(level, channel)
        masks.append(darker.point([255] * 31 + [0] * 225))
    return ImageChops.darker(ImageChops.darker(masks[0], masks[1]), masks[2])


def _divided(above: Image.Image, below: Image.Image, otherwise: int) -> Image.Image:
    """255 · above / below, capped; `otherwise` where there is next to nothing to divide by."""

    def divide(args: dict[str, Any]) -> Any:
        share = args["min"](args["a"] * 255 / args["max"](args["b"], 1), 255)
        return args["convert"](share * (args["b"] > 20) + otherwise * (args["b"] <= 20), "L")

    done: Image.Image = ImageMath.lambda_eval(divide, a=above, b=below)
    return done


def _hue(even: Image.Image, depth: Image.Image, chroma: Image.Image) -> Image.Image | None:
    """White where the colour is the stamp's; None when there is no coloured ink."""
    ink = ImageChops.darker(_over(depth, _SATURATED), _over(chroma, _SATURATED))
    hues = even.convert("HSV").getchannel(0)
    counts = hues.histogram(ink)
    if sum(counts) < _COLOURED_SHARE * even.size[0] * even.size[1]:
        return None
    main = max(range(256), key=lambda hue: sum(counts[(hue + near) % 256] for near in range(-8, 9)))
    near = []
    for hue in range(256):
        away = abs((hue - main + 128) % 256 - 128)
        near.append(255 - _ramp(away, _NEAR_HUE, _FAR_HUE))
    return hues.filter(ImageFilter.MedianFilter(3)).point(near)


def _coloured(depth: Image.Image, chroma: Image.Image, hue: Image.Image) -> Image.Image:
    """How much a pixel is coloured ink: its chroma is in proportion to its depth, however faint it is."""

    def weigh(args: dict[str, Any]) -> Any:
        ratio = args["chroma"] * 100 / args["max"](args["depth"], 1)
        return args["convert"](args["max"](args["min"]((ratio - 18) * 255 / 14, 255), 0), "L")

    soft = chroma.filter(ImageFilter.GaussianBlur(0.7))
    weight: Image.Image = ImageMath.lambda_eval(weigh, chroma=soft, depth=depth)
    return ImageChops.multiply(weight, hue)


def _without_specks(alpha: Image.Image) -> Image.Image:
    """Single pixels and dust go: what is kept has company around it."""
    company = _over(alpha, 48).filter(ImageFilter.BoxBlur(3))
    return ImageChops.multiply(alpha, company.point([_ramp(value, 18, 34) for value in range(256)]))


def _over(image: Image.Image, floor: int) -> Image.Image:
    return image.point([0] * floor + [255] * (256 - floor))


def _ramp(value: int, floor: int, full: int) -> int:
    """0 to `floor`, 255 from `full`, straight between."""
    return max(0, min(255, round((value - floor) * 255 / (full - floor))))


def _percentile(image: Image.Image, share: float, *, above: int) -> int:
    """The value below which `share` of the pixels over `above` are; 0 when there are none."""
    counts = image.histogram()[:]
    counts[: above + 1] = [0] * (above + 1)
    left = share * sum(counts)
    for value, count in enumerate(counts):
        left -= count
        if count and left <= 0:
            return value
    return 0
