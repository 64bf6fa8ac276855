"""Hostile files in the bounded process (§3.3: huge objects; issue: bombs, loops, nesting, streams of a gigabyte)."""

from __future__ import annotations

import time
import zlib

import pytest

from tests.helpers import pdfs, seals
from tests.unit.seals.test_pdf_attacks import HOSTILE
from yingqiao.sandbox import Sandbox, SandboxError, SandboxLimits
from yingqiao.sandbox.limits import MIB
from yingqiao.signing.seals.pdf import reading, writing
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf

LIMITS = SandboxLimits(memory=768 * MIB, cpu_s=10, wall_s=60.0)


@pytest.fixture(scope="module")
def box():
    preload = ["yingqiao.signing.seals.pdf.reading", "yingqiao.signing.seals.pdf.writing"]
    with Sandbox(LIMITS, preload=preload) as made:
        yield made


def flat(size: int) -> tuple[int, bytes]:
    """So many MiB of noughts, deflated; one of them is packed, and stands there again and again (RFC 1950, 1951)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (size * MIB % 65521 << 16 | 1).to_bytes(4, "big")
    packed = b"".join([b"\x78\xda", one * size, packer.flush(), checksum])
    return len(packed), packed


def content_of_a_gigabyte() -> bytes:
    """A page whose content decodes to a gigabyte: pdfium reads it when a keyword is looked for."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>"
    stream = b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % flat(1024)
    return pdfs.raw_file(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            3: page,
            4: stream,
        }
    )


FILES = {**HOSTILE, "a gigabyte of page content": content_of_a_gigabyte()}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_an_answer_or_a_refusal_within_bounds(box: Sandbox, data: bytes):
    seal = pdfs.sealer().picture
    for call in (
        lambda: box.call(reading.read, data),
        lambda: box.call(
            writing.prepare, data, AtKeyword("Report"), seal, reserve=99, at=seals.SIGNED_AT, names=Names()
        ),
    ):
        begun = time.monotonic()
        try:
            call()
        except (PdfError, SandboxError) as error:
            told = error.reason
            assert told
        assert time.monotonic() - begun < 120


def test_sealed_and_read_through_it_as_directly(box: Sandbox):
    """The key stays here: only the file goes there."""
    data, by = pdfs.make(), pdfs.sealer()
    made = seal_pdf(
        data,
        [AtPoint((1,), 100, 100)],
        by.picture,
        by,
        reserve=by.reserve,
        at=seals.SIGNED_AT,
        preparing=writing.prepared_by(box.call),
    )
    assert box.call(reading.read, made) == reading.read(made)
    with pytest.raises(PdfError) as caught:
        box.call(reading.read, pdfs.through_files(data, "--encrypt", "", "owner", "256", "--"))
    assert caught.value.code == "pdf-encrypted"
