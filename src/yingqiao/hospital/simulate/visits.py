"""One examination of one patient: who, when, by whom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from yingqiao.hospital.simulate.catalogue import Item
from yingqiao.hospital.simulate.images import make_uid
from yingqiao.hospital.simulate.people import make_person
from yingqiao.hospital.simulate.records import Visit

_STAFF = ("周技师", "吴技师"), ("陈医师", "武医师", "任医师"), ("郭主任", "薛主任")
_LOAD = (2, 1, 1, 1, 1, 2, 4, 14, 46, 60, 55, 34, 12, 22, 48, 50, 40, 22, 12, 10, 8, 7, 5, 3)
"""Share of a day's registrations by hour: the morning's peak, the pause at noon, the afternoon's, emergencies."""


@dataclass(frozen=True, slots=True)
class Place:
    """The hospital."""

    code: str
    name: str


def arrivals(rng: random.Random, day: date, count: int) -> Sequence[datetime]:
    """When so many patients register in the course of a day (Beijing time), ascending."""
    hours = rng.choices(range(24), _LOAD, k=count)
    start = datetime.combine(day, time())
    return sorted(start + timedelta(hours=hour, seconds=rng.randrange(3600)) for hour in hours)


def make_visit(
    rng: random.Random,
    place: Place,
    number: int,
    begin: datetime,
    item: Item,
    mutual_name: str,
    *,
    day: date,
    rare: bool,
) -> Visit:
    """The `number`th visit of a day, applied for at `begin`; `rare` as in `make_person`."""
    registered = begin + timedelta(minutes=rng.randint(5, 40))
    finished = registered + timedelta(minutes=rng.randint(10, 60))
    reported = finished + timedelta(minutes=rng.randint(15, 90))
    return Visit(
        hospital_code=place.code,
        hospital_name=place.name,
        number=number,
        patient=make_person(rng, day, rare=rare),
        item=item,
        mutual_name=mutual_name,
        ris_study_id=f"RIS{day:%Y%m%d}{number:05d}",
        study_uid=make_uid(rng),
        accession=f"{item.modality}{day:%y%m%d}{number:05d}",
        image_number=f"P{rng.randrange(10**8):08d}",
        source=rng.choice((1, 1, 1, 2, 3, 3)),
        applied=begin,
        registered=registered,
        finished=finished,
        reported=reported,
        audited=reported + timedelta(minutes=rng.randint(5, 60)),
        radiographer=rng.choice(_STAFF[0]),
        reporter=rng.choice(_STAFF[1]),
        auditor=rng.choice(_STAFF[2]),
        positive=rng.random() < 0.4,
    )
