"""Every attack of §3.3 on a sealed file: one defect each, refused with a code and Chinese words of its own."""

from __future__ import annotations

import io
import re
import time
import zlib
from collections.abc import Callable

import pytest
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    NumberObject,
    StreamObject,
    pdf_name,
    pdf_string,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.helpers import pdfs, seals
from tests.helpers.pdfs import Sheet
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.model import CHANGED, ENVELOPE, Kind, PdfSignature, Problem
from yingqiao.signing.seals.pdf.placing import AtPoint, Paging
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.pdf.writing import Names

BASE = pdfs.make([Sheet()] * 2)
SEALED = pdfs.sealed(BASE)
(RIGHT,) = read(SEALED).signatures
_, A, B, C = RIGHT.byte_range


def ranged(*numbers: int) -> bytes:
    """The file with another ByteRange, in place."""
    found = re.search(rb"\[0 \d+ \d+ \d+\] *", SEALED)
    assert found
    text = b"[%s]" % b" ".join(b"%d" % number for number in numbers)
    return SEALED[: found.start()] + text.ljust(len(found[0])) + SEALED[found.end() :]


def padded(entry: bytes) -> bytes:
    """The file with one more entry in the signature dictionary, where there were blanks."""
    found = re.search(rb"(\[0 \d+ \d+ \d+\])( +)", SEALED)
    assert found
    return SEALED[: found.start(2)] + entry.ljust(len(found[2])) + SEALED[found.end(2) :]


def put(at: int, text: bytes) -> bytes:
    return SEALED[:at] + text + SEALED[at + len(text) :]


ENVELOPES: dict[str, tuple[bytes, str]] = {
    "gap wider than /Contents": (ranged(0, A, B + 9, C - 9), "gap-wide"),
    "gap begins before /Contents": (ranged(0, A - 9, B, C), "gap-wide"),
    "gap elsewhere": (ranged(0, A - 40, B - 40, C + 40), "gap-elsewhere"),
    "not from the start": (ranged(9, A, B, C), "not-from-start"),
    "overlapping": (ranged(0, A, A - 9, C), "overlap"),
    "beyond the file": (ranged(0, A, B, C + 1), "beyond-file"),
    "three numbers": (ranged(0, A, B), "byte-range"),
    "six numbers": (ranged(0, A, B, C, 0, 0), "byte-range"),
    "negative": (ranged(0, A, B, -C), "byte-range"),
    "not to %%EOF": (ranged(0, A, B, C - 7), "not-to-end"),
    "two /Contents": (padded(b"/Contents<00>"), "duplicate-key"),
    "two /ByteRange": (padded(b"/ByteRange[0 1 2 3]"), "duplicate-key"),
    "two /Contents, one written with escapes": (padded(b"/#43ontents<00>"), "duplicate-key"),
    "bytes after the DER": (put(B - 3, b"4"), "after-der"),
    "no DER": (put(A + 1, b"FF"), "contents-der"),
    "a blank in /Contents": (put(B - 3, b" "), "contents"),
}


@pytest.mark.parametrize(("data", "code"), ENVELOPES.values(), ids=ENVELOPES.keys())
def test_row_0(data: bytes, code: str):
    """1001."""
    (one,) = read(data).signatures
    problem = check(one.envelope_problem, ENVELOPE, code)
    assert "/" not in problem.reason.replace("/Contents", "").replace("/ByteRange", "")
    with pytest.raises(KeyError):
        one.digest()


def check(problem: Problem | None, number: int, code: str) -> Problem:
    assert problem is not None
    assert (problem.number, problem.code) == (number, code), problem
    assert re.search(r"[\u4e00-\u9fff]", problem.reason)
    return problem


def test_reasons_differ():
    reasons = {read(data).signatures[0].envelope_problem.reason for data, _ in ENVELOPES.values()}  # type: ignore[union-attr]
    assert len(reasons) >= len({code for _, code in ENVELOPES.values()})


def updated(change: Callable[[IncrementalPdfFileWriter], None], data: bytes = SEALED) -> bytes:
    """A later revision, as anybody can write it."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def field_of(writer: IncrementalPdfFileWriter) -> DictionaryObject:
    return writer.root["/AcroForm"]["/Fields"][0]


def rewrite_signature(writer: IncrementalPdfFileWriter) -> None:
    writer.mark_update(field_of(writer).raw_get("/V").reference)


def same_signature_in_a_second_field(writer: IncrementalPdfFileWriter) -> None:
    second = DictionaryObject(
        {
            pdf_name("/FT"): pdf_name("/Sig"),
            pdf_name("/T"): pdf_string("Other"),
            pdf_name("/V"): field_of(writer).raw_get("/V"),
        }
    )
    listed = writer.root["/AcroForm"]["/Fields"]
    listed.append(writer.add_object(second))
    writer.update_container(listed)


@pytest.mark.parametrize(
    ("change", "code"),
    [(rewrite_signature, "rewritten"), (same_signature_in_a_second_field, "two-fields")],
)
def test_the_signature_itself_touched_later(change, code):
    (one,) = read(updated(change)).signatures
    check(one.envelope_problem, ENVELOPE, code)


def remove_field(writer: IncrementalPdfFileWriter) -> None:
    form = writer.root["/AcroForm"]
    form[pdf_name("/Fields")] = ArrayObject()
    writer.update_container(form)


def remove_form(writer: IncrementalPdfFileWriter) -> None:
    del writer.root["/AcroForm"]
    writer.update_root()


def unsign(writer: IncrementalPdfFileWriter) -> None:
    field = field_of(writer)
    del field["/V"]
    writer.update_container(field)


def page_of(writer: IncrementalPdfFileWriter, number: int = 0) -> DictionaryObject:
    return writer.root["/Pages"]["/Kids"][number]


def replace_content(writer: IncrementalPdfFileWriter) -> None:
    page = page_of(writer)
    page[pdf_name("/Contents")] = writer.add_object(StreamObject(stream_data=b"0 0 600 900 re f"))
    writer.update_container(page)


def rewrite_content(writer: IncrementalPdfFileWriter) -> None:
    reference = page_of(writer).raw_get("/Contents").reference
    writer.objects[(0, reference.idnum)] = StreamObject(stream_data=b"0 0 600 900 re f")


def cover(subtype: str) -> Callable[[IncrementalPdfFileWriter], None]:
    def change(writer: IncrementalPdfFileWriter) -> None:
        look = StreamObject(
            {
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Form"),
                pdf_name("/BBox"): ArrayObject(map(NumberObject, (0, 0, 100, 100))),
            },
            stream_data=b"1 1 1 rg 0 0 100 100 re f",
        )
        annotation = DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Annot"),
                pdf_name("/Subtype"): pdf_name("/" + subtype),
                pdf_name("/F"): NumberObject(4),
                pdf_name("/Rect"): ArrayObject(map(NumberObject, (50, 600, 500, 800))),
                pdf_name("/AP"): DictionaryObject({pdf_name("/N"): writer.add_object(look)}),
            }
        )
        if subtype == "Widget":
            annotation[pdf_name("/FT")] = pdf_name("/Sig")
            annotation[pdf_name("/T")] = pdf_string("Cover")
        added = writer.add_object(annotation)
        if subtype == "Widget":
            listed = writer.root["/AcroForm"]["/Fields"]
            listed.append(added)
            writer.update_container(listed)
        writer.register_annotation(writer.root["/Pages"]["/Kids"].raw_get(0).reference, added)

    return change


def turn_page(writer: IncrementalPdfFileWriter) -> None:
    page = page_of(writer, 1)
    page[pdf_name("/Rotate")] = NumberObject(90)
    writer.update_container(page)


def drop_page(writer: IncrementalPdfFileWriter) -> None:
    tree = writer.root["/Pages"]
    tree["/Kids"].pop()
    tree[pdf_name("/Count")] = NumberObject(1)
    writer.update_container(tree)


def open_action(writer: IncrementalPdfFileWriter) -> None:
    action = DictionaryObject({pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): pdf_string("1")})
    writer.root[pdf_name("/OpenAction")] = action
    writer.update_root()


def other_picture(writer: IncrementalPdfFileWriter) -> None:
    field = field_of(writer)
    reference = field["/AP"].raw_get("/N").reference
    look = field["/AP"]["/N"]
    writer.objects[(0, reference.idnum)] = StreamObject(
        {key: look.raw_get(key) for key in look if key not in ("/Length", "/Filter")},
        stream_data=b"0 0 9 9 re f",
    )


CHANGES = {
    "field removed": (remove_field, "modified", "签名域 Seal1 被移除"),
    "form removed": (remove_form, "modified", "签名域 Seal1 被移除"),
    "signature taken out of its field": (unsign, "modified", ""),
    "content replaced": (replace_content, "modified", "第 1 页的内容被改动"),
    "content rewritten": (rewrite_content, "modified", "第 1 页的内容被改动"),
    "covered by a stamp": (cover("Stamp"), "modified", "第 1 页增加了批注（Stamp）"),
    "covered by text": (cover("FreeText"), "modified", "第 1 页增加了批注（FreeText）"),
    "covered by an unsigned signature field": (cover("Widget"), "overlay", "签名域 Cover"),
    "page turned": (turn_page, "modified", "第 2 页的旋转方向被改动"),
    "page dropped": (drop_page, "modified", "页数由 2 变为 1"),
    "script added": (open_action, "modified", "打开时的动作被改动"),
    "the seal's own look": (other_picture, "modified", ""),
}


@pytest.mark.parametrize(("change", "code", "named"), CHANGES.values(), ids=CHANGES.keys())
def test_later_revisions(change, code, named):
    """1011, naming what changed; the signature is still found when its field is gone (§3.3)."""
    (one,) = read(updated(change)).signatures
    assert one.envelope_problem is None
    problem = check(one.changed_after, CHANGED, code)
    assert named in problem.reason
    assert one.digest()


def test_a_removed_field_is_said_to_be_found_through_history():
    (one,) = read(updated(remove_field)).signatures
    assert any("移除" in words for words in one.warnings)


def test_a_key_written_twice_in_a_later_revision_hides_nothing():
    """pyHanko reads the first, which is as it was; viewers read the second."""

    def with_room(writer: IncrementalPdfFileWriter) -> None:
        page = page_of(writer)
        page[pdf_name("/PieceInfo")] = pdf_string("a" * 20)
        writer.update_container(page)

    changed = updated(with_room)
    entry = b"/PieceInfo (" + b"a" * 20 + b")"
    assert changed.count(entry) == 1
    twice = changed.replace(entry, b"/Contents 1 0 R".ljust(len(entry)))
    (one,) = read(twice).signatures
    assert one.envelope_problem is None
    problem = check(one.changed_after, CHANGED, "modified")
    assert "重复的键" in problem.reason


def test_changes_before_a_later_seal_do_not_hide_behind_it():
    """The later seal is right, the earlier one was broken in between."""
    first, second = read(pdfs.sealed(updated(replace_content))).signatures
    check(first.changed_after, CHANGED, "modified")
    assert second.changed_after is None
    assert second.envelope_problem is None


def test_bytes_after_the_last_revision():
    (one,) = read(SEALED + b"7 0 obj <</Type/Page>> endobj\n").signatures
    check(one.changed_after, CHANGED, "appended")
    (one,) = read(SEALED + b"\r\n \n").signatures
    assert one.changed_after is None


def test_text_that_looks_like_a_signature_is_not_one():
    """§3.3: /Contents is found through the cross-reference table, never by search."""
    text = SEALED[SEALED.index(b"/Type /Sig") : B]
    bait = pdfs.make([Sheet(words=((9, 9, "x"),))])
    writer = IncrementalPdfFileWriter(io.BytesIO(bait))
    page_of(writer)[pdf_name("/PieceInfo")] = writer.add_object(
        StreamObject(encoded_data=b"<<" + text + b">>")
    )
    writer.update_container(page_of(writer))
    out = io.BytesIO()
    writer.write(out)
    assert read(out.getvalue()).signatures == ()
    assert len(read(pdfs.sealed(out.getvalue())).signatures) == 1


def test_a_signature_dictionary_in_an_object_stream():
    writer = IncrementalPdfFileWriter(io.BytesIO(pdfs.make(streams=True)))
    stream = writer.prepare_object_stream()
    value = DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Sig"),
            pdf_name("/ByteRange"): ArrayObject(map(NumberObject, (0, 10, 20, 30))),
            pdf_name("/Contents"): ByteStringObject(RIGHT.contents),
        }
    )
    field = DictionaryObject(
        {
            pdf_name("/FT"): pdf_name("/Sig"),
            pdf_name("/T"): pdf_string("A"),
            pdf_name("/V"): writer.add_object(value, obj_stream=stream),
        }
    )
    form = DictionaryObject({pdf_name("/Fields"): ArrayObject([writer.add_object(field)])})
    writer.root[pdf_name("/AcroForm")] = writer.add_object(form)
    writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    (one,) = read(out.getvalue()).signatures
    check(one.envelope_problem, ENVELOPE, "in-stream")


def test_an_unknown_sub_filter_is_found():
    """pyHanko's own list drops it (§3.6)."""
    names = Names("BJCA.Seal", "BJCA.whatever.2021")
    (one,) = read(pdfs.sealed(BASE, names=names)).signatures
    assert (one.kind, one.sub_filter, one.envelope_problem) == (Kind.SES, "BJCA.whatever.2021", None)


def test_a_look_that_is_not_the_seal_s_is_warned_of():
    """§3.2(5): warned, not refused."""
    from tests.helpers.seals import png
    from yingqiao.signing.seals.pdf import writing
    from yingqiao.signing.seals.pdf.picture import SealPicture

    def sealed_with(picture: bytes) -> PdfSignature:
        revision = writing.prepare(
            BASE, AtPoint((1,), 90, 90), SealPicture(picture, 42, 42), reserve=6000, at=seals.SIGNED_AT
        )
        (one,) = read(revision.finish(BASE, pdfs.signature_of(revision))).signatures
        return one

    assert sealed_with(png()).warnings == ()
    for other in (png(color=(0, 0, 200)), square()):
        one = sealed_with(other)
        assert one.envelope_problem is None
        assert "页面上显示的图样与印章图片不同" in one.warnings


def square() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGBA", (84, 84), (200, 0, 0, 255)).save(out, "PNG")
    return out.getvalue()


# Files that only want to cost


def bomb() -> bytes:
    """A stream of objects that decodes to a gigabyte."""
    packed = zlib.compress(bytes(1 << 20), 9)
    packed = zlib.compress(b"".join([packed] * 8), 9)
    objects = b"5 0 obj\n<</Type/ObjStm/N 1/First 4/Filter[/FlateDecode/FlateDecode]/Length %d>>\nstream\n%s\nendstream\nendobj\n"
    return pdfs.raw_file(
        {1: b"<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R>>"}, objects % (len(packed), packed)
    )


HOSTILE = {
    "pages in a loop": pdfs.raw_file(
        {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[2 0 R]/Count 0>>"}
    ),
    "fields in a loop": pdfs.raw_file(
        {
            1: b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[3 0 R]>>>>",
            2: b"<</Type/Pages/Kids[]/Count 0>>",
            3: b"<</T(a)/Kids[3 0 R]>>",
        }
    ),
    "deep nesting": pdfs.raw_file(
        {1: b"<</Type/Catalog/Pages 2 0 R/A " + b"[" * 100_000 + b"]" * 100_000 + b">>"}
    ),
    "a reference to itself": pdfs.raw_file({1: b"1 0 R"}),
    "no catalog": pdfs.raw_file({1: b"[]"}),
    "tables in a loop": pdfs.raw_file({1: b"<<>>"}).replace(b"/Root", b"/Prev 9999/Root"),
    "a bomb": bomb(),
    "two million pages claimed": pdfs.raw_file(
        {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 2000000>>"}
    ),
    "empty": b"",
    "only a head": b"%PDF-1.7\n",
    "junk before": b"\n" * 20 + BASE,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_end_quickly(data: bytes):
    begun = time.process_time()
    refused: PdfError | None = None
    try:
        assert read(data).signatures == ()
    except PdfError as error:
        refused = error
    if refused is not None:
        assert refused.code.startswith("pdf-")
        assert re.search(r"[\u4e00-\u9fff]", refused.reason)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "limits", [Limits(bytes=1000), Limits(pages=1), Limits(revisions=1), Limits(signatures=0)], ids=str
)
def test_limits(limits: Limits):
    with pytest.raises(PdfError) as caught:
        read(pdfs.sealed(SEALED, Paging()), limits)
    assert caught.value.code == "pdf-too-big"
