"""The gateway as the connector calls it: what to say for each kind of record, and whose fault a failure is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from yingqiao.client import AsyncGateway, ClientError, Refused, Unavailable
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.hospital.spool.entries import EXAM, REPORT

IDENTITY_RULES = frozenset(
    (
        "unknown-hospital",
        "disabled-hospital",
        "cannot-decrypt",
        "bad-signature",
        "outside-window",
        "bad-timestamp",
    )
)
"""The gateway refuses whoever sends, not what is sent: no record is to blame, and all have to wait."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a call that failed means. `refused`: this record has to be mended."""

    refused: bool
    reason: str
    findings: str = "[]"
    error: WorkError | None = None
    identity: bool = False


async def push(gateway: AsyncGateway, kind: str, values: Mapping[str, Any]) -> None:
    """Sends one record by the interface of its kind (四(二)1, 2). Raises ClientError."""
    if kind == EXAM:
        await gateway.push_exam(values)
    elif kind == REPORT:
        await gateway.push_report(values)
    else:
        await gateway.push_images(values)


def failure_of(error: ClientError) -> Failure:
    """Refused records wait for people; everything else is the connection's and passes."""
    if isinstance(error, Refused):
        if _is_about_us(error):
            reason = f"网关不接受本院的身份：{error}"
            return Failure(False, reason, error=WorkError(ErrorClass.PASSING, reason), identity=True)
        return Failure(True, str(error), findings_text(error.answer.findings))
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Failure(False, str(error), error=WorkError(ErrorClass.PASSING, str(error), retry_after=wait))


def _is_about_us(error: Refused) -> bool:
    refusing = [f for f in error.answer.findings if f.level is Level.REFUSE]
    return bool(refusing) and all(not f.field and f.rule in IDENTITY_RULES for f in refusing)


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
