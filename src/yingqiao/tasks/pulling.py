"""The work of kind `pull`: find an exam's studies at a node, bring what is short, count, look again later.

Repeatable at any point: everything is decided anew from the PACS's counts and the index. What came before a
kill is here and counts; instances that come twice are one in the index.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import BadQuery, NodeError
from yingqiao.dicom.query_retrieve.node import Limits
from yingqiao.dicom.query_retrieve.studies import find_series, find_studies
from yingqiao.exchange import pull
from yingqiao.exchange.completeness import Expectation, Source
from yingqiao.exchange.doctor import Step
from yingqiao.exchange.pull import (
    Outcome,
    PacsSeries,
    PacsStudy,
    Query,
    QueryKind,
    Refused,
    Result,
    StudyPlan,
)
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.settings import Settings
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.expectations import read_present, tell
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea
from yingqiao.store.pacs import PacsNode, find_node
from yingqiao.store.pulls import PulledExam, claim, later_look, read_exam
from yingqiao.store.work import ledger
from yingqiao.store.work.task import Task
from yingqiao.tasks.pacs_client import OurSide, our_side_of, parties, requestor, work_error
from yingqiao.tasks.retrieving import Index, Retriever

_log = structlog.get_logger(__name__)
_PLAIN = {"accession": QueryKind.ACCESSION, "study": QueryKind.STUDY_UID, "patient": QueryKind.PATIENT_DAY}
"""What a person may ask for by itself; members of the payload."""


@dataclass(frozen=True, slots=True)
class PullRules:
    """How pulls are done; seconds."""

    limits: Limits
    looks: tuple[float, ...]
    """When to look again after a pull, whether the study grew; counted from the look before."""
    index_seconds: float
    """How long the index may take to catch up with what arrived."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the queries brought."""

    studies: tuple[PacsStudy, ...] = ()
    asked: tuple[Query, ...] = ()
    refused: tuple[Refused, ...] = ()
    suggested: tuple[PacsStudy, ...] = ()


class Puller:
    """Handler of `pull`. Called from many threads, one task each."""

    def __init__(
        self,
        database: Database,
        our_side: OurSide,
        rules: PullRules,
        store: Store,
        index: Index,
    ) -> None:
        """`store`: where C-GET brings instances. `index`: of what landed here."""
        self._database = database
        self._our_side = our_side
        self._rules = rules
        self._store = store
        self._index = index

    def __call__(self, task: Task) -> None:
        """One try. Raises WorkError, Interrupted."""
        try:
            self._try(task)
        except StoreUnavailable as error:
            raise WorkError(ErrorClass.OURS, "数据库暂时不可用，稍后继续") from error

    def _try(self, task: Task) -> None:
        with self._database.read() as connection:
            node = find_node(connection, task.hospital_code, str(task.payload.get("node", "")))
            exam_id = task.payload.get("exam")
            seen = read_exam(connection, int(exam_id)) if exam_id is not None else None
        if node is None:
            raise WorkError(ErrorClass.POISON, "PACS 节点已删除")
        if exam_id is not None and not _is_wanted(task, seen):
            return
        with requestor(node, self._our_side, self._rules.limits, task.check) as pacs:
            try:
                self._pull(task, node, pacs, seen)
            except NodeError as error:
                raise work_error(Step.FIND, error, parties(node, self._our_side)) from error

    def _pull(self, task: Task, node: PacsNode, pacs: Requestor, seen: PulledExam | None) -> None:
        found = _find_asked(pacs, task) if seen is None else _find(pacs, seen)
        if not found.studies:
            if seen is not None and not seen.lacks_images and "asked" not in task.payload:
                return
            raise WorkError(
                ErrorClass.THEIRS, pull.nothing_found(found.asked, found.refused, found.suggested)
            )
        plans = [self._plan(task, node, pacs, study) for study in found.studies]
        retriever = self._retriever(task, node, pacs)
        total = sum(plan.expected for plan in plans)
        here = sum(plan.here for plan in plans)
        outcomes = []
        for study_plan in plans:
            task.check()
            task.progress(here, total)
            outcome = retriever.bring(study_plan, here, total)
            here += outcome.present - study_plan.here
            outcomes.append(outcome)
        task.progress(here, total)
        self._claim(node, found.studies, seen)
        self._conclude(task, node, outcomes)
        if seen is not None:
            self._require_listed(seen, found.studies)

    def _claim(self, node: PacsNode, studies: Sequence[PacsStudy], seen: PulledExam | None) -> None:
        """A PACS of several hospitals does not say whose its studies are: their patient does."""
        mine = pull.owned(seen.exam, studies) if seen is not None else ()
        if mine:
            with self._database.write() as connection:
                claim(connection, mine, node.hospital_code)

    def _require_listed(self, seen: PulledExam, studies: Sequence[PacsStudy]) -> None:
        """Raises WorkError when the exam lists more studies than are at the node and here (T49)."""
        unfound = pull.unfound_uids(seen.exam, studies)
        if not unfound:
            return
        with self._database.read() as connection:
            here = read_present(connection, unfound)
        missing = [uid for uid in unfound if uid not in here]
        if missing:
            raise WorkError(
                ErrorClass.THEIRS, f"检查登记的 studyUid 在 PACS 中没有找到：{'、'.join(missing[:3])}"
            )

    def _retriever(self, task: Task, node: PacsNode, pacs: Requestor) -> Retriever:
        return Retriever(
            self._database,
            self._our_side,
            node,
            pacs,
            task,
            store=self._store,
            index=self._index,
            index_seconds=self._rules.index_seconds,
        )

    def _plan(self, task: Task, node: PacsNode, pacs: Requestor, study: PacsStudy) -> StudyPlan:
        """Counts on both sides; what the PACS told is kept as an expectation."""
        told = find_series(pacs, study.study_uid)
        only = [str(uid) for uid in task.payload.get("series", ())]
        now = time.time_ns() // 10**6
        with self._database.write() as connection:
            tell(connection, _expectations(node, study, told, now))
            present = read_present(connection, [study.study_uid]).get(study.study_uid, {})
        return pull.plan_study(study.study_uid, told, present, only)

    def _conclude(self, task: Task, node: PacsNode, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            facts = {"expected": outcome.expected, "present": outcome.present}
            _log.info("pull.study", work=task.id, result=str(outcome.result), node=node.name, **facts)
        bad = [outcome for outcome in outcomes if outcome.result not in (Result.ALREADY, Result.COMPLETE)]
        if bad:
            raise WorkError(_class_of(bad), "；".join(outcome.words for outcome in bad[:3]))
        grew = any(outcome.result is Result.COMPLETE for outcome in outcomes)
        self._look_again(task, node, grew)

    def _look_again(self, task: Task, node: PacsNode, grew: bool) -> None:
        """The next look; from the start again when this one found growth."""
        if "exam" not in task.payload:
            return
        look = int(task.payload.get("look", 0))
        following = 1 if grew and look == len(self._rules.looks) else look + 1
        if following > len(self._rules.looks) or (look and following == look):
            return
        at = time.time_ns() // 10**6 + int(self._rules.looks[following - 1] * 1000)
        with self._database.write() as connection:
            ledger.add(connection, [later_look(task.payload, node, following, at)])


def _is_wanted(task: Task, seen: PulledExam | None) -> bool:
    """An exam that changed meanwhile may want no images any more; a person who asks gets what there is."""
    return seen is not None and ("asked" in task.payload or pull.wants_pull(seen.exam, seen.reports))


def _class_of(bad: Sequence[Outcome]) -> ErrorClass:
    """Nothing arriving is for the PACS's side to mend; what is merely short comes by trying again."""
    theirs = all(outcome.result is not Result.SHORT for outcome in bad)
    return ErrorClass.THEIRS if theirs else ErrorClass.PASSING


def _find(pacs: Requestor, seen: PulledExam) -> _Found:
    """The exam's studies at the node, in the order of T52. Raises NodeError."""
    exam, reports = seen.exam, seen.reports
    found = _ask(pacs, seen, pull.number_queries(exam), _Found())
    found = _ask(pacs, seen, pull.uid_queries(exam, {s.study_uid for s in found.studies}), found)
    if not found.studies:
        found = _ask(pacs, seen, pull.access_no_queries(exam, reports), found)
    if found.studies or not seen.lacks_images:
        return found
    suggested: list[PacsStudy] = []
    queries = pull.patient_queries(exam)
    for query in queries:
        suggested += pull.suggestions(exam, query, _offered(pacs, query))
    unique = {study.study_uid: study for study in suggested}
    return _Found((), (*found.asked, *queries), found.refused, tuple(unique.values()))


def _ask(pacs: Requestor, seen: PulledExam, queries: Sequence[Query], before: _Found) -> _Found:
    studies = {study.study_uid: study for study in before.studies}
    refused = list(before.refused)
    for query in queries:
        judged = pull.judge(seen.exam, seen.reports, query, _offered(pacs, query))
        studies |= {study.study_uid: study for study in judged.accepted}
        refused += judged.refused
    return _Found(tuple(studies.values()), (*before.asked, *queries), tuple(refused))


def _offered(pacs: Requestor, query: Query) -> list[PacsStudy]:
    """A number that cannot be asked for (too long, a wildcard in it) is one no PACS has."""
    try:
        return find_studies(pacs, query)
    except BadQuery:
        return []


def _find_asked(pacs: Requestor, task: Task) -> _Found:
    """What a person asked for, without an exam to judge by: the query itself must be met."""
    for member, kind in _PLAIN.items():
        if value := str(task.payload.get(member, "")):
            query = Query(kind, value, str(task.payload.get("day", "")))
            offered = _offered(pacs, query)
            return _Found(tuple(study for study in offered if pull.meets(query, study)), (query,))
    raise WorkError(ErrorClass.POISON, "没有指明调取什么")


def _expectations(
    node: PacsNode, study: PacsStudy, told: Sequence[PacsSeries], now: int
) -> list[Expectation]:
    counts = {s.series_uid: s.instance_count for s in told if s.instance_count is not None}
    if len(counts) == len(told) and study.instance_count is not None:
        counts[""] = sum(count for count in counts.values())
    return [
        Expectation(study.study_uid, series_uid, Source.PACS, node.name, count, now, node.hospital_code)
        for series_uid, count in counts.items()
    ]


def puller(settings: Settings, database: Database, landing: LandingArea, indexer: Indexer) -> Puller:
    """The handler as the settings want it."""
    dicom, rules = settings.dicom, settings.pull
    limits = Limits(
        connect=rules.connect_seconds,
        association=rules.association_seconds,
        response=rules.response_seconds,
        operation=rules.operation_seconds,
        max_pdu=dicom.max_pdu,
    )
    looks = tuple(s for s in (rules.first_look_seconds, rules.second_look_seconds) if s > 0)
    store = Store(
        landing,
        indexer.submit,
        is_behind=lambda: indexer.is_behind,
        max_instance_bytes=dicom.max_instance_bytes,
    )
    return Puller(
        database,
        our_side_of(dicom.listen),
        PullRules(limits, looks, rules.index_seconds),
        store,
        indexer,
    )
