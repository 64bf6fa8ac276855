"""What is in a file already: each seal with who, when, and whether it is whole; and trust, where the gateway is asked.

Whole (the signatures fit, the document is what was sealed) is judged here. Whether a certificate is one to be trusted is the
gateway's to say; where it is not asked, or is silent, the person is told that it was not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from yingqiao.client.sef import SealJudged, SealVerifier
from yingqiao.sandbox import Sandbox
from yingqiao.sandbox.pdf_reader import SandboxedPdfReader
from yingqiao.seal_client import looking
from yingqiao.seal_client.looking import Facts, Rect
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals import found
from yingqiao.signing.seals.documents import judge_read
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.intact import problem_of, trusting_nobody
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.model import PdfSignature
from yingqiao.signing.verification.report import Indication

NOT_ASKED = "没有配置网关（[verify]），签章者与制章者是否可信没有判断"
_KINDS = {found.SEAL_SIGNATURE: "seal", found.TIMESTAMP: "timestamp"}


class Earlier:
    """`verifier`: the gateway, None where none is configured."""

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        verifier: SealVerifier | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sandbox, self._limits, self._verifier, self._clock = sandbox, limits, verifier, clock
        self._reader = SandboxedPdfReader(sandbox)

    def facts(self, data: bytes) -> dict[str, Any]:
        """Pages, oddities, and the signatures there are, in the order of signing. Raises GmError, SandboxError."""
        seen: Facts = self._sandbox.call(looking.facts, data, self._limits)
        judged = judge_read(self._reader.open(data), seen.sealed, trusting_nobody(self._clock()))
        rows = zip(seen.sealed.signatures, judged, seen.rects, strict=True)
        return {
            "pages": seen.sealed.pages,
            "troubles": seen.sealed.troubles,
            "signatures": [_signature(*row) for row in rows],
        }

    def trust(self, data: bytes, signatures: list[dict[str, Any]]) -> dict[str, Any]:
        """For each of `signatures` (of `facts`) what the gateway says; `words` where it did not judge, which is `missing`
        where it should have (silent, or the file too large for it).
        """
        if self._verifier is None:
            return {"words": NOT_ASKED, "missing": False, "verdicts": []}
        try:
            said = iter(self._verifier(data))
        except SigningRefused as error:
            words = f"签章者与制章者是否可信没有判断：{error.reason}"
            return {"words": words, "missing": True, "verdicts": []}
        verdicts = [None if one["kind"] == "timestamp" else _told(next(said, None)) for one in signatures]
        return {"words": "", "missing": False, "verdicts": verdicts}


def _told(one: SealJudged | None) -> dict[str, Any] | None:
    return None if one is None else {"trusted": one.code == 0, "code": one.code, "words": one.words}


def _signature(one: PdfSignature, judged: Found, rect: Rect | None) -> dict[str, Any]:
    """`problem` is '' where it is whole, `whole` None where that cannot be told (a form nobody here knows)."""
    verdict, problem = judged.verdict, problem_of(judged.verdict)
    whole = problem is None or (None if problem.indication is Indication.UNKNOWN else False)
    time = verdict.time or one.claimed_at
    return {
        "kind": _KINDS.get(judged.kind, "signature"),
        "name": verdict.seal.info.name if verdict.seal else one.name or one.field,
        "signer": verdict.signer_name,
        "time": int(time.timestamp() * 1000) if time else None,
        "stamped": bool(verdict.signature and (verdict.signature.token or verdict.signature.time_token)),
        "whole": whole,
        "problem": problem.words if problem else "",
        "changes": one.changes,
        "page": one.page_index,
        "rect": asdict(rect) if rect else None,
    }
