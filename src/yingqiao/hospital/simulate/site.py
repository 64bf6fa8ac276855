"""A whole hospital's day as it happens in its own systems: what the RIS writes when, what the PACS gets, which of it
is faulty. The connector finds all of it; nothing here knows the gateway.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from yingqiao.hospital.simulate.catalogue import ITEMS, Item, mutual_name
from yingqiao.hospital.simulate.images import HONEST, LIE, SYNTAXES, ImageSpec, make_uid
from yingqiao.hospital.simulate.plan import Kind, Step
from yingqiao.hospital.simulate.records import Visit, exam_record, report_record, stamp
from yingqiao.hospital.simulate.visits import Place, arrivals, make_visit
from yingqiao.spec import Edition, load_edition

_RARE_EVERY = 50
_SHARES = {"CT": 30, "DX": 25, "US": 18, "MR": 10, "CR": 8, "MG": 5, "NM": 1}
"""Of a day's examinations, by modality."""
_SKEW = timedelta(hours=2)


class Fault(StrEnum):
    """What is wrong with a case on purpose; in the end all of it has to arrive all the same."""

    NONE = "none"
    LATE_REPORT = "late-report"
    CHARSET = "wrong-charset"
    NO_IMAGES = "no-images"
    DUPLICATE = "duplicate"
    CLOCK_SKEW = "clock-skew"
    MISSING_FIELD = "missing-field"


FAULT_NAMES: Mapping[Fault, str] = {
    Fault.NONE: "正常",
    Fault.LATE_REPORT: "报告次日才出",
    Fault.CHARSET: "RIS 的姓名是乱码，影像声明的字符集不对",
    Fault.NO_IMAGES: "没有影像",
    Fault.DUPLICATE: "视图中同一检查两行，影像重复发送",
    Fault.CLOCK_SKEW: "改动时间慢两小时，增量读取看不到",
    Fault.MISSING_FIELD: "缺少必填字段，之后改正",
}


@dataclass(frozen=True, slots=True)
class SitePlan:
    """`images`: instances of a study at most; `pixels`: along a side, 0 = as the modality has it."""

    place: Place
    day: date
    exams: int
    faulty: float = 0.02
    images: int = 2
    pixels: int = 32
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SiteCase:
    """One visit, and what has to be known of it in the end."""

    fault: Fault
    visit: Visit
    steps: Sequence[Step]
    """In order; an exam or report step is the row of the RIS from then on."""
    instances: frozenset[str] = field(default_factory=frozenset)
    """SOP Instance UIDs the PACS has."""


def plan_site(plan: SitePlan, edition: Edition | None = None) -> list[SiteCase]:
    """The same plan gives the same cases. Every kind of fault comes as often as the others."""
    edition = edition or load_edition()
    rng = random.Random(f"{plan.seed}/{plan.day}/{plan.place.code}")
    weights = [_SHARES[item.modality] for item in ITEMS]
    faults = _faults(rng, plan)
    cases = []
    for number, begin in enumerate(arrivals(rng, plan.day, plan.exams), 1):
        item = rng.choices(ITEMS, weights)[0]
        visit = _visit(rng, plan, number, begin, item, edition)
        cases.append(_case(rng, plan, visit, faults.get(number, Fault.NONE)))
    return cases


def _faults(rng: random.Random, plan: SitePlan) -> dict[int, Fault]:
    kinds = [fault for fault in Fault if fault is not Fault.NONE]
    count = min(round(plan.exams * plan.faulty), plan.exams)
    chosen = rng.sample(range(1, plan.exams + 1), count)
    first = rng.randrange(len(kinds))
    return {number: kinds[(first + at) % len(kinds)] for at, number in enumerate(chosen)}


def _visit(
    rng: random.Random, plan: SitePlan, number: int, begin: datetime, item: Item, edition: Edition
) -> Visit:
    name = mutual_name(item, edition)
    rare = number % _RARE_EVERY == 0
    visit = make_visit(rng, plan.place, number, begin, item, name, day=plan.day, rare=rare)
    last = datetime.combine(plan.day, time(23, 59, 50))
    finished = min(visit.finished, last)  # all of the plan belongs to its day (T158)
    return replace(visit, finished=finished, registered=min(visit.registered, finished))


def _case(rng: random.Random, plan: SitePlan, visit: Visit, fault: Fault) -> SiteCase:
    if fault is Fault.LATE_REPORT:
        late = datetime.combine(plan.day + timedelta(days=1), time(7, 30)) + timedelta(seconds=visit.number)
        visit = replace(visit, reported=late, audited=late + timedelta(minutes=5))
    specs = () if fault is Fault.NO_IMAGES else _images(rng, plan, visit, fault)
    steps = [*_records(visit, fault), *_transfers(visit, specs, fault)]
    return SiteCase(
        fault,
        visit,
        sorted(steps, key=lambda step: step.at),
        frozenset(spec.sop_uid for spec in specs),
    )


def _records(visit: Visit, fault: Fault) -> list[Step]:
    skew = _SKEW if fault is Fault.CLOCK_SKEW else timedelta()
    booked = exam_record(visit, 2, visit.registered - skew)
    examined = exam_record(visit, 4, visit.finished - skew)
    report = report_record(visit, audited=True, changed=visit.audited - skew, pdf=_pdf(visit))
    steps = [
        Step(Kind.EXAM, visit.registered, visit.ris_study_id, booked),
        Step(Kind.EXAM, visit.finished, visit.ris_study_id, examined),
        Step(Kind.REPORT, visit.audited, str(report["recordNum"]), report),
    ]
    if fault is Fault.CLOCK_SKEW:
        return steps[1:]  # booked nowhere: only the row that is found late tells of it
    if fault is Fault.CHARSET:
        return [replace(step, record=_garbled(step.record)) for step in steps]
    if fault is Fault.MISSING_FIELD:
        wrong = replace(steps[1], record=examined | {"patName": "", "idCard": ""}, accepted=False)
        mended = visit.audited + timedelta(minutes=10)
        right = Step(Kind.EXAM, mended, visit.ris_study_id, examined | {"lastChangeTime": stamp(mended)})
        return [wrong, steps[2], right]
    return steps


def _garbled(record: Mapping[str, object]) -> dict[str, object]:
    """As a driver shows GBK that it takes for Latin-1."""
    name = record.get("patName")
    return dict(record) | ({"patName": str(name).encode("gb18030").decode("latin-1")} if name else {})


def _transfers(visit: Visit, specs: tuple[ImageSpec, ...], fault: Fault) -> list[Step]:
    if not specs:
        return []
    once = Step(Kind.IMAGES, visit.finished + timedelta(minutes=2), visit.study_uid, images=specs)
    again = [replace(once, at=once.at + timedelta(minutes=5), images=specs[:1])]
    return [once, *(again if fault is Fault.DUPLICATE else [])]


def _images(rng: random.Random, plan: SitePlan, visit: Visit, fault: Fault) -> tuple[ImageSpec, ...]:
    charset = LIE if fault is Fault.CHARSET else HONEST[visit.number % len(HONEST)]
    specs: list[ImageSpec] = []
    for number, (description, count) in enumerate(visit.item.series, 1):
        series_uid = make_uid(rng)
        specs += [
            ImageSpec(
                visit=visit,
                study_uid=visit.study_uid,
                accession=visit.accession,
                series_uid=series_uid,
                series_number=number,
                series_description=description,
                sop_uid=make_uid(rng),
                instance_number=instance,
                taken=visit.registered + timedelta(seconds=number * 40),
                transfer_syntax=SYNTAXES[visit.number % len(SYNTAXES)],
                charset=charset,
                size=plan.pixels,
            )
            for instance in range(1, min(count, plan.images - len(specs)) + 1)
        ]
    return tuple(specs)


def _pdf(visit: Visit) -> str:
    """One empty page, other for each report: drawing ten thousand takes minutes (`paper` draws real ones)."""
    parts = [
        f"%PDF-1.4\n% {visit.accession} {stamp(visit.audited)}\n",
        "1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n",
        "2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n",
        "3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>\nendobj\n",
    ]
    starts = [sum(map(len, parts[:number])) for number in range(1, len(parts) + 1)]
    table = "".join(f"{start:010} 00000 n \n" for start in starts[:-1])
    parts.append(f"xref\n0 4\n0000000000 65535 f \n{table}trailer\n<</Root 1 0 R/Size 4>>\n")
    return base64.b64encode("".join([*parts, f"startxref\n{starts[-1]}\n%%EOF\n"]).encode()).decode("ascii")
