"""The gateway as the connector calls it: what to say for each kind of record, and whose fault a failure is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from yingqiao.client import (
    AsyncGateway,
    BadKey,
    BadSignature,
    ClientError,
    DayTotals,
    Gateway,
    Limits,
    ListedFile,
    NotAdmitted,
    Refused,
    Unavailable,
    WrongClock,
)
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.hospital.spool.catalogue import ModalityTotals
from yingqiao.hospital.spool.entries import EXAM, REPORT

IDENTITY = (NotAdmitted, BadKey, BadSignature, WrongClock)
"""The gateway refuses whoever sends, not what is sent: no record is to blame, and all have to wait."""
_PATIENT = Limits(silence=120.0, whole=300.0)
"""A day of 100,000 ids is compared while we wait."""
_ADDRESSES_AT_MOST = 200
_MEND_ADDRESS = (
    "请网关登记该主机（yingqiao hospitals hosts add），或改正 images.base_url、images.address；之后重发"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a call that failed means. `refused`: this record has to be mended."""

    error: WorkError
    refused: bool = False
    findings: str = "[]"
    identity: bool = False


@dataclass(frozen=True, slots=True)
class NotFetched:
    """Addresses of an accepted images list that the gateway will not fetch (T94): its people or ours have to mend."""

    reason: str
    findings: str


async def push(gateway: AsyncGateway, kind: str, values: Mapping[str, Any]) -> NotFetched | None:
    """Sends one record by the interface of its kind (四(二)1, 2). Raises ClientError."""
    if kind == EXAM:
        await gateway.push_exam(values)
    elif kind == REPORT:
        await gateway.push_report(values)
    else:
        taken = await gateway.push_images_list(values)
        if taken.refused:
            return not_fetched(taken.refused)
    return None


def not_fetched(refused: Sequence[ListedFile]) -> NotFetched:
    """As the worklist shows it: each address with the gateway's reason, the first of them."""
    findings = tuple(
        Finding(
            "FILEPATH", "影像地址", "address-refused", Level.REFUSE, f"{one.url}：{one.reason}", _MEND_ADDRESS
        )
        for one in refused[:_ADDRESSES_AT_MOST]
    )
    reason = f"列表已接受，但其中 {len(refused)} 个地址网关不下载：{refused[0].reason}"
    return NotFetched(reason, findings_text(findings))


def failure_of(error: ClientError) -> Failure:
    """Refused records wait for people; everything else is the connection's and passes."""
    if isinstance(error, Refused):
        if isinstance(error, IDENTITY):
            reason = f"网关不接受本院的身份：{error}"
            return Failure(WorkError(ErrorClass.PASSING, reason), identity=True)
        refusal = WorkError(ErrorClass.THEIRS, str(error))
        return Failure(refusal, refused=True, findings=findings_text(error.answer.findings))
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Failure(WorkError(ErrorClass.PASSING, str(error), retry_after=wait))


def findings_text(findings: tuple[Finding, ...]) -> str:
    """The gateway's findings, as the worklist keeps them."""
    return orjson.dumps(
        [
            {
                "field": f.field,
                "label": f.label,
                "rule": f.rule,
                "level": f.level.value,
                "problem": f.problem,
                "mend": f.mend,
            }
            for f in findings
        ]
    ).decode()


class Platform:
    """Where totals are sent: POST /statisticalData/upload (四(二)5)."""

    def __init__(self, url: str, hospital_code: str, key: bytes, *, name_hospital: bool = False) -> None:
        self._url, self._code, self._key, self._name_hospital = url, hospital_code, key, name_hospital

    def reconcile(self, day: str, found: Sequence[ModalityTotals]) -> Sequence[str]:
        """The ids the platform lacks. Raises ClientError."""
        totals = [DayTotals(one.modality, one.exams, images=one.images, reports=one.reports) for one in found]
        with Gateway(self._url, self._code, self._key, limits=_PATIENT) as gateway:
            return gateway.reconcile(day, totals, name_hospital=self._name_hospital).missing
