"""Sampling a stamp (annex 6): background removed, colour kept, cropped, in millimetres; hostile pictures refused."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from tests.helpers.stamps import BLUE, RED, photograph, ring
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.sampling import Ink, Sampled, Wish, sample
from yingqiao.signing.seals.sampling.opening import MAX_PIXELS


def opened(done: Sampled) -> Image.Image:
    image = Image.open(io.BytesIO(done.png))
    image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", done.pixels)
    return image


def refusal(content: bytes, wish: Wish | None = None) -> str:
    with pytest.raises(SigningRefused) as refused:
        sample(content, wish)
    assert refused.value.reason
    return refused.value.code


def near(found: tuple[int, ...], wanted: tuple[int, int, int], by: int) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=False))


@pytest.mark.parametrize(("ink", "kind"), [(RED, "JPEG"), (BLUE, "PNG")])
def test_a_photographed_stamp_becomes_a_transparent_picture(ink: tuple[int, int, int], kind: str) -> None:
    done = sample(photograph(ink=ink, kind=kind), Wish(width=42))
    image = opened(done)
    assert (done.width, done.height) == (42, 42)
    alpha = image.getchannel("A")
    wide, tall = image.size
    assert alpha.getpixel((wide // 2, tall // 2)) > 240, "the star"
    assert alpha.getpixel((wide // 2, round(tall * 0.72))) < 12, "paper inside the ring"
    assert alpha.getpixel((2, 2)) == 0, "the corner outside the ring"
    assert near(image.getpixel((wide // 2, tall // 2)), ink, 40), "its own colour"
    clear = sum(alpha.histogram()[:16]) / (wide * tall)
    truth = ring(420, ink).convert("L").point([255] * 200 + [0] * 56)
    covered = sum(truth.histogram()[128:]) / 420**2
    assert abs(1 - clear - covered) < 0.06
    assert done.notes == ()


def test_black_lines_beside_the_stamp_are_left_out_unless_wanted() -> None:
    photo = photograph(at=(230, 200))
    """The stamp lies over a line of the table."""
    done = sample(photo, Wish(width=42))
    assert done.pixels[0] == pytest.approx(done.pixels[1], rel=0.03)
    image = opened(done)
    black = Image.merge("RGB", image.split()[:3]).convert("L").point([255] * 60 + [0] * 196)
    opaque = image.getchannel("A").point([0] * 128 + [255] * 128)
    dark = sum(ImageChops.darker(black, opaque).histogram()[128:])
    assert dark < 0.01 * image.size[0] * image.size[1]
    whole = sample(photo, Wish(width=60, height=50, ink=Ink.DARK))
    assert whole.pixels[0] / whole.pixels[1] > 1.1


def test_the_size_comes_from_the_scan() -> None:
    """42 mm at 300 dpi are 496 pixels; a camera's dots an inch would mean nothing."""
    photo = photograph(496, kind="PNG", dpi=300)
    done = sample(photo)
    assert (done.width, done.height) == (42, 42)
    assert sample(photo, Wish(dpi=600)).width == 21
    assert refusal(photograph(496, kind="PNG")) == "size-unknown"
    assert refusal(photo, Wish(dpi=20)) == "seal-size"
    assert refusal(photo, Wish(width=5)) == "seal-size"


def test_a_stamp_small_in_a_large_scan_keeps_its_sharpness() -> None:
    """A whole page at 300 dpi: found small, cut out of the original."""
    photo = photograph(496, page=(2480, 3508), at=(1500, 2600), dpi=300)
    done = sample(photo)
    assert (done.width, done.height) == (42, 42)
    assert min(done.pixels) > 440
    assert len(done.png) < 160_000


def test_what_should_be_looked_at_is_said() -> None:
    cut = sample(photograph(at=(900, 200), lines=False), Wish(width=42, height=42))
    assert any("边缘" in note for note in cut.notes)
    assert any("长宽比" in note for note in cut.notes)
    coarse = sample(photograph(150, lines=False), Wish(width=42))
    assert any("dpi" in note for note in coarse.notes)
    assert refusal(photograph(40, lines=False), Wish(width=42)) in ("picture-small", "no-stamp")


def test_a_picture_cut_out_already_stays_as_it_is() -> None:
    done = sample(photograph(), Wish(width=42))
    again = sample(done.png, Wish(width=42))
    assert (again.width, again.height) == (42, 42)
    first, second = opened(done).getchannel("A"), opened(again).getchannel("A")
    assert (
        abs(sum(first.histogram()[:16]) - sum(second.histogram()[:16])) < 0.02 * first.size[0] * first.size[1]
    )


def test_white_paper_has_no_stamp() -> None:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), (240, 238, 220)).save(out, "JPEG")
    assert refusal(out.getvalue(), Wish(width=42)) == "no-stamp"


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_bombs_are_refused_before_they_unpack() -> None:
    assert refusal(bomb(60_000, 60_000)) == "picture-size"
    side = int(MAX_PIXELS["image/png"] ** 0.5)
    assert refusal(bomb(side, side)) == "picture-damaged"
    assert refusal(bytes(17 * 1024 * 1024)) == "picture-size"
    assert refusal(b"GIF89a" + bytes(100)) == "picture-format"
    assert refusal(photograph()[:5000], Wish(width=42)) == "picture-damaged"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=12))
def test_damaged_pictures_are_refused_and_nothing_else(at: int, bytes_: bytes) -> None:
    whole = photograph(120, page=(240, 200), at=(60, 40), lines=False)
    damaged = whole[:at] + bytes_ + whole[at + len(bytes_) :]
    with contextlib.suppress(SigningRefused):
        sample(damaged, Wish(width=42))
