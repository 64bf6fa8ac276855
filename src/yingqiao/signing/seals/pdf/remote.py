"""Reading as a worker process is asked to do it: who asks need not load pyHanko, which takes a second.

What comes back is made of classes of `model`: who asks takes no others than it has loaded.
"""

from __future__ import annotations

from typing import Any

from yingqiao.signing.seals.pdf.model import ForeignVerdict, SealedPdf


def read(data: bytes) -> SealedPdf:
    """`reading.read`. Raises PdfError."""
    from yingqiao.signing.seals.pdf import reading  # loaded by the worker, when it starts

    return reading.read(data)


def judge_foreign(data: bytes, index: int, **how: Any) -> ForeignVerdict:
    """`foreign.judge_foreign`. Raises PdfError."""
    from yingqiao.signing.seals.pdf import foreign  # as above

    return foreign.judge_foreign(data, index, **how)
