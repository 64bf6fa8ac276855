"""Seals put on PDF files for programs: files are taken apart in a bounded process, keys and journal stay here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from yingqiao.gm import sm3
from yingqiao.sandbox import Line
from yingqiao.signing.moments import BEIJING
from yingqiao.signing.seals.pdf import writing
from yingqiao.signing.seals.pdf.placing import Placement
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf
from yingqiao.signing.seals.sealing import Sealer
from yingqiao.store.signing.seals_registry import SealRegistry


class SealingDesk:
    """Safe from any thread; `seal` blocks."""

    def __init__(
        self,
        registry: SealRegistry,
        line: Line,
        stamp: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`stamp` gives a time stamp over a signature value; without it none is written."""
        self._registry = registry
        self._stamp = stamp
        self._line = line

    def seal(
        self, pdf: bytes, seal: str, placements: Sequence[Placement], *, who: str, matter: str, reason: str
    ) -> bytes:
        """The sealed file; the journal has it before and after. `matter` is the caller's transaction.

        Raises SigningRefused, GmError (PdfError, SesError), SandboxError, StoreUnavailable.
        """
        with self._registry.use(seal, who, sm3.digest(pdf), matter, "api") as used:
            sealer = Sealer(used.esl, used.certificate, used.sign, stamp=self._stamp)
            return seal_pdf(
                pdf,
                placements,
                sealer.picture,
                sealer,
                reserve=sealer.reserve,
                at=datetime.now(BEIJING),
                names=Names(name=sealer.signer_name, reason=reason),
                preparing=writing.prepared_by(self._line.call),
            )
