"""Seals put into files (§3.2): incremental, in the right millimetres, as many as wanted; judged by qpdf, pdfium, pyHanko."""

import io
from datetime import timedelta

import pypdfium2
import pytest
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader

from tests.helpers import pdfs, pki, seals
from tests.helpers.pdfs import Sheet
from yingqiao.gm import ses, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.issuing import Profile
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.pdf import pages, writing
from yingqiao.signing.seals.pdf.document import Manner, opened
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.limits import DEFAULT
from yingqiao.signing.seals.pdf.model import Kind
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Side
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.pdf.writing import Names
from yingqiao.signing.seals.sealing import Sealer

SHAPES = {
    "table": pdfs.make(),
    "stream": pdfs.make(streams=True),
    "object streams": pdfs.make(packed=True),
    "linearized": pdfs.through_files(pdfs.make([Sheet()] * 3), "--linearize"),
    "cropped": pdfs.make([Sheet(crop=(50, 60, 500, 800))]),
    "offset box": pdfs.make([Sheet(media=(-300, -400, 295, 442))]),
    "user unit": pdfs.make([Sheet(unit=2.0)]),
    **{f"turned {angle}": pdfs.make([Sheet(rotate=angle)]) for angle in (90, 180, 270, -90, 450)},
}


def check_valid(data: bytes, count: int) -> list:
    """All seals cover their revision, their hash is the file's, nothing after them matters, they look right."""
    found = read(data)
    assert len(found.signatures) == count
    for one in found.signatures:
        assert one.envelope_problem is None, one.envelope_problem
        assert one.changed_after is None, one.changed_after
        assert one.kind is Kind.SES
        assert ses.parse_signature(one.contents).data_hash == one.digest("sm3")
        assert one.appearance is not None
        assert one.appearance.same is True
        assert one.warnings == ()
    return list(found.signatures)


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES.keys())
def test_every_kind_of_file(data: bytes):
    made = pdfs.sealed(data)
    assert made.startswith(data)
    pdfs.well_formed(made)
    (one,) = check_valid(made, 1)
    first, a, b, c = one.byte_range
    assert (first, b + c) == (0, len(made))
    assert sm3.digest(made[:a], made[b:]) == one.digest()
    assert ses.parse_signature(one.contents).property_info == f"ByteRange[0 {a} {b} {c}]"
    assert (one.field, one.page_index, one.sub_filter, one.filter) == (
        "Seal1",
        1,
        "GM.sm2seal",
        "Adobe.PPKLite",
    )
    assert one.claimed_at == seals.SIGNED_AT
    assert one.name == "影桥测试医院"


def drawn(data: bytes, page: int = 0, scale: float = 4.0) -> Image.Image:
    with pypdfium2.PdfDocument(data) as document:
        document.init_forms()
        return document[page].render(scale=scale).to_pil().convert("RGB")


def ink(image: Image.Image) -> tuple[float, float, float, float]:
    """Where red is, in mm of the page as shown (four pixels a point)."""
    _red, green, _ = image.split()
    mask = Image.eval(green, lambda value: 255 if value < 120 else 0)
    box = mask.getbbox()
    assert box is not None
    return tuple(edge / 4 * 25.4 / 72 for edge in box)  # type: ignore[return-value]


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50.0, 60.0, 560.0, 800.0)])
def test_the_seal_is_upright_and_has_its_millimetres(angle, crop):
    """42 mm, centred where asked, as the page is shown; the picture's mark is in its upper left quarter."""
    image = Image.new("RGBA", (420, 420), (0, 0, 0, 0))
    image.paste((220, 0, 0, 255), (0, 0, 420, 40))
    image.paste((220, 0, 0, 255), (0, 0, 40, 420))
    out = io.BytesIO()
    image.save(out, "PNG")
    data = pdfs.make([Sheet(rotate=angle, crop=crop, words=())])
    seal = SealPicture(out.getvalue(), 42, 42)
    made = writing.prepare(data, AtPoint((1,), 80, 90), seal, reserve=100, at=seals.SIGNED_AT)
    shown = drawn(made.finish(data, b"\x30\x00"))
    assert ink(shown) == pytest.approx((59, 69, 101, 111), abs=0.4)
    middle, lower = (80, 110.5), (100, 100)
    points = [
        shown.getpixel((round(x * 4 * 72 / 25.4), round(y * 4 * 72 / 25.4))) for x, y in (middle, lower)
    ]
    assert all(pixel == (255, 255, 255) for pixel in points)


def test_the_picture_keeps_its_pixels_and_its_transparency():
    made = pdfs.sealed(pdfs.make())
    reader = PdfFileReader(io.BytesIO(made))
    widget = reader.root["/AcroForm"]["/Fields"][0]
    image = widget["/AP"]["/N"]["/Resources"]["/XObject"]["/Seal"]
    original = Image.open(io.BytesIO(seals.png()))
    assert (image["/Width"], image["/Height"]) == original.size
    assert image.data == original.convert("RGB").tobytes()
    assert image["/SMask"].data == original.getchannel("A").tobytes()
    assert widget["/F"] == writing.PRINTED_AND_LOCKED
    assert "/NeedAppearances" not in reader.root["/AcroForm"]


def test_many_seals_leave_the_earlier_ones_valid():
    data = pdfs.make([Sheet()] * 3, streams=True)
    for number in range(4):
        data = pdfs.sealed(data, AtPoint((1 + number % 3,), 60 + 10 * number, 100))
    data = pdfs.sealed(data, Paging(), AtKeyword("Report", None))
    pdfs.well_formed(data)
    found = check_valid(data, 6)
    assert [one.field for one in found] == [f"Seal{number}" for number in range(1, 7)]
    assert [one.index for one in found] == list(range(6))
    assert found[0].changes[:2] == ("增加签名域 Seal2", "增加签名域 Seal3")
    assert found[-1].changes == ()


def test_a_paging_seal_is_one_signature_on_its_first_page():
    """§3.5; 31 pages in groups of 11, 10, 10."""
    data = pdfs.make([Sheet(), Sheet(rotate=90), Sheet(media=(0, 0, 842, 1190))] + [Sheet()] * 28)
    made = pdfs.sealed(data, Paging(Side.RIGHT))
    pdfs.well_formed(made)
    (one,) = check_valid(made, 1)
    assert one.page_index == 1
    widgets = PdfFileReader(io.BytesIO(made)).root["/AcroForm"]["/Fields"]
    assert len(widgets) == 31
    assert sum("/V" in widget.get_object() for widget in widgets) == 1
    assert all("/AP" in widget.get_object() for widget in widgets)


@pytest.mark.parametrize("placement", [AtPoint((1, 2), 100, 100), Paging(), Paging(Side.BOTTOM)], ids=str)
def test_an_rsa_signature_before_ours_stays_valid(placement):
    """Judged by pyHanko itself."""
    signed = pdfs.rsa_signed(pdfs.make([Sheet()] * 2))
    made = pdfs.sealed(signed, placement)
    assert pdfs.pyhanko_says(made)
    pdfs.well_formed(made)
    first, second = read(made).signatures
    assert (first.kind, first.field, first.changed_after) == (Kind.CMS, "Doctor", None)
    assert second.kind is Kind.SES


def test_an_rsa_signature_after_ours_does_not_break_it():
    made = pdfs.rsa_signed(pdfs.sealed(pdfs.make()))
    first, _second = read(made).signatures
    assert first.changed_after is None
    assert first.changes == ("增加签名域 Doctor",)
    assert pdfs.pyhanko_says(made)


def refused(code: str, data: bytes, *placements) -> PdfError:
    with pytest.raises(PdfError) as caught:
        pdfs.sealed(data, *placements)
    assert caught.value.code == code
    return caught.value


def test_files_that_are_not_sealed():
    good = pdfs.make()
    locked = pdfs.through_files(good, "--encrypt", "", "owner", "256", "--")
    assert "加密" in refused("pdf-encrypted", locked).reason
    refused("pdf-damaged", b"hello")
    refused("pdf-damaged", good[: len(good) // 2])
    refused("pdf-damaged", good.replace(b"/Pages", b"/Pagex"))
    refused("pdf-single-page", good, Paging())
    refused("pdf-keyword", good, AtKeyword("nowhere"))
    refused("pdf-page", good, AtPoint((2,), 100, 100))


def test_a_file_locked_by_its_certifying_signature_is_refused():
    """ISO 32000-1, 12.8.2.2: P = 1."""
    from pyhanko.sign.fields import MDPPerm

    data = pdfs.rsa_signed(pdfs.make(), certify=True, docmdp_permissions=MDPPerm.NO_CHANGES)
    refused("pdf-locked", data)


def test_a_file_whose_fields_are_all_locked_is_refused():
    """12.8.2.4: a new field would break that signature; a lock on one field does not matter."""
    from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec

    every = FieldMDPSpec(FieldMDPAction.ALL)
    refused("pdf-locked", pdfs.rsa_signed(pdfs.make(), lock=every))
    one = FieldMDPSpec(FieldMDPAction.INCLUDE, fields=["Other"])
    assert pdfs.pyhanko_says(pdfs.sealed(pdfs.rsa_signed(pdfs.make(), lock=one)))


def test_the_room_is_made_anew_when_the_time_stamp_is_longer():
    """§3.2(3): computed, never a constant."""

    def stamp(value: bytes) -> bytes:
        return seals.stamp(
            value, seals.SIGNED_AT, more=[pki.make(Profile.CA, f"CA {n}").certificate for n in range(12)]
        )

    made = pdfs.sealed(pdfs.make(), by=pdfs.sealer(stamp=stamp))
    (one,) = check_valid(made, 1)
    assert len(ses.parse_signature(one.contents).token) > 4096 + 512


def test_a_real_time_stamp_fits_at_once():
    asked: list[bytes] = []

    def stamp(value: bytes) -> bytes:
        asked.append(value)
        return seals.stamp(value, seals.SIGNED_AT)

    made = pdfs.sealed(pdfs.make(), by=pdfs.sealer(stamp=stamp))
    (one,) = check_valid(made, 1)
    assert [ses.parse_signature(one.contents).signature] == asked


def test_a_wrong_time_stamp_is_never_put_in():
    """§2.6: it is over the signature value; row 8 of §2.7 asks that both times agree."""
    wrong = {
        "stamp-wrong": lambda value: seals.stamp(value + b"x", seals.SIGNED_AT),
        "clock-apart": lambda value: seals.stamp(value, seals.SIGNED_AT + timedelta(minutes=9)),
    }
    for code, stamp in wrong.items():
        with pytest.raises(SigningRefused) as caught:
            pdfs.sealed(pdfs.make(), by=pdfs.sealer(stamp=stamp))
        assert caught.value.code == code
    with pytest.raises(GmError):
        pdfs.sealed(pdfs.make(), by=pdfs.sealer(stamp=lambda value: b"0"))


def test_a_seal_without_the_time_stamp_that_was_not_to_be_had():
    by = pdfs.sealer(stamp=lambda value: None)
    (one,) = check_valid(pdfs.sealed(pdfs.make(), by=by), 1)
    assert (ses.parse_signature(one.contents).token, by.stamped) == (None, False)


def test_names_may_be_set():
    """No public standard names them (§3.1)."""
    names = Names("Gomain.GMPkiLite", "GM.sm2seal", "张三", "审核通过", "印章")
    (one,) = check_valid(pdfs.sealed(pdfs.make(), names=names), 1)
    assert (one.filter, one.name, one.reason, one.field) == ("Gomain.GMPkiLite", "张三", "审核通过", "印章1")


def test_a_certificate_that_is_not_the_seal_s_is_refused():
    other = seals.pki.world().doctor
    with pytest.raises(SigningRefused) as caught:
        Sealer(seals.make_seal(), other.certificate.raw, lambda message: b"", now=lambda: seals.SIGNED_AT)
    assert caught.value.code == "seal-holder"
    by_digest = seals.make_seal(seals.info(**seals.by_digest(other.certificate)))
    Sealer(by_digest, other.certificate.raw, lambda message: b"", now=lambda: seals.SIGNED_AT)
    with pytest.raises(SigningRefused) as caught:
        Sealer(by_digest, other.certificate.raw, lambda message: b"", now=lambda: seals.pki.later(days=2000))
    assert caught.value.code == "seal-validity"


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_a_picture_that_is_none_is_refused(data):
    with pytest.raises(PdfError) as caught:
        writing.prepare(
            pdfs.make(), AtPoint((1,), 99, 99), SealPicture(data, 42, 42), reserve=9, at=seals.SIGNED_AT
        )
    assert caught.value.code == "pdf-picture"


def test_a_signature_too_long_for_its_room_is_refused():
    data = pdfs.make()
    made = writing.prepare(
        data, AtPoint((1,), 99, 99), SealPicture(seals.png(), 42, 42), reserve=9, at=seals.SIGNED_AT
    )
    for wrong, file in ((bytes(made.room + 1), data), (b"", data + b"\n")):
        with pytest.raises(PdfError):
            made.finish(file, wrong)


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_look_drawn_is_recognised_whole_and_sliced(monkeypatch, rotate):
    """As of other products' seals, whose forms are not written as ours."""
    from yingqiao.signing.seals.pdf import appearance

    monkeypatch.setattr(appearance, "_as_written", lambda *_: False)
    data = pdfs.make([Sheet(rotate=rotate)] * 4)
    for placement in (AtPoint((1,), 100, 100), Paging(), Paging(Side.TOP), Paging(Side.LEFT, group=2)):
        check_valid(pdfs.sealed(data, placement), 1)


def test_a_file_that_strict_reading_minds_is_sealed_and_says_so():
    """A key that stands twice in a page, as some makers write: read as viewers do; later seals are still compared."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Rotate 0/Rotate 0>>"
    flawed = pdfs.raw_file(
        {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>", 3: page}
    )
    made = pdfs.sealed(flawed)
    check_valid(made, 1)
    check_valid(pdfs.sealed(made), 2)
    manner = opened(flawed, DEFAULT, lambda document: (list(pages.walk(document.reader)), document.manner)[1])
    assert manner is Manner.LOOSE_OBJECTS
    assert read(pdfs.sealed(pdfs.make())).troubles == ()


def test_hybrid_files():
    """7.5.8.4: a table and beside it a stream."""
    made = pdfs.sealed(pdfs.sealed(pdfs.hybrid()))
    pdfs.well_formed(made)
    check_valid(made, 2)
