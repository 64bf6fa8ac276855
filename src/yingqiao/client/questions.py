"""What the query interfaces are asked, and how their answers read (四(二)3, T100-T105), without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

import pybase64

from yingqiao.client.answer import Answer
from yingqiao.client.errors import BadKey, Misunderstood
from yingqiao.client.protocol import answer_of, code_of, not_understood, refusal_of, understand
from yingqiao.client.talk import Response
from yingqiao.exchange import bounded_json
from yingqiao.exchange.clock import BEIJING
from yingqiao.gm import sm4

MAX_NODES = 5_000_000
Moment = datetime | str
"""Beijing wall time: text as printed, a naive datetime, or an aware one, which is converted."""
Day = date | str


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """Filters of /exam/get, all optional; which time is meant is the hospital's own choice (T103)."""

    path: ClassVar[str] = "/exam/get"
    start: Moment = ""
    end: Moment = ""
    apply_id: str = ""
    """申请单编号 (labNum)."""
    patient_id: str = ""
    """影像号."""

    def to_json(self) -> dict[str, str]:
        """Every member, '' = not asked (T15, T104)."""
        return {
            "startTime": _moment(self.start),
            "endTime": _moment(self.end),
            "applyId": self.apply_id,
            "patientId": self.patient_id,
        }


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """Filters of /report/get."""

    path: ClassVar[str] = "/report/get"
    start: Moment = ""
    end: Moment = ""
    apply_id: str = ""
    report_id: str = ""
    """recordNum (T105)."""

    def to_json(self) -> dict[str, str]:
        return {
            "startTime": _moment(self.start),
            "endTime": _moment(self.end),
            "applyId": self.apply_id,
            "reportId": self.report_id,
        }


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """Filters of /series/get: days, `start` inclusive, `end` exclusive."""

    path: ClassVar[str] = "/series/get"
    start: Day = ""
    end: Day = ""
    apply_id: str = ""
    accession_number: str = ""
    """One, or several separated by commas."""
    study_uid: str = ""
    series_uid: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "startTime": _day(self.start),
            "endTime": _day(self.end),
            "applyId": self.apply_id,
            "accessionNumber": self.accession_number,
            "studyInstanceUID": self.study_uid,
            "seriesInstanceUID": self.series_uid,
        }


Question = ExamQuestion | ReportQuestion | SeriesQuestion


def read_rows(response: Response, key: bytes | None, now_s: float) -> list[dict[str, Any]]:
    """The rows of one page: an array, one object, either as text or sealed with `key`, or nothing (T09).

    Raises Refused or one of its kinds, RetryLater, Misunderstood, BadKey.
    """
    said = understand(response, MAX_NODES)
    if key is not None and "code" not in said and isinstance(said.get("data"), str):
        said = _opened(said["data"], key, response)  # the whole answer in an envelope
        if not isinstance(said, dict):
            raise not_understood(response)
    code = code_of(said)
    if code is None:
        raise not_understood(response)
    if code == 0:
        raise refusal_of(answer_of(0, said, response.status), response, now_s)
    return _rows(said.get("content"), key, response)


def _rows(content: object, key: bytes | None, response: Response) -> list[dict[str, Any]]:
    if isinstance(content, str) and content.strip():
        content = _read(content, key, response)
    if content is None or content == "":
        return []
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Misunderstood("应答的 content 不是记录的数组", status=response.status)
    return rows


def _read(text: str, key: bytes | None, response: Response) -> Any:
    if key is not None and text.lstrip()[0] not in "[{":
        return _opened(text, key, response)
    try:
        return bounded_json.load(text.encode("utf-8", "surrogatepass"), MAX_NODES)
    except bounded_json.JsonError as error:
        raise Misunderstood("应答的 content 不是合法的 JSON", status=response.status) from error


def _opened(text: str, key: bytes, response: Response) -> Any:
    try:
        cipher = pybase64.b64decode("".join(text.split()), validate=True)
        return bounded_json.load(sm4.decrypt_ecb(key, cipher), MAX_NODES)
    except ValueError as error:
        raise Misunderstood("应答里的密文不符合规范", status=response.status) from error
    except sm4.Sm4Error as error:
        raise BadKey(Answer(0, "应答无法用约定的 SM4 密钥解密", None, (), response.status)) from error


def _moment(when: Moment) -> str:
    if isinstance(when, str):
        return when
    local = when.astimezone(BEIJING) if when.tzinfo else when
    return local.strftime("%Y-%m-%d %H:%M:%S")


def _day(day: Day) -> str:
    return day if isinstance(day, str) else day.strftime("%Y-%m-%d")


__all__ = ["ExamQuestion", "Question", "ReportQuestion", "SeriesQuestion", "read_rows"]
