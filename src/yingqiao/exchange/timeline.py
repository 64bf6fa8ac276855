"""How far an exam has come: what is here, what is missing, since when, who must act. Pure.

Three enumerations of the standard are read and kept apart (T61): examStatus of the exam (1 已开单 … 5
已终止), reportStatus (0 未书写 … 6 废弃) and checkStatus (1 未检查 … 5 已删除) of the report. disableFlag
hides a record; the others are states (T60).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from yingqiao.exchange.clock import beijing_ms, clock
from yingqiao.exchange.completeness import Completeness, ImagesState, in_words, told_by
from yingqiao.exchange.link import (
    FINDING_NAMES,
    RULE_NAMES,
    ExamFacts,
    Link,
    ReportFacts,
    Rule,
    StudyFacts,
    imaging_types,
)

IMAGE_TYPES = frozenset("1235")
"""影像数据对接范围: X线, CT, MRI, 核医学 (T72); exams of other types are complete without images."""


class ExamState(StrEnum):
    """Where an exam stands; the first thing it waits for gives the name."""

    REGISTERED = "registered"
    WAITING_IMAGES = "waiting-images"
    WAITING_REPORT = "waiting-report"
    WAITING_AUDIT = "waiting-audit"
    COMPLETE = "complete"
    TERMINATED = "terminated"
    DELETED = "deleted"


STATE_NAMES = {
    ExamState.REGISTERED: "已登记",
    ExamState.WAITING_IMAGES: "待影像",
    ExamState.WAITING_REPORT: "待报告",
    ExamState.WAITING_AUDIT: "待审核",
    ExamState.COMPLETE: "齐全",
    ExamState.TERMINATED: "已终止",
    ExamState.DELETED: "已删除",
}


class Need(StrEnum):
    """What an exam can wait for, in the order it is asked for."""

    EXAM = "exam"
    IMAGES = "images"
    REPORT = "report"
    AUDIT = "audit"


NEED_NAMES = {Need.EXAM: "检查完成", Need.IMAGES: "影像", Need.REPORT: "报告", Need.AUDIT: "报告审核"}
WAITING_ON_NAMES = {"hospital": "医疗机构", "gateway": "前置机管理员", "": ""}
_STATE_OF_NEED = {
    Need.EXAM: ExamState.REGISTERED,
    Need.IMAGES: ExamState.WAITING_IMAGES,
    Need.REPORT: ExamState.WAITING_REPORT,
    Need.AUDIT: ExamState.WAITING_AUDIT,
}


class ReportState(StrEnum):
    """What a report means for its exam."""

    UNWRITTEN = "unwritten"
    UNAUDITED = "unaudited"
    AUDITED = "audited"
    NONE_DUE = "none-due"
    """不出报告: the exam needs none."""
    VOID = "void"
    """Deleted (disableFlag, checkStatus 5) or 废弃: kept and shown, counts for nothing."""


REPORT_STATE_NAMES = {
    ReportState.UNWRITTEN: "未书写",
    ReportState.UNAUDITED: "待审核",
    ReportState.AUDITED: "已审核",
    ReportState.NONE_DUE: "不出报告",
    ReportState.VOID: "已作废",
}
_BY_REPORT_STATUS = {
    0: ReportState.UNWRITTEN,
    1: ReportState.UNAUDITED,
    2: ReportState.AUDITED,
    3: ReportState.AUDITED,
    4: ReportState.UNWRITTEN,
    5: ReportState.NONE_DUE,
    6: ReportState.VOID,
}
_BY_CHECK_STATUS = {
    1: ReportState.UNWRITTEN,
    2: ReportState.UNWRITTEN,
    3: ReportState.UNAUDITED,
    4: ReportState.AUDITED,
    5: ReportState.VOID,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to: what is missing, who must act, since when."""

    state: ExamState
    waiting_for: tuple[Need, ...] = ()
    waiting_on: str = ""
    """hospital | gateway | ''"""
    waiting_since: int | None = None


def report_state(report: ReportFacts) -> ReportState:
    """reportStatus decides; without it checkStatus; checkStatus 5 and disableFlag void the report (T60, T61).

    A report that says nothing about its state counts as audited: reports are pushed after the audit
    (接口概要).
    """
    if report.deleted or report.check_status == 5:
        return ReportState.VOID
    if report.report_status is not None:
        return _BY_REPORT_STATUS.get(report.report_status, ReportState.UNAUDITED)
    if report.check_status is not None:
        return _BY_CHECK_STATUS.get(report.check_status, ReportState.UNAUDITED)
    return ReportState.AUDITED


def needs_images(exam: ExamFacts) -> bool:
    """Whether images belong to this exam (T72): X线, CT, MRI, 核医学 do; when modality and imgExamType
    differ, either will do."""
    return bool(imaging_types(exam.modality, exam.img_exam_type) & IMAGE_TYPES)


def is_performed(exam: ExamFacts, reports: Sequence[ReportFacts], image_count: int) -> bool:
    """Whether the examination has taken place (T20).

    examStatus >= 4, or images or a written report are here although the status lags behind. examStatus is
    有则必填: an exam without it counts as performed, so that what it lacks is asked for instead of
    overlooked.
    """
    if exam.exam_status is None or exam.exam_status >= 4 or image_count > 0:
        return True
    return any(report_state(r) in (ReportState.UNAUDITED, ReportState.AUDITED) for r in reports)


def missing_study_uids(
    exam: ExamFacts, studies: Sequence[StudyFacts], rules: Collection[Rule]
) -> tuple[str, ...]:
    """Listed study UIDs that have not come (T49).

    Once a study was joined by a number instead, the list is known to be wrong and asks for nothing.
    """
    if any(rule is not Rule.STUDY_UID for rule in rules):
        return ()
    here = {study.study_uid for study in studies if study.instance_count}
    return tuple(uid for uid in exam.study_uids if uid not in here)


def state_of(
    exam: ExamFacts,
    reports: Sequence[ReportFacts],
    studies: Sequence[StudyFacts],
    rules: Collection[Rule] = (),
    held: bool = False,
    short: bool = False,
) -> Standing:
    """Where the exam stands, given its reports, the studies joined to it, the rules that joined them,
    whether a study that matches it is held back until someone of the gateway decides, and whether fewer
    images are here than somebody told (`completeness`). A function of what is known, not of how it came to
    be known, nor of the time.
    """
    if exam.deleted:
        return Standing(ExamState.DELETED)
    if exam.exam_status == 5:
        return Standing(ExamState.TERMINATED)
    images = sum(study.instance_count for study in studies)
    needs = _needs(exam, reports, studies, rules, images, short)
    if not needs:
        return Standing(ExamState.COMPLETE)
    waiting_on = "gateway" if held and needs[0] is Need.IMAGES else "hospital"
    return Standing(_STATE_OF_NEED[needs[0]], needs, waiting_on, _since(exam, reports, needs[0]))


def _needs(
    exam: ExamFacts,
    reports: Sequence[ReportFacts],
    studies: Sequence[StudyFacts],
    rules: Collection[Rule],
    images: int,
    short: bool,
) -> tuple[Need, ...]:
    if not is_performed(exam, reports, images):
        return (Need.EXAM,)
    needs = []
    if needs_images(exam) and (images == 0 or short or missing_study_uids(exam, studies, rules)):
        needs.append(Need.IMAGES)
    states = {report_state(report) for report in reports} - {ReportState.VOID}
    if not states or ReportState.UNWRITTEN in states:
        needs.append(Need.REPORT)
    elif ReportState.UNAUDITED in states:
        needs.append(Need.AUDIT)
    return tuple(needs)


def _since(exam: ExamFacts, reports: Sequence[ReportFacts], need: Need) -> int:
    if need is Need.EXAM:
        return exam.first_received_at
    if need is Need.AUDIT:
        pending = [r for r in reports if report_state(r) is ReportState.UNAUDITED]
        return min(_between(r.report_time, r.first_received_at, r.updated_at) for r in pending)
    return _between(exam.exam_time, exam.first_received_at, exam.updated_at)


def _between(text: str, first: int, last: int) -> int:
    """The hospital's time where it is believable: not before we heard of the record, not after its last
    change."""
    return max(first, min(beijing_ms(text) or first, last))


@dataclass(frozen=True, slots=True)
class SubmissionFacts:
    """One row of the ledger as the timeline shows it."""

    id: int
    interface: str
    received_at: int
    accepted: bool
    exam_key: str
    report_key: str
    last_change_time: str
    message: str
    finding_count: int = 0
    replay_of: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an exam's timeline."""

    at: int
    kind: str
    """exam-received | exam-updated | exam-stale | report-… | refused | study-linked | images-arrived |
    images-expected | images-complete | report-audited | signature-passed | signature-failed | signature-unknown |
    seal-passed | seal-failed | seal-unknown | seal-unsealed | waiting"""
    text: str
    """Chinese, for people."""
    submission_id: int | None = None
    study_uid: str = ""
    record_num: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A report's PDF that had to be brought from its pdf_path (T24)."""

    at: int
    record_num: str
    submission_id: int
    done: bool
    reason: str
    """Why it did not come yet; '' while nothing was tried."""
    mend: str = ""
    """What the operator does about it; '' when there is nothing to do here."""


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """What became of the signature of a report's version."""

    at: int
    record_num: str
    submission_id: int
    indication: str
    """passed | failed | unknown"""
    words: str


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What became of the seals on the PDF of a report's version."""

    at: int
    record_num: str
    submission_id: int
    indication: str
    """passed | failed | unknown | unsealed"""
    words: str


def events(
    exam: ExamFacts,
    submissions: Sequence[SubmissionFacts],
    reports: Sequence[ReportFacts],
    studies: Sequence[tuple[StudyFacts, Link]],
    standing: Standing,
    images: Mapping[str, Completeness] = {},
    documents: Sequence[DocumentFacts] = (),
    signatures: Sequence[SignatureFacts] = (),
    seals: Sequence[SealFacts] = (),
) -> tuple[Event, ...]:
    """The exam's timeline, oldest first: what was received (stale and refused too), joined, told, audited,
    and what is waited for.

    `submissions` are those of the exam's key and of its reports' keys; `images` by study UID, also of
    studies of which nothing came.
    """
    found = _received(submissions)
    for report in reports:
        found += _audited(report)
    for study, link in studies:
        found += _images(study, link, images.get(study.study_uid))
    for study_uid, known in images.items():
        found += _told(study_uid, known)
    found += map(_brought, documents)
    found += map(_verified, signatures)
    found += map(_sealed, seals)
    found.sort(key=lambda event: (event.at, event.submission_id or 0))
    if standing.waiting_for and standing.waiting_since is not None:
        needs = "、".join(NEED_NAMES[need] for need in standing.waiting_for)
        who = WAITING_ON_NAMES[standing.waiting_on]
        text = f"尚缺：{needs}（自 {clock(standing.waiting_since)} 起，需{who}处理）"
        if Need.IMAGES in standing.waiting_for:
            text += "".join(f"；{uid} {in_words(known)}" for uid, known in images.items() if known.missing)
        found.append(Event(max(standing.waiting_since, exam.updated_at), "waiting", text))
    return tuple(found)


def _brought(document: DocumentFacts) -> Event:
    name = f"报告 {document.record_num} 的 PDF"
    text = f"已从 pdf_path 取回{name}" if document.done else f"{name}尚未取回"
    if document.reason and not document.done:
        text += f"：{document.reason}"
    if document.mend and not document.done:
        text += f"；{document.mend}"
    kind = "document-fetched" if document.done else "document-missing"
    return Event(document.at, kind, text, document.submission_id, "", document.record_num)


def _verified(one: SignatureFacts) -> Event:
    text = f"报告 {one.record_num}：{one.words}"
    return Event(one.at, f"signature-{one.indication}", text, one.submission_id, "", one.record_num)


def _sealed(one: SealFacts) -> Event:
    text = f"报告 {one.record_num}：{one.words}"
    return Event(one.at, f"seal-{one.indication}", text, one.submission_id, "", one.record_num)


def _received(submissions: Sequence[SubmissionFacts]) -> list[Event]:
    newest: dict[tuple[str, str], str] = {}
    found = []
    for sub in sorted(submissions, key=lambda s: s.id):
        if not sub.accepted:
            found.append(
                Event(sub.received_at, "refused", f"拒收一次提交：{sub.message}", sub.id, "", sub.report_key)
            )
            continue
        for kind, word, key in (("exam", "检查", sub.exam_key), ("report", "报告", sub.report_key)):
            if key:
                found.append(_version(sub, kind, word, newest.get((kind, key))))
                newest[kind, key] = max(newest.get((kind, key), ""), sub.last_change_time)
    return found


def _version(sub: SubmissionFacts, kind: str, word: str, newest: str | None) -> Event:
    label = f"{word}数据" + (f" {sub.report_key}" if kind == "report" else "")
    notes = f"，{sub.finding_count} 项数据质量提示" if sub.finding_count else ""
    notes += f"（重放第 {sub.replay_of} 号提交）" if sub.replay_of else ""
    record = sub.report_key if kind == "report" else ""
    if newest is None:
        return Event(sub.received_at, f"{kind}-received", f"收到{label}{notes}", sub.id, "", record)
    if sub.last_change_time and sub.last_change_time < newest:  # T71
        text = f"收到较旧的{label}（{sub.last_change_time} 早于 {newest}），未覆盖{notes}"
        return Event(sub.received_at, f"{kind}-stale", text, sub.id, "", record)
    return Event(sub.received_at, f"{kind}-updated", f"更新{label}{notes}", sub.id, "", record)


def _audited(report: ReportFacts) -> list[Event]:
    at = beijing_ms(report.confirm_time)
    if at is None or report_state(report) is not ReportState.AUDITED:
        return []
    who = f"，审核医生 {report.confirm_doctor}" if report.confirm_doctor else ""
    return [
        Event(at, "report-audited", f"报告 {report.record_num} 审核完成{who}", None, "", report.record_num)
    ]


def _images(study: StudyFacts, link: Link, known: Completeness | None) -> list[Event]:
    odd = "；".join(FINDING_NAMES.get(finding, finding) for finding in link.findings)
    text = f"关联影像 {study.study_uid}（{RULE_NAMES[link.rule]}{'；' + odd if odd else ''}）"
    first = Event(study.first_received_at, "study-linked", text, None, study.study_uid)
    modalities = study.modalities.strip(",").replace(",", "、")
    arrived = f"影像 {study.study_uid} 已到 {study.instance_count} 幅" + (
        f"（{modalities}）" if modalities else ""
    )
    if known is not None and known.expected is None:
        arrived += "，无人告知应有数量"
    return [first, Event(study.updated_at, "images-arrived", arrived, None, study.study_uid)]


def _told(study_uid: str, known: Completeness) -> list[Event]:
    found = [
        Event(
            telling.told_at,
            "images-expected",
            f"影像 {study_uid} 应有 {telling.expected} 幅（{told_by(telling)}）",
            None,
            study_uid,
        )
        for telling in known.tellings
    ]
    if known.state is ImagesState.COMPLETE and known.believed is not None:
        at = max(known.believed.told_at, known.last_received_at or 0)
        found.append(Event(at, "images-complete", f"{study_uid} {in_words(known)}", None, study_uid))
    return found
