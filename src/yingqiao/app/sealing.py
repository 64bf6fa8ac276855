"""Seals put on PDF files for programs: files are taken apart in a bounded process, keys and journal stay here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from yingqiao.app.stamping import NO_TIME
from yingqiao.gm import sm3
from yingqiao.sandbox import Line
from yingqiao.sandbox.pdf_reader import SandboxedPdfReader
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import BEIJING
from yingqiao.signing.seals import merging
from yingqiao.signing.seals.pdf import writing
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf
from yingqiao.signing.seals.sealing import Sealer
from yingqiao.signing.seals.stamps import Stamp
from yingqiao.store.signing.seals_registry import SealRegistry
from yingqiao.web.api.seal_desk import Order, SealedFile


class SealingDesk:
    """Safe from any thread; `seal` blocks."""

    def __init__(self, registry: SealRegistry, line: Line, stamp: Stamp) -> None:
        """`stamp` gives a time stamp over a signature value, None while there is no authority."""
        self._registry = registry
        self._stamp = stamp
        self._line = line
        self._reader = SandboxedPdfReader(line)

    def seal(self, pdf: bytes, order: Order) -> SealedFile:
        """The sealed file; the journal has it before and after.

        Raises SigningRefused, GmError (PdfError, SesError, DeviceError), SandboxError, StoreUnavailable.
        """
        with self._registry.use(order.seal, order.who, sm3.digest(pdf), order.matter, "api") as used:
            sealer = Sealer(used.esl, used.certificate, used.sign, stamp=self._stamped_by(order.stamp))
            made = seal_pdf(
                pdf,
                order.placements,
                sealer.picture,
                sealer,
                reserve=sealer.reserve,
                at=datetime.now(BEIJING),
                names=Names(name=sealer.signer_name, reason=order.reason),
                preparing=writing.prepared_by(self._line.call),
            )
            return SealedFile(made, sealer.stamped)

    def merge(self, base: bytes, said: Mapping[str, Any]) -> bytes:
        """What parallel signing delivered, put into its base. Raises ParallelError, PdfError, SandboxError."""
        return merging.merge(base, said, self._reader, datetime.now(BEIJING))

    def _stamped_by(self, wanted: bool | None) -> Stamp | None:
        if wanted is False:
            return None
        return self._must if wanted else self._stamp

    def _must(self, value: bytes) -> bytes:
        token = self._stamp(value)
        if token is None:
            raise SigningRefused(NO_TIME, "网关没有时间戳证书，请先用 yingqiao tsa init 或 tsa import")
        return token
