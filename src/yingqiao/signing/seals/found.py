"""What a file holds of seals, each with its verdict and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.verification.report import Indication, Report

ORDER = (Indication.FAILED, Indication.UNKNOWN, Indication.PASSED)
SEAL, SEAL_SIGNATURE, MESSAGE, TIMESTAMP, FILE = "seal", "ses", "cms", "timestamp", "pdf"


@dataclass(frozen=True, slots=True)
class Found:
    """One seal. Of a bare seal or seal signature there is no `page` (from 1) and no `field`."""

    verdict: Verdict
    index: int = 0
    page: int | None = None
    field: str = ""
    kind: str = SEAL_SIGNATURE
    """seal | ses | cms | timestamp; pdf: the file itself, in which no seal could be looked at"""
    sub_filter: str = ""

    @property
    def report(self) -> Report:
        return self.verdict.report

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        place = {
            "index": self.index,
            "page": self.page,
            "field": self.field,
            "kind": self.kind,
            "subFilter": self.sub_filter,
        }
        return place | self.verdict.shown()

    def title(self) -> str:
        """How people tell it from the others of a file."""
        if self.kind == FILE:
            return self.report.subject
        place = f"（第 {self.page} 页）" if self.page else ""
        seal = self.verdict.seal
        name = f"：{seal.info.name}" if seal else ""
        return f"第 {self.index + 1} 处{self.report.subject}{place}{name}"

    def text(self) -> str:
        """For people, in three depths."""
        verdict = self.verdict
        who = f"签章者 {verdict.signer_name}" if verdict.signer_name else ""
        when = f"签章时间 {verdict.signed_at} 北京时间" if verdict.signed_at else ""
        line = "，".join(part for part in (who, when, f"代码 {verdict.code}" if verdict.code else "") if part)
        return "\n".join(part for part in (self.title(), line, self.report.text()) if part)


def worst(found: Sequence[Found]) -> Found | None:
    """The one whose verdict stands for the file's; None of a file without seals."""
    return min(found, key=lambda one: ORDER.index(one.report.indication), default=None)
