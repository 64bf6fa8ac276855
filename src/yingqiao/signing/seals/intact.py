"""What can be said of a seal where nobody is trusted: is it whole, and is the document still what was sealed.

Whose certificate it is, whether that was revoked, and what a time stamp is worth, is for a verifier with trust.
"""

from __future__ import annotations

from datetime import datetime

from yingqiao.signing.seals import rows
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.report import Indication, Step

_OWN = frozenset(
    {
        *(rows.ENVELOPE, rows.FORMAT, rows.SIGNATURE, rows.HOLDER, rows.MAKER_SIGNATURE),
        *(rows.VALIDITY, rows.HASH, rows.CHANGES, rows.OTHER),
    }
)
"""Rows that need no trust."""


def trusting_nobody(at: datetime) -> SealContext:
    return SealContext(Trust(), at)


def problem_of(verdict: Verdict) -> Step | None:
    """The first row that did not pass and needs no trust; what failed before what is unknown. None: it is intact."""
    bad = [
        one for one in verdict.report.steps if one.name in _OWN and one.indication is not Indication.PASSED
    ]
    return min(bad, key=lambda one: one.indication is not Indication.FAILED, default=None)
