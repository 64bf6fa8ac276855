"""What a seal looks like on the page, beside its own picture (3.2.5): blended as other products blend, hidden, or another."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, FloatObject, StreamObject, pdf_name
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PdfFileWriter

from tests.helpers import seals
from tests.helpers.sealed_files import sealed_pdf
from yingqiao.signing.seals.pdf import reading, writing
from yingqiao.signing.seals.pdf.appearance import look
from yingqiao.signing.seals.pdf.fields import Field
from yingqiao.signing.seals.pdf.picture import embed

MM = 72 / 25.4
SIDE = 42 * MM


def field(picture: bytes, state: dict[str, Any], before: bytes = b"") -> Field:
    """A field whose widget draws `picture` under a graphics state."""
    writer = PdfFileWriter()
    resources = DictionaryObject(
        {
            pdf_name("/XObject"): DictionaryObject({pdf_name("/Seal"): embed(writer, picture)}),
            pdf_name("/ExtGState"): DictionaryObject(
                {pdf_name("/G"): DictionaryObject({pdf_name(key): value for key, value in state.items()})}
            ),
        }
    )
    box = ArrayObject(FloatObject(edge) for edge in (0, 0, SIDE, SIDE))
    described = {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Form"),
        pdf_name("/BBox"): box,
        pdf_name("/Resources"): resources,
    }
    drawn = b"q /G gs %.4f 0 0 %.4f 0 0 cm /Seal Do Q" % (SIDE, SIDE)
    form = StreamObject(DictionaryObject(described), stream_data=before + drawn)
    node = DictionaryObject(
        {
            pdf_name("/Rect"): box,
            pdf_name("/AP"): DictionaryObject({pdf_name("/N"): writer.add_object(form)}),
        }
    )
    writer.root[pdf_name("/Widget")] = writer.add_object(node)
    out = io.BytesIO()
    writer.write(out)
    read = PdfFileReader(out).root["/Widget"]
    return Field("Seal1", None, read, None, ((None, read),))


@pytest.mark.parametrize("mode", ["/Normal", "/Multiply", "/Darken"])
def test_a_blended_seal_is_the_seal(mode: str):
    """Some products draw it with Multiply, as ink; on white that is the picture."""
    found = look(field(seals.png(), {"/BM": pdf_name(mode)}), seals.make_signature())
    assert found is not None
    assert found.same is True
    assert Image.open(io.BytesIO(found.picture)).size[0] > 100


@pytest.mark.parametrize(
    ("picture", "state", "before"),
    [
        (seals.png(color=(0, 0, 255), width=40, height=90), {"/BM": pdf_name("/Multiply")}, b""),
        (seals.png(), {"/ca": FloatObject(0.0)}, b""),
        (seals.png(), {"/BM": pdf_name("/Screen")}, b""),
        (seals.png(), {"/BM": pdf_name("/Multiply")}, b"0 0 60 119 re f "),
    ],
    ids=["another", "transparent", "screened away", "something drawn under it"],
)
def test_what_is_drawn_otherwise_is_another(picture: bytes, state: dict[str, Any], before: bytes):
    found = look(field(picture, state, before), seals.make_signature())
    assert found is not None
    assert found.same is False


@pytest.mark.parametrize("flag", [2, 32])
def test_a_hidden_seal_is_warned_of(flag: int, monkeypatch: pytest.MonkeyPatch):
    """Sealed all right, with nothing to be seen of it: Hidden or NoView of its widget."""
    (plain,) = reading.read(sealed_pdf()).signatures
    assert not plain.warnings
    monkeypatch.setattr(writing, "PRINTED_AND_LOCKED", writing.PRINTED_AND_LOCKED | flag)
    (hidden,) = reading.read(sealed_pdf()).signatures
    assert "不在屏幕上显示" in "".join(hidden.warnings)
