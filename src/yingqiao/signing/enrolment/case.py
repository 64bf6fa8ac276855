"""An application on its way: who handed it in, who decided. Two different people always (四眼原则)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from yingqiao.signing.errors import SigningRefused

MAX_REASON = 200


class CaseState(StrEnum):
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def words(self) -> str:
        return {"submitted": "待审批", "approved": "已通过", "rejected": "已退回", "withdrawn": "已撤回"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Case:
    """An application's state. Times are Unix ms; people are account names."""

    state: CaseState
    submitted_by: str
    submitted_at: int
    decided_by: str = ""
    decided_at: int | None = None
    reason: str = ""


def shown_name(by: str) -> str:
    """Who acted, for people: a doctor on the phone (annex 7, row 18) is known by a number only."""
    return "医师本人（手机）" if by.startswith("doctor:") else by


def submit(by: str, now: int) -> Case:
    return Case(CaseState.SUBMITTED, by, now)


def approve(case: Case, by: str, now: int) -> Case:
    """Raises SigningRefused when it is decided already, or by who handed it in."""
    _decidable(case, by)
    return replace(case, state=CaseState.APPROVED, decided_by=by, decided_at=now)


def reject(case: Case, by: str, reason: str, now: int) -> Case:
    """Raises SigningRefused as `approve`, and without a reason."""
    _decidable(case, by)
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise SigningRefused("reason", f"退回须写明原因，至多 {MAX_REASON} 个字")
    return replace(case, state=CaseState.REJECTED, decided_by=by, decided_at=now, reason=reason)


def withdraw(case: Case, by: str, now: int) -> Case:
    """Only who handed it in, and only before it is decided. Raises SigningRefused."""
    _open(case)
    if by != case.submitted_by:
        raise SigningRefused("not-submitter", "只有提交人可以撤回")
    return replace(case, state=CaseState.WITHDRAWN, decided_by=by, decided_at=now)


def _open(case: Case) -> None:
    if case.state is not CaseState.SUBMITTED:
        raise SigningRefused("decided", f"该申请{case.state.words}，不能再处理")


def _decidable(case: Case, by: str) -> None:
    _open(case)
    if by == case.submitted_by:
        raise SigningRefused("four-eyes", "提交人不能审批自己提交的申请，请由另一人审批")
