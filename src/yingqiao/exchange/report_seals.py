"""The seals on a report's PDF (四(二)4 电子签章), judged: one line for the exam's timeline, an entry a seal beside it.

Who judges reads the PDF in a bounded process, so it comes as a function; a PDF that could not be read is a verdict too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yingqiao.exchange.judge import Judged
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import Profile
from yingqiao.signing.seals.context import REGISTRY_SILENT
from yingqiao.signing.seals.found import FILE, TIMESTAMP, Found, worst
from yingqiao.signing.verification.policy import Policy
from yingqiao.signing.verification.report import Indication

RULE = "seal"
"""The rule of a hospital's profile: refuse = an embedded PDF is judged before the answer, warn = in the background."""
UNSEALED_RULE = "unsealed"
"""How a PDF without any seal weighs."""
UNSEALED = "unsealed"
_NO_SEAL = "报告 PDF 没有电子签章"
_MEND = "请核对报告 PDF 的电子签章，重新盖章后发送"
_LABEL = "报告 PDF 的电子签章"


@dataclass(frozen=True, slots=True)
class SealsJudged:
    """What a PDF's seals are worth together: the worst decides."""

    count: int
    indication: str
    """passed | failed | unknown | unsealed"""
    code: int
    words: str
    details: list[dict[str, Any]]
    silent: bool = False
    """Our registry of seals could not be asked: judged again, it may say more."""


JudgeSeals = Callable[[bytes, Policy, datetime], SealsJudged]
"""A PDF, by what policy and as of when. Never raises for what the bytes are; may take seconds."""


class NeedsTimeError(Exception):
    """Whoever asks has no time to wait for a seal to be judged."""


def summarise(found: Sequence[Found]) -> SealsJudged:
    """The seals of one PDF together."""
    seals = [one for one in found if one.kind != TIMESTAMP]
    decides = worst(seals)
    details = [one.shown() for one in found]
    if decides is None:
        return SealsJudged(0, UNSEALED, 0, _NO_SEAL, details)
    words = decides.report.words
    if len(seals) > 1:
        words = f"共 {len(seals)} 处签章" + (
            "，均通过" if not decides.verdict.code else f"，{decides.title()}：{words}"
        )
    elif seals[0].verdict.signer_name:
        words = f"{words}（{seals[0].verdict.signer_name} {seals[0].verdict.signed_at}）"
    count = sum(one.kind != FILE for one in seals)
    silent = any(step.reason == REGISTRY_SILENT for one in seals for step in one.report.steps)
    return SealsJudged(
        count, str(decides.report.indication), decides.verdict.code, words, details, silent=silent
    )


def asked_before(profile: Profile) -> bool:
    """Whether the hospital's PDFs are judged before the answer."""
    return Level.REFUSE in (
        profile.grade("report", "", RULE),
        profile.grade("report", "", UNSEALED_RULE),
    )


def is_judged(profile: Profile) -> bool:
    """Whether they are judged at all."""
    return profile.grade("report", "", RULE) is not None


def seal_findings(judged: Judged, profile: Profile, judge: JudgeSeals, at: datetime) -> tuple[Finding, ...]:
    """What the seals of an audited report's embedded PDF give to the answer."""
    digest = judged.report.pdf_object if judged.report is not None else ""
    paper = next((one for one in judged.documents if one.digest == digest), None)
    if paper is None:
        return ()
    result = judge(paper.content, profile.verification, at)
    level = _level(result.indication, profile)
    if level is None:
        return ()
    rule = UNSEALED_RULE if result.indication == UNSEALED else RULE
    return (Finding("reportPdfBase64", _LABEL, rule, level, result.words, _MEND, ("T144",)),)


def _level(indication: str, profile: Profile) -> Level | None:
    if indication == UNSEALED:
        return profile.grade("report", "", UNSEALED_RULE)
    if indication == Indication.PASSED:
        return None
    firm = indication == Indication.FAILED and profile.grade("report", "", RULE) is Level.REFUSE
    return Level.REFUSE if firm else Level.WARN
