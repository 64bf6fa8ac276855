"""The reconciliation of a day: `/statisticalData/upload` (四(二)5, T150-T159), without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pybase64

from yingqiao.client.answer import Answer, Reconciled
from yingqiao.client.errors import BadKey, Misunderstood
from yingqiao.client.protocol import answer_of, not_understood, refusal_of, understand
from yingqiao.client.talk import Response
from yingqiao.exchange import bounded_json
from yingqiao.gm import sm4

MAX_NODES = 5_000_000
"""Members of one answer: a day's ids, all of them missing."""


@dataclass(frozen=True, slots=True)
class DayTotals:
    """One modality's totals of a day (examInfo[])."""

    modality: str
    """imgExamType: CT, MR, DX … (T152)."""
    study_uids: Sequence[str]
    """检查 id 集合: risStudyId of every exam (T154)."""
    exams: int | None = None
    """pushExamNum; None = as many as there are different ids."""
    images: int | None = None
    """pushImageNum; None = not counted, not sent."""
    reports: int | None = None
    """pushReportNum; likewise."""

    def to_json(self) -> dict[str, Any]:
        """The member as printed, each id once (T155)."""
        ids = list(dict.fromkeys(self.study_uids))
        said: dict[str, Any] = {"imgExamType": self.modality, "study_uids": ids}
        said["pushExamNum"] = len(ids) if self.exams is None else self.exams
        counts = {"pushImageNum": self.images, "pushReportNum": self.reports}
        return said | {name: count for name, count in counts.items() if count is not None}


def request_body(
    hospital_code: str, day: date | str, totals: Iterable[DayTotals], key: bytes, *, name_hospital: bool
) -> bytes:
    """Only `content`; with `name_hospital` also hospitalCode beside it, for platforms that want it (T150).

    `day` is the day of checkFinishTime, Beijing time (T158); a day without exams has no totals (T159).
    """
    asked = {
        "hospitalCode": hospital_code,
        "date": day if isinstance(day, str) else day.isoformat(),
        "examInfo": [one.to_json() for one in totals],
    }
    sealed = {"content": pybase64.b64encode(sm4.encrypt_ecb(key, orjson.dumps(asked))).decode("ascii")}
    return orjson.dumps({"hospitalCode": hospital_code, **sealed} if name_hospital else sealed)


def read_answer(response: Response, key: bytes, now_s: float) -> Reconciled:
    """status "0" = success, "-1" = failure (T151). Raises Refused or one of its kinds, RetryLater, BadKey,
    Misunderstood.
    """
    said = understand(response, MAX_NODES)
    status = str(said.get("status"))
    if status not in ("0", "-1"):
        if said.get("code") in (
            0,
            "0",
        ):  # the answer of the other interfaces: turned away before it was opened
            raise refusal_of(answer_of(0, said, response.status), response, now_s)
        raise not_understood(response)
    if status == "-1":
        message = {"message": said.get("message"), "content": said.get("content")}
        raise refusal_of(answer_of(0, message, response.status), response, now_s)
    return Reconciled(
        str(said.get("message") or ""), _missing(said.get("data"), key, response), response.status
    )


def _missing(data: object, key: bytes, response: Response) -> tuple[str, ...]:
    """Ids in an array or in {"study_uids": […]}, sealed or, where no one seals it, plain; empty = none (T157)."""
    found = _opened(data, key, response) if isinstance(data, str) and data.strip() else data
    if isinstance(found, dict):
        found = found.get("study_uids")
    if found is None or found == "":
        return ()
    if not isinstance(found, list) or not all(isinstance(one, str | int) for one in found):
        raise not_understood(response)
    return tuple(dict.fromkeys(str(one) for one in found))


def _opened(data: str, key: bytes, response: Response) -> Any:
    try:
        return bounded_json.load(sm4.decrypt_ecb(key, pybase64.b64decode(data, validate=True)), MAX_NODES)
    except ValueError as error:  # no base64, or no JSON inside
        raise Misunderstood("对账应答的 data 不符合规范", status=response.status) from error
    except sm4.Sm4Error as error:
        answer = Answer(0, "对账应答的 data 无法用本机构的 SM4 密钥解密", None, (), response.status)
        raise BadKey(answer) from error
