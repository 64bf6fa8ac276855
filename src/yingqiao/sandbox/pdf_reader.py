"""PDFs read in a sandbox: the `PdfReader` of everybody who takes files from outside."""

from __future__ import annotations

from yingqiao.gm import certificates
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import KeyKind
from yingqiao.sandbox.errors import Busy, SandboxError
from yingqiao.sandbox.pool import Line
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import signed_bytes
from yingqiao.signing.seals.pdf import remote
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.model import PdfSignature, SealedPdf
from yingqiao.signing.seals.rows import OTHER, ROWS, SIGNATURE, row, with_mend
from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.trust import SIGNERS
from yingqiao.signing.verification.report import OK, Indication, Report, Step, unknown

SUBJECT = "PDF 签名"
PRELOAD = ("yingqiao.signing.seals.pdf.reading", "yingqiao.signing.seals.pdf.foreign")


class SandboxedPdfReader:
    """Opens files for the workers of `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def open(self, data: bytes) -> SandboxedPdf:
        return SandboxedPdf(self._line, data)


class SandboxedPdf:
    """A `PdfFile`. Raises PdfError for one that costs too much or kills its reader; Busy when nobody is free to read it."""

    def __init__(self, line: Line, data: bytes) -> None:
        self._line, self._data = line, data

    def read(self) -> SealedPdf:
        try:
            return self._line.call(remote.read, self._data)
        except Busy:
            raise
        except SandboxError as error:
            raise PdfError(error.reason, code=error.code) from error

    def signed(self, one: PdfSignature) -> bytes:
        return signed_bytes(self._data, one)

    def foreign(self, one: PdfSignature, context: SealContext) -> Verdict:
        """RSA and ECDSA are pyHanko's to judge: what it says, in one row. SM2 certificates are kept from it."""
        anchors = [one for one in context.trust.anchors(SIGNERS) if one.key.kind is not KeyKind.SM2]
        lists = [listed.raw for one in anchors for listed in context.trust.lists_of(one.subject.raw)]
        roots = [one.raw for one in anchors]
        try:
            said = self._line.call(
                remote.judge_foreign, self._data, one.index, roots=roots, crls=lists, at=context.at
            )
        except Busy:
            raise
        except (SandboxError, PdfError) as error:
            said = None
            step = row(OTHER, [unknown("format", error.code, error.reason)])
        if said is not None:
            step = _step(said.indication, said.number, said.words)
        facts = {"kind": SUBJECT, "algorithm": said.algorithm if said else ""}
        report = Report(SUBJECT, (step,), context.at, context.at, "at", facts)
        if said is None:
            return Verdict(report)
        return Verdict(report, signer=_certificate(said.certificate), time=said.signed_at)


def _step(indication: Indication, number: int, words: str) -> Step:
    name = next((name for name, known in ROWS.items() if known.code == number), SIGNATURE)
    return with_mend(Step(name, indication, OK if number == 0 else "foreign", words))


def _certificate(raw: bytes) -> Certificate | None:
    try:
        return certificates.parse(raw) if raw else None
    except GmError:
        return None
