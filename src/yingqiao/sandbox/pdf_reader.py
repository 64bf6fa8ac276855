"""PDFs read in a sandbox: the `PdfReader` of everybody who takes files from outside."""

from __future__ import annotations

from yingqiao.sandbox.errors import Busy, SandboxError
from yingqiao.sandbox.pool import Sandbox
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.model import PdfSignature, SealedPdf
from yingqiao.signing.seals.verdict import Verdict

PRELOAD = ("yingqiao.signing.seals.pdf.reading",)


class SandboxedPdfReader:
    """Raises PdfError for a file that costs too much or kills its reader; Busy when nobody is free to read it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def read(self, data: bytes) -> SealedPdf:
        from yingqiao.signing.seals.pdf import reading  # pyHanko takes a second to import

        try:
            return self._sandbox.call(reading.read, data)
        except Busy:
            raise
        except SandboxError as error:
            raise PdfError(error.reason, code=error.code) from error

    def foreign(self, data: bytes, one: PdfSignature, context: SealContext) -> Verdict:
        """RSA and ECDSA are pyHanko's to judge."""
        raise NotImplementedError
