"""Bringing one study from a node: by C-MOVE to ourselves or by C-GET, counted before and after."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Model, Requestor
from yingqiao.dicom.query_retrieve.errors import Aborted, ContextRefused, FailedStatus, NodeError
from yingqiao.dicom.query_retrieve.identifier import Keys
from yingqiao.dicom.query_retrieve.progress import Progress
from yingqiao.dicom.query_retrieve.studies import find_instances, sop_classes
from yingqiao.exchange import pull
from yingqiao.exchange.doctor import Parties, Step
from yingqiao.exchange.pacs import RetrieveBy
from yingqiao.exchange.pull import Outcome, Result, Sent, StudyPlan, WantedSeries
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.store.database import Database
from yingqiao.store.expectations import read_present
from yingqiao.store.pacs import PacsNode, learn
from yingqiao.store.pulls import bytes_of, present_uids
from yingqiao.store.work.task import Task
from yingqiao.tasks.pacs_client import OurSide, finding_of, parties, work_error

GET = "get"
UIDS_AT_ONCE = 100
"""Instances named in one retrieve at image level; some peers take no longer lists."""
SINGLY_AT_MOST = 1000
"""More missing instances of a series than this are brought with the whole series."""
_POLL_S, _QUIET_S = 0.5, 3.0
"""How often the index is asked for what another process received; ours says so at once."""
_REFUSED = frozenset((0x0122, 0x0124, 0x0211, 0xA801))
"""C-MOVE is not to be had here, or not to us."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unit:
    """One retrieve."""

    level: Level
    keys: Keys


class Index(Protocol):
    """What waiting needs of the indexer."""

    @property
    def backlog(self) -> int:
        """Instances that landed and are not indexed yet."""
        ...

    def wait(self, seconds: float) -> bool:
        """Until a batch is indexed, at most so long. What another process receives is not heard of."""
        ...


class NoMove(Exception):  # noqa: N818 a state of the node
    """The node does not move images to us."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(error.words)
        self.error = error


class Retriever:
    """Brings studies from one node in one task."""

    def __init__(
        self,
        database: Database,
        our_side: OurSide,
        node: PacsNode,
        pacs: Requestor,
        task: Task,
        *,
        store: Store,
        index: Index,
        index_seconds: float,
    ) -> None:
        """`store`: where C-GET brings instances. `index`: of what landed in this process."""
        self._database = database
        self._our_side = our_side
        self._node = node
        self._pacs = pacs
        self._task = task
        self._store = store
        self._classes: tuple[str, tuple[str, ...]] = ("", ())
        self._index = index
        self._index_seconds = index_seconds
        self._bytes = 0

    def bring(self, plan: StudyPlan, before: int, total: int) -> Outcome:
        """Retrieves what the plan wants; `before`, `total`: instances, for the progress. Raises WorkError,
        NodeError, Interrupted."""
        if not plan.wanted:
            return pull.outcome_of(plan, plan.present, Sent())
        way = self._node.retrieve_by
        if way is RetrieveBy.GET or (way is RetrieveBy.AUTO and self._node.options.learned == GET):
            return self._by_get(plan, before, total)
        try:
            outcome = self._by(plan, before, total, Step.MOVE)
        except NoMove as refusal:
            if way is RetrieveBy.MOVE or not self._offers_get():
                raise work_error(Step.MOVE, refusal.error, self._parties()) from refusal.error
        else:
            nothing = outcome.result in (Result.NOWHERE, Result.NOT_SENT)
            if way is RetrieveBy.MOVE or not nothing or not self._offers_get():
                return outcome
        outcome = self._by_get(plan, before, total)
        if outcome.result in (Result.COMPLETE, Result.SHORT):
            _log.info("pull.learned_get", node=self._node.name, hospital=self._node.hospital_code)
            learn(self._database, self._node, GET)
        return outcome

    def _offers_get(self) -> bool:
        return self._pacs.associate().offers(Model.STUDY_ROOT.get)

    def _by_get(self, plan: StudyPlan, before: int, total: int) -> Outcome:
        try:
            return self._by(plan, before, total, Step.GET)
        except NoMove as refusal:
            raise work_error(Step.GET, refusal.error, self._parties()) from refusal.error

    def _by(self, plan: StudyPlan, before: int, total: int, step: Step) -> Outcome:
        sent = Sent()
        try:
            for unit in self._units(plan):
                self._task.check()
                self._require_room()
                sent = self._retrieve(unit, step, sent, before, total)
                self._pace(plan.study_uid)
        except NodeError as error:
            raise work_error(step, error, self._parties()) from error
        if sent.failed:
            self._require_room()
        return pull.outcome_of(plan, self._wait(plan), sent)

    def _require_room(self) -> None:
        """What we cannot take is not to be asked for, and its not coming is not the node's fault."""
        if self._store.is_behind():
            raise WorkError(ErrorClass.OURS, "索引落后太多，稍后继续调取")
        try:
            self._store.landing.ensure_room(0)
        except OSError as error:
            raise WorkError(ErrorClass.OURS, "本机磁盘空间不足，腾出空间后自动继续调取") from error

    def _units(self, plan: StudyPlan) -> Iterator[Unit]:
        """The whole study where nothing is here; else by series; of a series that lacks some, those alone."""
        study = {"StudyInstanceUID": plan.study_uid}
        if plan.whole and len(plan.wanted) == len(plan.told) and not self._task.bytes_per_second:
            yield Unit(Level.STUDY, study)
            return
        for series in plan.wanted:
            keys: Keys = study | {"SeriesInstanceUID": series.series_uid}
            missing = self._missing(plan.study_uid, series)
            if not missing:
                yield Unit(Level.SERIES, keys)
            for start in range(0, len(missing), UIDS_AT_ONCE):
                part = missing[start : start + UIDS_AT_ONCE]
                yield Unit(Level.IMAGE, {**keys, "SOPInstanceUID": part})

    def _missing(self, study_uid: str, series: WantedSeries) -> Sequence[str]:
        """The instances to ask for one by one; none = the whole series."""
        if not series.present or series.missing > SINGLY_AT_MOST:
            return ()
        try:
            there = {uid for _, uid in find_instances(self._pacs, study_uid, series.series_uid)}
        except FailedStatus:
            return ()
        with self._database.read() as connection:
            here = present_uids(connection, study_uid, series.series_uid)
        return sorted(there - here)

    def _retrieve(self, unit: Unit, step: Step, sent: Sent, before: int, total: int) -> Sent:
        """One retrieve; what the node says of it added to `sent`. Raises NoMove, NodeError."""
        last = Progress(0)
        heard = False
        try:
            for last in self._responses(unit, step):
                heard = True
                done = (last.completed or 0) + (last.warning or 0)
                self._task.progress(before + sent.completed + sent.warned + done, total, self._bytes)
        except ContextRefused as refusal:
            raise NoMove(refusal) from refusal
        except Aborted as end:
            if heard or end.lost or step is Step.GET:
                raise
            raise NoMove(end) from end  # how some, Orthanc among them, refuse whom they do not know
        except FailedStatus as failure:
            if failure.status in _REFUSED:
                raise NoMove(failure) from failure
            return self._failed(sent, failure, step, last)
        return _added(sent, last)

    def _responses(self, unit: Unit, step: Step) -> Iterator[Progress]:
        if step is Step.GET:
            classes = self._sop_classes(str(unit.keys["StudyInstanceUID"]))
            return self._pacs.get(unit.level, unit.keys, self._store, sop_classes=classes)
        destination = self._node.calling_aet or self._our_side.ae_title
        return self._pacs.move(destination, unit.level, unit.keys)

    def _sop_classes(self, study_uid: str) -> tuple[str, ...]:
        """What the study holds, asked once; none when the node cannot tell."""
        if self._classes[0] != study_uid:
            try:
                self._classes = (study_uid, sop_classes(self._pacs, study_uid))
            except FailedStatus:
                self._classes = (study_uid, ())
        return self._classes[1]

    def _failed(self, sent: Sent, failure: FailedStatus, step: Step, last: Progress) -> Sent:
        """Some sub-operations failed, or all: what arrived is counted all the same."""
        finding = finding_of(step, failure, self._parties())
        return replace(_added(sent, last), comment=f"{finding.words}；{finding.mend}")

    def _parties(self) -> Parties:
        return parties(self._node, self._our_side)

    def _pace(self, study_uid: str) -> None:
        """Keep to the node's bandwidth: by C-MOVE the images come on their own, so the rest comes after."""
        if self._task.bytes_per_second:
            with self._database.read() as connection:
                now = bytes_of(connection, study_uid)
            self._task.throttle(max(0, now - self._bytes))
            self._bytes = now

    def _wait(self, plan: StudyPlan) -> Mapping[str, int]:
        """Series UID -> instances in the index, once it caught up with what arrived: all is here, or nothing
        new came for a while, or the time for it is over."""
        uids = {series.series_uid for series in plan.wanted}
        deadline = time.monotonic() + self._index_seconds
        present, quiet_since = self._present(plan), time.monotonic()
        while pull.plan_study(plan.study_uid, plan.told, present, uids).wanted:
            if time.monotonic() > deadline:
                break
            if time.monotonic() - quiet_since > _QUIET_S and not self._index.backlog:
                break
            self._task.check()
            self._index.wait(_POLL_S)
            before, present = present, self._present(plan)
            if present != before:
                quiet_since = time.monotonic()
        return present

    def _present(self, plan: StudyPlan) -> Mapping[str, int]:
        with self._database.read() as connection:
            return read_present(connection, [plan.study_uid]).get(plan.study_uid, {})


def _added(sent: Sent, last: Progress) -> Sent:
    return replace(
        sent,
        completed=sent.completed + (last.completed or 0),
        failed=sent.failed + (last.failed or 0),
        warned=sent.warned + (last.warning or 0),
    )
