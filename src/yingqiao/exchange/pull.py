"""Pulling an exam's images out of a PACS: what to ask, what to believe, what to fetch, what came of it. Pure.

Q/R 模式 (4.4): for every audited report the gateway fetches the images by the report's image link field.
T52 names the fields, in order of trust:

1. the exam's accessionNumber list
2. the exam's studyUid list, as far as 1 did not find it
3. ACCESS_NO of the exam's reports, when 1 and 2 found nothing
4. patient number and day, when nothing else found anything: a *suggestion* for people, never pulled

A PACS may answer more than was asked (some ignore keys they do not know). So each study it offers is
judged against the exam exactly as `exchange.link` would judge it once it were here, before anything is
pulled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from yingqiao.exchange import link
from yingqiao.exchange.link import HELD_NAMES, ExamFacts, ReportFacts, StudyFacts
from yingqiao.exchange.timeline import ReportState, needs_images, report_state
from yingqiao.exchange.work import STATE_NAMES, WorkState

MANY_STUDIES = 50
"""A number that a PACS answers with more studies than this tells nothing apart: it ignored the key."""


class QueryKind(StrEnum):
    """By what a PACS is asked for an exam's studies."""

    ACCESSION = "accession"
    STUDY_UID = "study-uid"
    ACCESS_NO = "report-access-no"
    PATIENT_DAY = "patient-day"


QUERY_NAMES = {
    QueryKind.ACCESSION: "检查号 accessionNumber",
    QueryKind.STUDY_UID: "检查唯一号 studyUid",
    QueryKind.ACCESS_NO: "图像访问号 ACCESS_NO",
    QueryKind.PATIENT_DAY: "患者编号与检查日期",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One C-FIND at study level. `day`: a DICOM date range (`20260301-20260303`), of PATIENT_DAY only."""

    kind: QueryKind
    value: str
    day: str = ""

    def keys(self) -> dict[str, str]:
        """The matching keys by DICOM keyword."""
        if self.kind is QueryKind.PATIENT_DAY:
            return {"PatientID": self.value, "StudyDate": self.day}
        name = "StudyInstanceUID" if self.kind is QueryKind.STUDY_UID else "AccessionNumber"
        return {name: self.value}


@dataclass(frozen=True, slots=True)
class PacsStudy:
    """A study as the PACS describes it; '' and None where it says nothing."""

    study_uid: str
    patient_id: str = ""
    patient_name: str = ""
    other_patient_ids: str = ""
    accession_number: str = ""
    study_date: str = ""
    modalities: str = ""
    description: str = ""
    series_count: int | None = None
    instance_count: int | None = None


@dataclass(frozen=True, slots=True)
class PacsSeries:
    """A series as the PACS describes it; `instance_count` None when it does not count."""

    series_uid: str
    modality: str = ""
    number: str = ""
    description: str = ""
    instance_count: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A study the PACS offered that will not be pulled, with the reason in Chinese."""

    study: PacsStudy
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the studies offered for one query are worth."""

    accepted: tuple[PacsStudy, ...] = ()
    refused: tuple[Refused, ...] = ()


def wants_pull(exam: ExamFacts, reports: Sequence[ReportFacts]) -> bool:
    """Whether images are to be pulled: the exam has some (T72), a report of it is audited (Q/R 模式)."""
    if exam.deleted or exam.exam_status == 5 or not needs_images(exam):
        return False
    return any(report_state(report) is ReportState.AUDITED for report in reports)


def mark_of(exam: ExamFacts, reports: Sequence[ReportFacts]) -> str:
    """What a pull of the exam depends on, as a short text: while it stays, there is nothing new to ask."""
    audited = [r for r in reports if report_state(r) is ReportState.AUDITED]
    parts = (
        "/".join(exam.accession_numbers),
        "/".join(exam.study_uids),
        f"{exam.patient_id}/{exam.his_patient_id}/{exam.patient_name}/{exam.exam_time[:10]}",
        *sorted(f"{r.record_num}@{r.confirm_time}@{r.access_no}" for r in audited),
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def number_queries(exam: ExamFacts) -> tuple[Query, ...]:
    """First: by every accession number that tells exams apart (T15, T50, T52)."""
    return tuple(Query(QueryKind.ACCESSION, n) for n in exam.accession_numbers if link.is_number(n))


def uid_queries(exam: ExamFacts, found: Collection[str]) -> tuple[Query, ...]:
    """Then: by the studyUids not among the studies found so far (T48, T49)."""
    return tuple(Query(QueryKind.STUDY_UID, uid) for uid in exam.study_uids if uid not in found)


def access_no_queries(exam: ExamFacts, reports: Sequence[ReportFacts]) -> tuple[Query, ...]:
    """The last tries of T52, when nothing was found: ACCESS_NO of the reports."""
    numbers = dict.fromkeys(r.access_no for r in reports if not r.deleted and link.is_number(r.access_no))
    return tuple(Query(QueryKind.ACCESS_NO, n) for n in numbers if n not in exam.accession_numbers)


def patient_queries(exam: ExamFacts) -> tuple[Query, ...]:
    """Patient number and day, one day either side; what it finds is only suggested."""
    taken = _day(exam.exam_time)
    if taken is None:
        return ()
    first, last = taken - timedelta(days=1), taken + timedelta(days=1)
    days = f"{first:%Y%m%d}-{last:%Y%m%d}"
    numbers = dict.fromkeys(n for n in (exam.patient_id, exam.his_patient_id) if link.is_number(n))
    return tuple(Query(QueryKind.PATIENT_DAY, number, days) for number in numbers)


def judge(
    exam: ExamFacts, reports: Sequence[ReportFacts], query: Query, offered: Sequence[PacsStudy]
) -> Judgement:
    """Which of the studies a PACS offered for `query` (not PATIENT_DAY) are the exam's, by `exchange.link`.

    An answer without an accession number counts as the number asked for only when the patient agrees too.
    Where some agree in the patient, those that do not are not pulled.
    """
    if len(offered) > MANY_STUDIES:
        reason = f"PACS 对一个{QUERY_NAMES[query.kind]}答复了 {len(offered)} 个检查，疑似未按条件查询"
        return Judgement(refused=tuple(Refused(study, reason) for study in offered))
    access_nos = {exam.id: {r.access_no for r in reports if not r.deleted}}
    accepted: list[tuple[PacsStudy, bool | None]] = []
    refused: list[Refused] = []
    for study in offered:
        facts = study_facts(exam, study, query)
        reason = _why_not(exam, facts, access_nos, unconfirmed=_unconfirmed(exam, query, study))
        if reason:
            refused.append(Refused(study, reason))
        else:
            accepted.append((study, link.patient_agrees(exam, facts)))
    if any(agrees for _, agrees in accepted):
        refused += [Refused(s, _OTHER_PATIENT) for s, agrees in accepted if agrees is False]
        accepted = [(s, agrees) for s, agrees in accepted if agrees is not False]
    return Judgement(tuple(study for study, _ in accepted), tuple(refused))


_OTHER_PATIENT = "号码相同，但患者与检查登记的不一致，另有一致者"


def _why_not(
    exam: ExamFacts, facts: StudyFacts, access_nos: Mapping[int, Collection[str]], *, unconfirmed: bool
) -> str:
    """Why the study is not the exam's, '' when it is."""
    if unconfirmed and link.patient_agrees(exam, facts) is not True:
        return "PACS 的答复没有检查号，患者也无从核对"
    decision = link.link_study(facts, [exam], access_nos)
    if decision.held:
        return HELD_NAMES[decision.held[0].reason]
    return "" if decision.links else "PACS 答复的检查与所查号码不符"


def _unconfirmed(exam: ExamFacts, query: Query, study: PacsStudy) -> bool:
    return query.kind is not QueryKind.STUDY_UID and not (
        study.accession_number or study.study_uid in exam.study_uids
    )


def study_facts(exam: ExamFacts, study: PacsStudy, query: Query) -> StudyFacts:
    """The study as `exchange.link` would see it after a pull from a PACS of the exam's hospital."""
    number = study.accession_number
    if not number and query.kind in (QueryKind.ACCESSION, QueryKind.ACCESS_NO):
        number = query.value
    return StudyFacts(
        id=0,
        study_uid=study.study_uid,
        hospital_code=exam.hospital_code,
        patient_id=study.patient_id,
        patient_name=study.patient_name,
        other_patient_ids=study.other_patient_ids,
        accession_number=number,
        study_date=study.study_date,
        modalities=study.modalities,
        instance_count=study.instance_count or 0,
        first_received_at=0,
        updated_at=0,
    )


def owned(exam: ExamFacts, studies: Sequence[PacsStudy]) -> tuple[str, ...]:
    """UIDs of the exam's studies whose patient is the exam's beyond doubt: they are its hospital's, whoever else
    has its images in the same PACS."""
    query = Query(QueryKind.ACCESSION, "")
    return tuple(s.study_uid for s in studies if link.patient_agrees(exam, study_facts(exam, s, query)))


def suggestions(exam: ExamFacts, query: Query, offered: Sequence[PacsStudy]) -> tuple[PacsStudy, ...]:
    """Of the studies found by patient and day those that `exchange.link.suggest` would show people."""
    facts = [replace(study_facts(exam, study, query), id=place) for place, study in enumerate(offered)]
    return tuple(offered[place] for place in link.suggest(exam, facts))


@dataclass(frozen=True, slots=True)
class WantedSeries:
    """A series to be retrieved. `expected` None: the PACS does not count."""

    series_uid: str
    expected: int | None
    present: int

    @property
    def missing(self) -> int:
        return max(0, (self.expected or 0) - self.present)


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What the PACS has of a study, what is here, and what is to be retrieved."""

    study_uid: str
    told: tuple[PacsSeries, ...]
    present: Mapping[str, int]
    """Series UID -> instances in the index."""
    wanted: tuple[WantedSeries, ...]

    @property
    def expected(self) -> int:
        """Instances the PACS has, as far as it counts."""
        return sum(series.instance_count or 0 for series in self.told)

    @property
    def here(self) -> int:
        """Of those the index has; what the PACS does not know of counts for nothing."""
        return sum(_capped(series, self.present.get(series.series_uid, 0)) for series in self.told)

    @property
    def missing(self) -> int:
        return sum(series.missing for series in self.wanted)

    @property
    def whole(self) -> bool:
        """Nothing of it is here: one retrieve at study level does it."""
        return bool(self.wanted) and not any(self.present.get(s.series_uid) for s in self.told)


def _capped(series: PacsSeries, present: int) -> int:
    return present if series.instance_count is None else min(present, series.instance_count)


def plan_study(
    study_uid: str, told: Sequence[PacsSeries], present: Mapping[str, int], only: Collection[str] = ()
) -> StudyPlan:
    """To be retrieved: the series of which fewer instances are here than the PACS has. `only`: these series."""
    wanted = tuple(
        WantedSeries(series.series_uid, series.instance_count, present.get(series.series_uid, 0))
        for series in told
        if (not only or series.series_uid in only) and _is_short(series, present.get(series.series_uid, 0))
    )
    return StudyPlan(study_uid, tuple(told), dict(present), wanted)


def _is_short(series: PacsSeries, present: int) -> bool:
    return present == 0 if series.instance_count is None else present < series.instance_count


@dataclass(frozen=True, slots=True)
class Sent:
    """What the PACS said of its sub-operations, over all retrieves of a study."""

    completed: int = 0
    failed: int = 0
    warned: int = 0
    comment: str = ""


class Result(StrEnum):
    """What came of pulling one study."""

    ALREADY = "already"
    """It was all here."""
    COMPLETE = "complete"
    SHORT = "short"
    """Some came, some are missing."""
    STUCK = "stuck"
    """The PACS says it sent, and of what was missing nothing came, though others of the study are here."""
    NOWHERE = "nowhere"
    """The PACS says it sent, and nothing came to us."""
    NOT_SENT = "not-sent"
    """The PACS sent nothing and says so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One study's pull, in words for the timeline and the ledger of work; names no patient."""

    study_uid: str
    result: Result
    expected: int
    present: int
    words: str


def outcome_of(plan: StudyPlan, after: Mapping[str, int], sent: Sent) -> Outcome:
    """Compares what the PACS has, what it says it sent, and what is in the index afterwards."""
    now = replace(plan, present=dict(after))
    left = plan_study(plan.study_uid, plan.told, after, {s.series_uid for s in plan.wanted})
    came = now.here - plan.here
    result = _result(plan, left, came, sent)
    words = _OUTCOME_WORDS[result].format(
        expected=plan.expected, present=now.here, sent=sent.completed + sent.warned, failed=sent.failed,
        missing=left.missing, came=came, comment=f"（{sent.comment}）" if sent.comment else "",
    )  # fmt: skip
    return Outcome(plan.study_uid, result, plan.expected, now.here, words)


def _result(plan: StudyPlan, left: StudyPlan, came: int, sent: Sent) -> Result:
    if not plan.wanted:
        return Result.ALREADY
    if not left.wanted:
        return Result.COMPLETE
    if came > 0:
        return Result.SHORT
    if not sent.completed + sent.warned:
        return Result.NOT_SENT
    return Result.STUCK if plan.here else Result.NOWHERE


_OUTCOME_WORDS = {
    Result.ALREADY: "PACS 有 {expected} 幅，本机已齐",
    Result.COMPLETE: "从 PACS 调取 {came} 幅，PACS 有 {expected} 幅，本机已齐",
    Result.SHORT: "PACS 有 {expected} 幅，本机 {present} 幅，还缺 {missing} 幅{comment}",
    Result.STUCK: "PACS 报告已发送 {sent} 幅，但所缺的 {missing} 幅没有到{comment}",
    Result.NOWHERE: (
        "PACS 报告已发送 {sent} 幅，本机收到 0 幅：影像去了别处，请核对 PACS 中本机 AE 对应的 IP 与端口，"
        "并检查防火墙{comment}"
    ),
    Result.NOT_SENT: "PACS 没有发出影像：失败 {failed} 幅{comment}",
}


def unfound_uids(exam: ExamFacts, studies: Sequence[PacsStudy]) -> tuple[str, ...]:
    """Listed study UIDs that are not among the studies found (T49).

    A study found by a number instead tells that the list is wrong; it asks for nothing then, as in
    `exchange.timeline.missing_study_uids`.
    """
    found = {study.study_uid for study in studies}
    if found - set(exam.study_uids):
        return ()
    return tuple(uid for uid in exam.study_uids if uid not in found)


def nothing_found(asked: Sequence[Query], refused: Sequence[Refused], suggested: Sequence[PacsStudy]) -> str:
    """Why nothing is pulled, in Chinese, for people; study UIDs only, no patient."""
    if not asked:
        return "检查没有可用的检查号、studyUid，无法向 PACS 查询"
    kinds = "、".join(dict.fromkeys(QUERY_NAMES[query.kind] for query in asked))
    said = f"PACS 中按{kinds}没有找到此检查的影像"
    reasons = dict.fromkeys(no.reason for no in refused)
    if reasons:
        said += f"；PACS 答复了 {len(refused)} 个检查，未采用：{'；'.join(reasons)}"
    if suggested:
        uids = "、".join(study.study_uid for study in suggested[:3])
        said += f"；同一患者同日有 {len(suggested)} 个检查可能是它（{uids}），请核对号码"
    return said


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def meets(query: Query, study: PacsStudy) -> bool:
    """Whether a study is what was asked for; what the PACS leaves out is believed."""
    if query.kind is QueryKind.STUDY_UID:
        return study.study_uid == query.value
    if query.kind is QueryKind.PATIENT_DAY:
        first, _, last = query.day.partition("-")
        dated = not study.study_date or first <= study.study_date <= (last or first)
        return dated and study.patient_id.strip() == query.value
    return study.accession_number in ("", query.value)


def words_of(key: str, state: str, reason: str, done: int, total: int) -> str:
    """One piece of work of an exam as a line of its timeline; `key`: `exam:<id>@<node>[+look|!]`."""
    node, _, look = key.partition("@")[2].rstrip("!").rpartition("+")
    named = f"从 PACS 节点 {node or look} "
    named += "复查是否增加影像" if node else "调取影像"
    counts = f"，{done}/{total} 幅" if total else ""
    known = WorkState(state)
    if known is WorkState.DONE:
        return f"{named}：完成{counts}"
    return f"{named}：{STATE_NAMES[known]}{counts}" + (f"；{reason}" if reason else "")
