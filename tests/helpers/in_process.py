"""PDFs read in the test's own process, for files of its own making."""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import signed_bytes
from yingqiao.signing.seals.pdf.model import PdfSignature, SealedPdf
from yingqiao.signing.seals.pdf.reading import read
from yingqiao.signing.seals.verdict import Verdict


class InProcess:
    """A `PdfReader`."""

    def open(self, data: bytes) -> _File:
        return _File(data)


@dataclass(frozen=True)
class _File:
    data: bytes

    def read(self) -> SealedPdf:
        return read(self.data)

    def foreign(self, one: PdfSignature, context: SealContext) -> Verdict:
        raise AssertionError("no signature but ours")

    def signed(self, one: PdfSignature) -> bytes:
        return signed_bytes(self.data, one)
