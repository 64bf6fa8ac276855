"""Requests to SEF_VerifySeal opened where their file is read (四(二)4 电子签章验签接口).

JSON and Base64 of megabytes keep the interpreter for milliseconds, in which no exam is taken: a worker has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yingqiao.exchange import bounded_json
from yingqiao.exchange.bounded_json import JsonError
from yingqiao.gm.errors import GmError
from yingqiao.sandbox.errors import Busy, SandboxError
from yingqiao.sandbox.pdf_reader import SandboxedPdf
from yingqiao.sandbox.pool import Line
from yingqiao.sandbox.wire import Pieces
from yingqiao.signing.seals import sef
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import NO_PDF, is_pdf
from yingqiao.signing.seals.pdf import remote
from yingqiao.signing.seals.pdf.model import PdfSignature, SealedPdf
from yingqiao.signing.seals.sef import Asking, SefError
from yingqiao.signing.seals.verdict import Verdict

BUSY = 503


@dataclass(frozen=True, slots=True)
class Opened:
    """A request without its file; what was read of that, None when it lies at an address."""

    asking: Asking
    sealed: SealedPdf | None


class PostedFile:
    """A `PdfFile` inside the body of a request, decoded by workers only."""

    def __init__(self, line: Line, body: Sequence[bytes]) -> None:
        self._line, self._body = line, Pieces(body)
        self._decoded: SandboxedPdf | None = None

    def open(self) -> Opened:
        """Raises SefError; also for a file that costs too much or kills its reader, and when nobody is free."""
        try:
            return self._line.call(open_request, self._body)
        except SandboxError as error:
            code = BUSY if isinstance(error, Busy) else sef.UNREADABLE
            raise SefError(error.reason, code, self._trans_id()) from error

    def read(self) -> SealedPdf:
        return self._file().read()

    def foreign(self, one: PdfSignature, context: SealContext) -> Verdict:
        return self._file().foreign(one, context)

    def signed(self, one: PdfSignature) -> bytes:
        return self._file().signed(one)

    def _file(self) -> SandboxedPdf:
        """For what few files need: all of it."""
        if self._decoded is None:
            self._decoded = SandboxedPdf(self._line, self._line.call(decoded, self._body))
        return self._decoded

    def _trans_id(self) -> str:
        """Of a request whose worker could not tell."""
        try:
            return _asking(self._body).trans_id
        except SefError as error:
            return error.trans_id


def open_request(body: Pieces) -> Opened:
    """In a worker: the request, and its file read. Raises SefError."""
    asking = _asking(body)
    if asking.data is None:
        return Opened(asking, None)
    if not is_pdf(asking.data):
        raise SefError(NO_PDF, sef.UNREADABLE, asking.trans_id)
    try:
        return Opened(replace(asking, data=b""), remote.read(asking.data))
    except GmError as error:
        raise SefError(error.reason, sef.UNREADABLE, asking.trans_id) from error


def decoded(body: Pieces) -> bytes:
    """In a worker: the file. Raises SefError."""
    return _asking(body).data or b""


def _asking(body: Pieces) -> Asking:
    """Raises SefError."""
    try:
        parameters = bounded_json.load(body.whole())
    except JsonError as error:
        raise SefError(f"请求不是合法的 JSON：{error}") from error
    return sef.read_request(parameters)
