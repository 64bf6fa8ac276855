"""What a gateway wants to know of a PACS: which studies an exam has, how many instances each series.

PACS differ: some ignore a key, some answer an empty one with all they have, some count nothing. So an empty
identifying key is never sent, every answer is compared with what was asked, and what is not counted is listed.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Model, Requestor
from yingqiao.dicom.query_retrieve.errors import BadQuery
from yingqiao.dicom.query_retrieve.identifier import Answer, Keys

_STUDY_RETURN_KEYS = (
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "StudyID",
    "ModalitiesInStudy",
    "SOPClassesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SERIES_RETURN_KEYS = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
_COUNT = "NumberOfSeriesRelatedInstances"


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as the PACS tells it; '' or None where it does not."""

    study_uid: str
    accession_number: str
    patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    study_date: str
    study_time: str
    description: str
    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    series: int | None
    instances: int | None


@dataclass(frozen=True, slots=True)
class FoundStudies:
    studies: tuple[FoundStudy, ...]
    ignored: int = 0
    """Answers that do not fit what was asked: the PACS ignores a key."""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    series_uid: str
    modality: str
    number: str
    description: str
    instances: int
    listed: bool
    """Counted by listing them: the PACS gives no count, or was not believed."""
    sop_classes: tuple[str, ...] = ()
    """Known only when listed."""


def find_studies(
    pacs: Requestor,
    *,
    study_uid: str = "",
    accession: str = "",
    patient_id: str = "",
    date: str = "",
    model: Model = Model.STUDY_ROOT,
) -> FoundStudies:
    """Studies that fit all that is given; `date` is `YYYYMMDD` or a range `YYYYMMDD-YYYYMMDD`, and no key by
    itself. Raises BadQuery when the rest is empty; NodeError.
    """
    asked = {"StudyInstanceUID": study_uid, "AccessionNumber": accession, "PatientID": patient_id}
    asked = {keyword: value.strip() for keyword, value in asked.items() if value.strip()}
    if not asked:
        raise BadQuery("查询检查需要检查 UID、检查号或患者号之一：空的条件会查出全部检查")
    keys = dict.fromkeys(_STUDY_RETURN_KEYS, "") | asked | ({"StudyDate": date} if date else {})
    found: dict[str, FoundStudy] = {}
    ignored = 0
    for answer in pacs.find(Level.STUDY, keys, model=model):
        if not answer.get("StudyInstanceUID") or not _fits(answer, asked):
            ignored += 1
        else:
            found.setdefault(answer.get("StudyInstanceUID"), _study(answer))
    return FoundStudies(tuple(found.values()), ignored)


def counts(
    pacs: Requestor, study_uid: str, *, listed: bool = False, model: Model = Model.STUDY_ROOT
) -> tuple[FoundSeries, ...]:
    """The series of a study and how many instances each has: as the PACS counts, else (and when `listed`) by
    listing them. Raises BadQuery for an empty UID; NodeError.
    """
    if not study_uid:
        raise BadQuery("检查 UID 为空")
    keys = dict.fromkeys(_SERIES_RETURN_KEYS, "") | {"StudyInstanceUID": study_uid, _COUNT: ""}
    answers = [
        answer
        for answer in pacs.find(Level.SERIES, keys, model=model)
        if _fits(answer, {"StudyInstanceUID": study_uid}, missing=True)
    ]
    series = {uid: answer for answer in answers if (uid := answer.get("SeriesInstanceUID"))}
    return tuple(_series(pacs, study_uid, uid, answer, listed, model) for uid, answer in series.items())


def sop_classes(pacs: Requestor, study_uid: str, model: Model = Model.STUDY_ROOT) -> tuple[str, ...]:
    """The SOP classes a study holds, for `Requestor.get`: as the PACS says of the study, else by listing its
    instances. Raises as `counts`.
    """
    keys: Keys = {"StudyInstanceUID": study_uid, "SOPClassesInStudy": ""}
    told = [
        uid
        for answer in pacs.find(Level.STUDY, keys, model=model)
        for uid in answer.values("SOPClassesInStudy")
    ]
    if told:
        return tuple(dict.fromkeys(told))
    found = (uid for one in counts(pacs, study_uid, listed=True, model=model) for uid in one.sop_classes)
    return tuple(dict.fromkeys(found))


def _series(
    pacs: Requestor, study_uid: str, series_uid: str, answer: Answer, listed: bool, model: Model
) -> FoundSeries:
    texts = (answer.get("Modality"), answer.get("SeriesNumber"), answer.get("SeriesDescription"))
    told = answer.number(_COUNT)
    if told is not None and not listed:
        return FoundSeries(series_uid, *texts, told, listed=False)
    classes: dict[str, None] = {}
    instances = set()
    with closing(_instances(pacs, study_uid, series_uid, model)) as found:
        for sop_uid, sop_class in found:
            instances.add(sop_uid)
            if sop_class:
                classes[sop_class] = None
    return FoundSeries(series_uid, *texts, len(instances), listed=True, sop_classes=tuple(classes))


def _instances(
    pacs: Requestor, study_uid: str, series_uid: str, model: Model
) -> Generator[tuple[str, str], None, None]:
    """SOP instance and class UIDs of a series."""
    asked = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    keys = asked | {"SOPInstanceUID": "", "SOPClassUID": ""}
    for answer in pacs.find(Level.IMAGE, keys, model=model):
        if answer.get("SOPInstanceUID") and _fits(answer, asked, missing=True):
            yield answer.get("SOPInstanceUID"), answer.get("SOPClassUID")


def _fits(answer: Answer, asked: Keys, missing: bool = False) -> bool:
    """Whether the answer has the values asked for; `missing`: or none at all."""
    for keyword, value in asked.items():
        got = answer.get(keyword).strip()
        if got.casefold() != str(value).casefold() and not (missing and not got):
            return False
    return True


def _study(answer: Answer) -> FoundStudy:
    return FoundStudy(
        study_uid=answer.get("StudyInstanceUID"),
        accession_number=answer.get("AccessionNumber"),
        patient_id=answer.get("PatientID"),
        patient_name=answer.get("PatientName"),
        patient_birth_date=answer.get("PatientBirthDate"),
        patient_sex=answer.get("PatientSex"),
        study_date=answer.get("StudyDate"),
        study_time=answer.get("StudyTime"),
        description=answer.get("StudyDescription"),
        modalities=answer.values("ModalitiesInStudy"),
        sop_classes=answer.values("SOPClassesInStudy"),
        series=answer.number("NumberOfStudyRelatedSeries"),
        instances=answer.number("NumberOfStudyRelatedInstances"),
    )
