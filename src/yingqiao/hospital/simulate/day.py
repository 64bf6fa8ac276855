"""Makes a day: the same seed, date and hospital give the same day, to the byte of every pixel."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pybase64

from yingqiao.hospital.simulate.catalogue import ITEMS, Item, mutual_name
from yingqiao.hospital.simulate.images import HONEST, LIE, MISSING, SYNTAXES, Charset, ImageSpec, make_uid
from yingqiao.hospital.simulate.paper import chinese_font, report_pdf
from yingqiao.hospital.simulate.plan import Case, Day, Flaw, Kind, Seal, Step
from yingqiao.hospital.simulate.records import Record, Visit, exam_record, report_record
from yingqiao.hospital.simulate.visits import Place, make_visit
from yingqiao.spec import Edition, load_edition

OPENING = time(8, 0)
CHINESE_REPORTS = 3
"""PDFs drawn with a Chinese font at most; embedding one takes about a second."""
_NEEDS_IMAGES = tuple(item for item in ITEMS if item.modality != "US")
_RARE_EVERY = 7
_ITEM_OF_FLAW = {Flaw.CHARSET_LIE: "CT", Flaw.CHARSET_MISSING: "DX", Flaw.WRONG_STUDY_UID: "CT"}


def make_day(
    hospital_code: str,
    hospital_name: str = "影桥示范医院",
    *,
    exams: int = 40,
    seed: int = 1,
    day: date,
    edition: Edition | None = None,
) -> Day:
    """`exams` visits on `day`, beginning with one of every `Flaw` as far as they go, the rest without
    mistakes."""
    maker = _Maker(hospital_code, hospital_name, seed, day, edition or load_edition())
    flaws = [*Flaw, *[Flaw.NONE] * exams][:exams]
    return Day(hospital_code, hospital_name, day, seed, tuple(map(maker.case, range(1, exams + 1), flaws)))


class _Maker:
    def __init__(self, code: str, name: str, seed: int, day: date, edition: Edition) -> None:
        self._code, self._name, self._day, self._edition = code, name, day, edition
        self._rng = random.Random(f"{seed}/{day}/{code}")
        self._chinese_left = CHINESE_REPORTS if chinese_font() else 0

    def case(self, number: int, flaw: Flaw) -> Case:
        visit = self._visit(number, flaw)
        steps = _SCRIPTS.get(flaw, _plain)(self, visit)
        state = _STATES.get(flaw, "complete")
        return Case(
            flaw=flaw,
            ris_study_id=visit.ris_study_id,
            patient_name=visit.patient.name,
            study_uid=visit.study_uid,
            steps=tuple(sorted(steps, key=lambda step: step.at)),
            state=state,
            linked=bool(state) and flaw is not Flaw.DELETED,
        )

    def _visit(self, number: int, flaw: Flaw) -> Visit:
        rng = self._rng
        item = self._item(number, flaw)
        begin = datetime.combine(self._day, OPENING) + timedelta(
            minutes=number * 3, seconds=rng.randrange(60)
        )
        return make_visit(
            rng,
            Place(self._code, self._name),
            number,
            begin,
            item,
            mutual_name(item, self._edition),
            day=self._day,
            rare=number % _RARE_EVERY == 0,
        )

    def _item(self, number: int, flaw: Flaw) -> Item:
        if flaw in _ITEM_OF_FLAW:
            return next(item for item in ITEMS if item.modality == _ITEM_OF_FLAW[flaw])
        items = ITEMS if flaw is Flaw.NONE else _NEEDS_IMAGES
        return items[number % len(items)]

    def pdf(self, visit: Visit) -> str:
        self._chinese_left -= 1
        return pybase64.b64encode(report_pdf(visit, chinese=self._chinese_left >= 0)).decode()

    def report(self, visit: Visit, *, audited: bool = True) -> Record:
        changed = visit.audited if audited else visit.reported
        return report_record(visit, audited=audited, changed=changed, pdf=self.pdf(visit) if audited else "")

    def images(self, visit: Visit, charset: Charset | None = None) -> tuple[ImageSpec, ...]:
        """All series of the study; each device has its own syntax and character set."""
        charset = charset or HONEST[visit.number % len(HONEST)]
        syntax = SYNTAXES[visit.number % len(SYNTAXES)]
        taken = visit.registered + (visit.finished - visit.registered) / 2
        return tuple(
            ImageSpec(
                visit=visit,
                study_uid=visit.study_uid,
                accession=visit.accession,
                series_uid=series_uid,
                series_number=number,
                series_description=description,
                sop_uid=make_uid(self._rng),
                instance_number=instance,
                taken=taken + timedelta(seconds=number * 40),
                transfer_syntax=syntax,
                charset=charset,
            )
            for number, (description, count) in enumerate(visit.item.series, 1)
            for series_uid in (make_uid(self._rng),)
            for instance in range(1, count + 1)
        )


_STATES = {
    Flaw.REPORT_ORPHAN: "",
    Flaw.IMAGES_ORPHAN: "",
    Flaw.NO_IMAGES: "waiting-images",
    Flaw.DELETED: "deleted",
    Flaw.UNAUDITED: "waiting-audit",
    Flaw.NO_REPORT: "waiting-report",
    Flaw.BAD_PDF: "waiting-report",
    Flaw.ONLY_REGISTERED: "registered",
    Flaw.TERMINATED: "terminated",
}
"""Where an exam with that flaw ends; without an entry it is complete."""


def _booked(visit: Visit) -> Step:
    return Step(Kind.EXAM, visit.registered, visit.ris_study_id, exam_record(visit, 2, visit.registered))


def _examined(visit: Visit, **changes: str) -> Step:
    record = exam_record(visit, 4, visit.finished) | changes
    return Step(Kind.EXAM, visit.finished, visit.ris_study_id, record)


def _images(maker: _Maker, visit: Visit, charset: Charset | None = None) -> Step:
    at = visit.finished + timedelta(minutes=2)
    return Step(Kind.IMAGES, at, visit.study_uid, images=maker.images(visit, charset))


def _reported(maker: _Maker, visit: Visit, *, audited: bool = True) -> Step:
    at = visit.audited if audited else visit.reported
    return Step(Kind.REPORT, at, f"BG{visit.accession}", maker.report(visit, audited=audited))


def _plain(maker: _Maker, visit: Visit) -> list[Step]:
    """Booked, examined, images, draft, audited report; every fifth hospital day goes by merged upload
    instead."""
    if visit.number % 5 == 0:
        report = maker.report(visit)
        changed = exam_record(visit, 4, visit.audited)
        merged = Step(Kind.MERGED, visit.audited, visit.ris_study_id, changed, report)
        return [_booked(visit), _images(maker, visit), merged]
    draft = _reported(maker, visit, audited=False)
    return [_booked(visit), _examined(visit), _images(maker, visit), draft, _reported(maker, visit)]


def _resent(wrong: Callable[[Step], Step]) -> Callable[[_Maker, Visit], list[Step]]:
    """The examined exam goes out wrong first and is refused; five minutes later it goes out right."""

    def script(maker: _Maker, visit: Visit) -> list[Step]:
        step = _examined(visit)
        again = replace(step, at=step.at + timedelta(minutes=5))
        return [wrong(replace(step, accepted=False)), again, _images(maker, visit), _reported(maker, visit)]

    return script


def _without_name(step: Step) -> Step:
    record = {name: value for name, value in step.record.items() if name not in ("patName", "idCard")}
    return replace(step, record=record, rules=("required",))


def _wrong_code(maker: _Maker, visit: Visit) -> list[Step]:
    step = replace(_examined(visit, sex="7"), rules=("code_list",))
    return [step, _images(maker, visit), _reported(maker, visit)]


def _clock_skew(maker: _Maker, visit: Visit) -> list[Step]:
    step = replace(_examined(visit), seal=Seal.CLOCK_SKEW, rules=("timestamp",))
    return [step, _images(maker, visit), _reported(maker, visit)]


def _bad_pdf(maker: _Maker, visit: Visit) -> list[Step]:
    report = maker.report(visit) | {"reportPdfBase64": pybase64.b64encode("这不是 PDF".encode()).decode()}
    bad = replace(_reported(maker, visit), record=report, accepted=False, rules=("pdf",))
    return [_examined(visit), _images(maker, visit), bad]


def _report_first(maker: _Maker, visit: Visit) -> list[Step]:
    late = replace(_examined(visit), at=visit.audited + timedelta(minutes=10))
    return [_images(maker, visit), _reported(maker, visit), late]


def _duplicate(maker: _Maker, visit: Visit) -> list[Step]:
    once = _images(maker, visit)
    again = replace(once, at=once.at + timedelta(minutes=6), images=once.images[-1:])
    return [_examined(visit), once, again, _reported(maker, visit)]


def _same_uid(maker: _Maker, visit: Visit) -> list[Step]:
    once = _images(maker, visit)
    other = tuple(replace(image, variant=1) for image in once.images[-1:])
    return [
        _examined(visit),
        once,
        replace(once, at=once.at + timedelta(minutes=6), images=other),
        _reported(maker, visit),
    ]


def _stale(maker: _Maker, visit: Visit) -> list[Step]:
    late = replace(_booked(visit), at=visit.finished + timedelta(minutes=7))
    return [_examined(visit), late, _images(maker, visit), _reported(maker, visit)]


def _deleted(_: _Maker, visit: Visit) -> list[Step]:
    at = visit.finished + timedelta(minutes=15)
    gone = exam_record(visit, 4, at) | {"disableFlag": 1}
    return [_booked(visit), _examined(visit), Step(Kind.EXAM, at, visit.ris_study_id, gone)]


def _wrong_study_uid(maker: _Maker, visit: Visit) -> list[Step]:
    """The RIS made up its own studyUid; only the accession number can join (T49, T52)."""
    step = _examined(visit, studyUid=f"{visit.study_uid[:-4]}0000")
    return [step, _images(maker, visit), _reported(maker, visit)]


_SCRIPTS: dict[Flaw, Callable[[_Maker, Visit], list[Step]]] = {
    Flaw.MISSING_FIELD: _resent(_without_name),
    Flaw.WRONG_KEY: _resent(
        lambda step: replace(step, seal=Seal.WRONG_KEY, rules=("cannot-decrypt", "inner-not-json"))
    ),
    Flaw.BAD_SIGNATURE: _resent(
        lambda step: replace(step, seal=Seal.BAD_SIGNATURE, rules=("bad-signature",))
    ),
    Flaw.WRONG_CODE: _wrong_code,
    Flaw.CLOCK_SKEW: _clock_skew,
    Flaw.BAD_PDF: _bad_pdf,
    Flaw.REPORT_FIRST: _report_first,
    Flaw.REPORT_ORPHAN: lambda maker, visit: [_reported(maker, visit)],
    Flaw.NO_IMAGES: lambda maker, visit: [_booked(visit), _examined(visit), _reported(maker, visit)],
    Flaw.IMAGES_ORPHAN: lambda maker, visit: [_images(maker, visit)],
    Flaw.DUPLICATE: _duplicate,
    Flaw.SAME_UID: _same_uid,
    Flaw.STALE: _stale,
    Flaw.DELETED: _deleted,
    Flaw.UNAUDITED: lambda maker, visit: [
        _examined(visit),
        _images(maker, visit),
        _reported(maker, visit, audited=False),
    ],
    Flaw.NO_REPORT: lambda maker, visit: [_booked(visit), _examined(visit), _images(maker, visit)],
    Flaw.ONLY_REGISTERED: lambda _, visit: [_booked(visit)],
    Flaw.TERMINATED: lambda _, visit: [
        _booked(visit),
        Step(Kind.EXAM, visit.finished, visit.ris_study_id, exam_record(visit, 5, visit.finished)),
    ],
    Flaw.WRONG_STUDY_UID: _wrong_study_uid,
    Flaw.CHARSET_LIE: lambda maker, visit: [
        _examined(visit),
        _images(maker, visit, LIE),
        _reported(maker, visit),
    ],
    Flaw.CHARSET_MISSING: lambda maker, visit: [
        _examined(visit),
        _images(maker, visit, MISSING),
        _reported(maker, visit),
    ],
}
