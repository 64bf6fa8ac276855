"""/series/get from a PACS: C-FIND at study level, then at series level (四(二)3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import BadQuery, NodeError
from yingqiao.dicom.query_retrieve.identifier import Answer
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.studies import find_instances
from yingqiao.hospital.config import Pacs
from yingqiao.hospital.queries import BadRequestError, SeriesQuestion
from yingqiao.hospital.source import SourceUnavailableError

_LIMITS = Limits(response=60.0, operation=600.0)
_STUDY = (
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "PatientName",
    "PatientSex",
    "PatientBirthDate",
    "StudyDate",
    "NumberOfStudyRelatedInstances",
)
_SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber")
_LONGEST_DAYS = 31


def node_of(pacs: Pacs) -> Node:
    """Whom to ask."""
    return Node(pacs.host, pacs.port, pacs.called_aet, pacs.calling_aet, pacs.charset)


class PacsSeries:
    """Asks anew for each answer; studies by their UID, series by number and UID: a stable order."""

    def __init__(self, pacs: Pacs, address: str = "") -> None:
        """`address`: where one instance can be fetched, see `addressed`; '' = nowhere, FILEPATH stays empty."""
        self._node = node_of(pacs)
        self._address = address

    def series(self, question: SeriesQuestion) -> Iterator[dict[str, Any]]:
        """Raises BadRequestError when nothing narrows it down, SourceUnavailableError."""
        queries = list(_study_queries(question))
        with self._asked() as pacs:
            for study in _studies(pacs, queries):
                yield from self._of(pacs, study, question.series_uid)

    def studies(self, question: SeriesQuestion) -> Iterator[tuple[str, int | None, Iterator[dict[str, Any]]]]:
        """Study UID, its number of instances where the PACS tells, its series: asked only when they are taken.
        Raises as `series`.
        """
        queries = list(_study_queries(question))
        with self._asked() as pacs:
            for study in _studies(pacs, queries):
                count = study.number("NumberOfStudyRelatedInstances")
                yield study.get("StudyInstanceUID"), count, self._of(pacs, study, None)

    def _of(self, pacs: Requestor, study: Answer, series_uid: str | None) -> Iterator[dict[str, Any]]:
        for one in _series_of(pacs, study, series_uid):
            yield one | {"FILEPATH": addressed(pacs, one, self._address)} if self._address else one

    @contextmanager
    def _asked(self) -> Iterator[Requestor]:
        try:
            with Requestor(self._node, _LIMITS) as pacs:
                yield pacs
        except BadQuery as error:
            raise BadRequestError(error.words) from error
        except NodeError as error:
            raise SourceUnavailableError(f"PACS：{error.words}") from error


def addressed(pacs: Requestor, series: dict[str, Any], address: str) -> list[str]:
    """FILEPATH of a series: `address` with the UIDs of each instance put in. Raises NodeError."""
    study_uid, series_uid = series["STUDYIUID"], series["SERIESIUID"]
    of_series = address.replace("{study}", _quoted(study_uid)).replace("{series}", _quoted(series_uid))
    instances = sorted({uid for _, uid in find_instances(pacs, study_uid, series_uid)})
    return [of_series.replace("{instance}", _quoted(uid)) for uid in instances]


def _quoted(uid: str) -> str:
    return quote(uid, safe="")


def _study_queries(question: SeriesQuestion) -> Iterator[dict[str, str]]:
    days = _date_range(question)
    narrow = {"StudyDate": days} if days else {}
    if question.study_uid:
        narrow["StudyInstanceUID"] = question.study_uid
    if not narrow and not question.accessions:
        raise BadRequestError("请给出检查日期范围、accessionNumber 或 studyInstanceUID")
    for accession in question.accessions or ("",):
        yield dict.fromkeys(_STUDY, "") | narrow | ({"AccessionNumber": accession} if accession else {})


def _date_range(question: SeriesQuestion) -> str:
    """`YYYYMMDD-YYYYMMDD`, both included; the question's end is not (T103)."""
    if not question.start or not question.end:
        day = (question.start or question.end or "").replace("-", "")
        return (f"{day}-" if question.start else f"-{day}") if day else ""
    last = date.fromisoformat(question.end) - timedelta(days=1)
    first = date.fromisoformat(question.start)
    if last < first:
        raise BadRequestError("endTime 应晚于 startTime（不含 endTime 当天）")
    if (last - first).days >= _LONGEST_DAYS and not (question.study_uid or question.accessions):
        raise BadRequestError(f"一次最多查询 {_LONGEST_DAYS} 天")
    return f"{first:%Y%m%d}-{last:%Y%m%d}"


def _studies(pacs: Requestor, queries: list[dict[str, str]]) -> list[Answer]:
    found: dict[str, Answer] = {}
    for keys in queries:
        for answer in pacs.find(Level.STUDY, keys):
            if answer.get("StudyInstanceUID"):
                found.setdefault(answer.get("StudyInstanceUID"), answer)
    return [found[uid] for uid in sorted(found)]


def _series_of(pacs: Requestor, study: Answer, series_uid: str | None) -> list[dict[str, Any]]:
    keys = dict.fromkeys(_SERIES, "") | {"StudyInstanceUID": study.get("StudyInstanceUID")}
    if series_uid:
        keys["SeriesInstanceUID"] = series_uid
    answers = [a for a in pacs.find(Level.SERIES, keys) if a.get("SeriesInstanceUID")]
    answers.sort(key=lambda a: (a.number("SeriesNumber") or 0, a.get("SeriesInstanceUID")))
    return [_told(study, answer) for answer in answers]


def _told(study: Answer, series: Answer) -> dict[str, Any]:
    day = study.get("StudyDate")
    return {
        "PATIENT_ID": study.get("PatientID"),
        "MODALITY": series.get("Modality"),
        "PATIENTSEX": study.get("PatientSex"),
        "ACCESS_NO": study.get("AccessionNumber"),
        "PATIENTNAME": study.get("PatientName"),
        "PATIENTAGE": age(study.get("PatientBirthDate"), day),
        "STUDYIUID": study.get("StudyInstanceUID"),
        "STUDYDATE": f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 else day,
        "SERIESIUID": series.get("SeriesInstanceUID"),
        "SERIESNO": series.get("SeriesNumber"),
        "FILEPATH": [],
    }


def age(born: str, day: str) -> str:
    """Whole years between two DICOM dates as `035Y`; '' when one is missing."""
    if not (len(born) == len(day) == 8 and (born + day).isdecimal()):
        return ""
    years = int(day[:4]) - int(born[:4]) - (day[4:] < born[4:])
    return f"{years:03d}Y" if 0 <= years < 1000 else ""
