"""Report PDFs written by hand: Chinese text in a font that is not embedded, so that whoever shows it needs character maps."""

from __future__ import annotations

from collections.abc import Sequence

A4 = (595.276, 841.89)
POINTS_PER_MM = 72 / 25.4
KEYWORD = "审核医师"
KEYWORD_AT = (120.0, 240.0)
"""Where the keyword begins: mm from the left and the top of each page of A4."""


def report(pages: int = 3, *, sizes: Sequence[tuple[float, float]] = (), rotate: Sequence[int] = ()) -> bytes:
    """`sizes` in points and `rotate` in degrees, a page each; what is not said is A4 upright."""
    objects: list[bytes] = [b""] * 4
    kids = []
    for number in range(1, pages + 1):
        width, height = sizes[number - 1] if number <= len(sizes) else A4
        turn = rotate[number - 1] if number <= len(rotate) else 0
        page, content = len(objects) + 1, len(objects) + 2
        kids.append(f"{page} 0 R")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Rotate {turn}"
            f"/Resources<</Font<</F1 3 0 R>>>>/Contents {content} 0 R>>".encode()
        )
        text = _text(number, pages, height)
        objects.append(f"<</Length {len(text)}>>\nstream\n".encode() + text + b"\nendstream")
    objects[0] = b"<</Type/Catalog/Pages 2 0 R>>"
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {pages}>>".encode()
    objects[2] = (
        b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[4 0 R]>>"
    )
    objects[3] = (
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>/DW 1000"
        b"/FontDescriptor<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]"
        b"/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 880/StemV 93>>>>"
    )
    return _file(objects)


def _text(number: int, pages: int, height: float) -> bytes:
    lines = (
        (20.0, 25.0, 20, "影像诊断报告"),
        (20.0, 40.0, 12, f"第 {number} 页，共 {pages} 页"),
        (20.0, 60.0, 12, "检查所见：双肺纹理清晰，未见异常密度影。"),
        (*KEYWORD_AT, 12, f"{KEYWORD}：王五"),
    )
    drawn = (
        f"BT /F1 {size} Tf {x * POINTS_PER_MM:.2f} {height - y * POINTS_PER_MM:.2f} Td "
        f"<{text.encode('utf-16-be').hex()}> Tj ET"
        for x, y, size, text in lines
    )
    return "\n".join(drawn).encode()


def _file(objects: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
