"""Landed instances as rows of studies, series and instances. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from yingqiao.exchange.model import InstanceFacts, LandedInstance
from yingqiao.store.text import comma_list, from_comma_list, storable

PATIENT_DIFFERS = "patient-differs"
ACCESSION_DIFFERS = "accession-differs"
HOSPITAL_DIFFERS = "hospital-differs"
NOT_INDEXABLE = "not-indexable"
NO_STUDY = "no-study-uid:"
"""Begins the made-up study UID of instances without one: they stand alone by series, and are not mixed up."""
_MOST = 2**31 - 1

# Study column -> attribute of InstanceFacts. The first instance that has a value gives it.
_STUDY_FACTS = {
    "patient_id": "patient_id",
    "patient_name": "patient_name",
    "patient_birth_date": "patient_birth_date",
    "patient_sex": "patient_sex",
    "other_patient_ids": "other_patient_ids",
    "accession_number": "accession_number",
    "study_id": "study_id",
    "study_date": "study_date",
    "study_time": "study_time",
    "description": "study_description",
    "referring_physician": "referring_physician",
    "institution": "institution",
    "declared_charset": "declared_charset",
    "used_charset": "used_charset",
}
_MUST_AGREE = {
    "patient_id": PATIENT_DIFFERS,
    "patient_name": PATIENT_DIFFERS,
    "accession_number": ACCESSION_DIFFERS,
}


def sop_uid(instance: LandedInstance) -> str:
    return storable(instance.facts.sop_instance_uid)


def study_uid(instance: LandedInstance) -> str:
    """The study the instance is filed under; made up when it names none."""
    facts = instance.facts
    return storable(facts.study_uid or NO_STUDY + (facts.series_uid or facts.sop_instance_uid))


def bare(instance: LandedInstance) -> LandedInstance:
    """The instance with nothing but its identity, for facts the database refuses."""
    facts = instance.facts
    known = InstanceFacts(
        facts.sop_class_uid, facts.sop_instance_uid, facts.transfer_syntax_uid, oddities=(NOT_INDEXABLE,)
    )
    return replace(instance, facts=known)


def new_study_row(instance: LandedInstance, hospital_code: str) -> dict[str, Any]:
    """A study of no instances yet, described by its first."""
    described = {column: storable(getattr(instance.facts, name)) for column, name in _STUDY_FACTS.items()}
    return described | {
        "study_uid": study_uid(instance),
        "hospital_code": hospital_code,
        "modalities": "",
        "oddities": "",
        "first_received_at": instance.received_at,
        "updated_at": instance.received_at,
        "series_count": 0,
        "instance_count": 0,
        "byte_count": 0,
        "link_due": True,
    }


def new_series_row(study_id: int, instance: LandedInstance) -> dict[str, Any]:
    """A series of no instances yet, described by its first."""
    facts = instance.facts
    return {
        "study_id": study_id,
        "series_uid": storable(facts.series_uid),
        "modality": storable(facts.modality),
        "series_number": storable(facts.series_number),
        "description": storable(facts.series_description),
        "body_part": storable(facts.body_part),
        "manufacturer": storable(facts.manufacturer),
        "model_name": storable(facts.model_name),
        "station_name": storable(facts.station_name),
        "first_received_at": instance.received_at,
        "updated_at": instance.received_at,
        "instance_count": 0,
    }


def instance_row(instance: LandedInstance, series_id: int) -> dict[str, Any]:
    facts = instance.facts
    return {
        "sop_uid": sop_uid(instance),
        "digest": instance.digest,
        "series_id": series_id,
        "sop_class_uid": storable(facts.sop_class_uid),
        "transfer_syntax_uid": storable(facts.transfer_syntax_uid),
        "instance_number": storable(facts.instance_number),
        "rows": _within(facts.rows),
        "columns": _within(facts.columns),
        "frames": _within(facts.number_of_frames),
        "segment": instance.segment,
        "offset": instance.offset,
        "length": instance.length,
        "dataset_offset": instance.dataset_offset,
        "received_at": instance.received_at,
        "calling_aet": storable(instance.calling_aet),
        "called_aet": storable(instance.called_aet),
        "peer": storable(instance.peer),
        "oddities": comma_list(map(storable, facts.oddities)),
        "conflict": False,
        "shown": True,
    }


def _within(number: int) -> int:
    return min(max(number, 0), _MOST)


class StudyState:
    """A study's row while instances are added to it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.id: int = row["id"]
        self.changed = False
        self._row = dict(row)
        self._modalities = dict.fromkeys(from_comma_list(row["modalities"]))
        self._oddities = dict.fromkeys(from_comma_list(row["oddities"]))

    def take(self, instance: LandedInstance, hospital_code: str) -> None:
        """Count an instance in, fill what is still unknown, note what contradicts."""
        self.changed = True
        row = self._row
        for column, name in _STUDY_FACTS.items():
            value = getattr(instance.facts, name)
            if not row[column]:
                row[column] = storable(value)
            elif column in _MUST_AGREE and value and storable(value) != row[column]:
                self._oddities[_MUST_AGREE[column]] = None
        if not row["hospital_code"]:
            row["hospital_code"] = hospital_code
        elif hospital_code and hospital_code != row["hospital_code"]:
            self._oddities[HOSPITAL_DIFFERS] = None
        self._oddities |= dict.fromkeys(map(storable, instance.facts.oddities))
        if instance.facts.modality:
            self._modalities[storable(instance.facts.modality)] = None
        row["first_received_at"] = min(row["first_received_at"], instance.received_at)
        row["updated_at"] = max(row["updated_at"], instance.received_at)
        row["instance_count"] += 1
        row["byte_count"] += instance.length

    def update_values(self) -> dict[str, Any]:
        """For an UPDATE ... WHERE id = :b_id of the whole row."""
        mutable = {k: v for k, v in self._row.items() if k not in ("id", "study_uid")}
        return mutable | {
            "b_id": self.id,
            "modalities": comma_list(self._modalities),
            "oddities": comma_list(self._oddities),
            "link_due": True,
        }
