"""What parallel signing delivered, put into its base and looked at before anybody believes it (bParallelSign, §3.4).

The seals promised are there and whole, and what was sealed before stays so. A revision may change more than it says, as any
sealed one: its seal covers that, and whoever sealed answers for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from yingqiao.signing.seals import found, parallel
from yingqiao.signing.seals.documents import PdfReader, judge_read
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.intact import problem_of, trusting_nobody
from yingqiao.signing.seals.parallel import NOT_WHOLE, ParallelError
from yingqiao.signing.seals.pdf.model import SealedPdf


def merge(base: bytes, said: Mapping[str, Any], reader: PdfReader, at: datetime) -> bytes:
    """`base` with the seals of `said` (as `parallel.contents` made it), all whole, what was in it before unharmed.

    Whose seals they are is for a verification with trust. Raises ParallelError (`stale-base`, `parallel`,
    `parallel-seal`), PdfError.
    """
    merged, signatures = parallel.joined(base, said)
    file = reader.open(merged)
    before, after = reader.open(base).read(), file.read()
    _same_but_sealed(before, after, signatures)
    for one in judge_read(file, after, trusting_nobody(at))[len(before.signatures) :]:
        _whole(one)
    return merged


def _same_but_sealed(before: SealedPdf, after: SealedPdf, signatures: list[bytes]) -> None:
    """The seals promised, in their order, and no page more; earlier signatures as good as they were."""
    had = len(before.signatures)
    if [one.contents for one in after.signatures[had:]] != signatures or after.pages != before.pages:
        raise ParallelError("合并后的文件与并行签名数据所说的不同，没有合并", code=NOT_WHOLE)
    for old, new in zip(before.signatures, after.signatures, strict=False):
        if old.changed_after is None and new.changed_after is not None:
            reason = f"合并会使先前的签章失效（{new.changed_after.reason}），没有合并"
            raise ParallelError(reason, code=NOT_WHOLE)


def _whole(one: Found) -> None:
    problem = problem_of(one.verdict)
    if one.kind != found.SEAL_SIGNATURE or problem is not None:
        words = problem.words if problem else "不是电子签章"
        raise ParallelError(f"其中的签章不完好：{words}", code=NOT_WHOLE)
