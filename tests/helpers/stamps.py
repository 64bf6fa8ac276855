"""Stamps on paper as people photograph and scan them, drawn: uneven light, noise, black lines, a tilted camera."""

from __future__ import annotations

import io
import math
from functools import cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

RED = (200, 30, 45)
BLUE = (35, 60, 160)


def ring(size: int, ink: tuple[int, int, int] = RED) -> Image.Image:
    """A round seal with a star and strokes for letters, as ink on white paper; `size` pixels across."""
    big = size * 2
    drawn = Image.new("RGB", (big, big), "white")
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((0, 0, big - 1, big - 1), outline=ink, width=big // 28)
    centre = big / 2
    points = []
    for at in range(10):
        reach = big * (0.16 if at % 2 == 0 else 0.064)
        angle = math.pi * at / 5 - math.pi / 2
        points.append((centre + reach * math.cos(angle), centre + reach * math.sin(angle)))
    draw.polygon(points, fill=ink)
    for at in range(12):
        angle = math.pi * (0.85 + at * 1.3 / 11)
        x, y = centre + big * 0.37 * math.cos(angle), centre + big * 0.37 * math.sin(angle)
        half = big * 0.035
        draw.rectangle((x - half, y - half, x + half, y + half), outline=ink, width=max(2, big // 90))
    return drawn.resize((size, size), Image.Resampling.LANCZOS)


@cache
def photograph(
    size: int = 420,
    *,
    ink: tuple[int, int, int] = RED,
    lines: bool = True,
    page: tuple[int, int] = (1200, 900),
    at: tuple[int, int] = (380, 200),
    kind: str = "JPEG",
    dpi: int = 0,
) -> bytes:
    """A stamp `size` pixels wide on a page: the light falls off to a corner, the paper is yellowish, black table lines
    pass by.
    """
    paper = Image.new("RGB", page, "white")
    draw = ImageDraw.Draw(paper)
    if lines:
        draw.rectangle((40, 60, page[0] - 40, page[1] - 60), outline=(40, 40, 40), width=3)
        draw.line((260, 60, 260, page[1] - 60), fill=(40, 40, 40), width=3)
        for row in range(4):
            draw.rectangle((70, 120 + row * 60, 220, 140 + row * 60), fill=(50, 50, 50))
    stamp = Image.new("RGB", page, "white")
    stamp.paste(ring(size, ink), at)
    paper = ImageChops.multiply(paper, stamp)
    light = (
        Image.linear_gradient("L").rotate(90).resize(page).point([170 + value // 3 for value in range(256)])
    )
    warm = Image.merge(
        "RGB",
        [
            light,
            light.point([round(v * 0.97) for v in range(256)]),
            light.point([round(v * 0.86) for v in range(256)]),
        ],
    )
    shot = ImageChops.multiply(paper, warm).filter(ImageFilter.GaussianBlur(0.6))
    noise = Image.effect_noise(page, 14).convert("RGB")
    shot = Image.blend(shot, ImageChops.overlay(shot, noise), 0.5)
    out = io.BytesIO()
    more = {"quality": 90} if kind == "JPEG" else {}
    shot.save(out, kind, **more, **({"dpi": (dpi, dpi)} if dpi else {}))
    return out.getvalue()
