"""What a gateway asks a PACS: which studies a query has, which series and instances each of them.

PACS differ: some ignore a key, some answer an empty one with all they have, some count nothing. So an empty
value is never asked for, answers about another study or series are left out, and what is not counted is
listed. Whether a study offered is the one meant is judged by `exchange.pull`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import BadQuery, FailedStatus
from yingqiao.dicom.query_retrieve.identifier import Answer, Keys
from yingqiao.exchange.pull import PacsSeries, PacsStudy, Query

MOST_INSTANCES = 1_000_000
"""Of one series; a PACS that answers with more does not answer what was asked."""
_STUDY_KEYS = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyDate",
    "ModalitiesInStudy",
    "StudyDescription",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SERIES_KEYS = (
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
)


def offered(pacs: Requestor, query: Query) -> Iterator[Answer]:
    """The answers at study level as they come, whatever they are. Raises BadQuery at once, NodeError while
    iterating."""
    return pacs.find(Level.STUDY, dict.fromkeys(_STUDY_KEYS, "") | query.keys())


def find_studies(pacs: Requestor, query: Query) -> list[PacsStudy]:
    """The studies the node offers, each once; those without a UID are none. Raises BadQuery for a blank value,
    NodeError."""
    if not query.value.strip():
        raise BadQuery("查询检查需要检查 UID、检查号或患者号之一：空的条件会查出全部检查")
    found: dict[str, PacsStudy] = {}
    for answer in offered(pacs, query):
        study = study_of(answer)
        if study.study_uid:
            found.setdefault(study.study_uid, study)
    return list(found.values())


def find_series(pacs: Requestor, study_uid: str) -> list[PacsSeries]:
    """The series of a study, each with its number of instances: as told, else counted by listing them; None
    where the node lists none. Raises BadQuery for an empty UID, NodeError."""
    return [_counted(pacs, study_uid, _series(answer)) for answer in _series_answers(pacs, study_uid)]


def find_instances(pacs: Requestor, study_uid: str, series_uid: str) -> Iterator[tuple[str, str]]:
    """(SOP class UID, SOP instance UID) of a series' instances, as often as told. Raises NodeError."""
    asked = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    keys: Keys = asked | {"SOPInstanceUID": "", "SOPClassUID": ""}
    for answer in pacs.find(Level.IMAGE, keys, limit=MOST_INSTANCES):
        uid = answer.get("SOPInstanceUID")
        if uid and _fits(answer, asked):
            yield answer.get("SOPClassUID"), uid


def sop_classes(pacs: Requestor, study_uid: str) -> tuple[str, ...]:
    """The SOP classes a study holds, for `Requestor.get`: as the node says of the study, else by listing its
    instances. Raises BadQuery for an empty UID, NodeError."""
    asked = {"StudyInstanceUID": _required(study_uid)}
    answers = pacs.find(Level.STUDY, asked | {"SOPClassesInStudy": ""})
    told = [uid for answer in answers if _fits(answer, asked) for uid in answer.values("SOPClassesInStudy")]
    return tuple(dict.fromkeys(told or _listed_classes(pacs, study_uid)))


def study_of(answer: Answer) -> PacsStudy:
    """An answer at study level."""
    return PacsStudy(
        study_uid=answer.get("StudyInstanceUID"),
        patient_id=answer.get("PatientID"),
        patient_name=answer.get("PatientName"),
        accession_number=answer.get("AccessionNumber"),
        study_date=answer.get("StudyDate"),
        modalities=",".join(answer.values("ModalitiesInStudy")),
        description=answer.get("StudyDescription"),
        series_count=answer.number("NumberOfStudyRelatedSeries"),
        instance_count=answer.number("NumberOfStudyRelatedInstances"),
    )


def _series_answers(pacs: Requestor, study_uid: str) -> list[Answer]:
    """One a series of this study: a node that ignores the study's UID answers with every series it has."""
    asked = {"StudyInstanceUID": _required(study_uid)}
    told = {
        answer.get("SeriesInstanceUID"): answer
        for answer in pacs.find(Level.SERIES, dict.fromkeys(_SERIES_KEYS, "") | asked)
        if _fits(answer, asked)
    }
    return [answer for uid, answer in told.items() if uid]


def _series(answer: Answer) -> PacsSeries:
    return PacsSeries(
        series_uid=answer.get("SeriesInstanceUID"),
        modality=answer.get("Modality"),
        number=answer.get("SeriesNumber"),
        description=answer.get("SeriesDescription"),
        instance_count=answer.number("NumberOfSeriesRelatedInstances"),
    )


def _counted(pacs: Requestor, study_uid: str, series: PacsSeries) -> PacsSeries:
    if series.instance_count is not None:
        return series
    try:
        count = len({uid for _, uid in find_instances(pacs, study_uid, series.series_uid)})
    except FailedStatus:
        return series  # no queries at image level: it does not count at all
    return replace(series, instance_count=count or None)


def _listed_classes(pacs: Requestor, study_uid: str) -> Iterator[str]:
    for answer in _series_answers(pacs, study_uid):
        for sop_class, _ in find_instances(pacs, study_uid, answer.get("SeriesInstanceUID")):
            if sop_class:
                yield sop_class


def _required(study_uid: str) -> str:
    if not study_uid:
        raise BadQuery("检查 UID 为空")
    return study_uid


def _fits(answer: Answer, asked: dict[str, str]) -> bool:
    """Whether the answer is about what was asked for: it says so, or says nothing."""
    return all(answer.get(keyword).strip() in ("", value) for keyword, value in asked.items())
