"""Which exams are to be pulled, asked for in the transaction that finds it out; and how their pulls stand.

One piece of work for each exam and node of its hospital, key `exam:<exam id>@<node>`. It is asked for once
for every state of exam and reports it depends on (`exchange.pull.mark_of`), so a linker that looks again
asks for nothing. Later looks (`exam:<id>@<node>+1`, …) see whether the study grew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from yingqiao.exchange.link import ExamFacts, ReportFacts
from yingqiao.exchange.pull import mark_of, wants_pull
from yingqiao.exchange.timeline import Need
from yingqiao.exchange.work import IN_HAND, NewWork, Priority, WorkState
from yingqiao.store.expectations import chunks
from yingqiao.store.link_rows import EXAM_COLUMNS, REPORT_COLUMNS, exam_facts, report_facts
from yingqiao.store.pacs import PacsNode, list_nodes
from yingqiao.store.schema import exam_reports, exams, instances, reports, series, studies, work
from yingqiao.store.work import ledger

PULL = "pull"
LOOKS_AT_MOST = 4
FRESH_MS = 2 * 86_400_000
"""An exam whose reports are older than this is caught up with when nothing newer waits."""


def key_of(exam_id: int, node: str, look: int = 0) -> str:
    """The work's key; `look` > 0: a later look whether the study grew."""
    return f"exam:{exam_id}@{node}" + (f"+{look}" if look else "")


def ask_for_pulls(
    connection: Connection,
    seen: Sequence[tuple[ExamFacts, Sequence[ReportFacts]]],
    short: Collection[int] = (),
    now_ms: int | None = None,
) -> int:
    """Asks for the pulls of exams whose report is audited, as far as not asked for already; how many.

    `short`: exams that somebody has just said to lack images; they are asked for once more, unless a pull of
    theirs is under way. Nothing is asked for hospitals without an enabled node. Raises StoreUnavailable.
    """
    wanted = [(exam, reports) for exam, reports in seen if wants_pull(exam, reports)]
    if not wanted:
        return 0
    nodes = _nodes(connection, {exam.hospital_code for exam, _ in wanted})
    pairs = [(exam, reports, node) for exam, reports in wanted for node in nodes.get(exam.hospital_code, ())]
    if not pairs:
        return 0
    known = _known(connection, pairs)
    marks = {exam.id: mark_of(exam, reports) for exam, reports, _ in pairs}
    due = [
        pair
        for pair in pairs
        if _is_due(pair[0].id, pair[2].name, marks[pair[0].id], known, again=pair[0].id in short)
    ]
    urgent = emergencies(connection, {exam.id for exam, _, _ in due})
    now = time.time_ns() // 10**6 if now_ms is None else now_ms
    asked = [
        _work(exam, node, marks[exam.id], _priority(exam.id in urgent, reports, now))
        for exam, reports, node in due
    ]
    ledger.add(connection, asked)
    return len(asked)


def _is_due(exam_id: int, node: str, mark: str, known: Mapping[str, _Known], *, again: bool) -> bool:
    before = known.get(key_of(exam_id, node))
    if before is None or before.mark != mark:
        return True
    looks = [known.get(key_of(exam_id, node, look)) for look in range(1, LOOKS_AT_MOST + 1)]
    busy = any(look is not None and look.is_busy for look in looks)
    return again and before.state == WorkState.DONE and not busy


def _nodes(connection: Connection, codes: Collection[str]) -> Mapping[str, list[PacsNode]]:
    found: dict[str, list[PacsNode]] = {}
    for node in list_nodes(connection, enabled_only=True):
        if node.hospital_code in codes:
            found.setdefault(node.hospital_code, []).append(node)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """A pull asked for before."""

    mark: str
    state: str

    @property
    def is_busy(self) -> bool:
        return self.state in IN_HAND or self.state == WorkState.RETRYING


def _known(
    connection: Connection, pairs: Sequence[tuple[ExamFacts, Sequence[ReportFacts], PacsNode]]
) -> dict[str, _Known]:
    """Key -> what was asked for under it."""
    keys = [key_of(exam.id, node.name, look) for exam, _, node in pairs for look in range(LOOKS_AT_MOST + 1)]
    found: dict[str, _Known] = {}
    for part in chunks(keys):
        where = (work.c.kind == PULL) & work.c.key.in_(part)
        rows = connection.execute(select(work.c.key, work.c.payload, work.c.state).where(where))
        for key, payload, state in rows:
            found[key] = _Known(str(json.loads(payload).get("mark", "")), state)
    return found


def emergencies(connection: Connection, ids: Collection[int]) -> set[int]:
    """Of the exams with these ids those that are 急诊."""
    found: set[int] = set()
    ordered = sorted(ids)
    for start in range(0, len(ordered), 800):
        where = exams.c.id.in_(ordered[start : start + 800]) & exams.c.is_emergency
        found |= set(connection.scalars(select(exams.c.id).where(where)))
    return found


def _priority(urgent: bool, reports: Sequence[ReportFacts], now: int) -> Priority:
    if urgent:
        return Priority.EMERGENCY
    fresh = any(now - report.updated_at < FRESH_MS for report in reports)
    return Priority.NORMAL if fresh else Priority.BACKFILL


def _work(exam: ExamFacts, node: PacsNode, mark: str, priority: Priority) -> NewWork:
    payload = json.dumps({"exam": exam.id, "node": node.name, "mark": mark})
    return NewWork(PULL, key_of(exam.id, node.name), exam.hospital_code, node.destination, priority, payload)


def later_look(task_payload: Mapping[str, object], node: PacsNode, look: int, at_ms: int) -> NewWork:
    """One more look at an exam's studies, to see whether they grew."""
    exam_id = int(str(task_payload["exam"]))
    payload = json.dumps({"exam": exam_id, "node": node.name, "look": look})
    return NewWork(
        PULL,
        key_of(exam_id, node.name, look),
        node.hospital_code,
        node.destination,
        Priority.BACKFILL,
        payload,
        not_before=at_ms,
    )


@dataclass(frozen=True, slots=True)
class PulledExam:
    """An exam to be pulled, as it stands now."""

    exam: ExamFacts
    reports: tuple[ReportFacts, ...]
    lacks_images: bool
    """It waits for images (`exams.waiting_for`)."""


def read_exam(connection: Connection, exam_id: int) -> PulledExam | None:
    """The exam with its reports; None when there is none."""
    row: Any = connection.execute(
        select(*EXAM_COLUMNS, exams.c.waiting_for).where(exams.c.id == exam_id)
    ).first()
    if row is None:
        return None
    exam = exam_facts(row)
    joined = select(*REPORT_COLUMNS).join(exam_reports, exam_reports.c.report_id == reports.c.id)
    named = (exam_reports.c.hospital_code == exam.hospital_code) & (
        exam_reports.c.ris_study_id == exam.ris_study_id
    )
    own = tuple(report_facts(found) for found in connection.execute(joined.where(named)))
    return PulledExam(exam, own, str(Need.IMAGES) in row.waiting_for.split(","))


def claim(connection: Connection, study_uids: Collection[str], hospital_code: str) -> int:
    """Studies that no sender tells the hospital of become this one's, and are linked anew; how many."""
    c = studies.c
    values = {"hospital_code": hospital_code, "link_due": True, "updated_at": c.updated_at + 1}
    return sum(
        connection.execute(
            update(studies).where(c.study_uid.in_(part), c.hospital_code == "").values(values)
        ).rowcount
        for part in chunks(study_uids)
    )


def bytes_of(connection: Connection, study_uid: str) -> int:
    """Bytes of the study in the index."""
    found = connection.scalar(select(studies.c.byte_count).where(studies.c.study_uid == study_uid))
    return int(found or 0)


def present_uids(connection: Connection, study_uid: str, series_uid: str) -> set[str]:
    """SOP instance UIDs of a series that are in the index."""
    joined = (
        select(instances.c.sop_uid)
        .join(series, series.c.id == instances.c.series_id)
        .join(studies, studies.c.id == series.c.study_id)
    )
    where = (studies.c.study_uid == study_uid) & (series.c.series_uid == series_uid)
    return set(connection.scalars(joined.where(where)))


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """How a pull stands."""

    key: str
    state: str
    run: int
    error_class: str
    reason: str
    done: int
    total: int
    bytes: int
    updated_at: int


def read_work(connection: Connection, keys: Sequence[str]) -> list[WorkSeen]:
    """The pulls with these keys, in this order; those never asked for are left out."""
    columns = (
        work.c.key,
        work.c.state,
        work.c.run,
        work.c.error_class,
        work.c.reason,
        work.c.progress_done,
        work.c.progress_total,
        work.c.progress_bytes,
        work.c.updated_at,
    )
    found: dict[str, WorkSeen] = {}
    for part in chunks(keys):
        rows = connection.execute(select(*columns).where(work.c.kind == PULL, work.c.key.in_(part)))
        found |= {row.key: WorkSeen(*row) for row in rows}
    return [found[key] for key in keys if key in found]


def pulls_of(connection: Connection, exam_id: int, hospital_code: str) -> list[WorkSeen]:
    """An exam's pulls, by node: the first, later looks, those asked for by hand."""
    nodes = list_nodes(connection, hospital_code)
    keys = [key_of(exam_id, node.name, look) for node in nodes for look in range(LOOKS_AT_MOST + 1)]
    return read_work(connection, [*keys, *(key_of(exam_id, node.name) + "!" for node in nodes)])
