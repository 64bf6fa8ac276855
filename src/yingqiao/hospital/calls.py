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
    NotAdmitted,
    Refused,
    Unavailable,
    WrongClock,
)
from yingqiao.exchange.model import Finding
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.hospital.spool.catalogue import ModalityTotals
from yingqiao.hospital.spool.entries import EXAM, REPORT

IDENTITY = (NotAdmitted, BadKey, BadSignature, WrongClock)
"""The gateway refuses whoever sends, not what is sent: no record is to blame, and all have to wait."""
_PATIENT = Limits(silence=120.0, whole=300.0)
"""A day of 100,000 ids is compared while we wait."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a call that failed means. `refused`: this record has to be mended."""

    error: WorkError
    refused: bool = False
    findings: str = "[]"
    identity: bool = False


async def push(gateway: AsyncGateway, kind: str, values: Mapping[str, Any]) -> None:
    """Sends one record by the interface of its kind (四(二)1, 2). Raises ClientError."""
    if kind == EXAM:
        await gateway.push_exam(values)
    elif kind == REPORT:
        await gateway.push_report(values)
    else:
        await gateway.push_images_list(values)


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
