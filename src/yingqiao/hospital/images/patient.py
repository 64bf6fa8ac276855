"""Who a series is of, where the image system does not say it all (T95: PATIENTNAME and PATIENTAGE are required)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from yingqiao.hospital.spool.catalogue import exam_of_study
from yingqiao.hospital.spool.store import Spool

_SEXES = {"1": "M", "2": "F", "9": "O"}
"""Sex of the standard → DICOM's (0010,0040)."""


def is_whole(one: Mapping[str, Any]) -> bool:
    """Whether the data of /images/list name the patient and the age."""
    return bool(one["PATIENTNAME"] and one["PATIENTAGE"])


def with_patient(spool: Spool, lists: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, completed from the exam of the study where the spool has one."""
    return [
        one if is_whole(one) else _completed(one, exam_of_study(spool, one["STUDYIUID"])) for one in lists
    ]


def _completed(one: dict[str, Any], exam: Mapping[str, Any] | None) -> dict[str, Any]:
    if exam is None:
        return one
    told = {
        "PATIENTNAME": str(exam.get("patName") or ""),
        "PATIENTAGE": _age(exam),
        "PATIENTSEX": _SEXES.get(str(exam.get("sex")), ""),
    }
    return one | {name: one[name] or value for name, value in told.items()}


def _age(exam: Mapping[str, Any]) -> str:
    """`035Y`, and in months or days likewise; an age in hours is of day 0 (T30). '' when it is not a number."""
    number, unit = str(exam.get("patAge") or ""), str(exam.get("ageUnit") or "Y")
    if unit == "H":
        return "000D"
    return f"{int(number):03d}{unit}" if number.isdecimal() and len(number) <= 3 and unit in "YMD" else ""
