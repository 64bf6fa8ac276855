"""Sealed PDFs judged whole: rows 0, 10 and 1099 joined with those of the seal; bare seals; other signatures beside them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.helpers import pki, seals
from tests.helpers.sealed_files import report_pdf, sealed_pdf
from yingqiao.exchange.report_seals import summarise
from yingqiao.gm.cms_writing import MessageSigner, gm_signed_data
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.pdf_reader import PRELOAD, SandboxedPdfReader
from yingqiao.signing.seals import documents
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_bare, judge_file
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import AtPoint
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf
from yingqiao.signing.verification.policy import Policy

P = pki.world()


@pytest.fixture(scope="module")
def reader() -> Iterator[SandboxedPdfReader]:
    with Sandbox(SandboxLimits(workers=1), preload=PRELOAD) as sandbox:
        yield SandboxedPdfReader(sandbox)


def judge(
    reader: SandboxedPdfReader, raw: bytes, content: bytes | None = None, **more: object
) -> list[Found]:
    context = SealContext(seals.seal_trust(), pki.NOW, **more)  # type: ignore[arg-type]
    return judge_file(raw, context, reader, content)


def said(found: Found) -> tuple[str, int, str]:
    return str(found.report.indication), found.verdict.code, found.report.deciding.reason


def test_two_seals_one_after_the_other(reader: SandboxedPdfReader):
    """A later seal breaks no earlier one; pages count from 1."""
    once = sealed_pdf()
    twice = sealed_pdf(once, page=2, x_mm=60.0, stamped=None)
    first, second = judge(reader, twice)
    assert [said(one) for one in (first, second)] == [("passed", 0, "ok")] * 2
    assert (first.index, first.page, second.index, second.page) == (0, 1, 1, 2)
    assert first.kind == "ses"
    shown = first.shown()
    assert {"indication", "code", "reason", "signer", "time", "page"} <= shown.keys()
    assert (shown["signer"], shown["time"]) == ("影桥测试医院", "2026-03-01T02:05:06Z")
    assert "第 1 处电子签章（第 1 页）" in first.text()


def test_a_pdf_without_seals(reader: SandboxedPdfReader):
    assert judge(reader, report_pdf()) == []


def test_a_byte_changed_under_the_seal(reader: SandboxedPdfReader):
    (found,) = judge(reader, sealed_pdf().replace(b"/Helvetica", b"/Helvetic1", 1))
    assert said(found) == ("failed", 1010, "hash-mismatch")


def test_a_page_replaced_after_the_seal(reader: SandboxedPdfReader):
    """Shadow content: another revision with another content stream."""
    from io import BytesIO

    from pyhanko.pdf_utils.generic import StreamObject, pdf_name
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(BytesIO(sealed_pdf()))
    page = writer.root["/Pages"]["/Kids"][0]
    page[pdf_name("/Contents")] = writer.add_object(StreamObject(stream_data=b"BT ET"))
    writer.update_container(page)
    out = BytesIO()
    writer.write(out)
    (found,) = judge(reader, out.getvalue())
    assert (found.verdict.code, str(found.report.indication)) == (1011, "failed")
    lenient = judge(reader, out.getvalue(), policy=Policy.of({"seal-changed": "warn"}))
    assert lenient[0].verdict.code == 0


def test_a_byte_range_that_is_not_the_files(reader: SandboxedPdfReader):
    """A byte appended inside the gap's padding: /Contents holds more than DER and zeros."""
    raw = bytearray(sealed_pdf())
    gap = raw.rindex(b"/Contents <")
    end = raw.index(b">", gap)
    raw[end - 1 : end] = b"1"
    (found,) = judge(reader, bytes(raw))
    assert said(found)[:2] == ("failed", 1001)


def test_a_broken_seal_under_a_seals_sub_filter_is_a_broken_seal(reader: SandboxedPdfReader):
    """What says it is a seal and is none fails by its structure, not as something unknown."""
    raw = _with(lambda _: b"\x30\x03\x02\x01\x05")
    assert said(judge(reader, raw)[0])[:2] == ("failed", 1002)
    other = _with(lambda _: b"\x30\x03\x02\x01\x05", Names(sub_filter="X.nobody"))
    assert said(judge(reader, other)[0]) == ("unknown", 1099, "unknown-sub-filter")


def _with(sign, names: Names = Names()) -> bytes:  # noqa: B008 frozen
    picture = SealPicture(seals.png(), 42, 42)
    return seal_pdf(
        report_pdf(),
        [AtPoint((1,), 100.0, 100.0)],
        picture,
        lambda revision: sign(revision),
        reserve=8000,
        at=seals.SIGNED_AT,
        names=names,
    )


def test_a_gm0010_message_over_the_digest(reader: SandboxedPdfReader):
    """点聚: eContent is SM3 of the spans."""
    signer = MessageSigner(P.doctor.certificate, P.doctor.signer)
    names = Names(filter="DJ.GMPkiLite", sub_filter="GM.sm2cms.detached")
    raw = _with(lambda revision: gm_signed_data(revision.digest, [signer]), names)
    (found,) = judge(reader, raw)
    assert (found.kind, said(found)[:2]) == ("cms", ("passed", 0))
    assert found.verdict.signer_name == "张三"
    wrong = _with(lambda _: gm_signed_data(b"\0" * 32, [signer]), names)
    assert said(judge(reader, wrong)[0])[:2] == ("failed", 1010)


def test_a_seal_with_another_picture_on_the_page_is_warned_of(reader: SandboxedPdfReader):
    raw = sealed_pdf(picture=seals.png(color=(0, 0, 255), width=40, height=90))
    (found,) = judge(reader, raw)
    assert found.verdict.code == 0
    assert "图样与印章图片不同" in found.text()
    (firm,) = judge(reader, raw, policy=Policy.of({"seal-picture": "fail"}))
    assert said(firm) == ("failed", 1011, "picture-differs")


@pytest.mark.parametrize("raw", [b"%PDF-1.7\nnothing", report_pdf()[:400], b"%PDF-" + bytes(5000)])
def test_a_broken_pdf_is_refused_with_words(reader: SandboxedPdfReader, raw: bytes):
    with pytest.raises(GmError) as refused:
        judge(reader, raw)
    found = documents.unread(refused.value, SealContext(seals.seal_trust(), pki.NOW), raw)
    assert (found.kind, said(found)) == ("pdf", ("failed", 1001, "pdf-damaged"))
    assert "损坏" in found.report.words
    assert "没有找到电子签章" in found.report.words
    assert not any(word in found.text() for word in ("盖章", "改动"))  # it never had one


def test_a_broken_pdf_that_had_a_seal_is_not_called_unsealed(reader: SandboxedPdfReader):
    """§2.7 row 0: what was sealed and then cut off is damaged, and whether it was sealed is left open."""
    raw = sealed_pdf()[:-400]
    raw = raw.replace(b"startxref", b"startxxxx")
    with pytest.raises(GmError) as refused:
        judge(reader, raw)
    found = documents.unread(refused.value, SealContext(seals.seal_trust(), pki.NOW), raw)
    assert said(found)[:2] == ("failed", 1001)
    assert "像是有签章" in found.report.words
    assert summarise([found]).count == 0


def test_bare_seals_and_signatures_in_any_armour(reader: SandboxedPdfReader):
    seal, signature = seals.make_seal(), seals.make_signature()
    for raw in (seal, base64.encodebytes(seal)):
        (found,) = judge(reader, raw)
        assert (found.kind, said(found)) == ("seal", ("passed", 0, "ok"))
    (found,) = judge(reader, signature, seals.DOCUMENT)
    assert (found.kind, said(found)) == ("ses", ("passed", 0, "ok"))
    assert said(judge(reader, signature)[0]) == ("unknown", 1010, "no-content")
    assert said(judge(reader, signature, b"another")[0]) == ("failed", 1010, "hash-mismatch")


@pytest.mark.parametrize("raw", [b"", b"hello", b"\x30\x80", b"\0" * 100, pki.world().ca.certificate.raw])
def test_what_is_neither_is_a_verdict(raw: bytes):
    found = judge_bare(raw, SealContext(seals.seal_trust(), pki.NOW))
    assert said(found)[:2] == ("failed", 1002)


def test_codes_of_the_seal_come_through(reader: SandboxedPdfReader):
    """An expired seal in a PDF that is otherwise right."""
    old = seals.make_seal(seals.info(valid_to=seals.SIGNED_AT - timedelta(days=1)))
    (found,) = judge(reader, sealed_pdf(seal=old))
    assert said(found) == ("failed", 1007, "seal-expired")
