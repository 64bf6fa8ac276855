"""PDFs read in the test's own process, for files of its own making."""

from __future__ import annotations

from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.pdf.model import PdfSignature, SealedPdf
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.verdict import Verdict


class InProcess:
    """A `PdfReader`."""

    def read(self, data: bytes) -> SealedPdf:
        return read(data)

    def foreign(self, data: bytes, one: PdfSignature, context: SealContext) -> Verdict:
        raise AssertionError("no signature but ours")
