"""What the ledger keeps of a record in columns, from normalised values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yingqiao.exchange.model import ExamRow, ReportRow
from yingqiao.exchange.values import canonical_datetime, split_list

Values = Mapping[str, Any]
MAX_COLUMN = 500
"""Characters of a column; the standard's lengths are 255, and index entries of databases are bounded."""
MAX_KEYS = 200
"""Accession numbers, study UIDs or exams named by one record."""
_MAX_INT = 2**31 - 1
_CA_FIELDS = ("CAData", "ClientCert", "SignType", "SignValue", "Timestampvalue")
_STUDY_SEPARATORS = ",，;；\\"


def exam_row(hospital_code: str, values: Values) -> ExamRow:
    """The columns of an exam whose values came from the validator of table `exam`."""
    text = Texts(values)
    return ExamRow(
        hospital_code=hospital_code,
        ris_study_id=text("risStudyId"),
        last_change_time=canonical_datetime(text("lastChangeTime")),
        deleted=values.get("disableFlag") == 1,
        exam_status=_number(values.get("examStatus")),
        patient_name=text("patName"),
        patient_id=text("patientId"),
        his_patient_id=text("hisPatientId"),
        id_number=text("idCard").upper(),
        sex=text("sex"),
        age=text("patAge") + text("ageUnit"),
        lab_num=text("labNum"),
        accession_numbers=text.items("accessionNumber", ",，"),
        study_uids=text.items("studyUid", _STUDY_SEPARATORS),
        modality=text("modality"),
        img_exam_type=text("imgExamType"),
        item_name=text("inhospExamItemName") or text("examItemName"),
        patient_from=text("patientFrom"),
        is_emergency=values.get("isEmergency") == 1,
        exam_time=next(filter(None, (canonical_datetime(text(name)) for name in _EXAM_TIMES)), ""),
    )


_EXAM_TIMES = ("checkFinishTime", "registerTime", "applyTime")


def report_row(hospital_code: str, values: Values, pdf_digest: str = "") -> ReportRow:
    """The columns of a report; `pdf_digest` is `sha256:<hex>` of its embedded PDF, or ''."""
    text = Texts(values)
    return ReportRow(
        hospital_code=hospital_code,
        record_num=text("recordNum"),
        ris_study_ids=text.items("risStudyId", ",，"),
        last_change_time=canonical_datetime(text("lastChangeTime")),
        deleted=values.get("disableFlag") == 1,
        report_status=_number(values.get("reportStatus")),
        check_status=_number(values.get("checkStatus")),
        access_no=text("ACCESS_NO"),
        patient_id=text("xno"),
        his_patient_id=text("patId"),
        lab_num=text("labNum"),
        modality=text("modality"),
        report_doctor=text("reportDoctorName"),
        confirm_doctor=text("confirmDoctorName"),
        report_time=canonical_datetime(text("reportDate")),
        confirm_time=canonical_datetime(text("confirmDate")),
        positive=text("checkPositiveMark"),
        pdf_object=pdf_digest,
        pdf_path=text("pdf_path", 1000),
        signed=all(values.get(name) for name in _CA_FIELDS),
    )


class Texts:
    """Values as bounded column texts; NUL, which PostgreSQL refuses, is dropped."""

    __slots__ = ("_get",)

    def __init__(self, values: Values) -> None:
        self._get = values.get

    def __call__(self, name: str, limit: int = MAX_COLUMN) -> str:
        value = self._get(name, "")
        if value.__class__ is str and len(value) <= limit and "\0" not in value:
            return value
        return "" if value is None else str(value)[:limit].replace("\0", "")

    def items(self, name: str, separators: str) -> tuple[str, ...]:
        value = self._get(name)
        if not isinstance(value, str):
            return ()
        if len(value) <= MAX_COLUMN and value.isascii() and value.replace(".", "").isalnum():
            return (value,)
        items = split_list(value.replace("\0", ""), separators)
        return tuple(dict.fromkeys(item[:MAX_COLUMN] for item in items[:MAX_KEYS]))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and abs(value) <= _MAX_INT else None
