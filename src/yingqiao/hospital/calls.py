"""The gateway as the connector calls it: what to say for each kind of record, and whose fault a failure is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pybase64

from yingqiao.client import Answer, AsyncGateway, ClientError, Misunderstood, Refused, Unavailable
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.gm import sm4
from yingqiao.hospital.spool.catalogue import ModalityTotals
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
        await gateway.push_images(values)


def failure_of(error: ClientError) -> Failure:
    """Refused records wait for people; everything else is the connection's and passes."""
    if isinstance(error, Refused):
        if _is_about_us(error):
            reason = f"网关不接受本院的身份：{error}"
            return Failure(WorkError(ErrorClass.PASSING, reason), identity=True)
        refusal = WorkError(ErrorClass.THEIRS, str(error))
        return Failure(refusal, refused=True, findings=findings_text(error.answer.findings))
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Failure(WorkError(ErrorClass.PASSING, str(error), retry_after=wait))


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


class Platform:
    """Where totals are sent: POST /statisticalData/upload (四(二)5)."""

    def __init__(self, url: str, hospital_code: str, key: bytes, *, name_hospital: bool = False) -> None:
        self._url, self._code, self._key, self._name_hospital = (
            url.rstrip("/"),
            hospital_code,
            key,
            name_hospital,
        )

    def reconcile(self, day: str, found: Sequence[ModalityTotals]) -> Sequence[str]:
        """The ids the platform lacks. Raises ClientError."""
        asked = {"hospitalCode": self._code, "date": day, "examInfo": [_exam_info(one) for one in found]}
        sealed = {
            "content": pybase64.b64encode(sm4.encrypt_ecb(self._key, orjson.dumps(asked))).decode("ascii")
        }
        body = {"hospitalCode": self._code, **sealed} if self._name_hospital else sealed
        try:
            answer = httpx.post(
                f"{self._url}/statisticalData/upload", json=body, timeout=120, trust_env=False
            )
        except httpx.TransportError as error:
            raise Unavailable(f"无法与对账平台通信：{type(error).__name__}") from error
        return self._missing(answer)

    def _missing(self, answer: httpx.Response) -> Sequence[str]:
        if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
            raise Unavailable(f"对账平台暂时不可用（HTTP {answer.status_code}）", status=answer.status_code)
        try:
            said = answer.json()
            status = str(said["status"])
            data = said.get("data") or "[]"
            if status == "0" and isinstance(data, str) and not data.startswith(("[", "{")):
                data = sm4.decrypt_ecb(self._key, pybase64.b64decode(data, validate=True))
            ids = orjson.loads(data) if isinstance(data, str | bytes) else data
        except (ValueError, KeyError, TypeError, AttributeError, sm4.Sm4Error) as error:
            raise Misunderstood("对账应答不符合规范", status=answer.status_code) from error
        if status != "0":
            message = str(said.get("message") or "")
            raise Refused(Answer(0, message, None, (), answer.status_code))
        ids = ids.get("study_uids", []) if isinstance(ids, dict) else ids
        return [str(one) for one in ids or ()]


def _exam_info(one: ModalityTotals) -> dict[str, Any]:
    told: dict[str, Any] = {
        "imgExamType": one.modality,
        "pushExamNum": len(one.exams),
        "pushReportNum": one.reports,
        "study_uids": one.exams,
    }
    return told if one.images is None else told | {"pushImageNum": one.images}
