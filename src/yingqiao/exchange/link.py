"""关联: which exam a report and a DICOM study belong to (T48-T54, T75). Pure: facts in, decisions out.

A report names its exams itself (risStudyId, a comma list, within the hospital). A study is joined from
the study's side, because what another exam claims decides too. In order of trust; the first rule that
finds anything ends the search:

1. ``study-uid``         an exam's studyUid list names the study (T48, T49); exams of the sending hospital
first
2. ``accession``         an exam's accessionNumber list names (0008,0050), in the sending hospital (T50,
T52). A sender in no list of ours: only when all such exams are of one hospital
3. ``report-access-no``  ACCESS_NO of one of the exam's reports equals (0008,0050), same scope: the last
try of T52

Rules 2 and 3 leave a study alone when patient and day both speak against it: accession numbers come
again. The same patient, modality and day alone never link, they only suggest (`suggest`): a wrong picture
under a name is worse than a missing one. Deleted exams claim nothing. Whatever looks odd about a link is
a finding on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Rule(StrEnum):
    """What made a link, strongest first."""

    STUDY_UID = "study-uid"
    ACCESSION = "accession"
    REPORT_ACCESS_NO = "report-access-no"


RULE_NAMES = {
    Rule.STUDY_UID: "检查唯一号 studyUid 一致",
    Rule.ACCESSION: "检查号 accessionNumber 一致",
    Rule.REPORT_ACCESS_NO: "报告的图像访问号 ACCESS_NO 与影像检查号一致",
}

FINDING_NAMES = {
    "patient-differs": "影像中的患者与检查登记的患者不一致",
    "name-differs": "患者编号一致，但姓名不一致",
    "modality-differs": "影像的检查类别与登记的检查类别不一致",
    "date-differs": "影像日期与检查时间相差过大",
    "hospital-differs": "影像由另一医疗机构的设备发来",
    "sender-unknown": "影像发送方没有登记到一家医疗机构，或为多家共用",
    "several-candidates": "同一检查号对应多个检查，已全部关联",
    "study-uid-differs": "按检查号关联，但登记的 studyUid 与影像不同",
}
"""Findings on a link between exam and study, in words."""

HELD_NAMES = {
    "several-hospitals": "发送方未登记或为多家共用，多家医疗机构有相同的检查号，患者也不能区分",
    "patient-and-date-differ": "检查号相同，但患者与日期均不一致，未关联",
}
"""Why a study that matches an exam by a number was not joined to it, in words."""

KEY_STUDY_UID, KEY_ACCESSION, KEY_ACCESS_NO = "study_uid", "accession", "access_no"
DAY_TOLERANCE = 30
"""Days between the exam's time (which may be that of its registration) and StudyDate that are still no
contradiction."""

_LIST = re.compile(r"[,，]")
_CODES = re.compile(r"[|,，、;；\s]+")
_GROUPS = {
    **dict.fromkeys(("CR", "DX", "DR", "MG", "RF", "XA", "PX", "IO", "X", "XR", "DSA"), "1"),
    "CT": "2",
    **dict.fromkeys(("MR", "MRI"), "3"),
    **dict.fromkeys(("US", "IVUS"), "4"),
    **dict.fromkeys(("NM", "PT", "PET", "ECT", "SPECT"), "5"),
}
_PLACEHOLDER = re.compile(r"0*|[-/._*]+|null|none|n/?a|无|空|未知", re.IGNORECASE)
_COMPANIONS = frozenset(("SR", "PR", "KO", "OT", "SEG", "DOC", "REG", "RTSTRUCT", "AU", "FID", ""))


@dataclass(frozen=True, slots=True)
class ExamFacts:
    """An exam as linking and its state need it. Times as in `exchange.model`."""

    id: int
    hospital_code: str
    ris_study_id: str
    deleted: bool
    exam_status: int | None
    patient_name: str
    patient_id: str
    his_patient_id: str
    id_number: str
    accession_numbers: tuple[str, ...]
    study_uids: tuple[str, ...]
    modality: str
    img_exam_type: str
    exam_time: str
    first_received_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """A report as linking and the exam's state need it."""

    id: int
    hospital_code: str
    record_num: str
    ris_study_ids: tuple[str, ...]
    deleted: bool
    report_status: int | None
    check_status: int | None
    access_no: str
    patient_id: str
    his_patient_id: str
    modality: str
    report_time: str
    confirm_time: str
    report_doctor: str
    confirm_doctor: str
    first_received_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A DICOM study as linking and the exam's state need it."""

    id: int
    study_uid: str
    hospital_code: str
    patient_id: str
    patient_name: str
    other_patient_ids: str
    accession_number: str
    study_date: str
    modalities: str
    instance_count: int
    first_received_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Link:
    exam_id: int
    study_id: int
    rule: Rule
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A study that matches an exam by a number and yet was not joined; somebody has to look (see
    HELD_NAMES)."""

    exam_id: int
    study_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    links: tuple[Link, ...] = ()
    held: tuple[Held, ...] = ()


def split_list(text: str) -> tuple[str, ...]:
    """The items of one of the standard's comma lists, both commas, blanks and repeats gone, in order
    (T50)."""
    return tuple(dict.fromkeys(item.strip() for item in _LIST.split(text) if item.strip()))


def is_number(text: str) -> bool:
    """Whether an accession number or ACCESS_NO tells exams apart: '', zeros, '-', NULL, 无 … do not (T15)."""
    return _PLACEHOLDER.fullmatch(text.strip()) is None


def imaging_types(modality: str, img_exam_type: str = "") -> frozenset[str]:
    """Codes of 影像检查类型 (十二) that modality and imgExamType speak of (T37, T73); empty when neither
    says anything."""
    named = {code for code in _CODES.split(img_exam_type) if code}
    modalities = {item.upper() for item in _CODES.split(modality) if item}
    return frozenset(named | {_GROUPS.get(item, "9") for item in modalities})


def exam_keys(exam: ExamFacts, reports: Iterable[ReportFacts]) -> frozenset[tuple[str, str]]:
    """What a study can find this exam by, as (kind, value); a deleted exam has none."""
    if exam.deleted:
        return frozenset()
    keys = {(KEY_STUDY_UID, uid) for uid in exam.study_uids}
    keys |= {(KEY_ACCESSION, number) for number in exam.accession_numbers if is_number(number)}
    keys |= {(KEY_ACCESS_NO, r.access_no) for r in reports if is_number(r.access_no) and not r.deleted}
    return frozenset(keys)


def study_keys(study: StudyFacts) -> frozenset[tuple[str, str]]:
    """The keys of `exam_keys` under which this study's exams are found."""
    keys = {(KEY_STUDY_UID, study.study_uid)}
    if is_number(study.accession_number):
        keys |= {(KEY_ACCESSION, study.accession_number), (KEY_ACCESS_NO, study.accession_number)}
    return frozenset(keys)


def is_parked(report: ReportFacts, known: Collection[tuple[str, str]]) -> bool:
    """Whether none of the exams the report names is here; `known` are (hospitalCode, risStudyId) (T75)."""
    return not any((report.hospital_code, ris_id) in known for ris_id in report.ris_study_ids)


def link_study(
    study: StudyFacts, exams: Sequence[ExamFacts], access_nos: Mapping[int, Collection[str]]
) -> Decision:
    """Joins one study to its exams.

    `exams` are all exams that share a key with the study (more do no harm), `access_nos` the ACCESS_NO of
    the reports of each, by exam id. The decision depends on nothing else, so the order in which things
    arrived does not matter.
    """
    live = sorted((e for e in exams if not e.deleted), key=lambda e: e.id)
    named = [e for e in live if study.study_uid in e.study_uids]
    if named:
        own = [e for e in named if e.hospital_code == study.hospital_code] or named
        return Decision(tuple(_link(study, e, Rule.STUDY_UID) for e in own))
    number = study.accession_number
    if not is_number(number):
        return Decision()
    for rule, claimants in (
        (Rule.ACCESSION, [e for e in live if number in e.accession_numbers]),
        (Rule.REPORT_ACCESS_NO, [e for e in live if number in access_nos.get(e.id, ())]),
    ):
        decision = _by_number(study, claimants, rule)
        if decision.links or decision.held:
            return decision
    return Decision()


def _by_number(study: StudyFacts, claimants: list[ExamFacts], rule: Rule) -> Decision:
    if study.hospital_code:
        claimants = [e for e in claimants if e.hospital_code == study.hospital_code]
    else:
        claimants = _told_apart(study, claimants)
    if len({e.hospital_code for e in claimants}) > 1:
        return Decision(held=tuple(Held(e.id, study.id, "several-hospitals") for e in claimants))
    held = tuple(Held(e.id, study.id, "patient-and-date-differ") for e in claimants if _contradicts(e, study))
    claimants = [e for e in claimants if not _contradicts(e, study)]
    agreeing = [e for e in claimants if patient_agrees(e, study)] or claimants
    several = ("several-candidates",) if len(agreeing) > 1 else ()
    return Decision(tuple(_link(study, e, rule, several) for e in agreeing), held)


def _told_apart(study: StudyFacts, claimants: list[ExamFacts]) -> list[ExamFacts]:
    """Of several hospitals' exams with one number those of the hospital whose patient it is, when the patient of
    every other is somebody else."""
    agrees = {e.id: patient_agrees(e, study) for e in claimants}
    hospitals = {e.hospital_code for e in claimants if agrees[e.id]}
    rest = [e for e in claimants if e.hospital_code not in hospitals]
    if len(hospitals) != 1 or any(agrees[e.id] is not False for e in rest):
        return claimants
    return [e for e in claimants if e.hospital_code in hospitals]


def _contradicts(exam: ExamFacts, study: StudyFacts) -> bool:
    return patient_agrees(exam, study) is False and _day_differs(exam, study)


def _link(study: StudyFacts, exam: ExamFacts, rule: Rule, findings: tuple[str, ...] = ()) -> Link:
    found = list(findings)
    if patient_agrees(exam, study) is False:
        found.append("patient-differs")
    elif _names_agree(exam.patient_name, study.patient_name) is False:
        found.append("name-differs")
    if _modality_differs(imaging_types(exam.modality, exam.img_exam_type), study.modalities):
        found.append("modality-differs")
    if _day_differs(exam, study):
        found.append("date-differs")
    if not study.hospital_code:
        found.append("sender-unknown")
    elif study.hospital_code != exam.hospital_code:
        found.append("hospital-differs")
    if rule is not Rule.STUDY_UID and exam.study_uids:
        found.append("study-uid-differs")
    return Link(exam.id, study.id, rule, tuple(found))


def patient_agrees(exam: ExamFacts, study: StudyFacts) -> bool | None:
    """Whether both speak of one patient: a shared number or name says yes, other numbers or names no,
    nothing to compare None.

    A Chinese name against one in Latin letters is nothing to compare.
    """
    ours = _numbers(exam.patient_id, exam.his_patient_id, exam.id_number)
    theirs = _numbers(study.patient_id, *re.split(r"[\\,]", study.other_patient_ids))
    if ours & theirs:
        return True
    names = _names_agree(exam.patient_name, study.patient_name)
    if names is None and ours and theirs:
        return False
    return names


def _numbers(*numbers: str) -> set[str]:
    return {number.strip().upper().lstrip("0") for number in numbers} - {""}


def _names_agree(ours: str, theirs: str) -> bool | None:
    wanted = _plain(ours)
    groups = {_plain(group) for group in theirs.split("=")} - {""}
    if not wanted or not groups:
        return None
    if wanted in groups:
        return True
    comparable = [group for group in groups if group.isascii() == wanted.isascii()]
    return False if comparable else None


def _plain(name: str) -> str:
    return re.sub(r"[\s^·.,，]+", "", name).upper()


def _modality_differs(wanted: frozenset[str], modalities: str) -> bool:
    present = {m for m in (item.upper() for item in _CODES.split(modalities)) if m not in _COMPANIONS}
    got = imaging_types(",".join(present))
    return bool(wanted and got and not wanted & got)


def _day_differs(exam: ExamFacts, study: StudyFacts) -> bool:
    ours, theirs = _day(exam.exam_time), _day(study.study_date)
    return ours is not None and theirs is not None and abs((ours - theirs).days) > DAY_TOLERANCE


def _day(text: str) -> date | None:
    digits = re.sub(r"\D", "", text)[:8]
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def compare_report(exam: ExamFacts, report: ReportFacts) -> tuple[str, ...]:
    """What report and exam do not agree on, as ids of REPORT_FINDING_NAMES (T53, T61)."""
    found = []
    pairs = ((exam.patient_id, report.patient_id), (exam.his_patient_id, report.his_patient_id))
    compared = [_numbers(ours) == _numbers(theirs) for ours, theirs in pairs if ours and theirs]
    if compared and not any(compared):
        found.append("patient-differs")
    if _modality_differs(imaging_types(exam.modality, exam.img_exam_type), report.modality):
        found.append("modality-differs")
    if report.access_no and report.access_no != report.record_num:
        found.append("access-no-differs")
    audited_by_report, audited_by_check = report.report_status in (2, 3), report.check_status == 4
    if None not in (report.report_status, report.check_status) and audited_by_report != audited_by_check:
        found.append("status-differs")
    return tuple(found)


REPORT_FINDING_NAMES = {
    "patient-differs": "报告的影像号、患者编号与检查不一致",
    "modality-differs": "报告的检查类型与检查不一致",
    "access-no-differs": "图像访问号 ACCESS_NO 与报告唯一标识 recordNum 不一致",
    "status-differs": "报告状态 reportStatus 与检查状态 checkStatus 不一致",
}


def suggest(exam: ExamFacts, studies: Iterable[StudyFacts]) -> tuple[int, ...]:
    """Ids of studies that look like this exam's by patient, modality and day; for people to decide, never
    a link.

    The sender is of the exam's hospital or unknown, a patient number is shared, modalities meet, and the
    days are at most one apart. Exams without images usually lack them because a number was mistyped; this
    is where to look first.
    """
    day = _day(exam.exam_time)
    wanted = imaging_types(exam.modality, exam.img_exam_type)
    return tuple(
        study.id
        for study in studies
        if study.hospital_code in ("", exam.hospital_code)
        and patient_agrees(exam, study)
        and not _modality_differs(wanted, study.modalities)
        and day is not None
        and (taken := _day(study.study_date)) is not None
        and abs((taken - day).days) <= 1
    )
