"""The attributes queries are made of (PS3.4 C.6, PS3.6): keyword, tag, VR, longest value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """(0008,0052)"""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class Attribute:
    tag: int
    keyword: str
    vr: str


LONGEST = {"AE": 16, "CS": 16, "DA": 17, "DS": 16, "IS": 12, "LO": 64, "PN": 64, "SH": 16, "TM": 28, "UI": 64}
"""Characters of one value (PS3.5 6.2); ranges for DA and TM, one component group for PN."""

_ALL = (
    (0x0008_0005, "SpecificCharacterSet", "CS"),
    (0x0008_0016, "SOPClassUID", "UI"),
    (0x0008_0018, "SOPInstanceUID", "UI"),
    (0x0008_0020, "StudyDate", "DA"),
    (0x0008_0021, "SeriesDate", "DA"),
    (0x0008_0030, "StudyTime", "TM"),
    (0x0008_0050, "AccessionNumber", "SH"),
    (0x0008_0052, "QueryRetrieveLevel", "CS"),
    (0x0008_0054, "RetrieveAETitle", "AE"),
    (0x0008_0056, "InstanceAvailability", "CS"),
    (0x0008_0058, "FailedSOPInstanceUIDList", "UI"),
    (0x0008_0060, "Modality", "CS"),
    (0x0008_0061, "ModalitiesInStudy", "CS"),
    (0x0008_0062, "SOPClassesInStudy", "UI"),
    (0x0008_0080, "InstitutionName", "LO"),
    (0x0008_0090, "ReferringPhysicianName", "PN"),
    (0x0008_1030, "StudyDescription", "LO"),
    (0x0008_103E, "SeriesDescription", "LO"),
    (0x0010_0010, "PatientName", "PN"),
    (0x0010_0020, "PatientID", "LO"),
    (0x0010_0021, "IssuerOfPatientID", "LO"),
    (0x0010_0030, "PatientBirthDate", "DA"),
    (0x0010_0040, "PatientSex", "CS"),
    (0x0018_0015, "BodyPartExamined", "CS"),
    (0x0020_000D, "StudyInstanceUID", "UI"),
    (0x0020_000E, "SeriesInstanceUID", "UI"),
    (0x0020_0010, "StudyID", "SH"),
    (0x0020_0011, "SeriesNumber", "IS"),
    (0x0020_0013, "InstanceNumber", "IS"),
    (0x0020_1206, "NumberOfStudyRelatedSeries", "IS"),
    (0x0020_1208, "NumberOfStudyRelatedInstances", "IS"),
    (0x0020_1209, "NumberOfSeriesRelatedInstances", "IS"),
)
BY_KEYWORD = {keyword: Attribute(tag, keyword, vr) for tag, keyword, vr in _ALL}
BY_TAG = {attribute.tag: attribute for attribute in BY_KEYWORD.values()}
IDENTIFYING = frozenset(
    (
        *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
        *("AccessionNumber", "PatientID", "PatientName", "StudyDate", "StudyID"),
    )
)
"""A query without a value in any of these asks for everything."""
