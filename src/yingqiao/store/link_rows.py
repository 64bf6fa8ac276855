"""What the linker reads: due rows and everything their links depend on, in a few set-based reads a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, func, select, true

from yingqiao.exchange import link
from yingqiao.exchange.completeness import Completeness, Expectation
from yingqiao.exchange.completeness import judge as judge_images
from yingqiao.exchange.link import ExamFacts, Held, Link, ReportFacts, Rule, StudyFacts
from yingqiao.store.expectations import read as read_told
from yingqiao.store.expectations import read_present
from yingqiao.store.schema import exam_keys, exam_reports, exam_studies, exams, reports, studies
from yingqiao.store.set_aside import Choice, DueRow, every

IN_SIZE = 800
"""Values in one IN list; below every driver's limit."""
SHARED_AT_MOST = 200
"""A number that more exams or studies than this share is not a number but a habit; it links nothing."""

ExamKey = tuple[str, str]
"""hospitalCode, risStudyId."""

DERIVED = (
    "state",
    "waiting_for",
    "waiting_on",
    "waiting_since",
    "image_count",
    "report_count",
    "image_expected",
    "image_missing",
)
"""The columns of exams that only the linker writes."""
EXAM_COLUMNS = [exams.c[f.name] for f in fields(ExamFacts)]
EXAM_DERIVED = [exams.c[name] for name in ("submission_id", *DERIVED)]
REPORT_COLUMNS = [reports.c[f.name] for f in fields(ReportFacts)]
STUDY_COLUMNS = [studies.c[f.name] for f in fields(StudyFacts)]


@dataclass(slots=True)
class Situation:
    """Everything one batch of linking depends on."""

    due_exams: dict[int, tuple[int, int]] = field(default_factory=dict)
    """id -> (submission_id, updated_at) as read: the row is done only if they are still so."""
    due_reports: dict[int, tuple[int, int]] = field(default_factory=dict)
    due_studies: dict[int, tuple[int, int]] = field(default_factory=dict)
    """id -> (instance_count, updated_at)."""
    core: set[int] = field(default_factory=set)
    """Exams whose keys may change: the due ones and those that due reports name."""
    exams: dict[int, ExamFacts] = field(default_factory=dict)
    stored: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    """Derived columns of each exam as they are."""
    reports: dict[int, ReportFacts] = field(default_factory=dict)
    parked: dict[int, bool] = field(default_factory=dict)
    names: dict[int, set[ExamKey]] = field(default_factory=lambda: defaultdict(set))
    """report id -> exams it is joined to in the database."""
    keys: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """exam id -> its keys in the database; for `core`."""
    studies: dict[int, StudyFacts] = field(default_factory=dict)
    judged: set[int] = field(default_factory=set)
    """Studies to be decided now; others are there because an exam has them already."""
    links: dict[tuple[int, int], Link] = field(default_factory=dict)
    """(exam id, study id) -> link in the database."""
    told: dict[str, tuple[Expectation, ...]] = field(default_factory=dict)
    """study UID -> expected numbers of images, of the studies in sight and those the exams list."""
    present: dict[str, dict[str, int]] = field(default_factory=dict)
    """study UID -> series UID -> instances; for `told`."""

    def __bool__(self) -> bool:
        return bool(self.due_exams or self.due_reports or self.due_studies)

    def reports_of(self, exam: ExamFacts) -> list[ReportFacts]:
        """Reports naming the exam, as they stand now, by id."""
        return sorted(self._by_exam().get((exam.hospital_code, exam.ris_study_id), ()), key=lambda r: r.id)

    def study_uids(self) -> set[str]:
        """The studies whose number of images matters to an exam in sight."""
        listed = {uid for exam in self.exams.values() for uid in exam.study_uids}
        return listed | {study.study_uid for study in self.studies.values()}

    def images_of(self, exam: ExamFacts, study_uid: str) -> Completeness:
        """How complete a study is for this exam, whatever the time: what other hospitals told of it does
        not count."""
        told = [e for e in self.told.get(study_uid, ()) if e.hospital_code in ("", exam.hospital_code)]
        return judge_images(told, self.present.get(study_uid, {}), None, 0)

    _index: dict[ExamKey, list[ReportFacts]] | None = None

    def _by_exam(self) -> dict[ExamKey, list[ReportFacts]]:
        if self._index is None:
            self._index = defaultdict(list)
            for report in self.reports.values():
                for name in named(report):
                    self._index[name].append(report)
        return self._index


def named(report: ReportFacts) -> set[ExamKey]:
    """The exams a report names, within its hospital (T48, T50)."""
    return {(report.hospital_code, ris_id) for ris_id in report.ris_study_ids}


def read_situation(connection: Connection, batch: int, choice: Choice = every) -> Situation:
    """Up to `batch` due rows of each kind among `choice`, oldest first, and what deciding about them needs."""
    seen = Situation()
    _read_due(connection, seen, batch, choice)
    if seen:
        _read_core(connection, seen)
        _read_studies(connection, seen)
        _read_claimants(connection, seen)
        _read_rest(connection, seen)
    return seen


def due_rows(connection: Connection, batch: int, choice: Choice) -> list[DueRow]:
    """What `read_situation` would take."""
    return [
        (table.name, row_id)
        for table in (exams, reports, studies)
        for row_id in connection.scalars(_due(table, [table.c.id], batch, choice))
    ]


def _due(table: Table, columns: list[Any], batch: int, choice: Choice) -> Select[Any]:
    where = (table.c.link_due == true()) & choice(table)
    return select(*columns).where(where).order_by(table.c.id).limit(batch)


def _read_due(connection: Connection, seen: Situation, batch: int, choice: Choice) -> None:
    def due(table: Table, columns: list[Any]) -> Select[Any]:
        return _due(table, columns, batch, choice)

    for row in connection.execute(due(exams, EXAM_COLUMNS + EXAM_DERIVED)):
        _keep_exam(seen, row)
        seen.due_exams[row.id] = (row.submission_id, row.updated_at)
    for row in connection.execute(due(reports, [*REPORT_COLUMNS, reports.c.parked, reports.c.submission_id])):
        _keep_report(seen, row)
        seen.due_reports[row.id] = (row.submission_id, row.updated_at)
    for row in connection.execute(due(studies, STUDY_COLUMNS)):
        seen.studies[row.id] = study_facts(row)
        seen.due_studies[row.id] = (row.instance_count, row.updated_at)


def _read_core(connection: Connection, seen: Situation) -> None:
    """The exams that due reports name or named, the reports of all of these, and their keys."""
    wanted: set[ExamKey] = set()
    for chunk in _chunks(seen.due_reports):
        for row in connection.execute(select(exam_reports).where(exam_reports.c.report_id.in_(chunk))):
            seen.names[row.report_id].add((row.hospital_code, row.ris_study_id))
    for report_id in seen.due_reports:
        wanted |= seen.names[report_id] | named(seen.reports[report_id])
    _read_exams_named(connection, seen, wanted)
    seen.core = set(seen.exams)
    _read_reports_of(connection, seen, seen.core)
    for chunk in _chunks(seen.core):
        for row in connection.execute(select(exam_keys).where(exam_keys.c.exam_id.in_(chunk))):
            seen.keys[row.exam_id].add((row.kind, row.value))


def _read_studies(connection: Connection, seen: Situation) -> None:
    """The studies to judge: due, joined to a core exam, or sharing an old or new key with one."""
    keys: set[tuple[str, str]] = set()
    for exam_id in seen.core:
        exam = seen.exams[exam_id]
        keys |= seen.keys[exam_id] | link.exam_keys(exam, seen.reports_of(exam))
    ids = _joined(connection, exam_studies.c.study_id, exam_studies.c.exam_id, seen.core)
    ids |= matching_studies(connection, keys)
    seen.judged = set(seen.due_studies) | ids
    _read_studies_by_id(connection, seen, seen.judged)


def _read_claimants(connection: Connection, seen: Situation) -> None:
    """All exams that have a judged study or a key of it, with their reports."""
    ids = _joined(connection, exam_studies.c.exam_id, exam_studies.c.study_id, seen.judged)
    ids |= claimants(connection, (seen.studies[study_id] for study_id in seen.judged))
    more = ids - set(seen.exams)
    _read_exams_by_id(connection, seen, more)
    _read_reports_of(connection, seen, more)


def _read_rest(connection: Connection, seen: Situation) -> None:
    """The links of every exam in sight, and the studies they lead to that are not judged now."""
    for chunk in _chunks(seen.exams):
        for row in connection.execute(select(exam_studies).where(exam_studies.c.exam_id.in_(chunk))):
            seen.links[row.exam_id, row.study_id] = link_of(row)
    _read_studies_by_id(connection, seen, {study_id for _, study_id in seen.links})
    seen.told = read_told(connection, seen.study_uids())
    seen.present = read_present(connection, seen.told)


def _read_exams_named(connection: Connection, seen: Situation, wanted: set[ExamKey]) -> None:
    here = {(exam.hospital_code, exam.ris_study_id) for exam in seen.exams.values()}
    for where in by_hospital(exams.c.hospital_code, exams.c.ris_study_id, wanted - here):
        for row in connection.execute(select(*EXAM_COLUMNS, *EXAM_DERIVED).where(where)):
            _keep_exam(seen, row)


def _read_exams_by_id(connection: Connection, seen: Situation, ids: Collection[int]) -> None:
    for chunk in _chunks(ids):
        for row in connection.execute(select(*EXAM_COLUMNS, *EXAM_DERIVED).where(exams.c.id.in_(chunk))):
            _keep_exam(seen, row)


def _read_reports_of(connection: Connection, seen: Situation, exam_ids: Collection[int]) -> None:
    wanted = {(seen.exams[i].hospital_code, seen.exams[i].ris_study_id) for i in exam_ids}
    columns = (*REPORT_COLUMNS, reports.c.parked, reports.c.submission_id)
    found: set[int] = set()
    for where in by_hospital(exam_reports.c.hospital_code, exam_reports.c.ris_study_id, wanted):
        found |= set(connection.scalars(select(exam_reports.c.report_id).where(where)))
    for chunk in _chunks(found - set(seen.reports)):
        for row in connection.execute(select(*columns).where(reports.c.id.in_(chunk))):
            _keep_report(seen, row)
    seen._index = None  # noqa: SLF001 its own


def _read_studies_by_id(connection: Connection, seen: Situation, ids: Iterable[int]) -> None:
    for chunk in _chunks(set(ids) - set(seen.studies)):
        for row in connection.execute(select(*STUDY_COLUMNS).where(studies.c.id.in_(chunk))):
            seen.studies[row.id] = study_facts(row)


def matching_studies(connection: Connection, keys: Iterable[tuple[str, str]]) -> set[int]:
    """Ids of the studies that one of the exam keys finds; numbers shared by too many find nothing."""
    keys = list(keys)
    uids = {value for kind, value in keys if kind == link.KEY_STUDY_UID}
    numbers = {value for kind, value in keys if kind != link.KEY_STUDY_UID}
    ids: set[int] = set()
    for chunk in _chunks(uids):
        ids |= set(connection.scalars(select(studies.c.id).where(studies.c.study_uid.in_(chunk))))
    number = studies.c.accession_number
    for chunk in _chunks(numbers):
        where = number.in_(chunk)
        counted = select(number).where(where).group_by(number).having(func.count() > SHARED_AT_MOST)
        crowded = set(connection.scalars(counted))
        usable = [value for value in chunk if value not in crowded]
        ids |= set(connection.scalars(select(studies.c.id).where(number.in_(usable))))
    return ids


def claimants(connection: Connection, candidates: Iterable[StudyFacts]) -> set[int]:
    """Ids of the exams that share a stored key with one of the studies; numbers shared by too many find
    nothing."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for study in candidates:
        for kind, value in link.study_keys(study):
            by_kind[kind].add(value)
    ids: set[int] = set()
    for kind, values in by_kind.items():
        for chunk in _chunks(values):
            where = (exam_keys.c.kind == kind) & exam_keys.c.value.in_(chunk)
            shared: dict[str, list[int]] = defaultdict(list)
            pairs = select(exam_keys.c.value, exam_keys.c.exam_id).where(where)
            for value, exam_id in connection.execute(pairs):
                shared[value].append(exam_id)
            for found in shared.values():
                ids |= set(found) if len(found) <= SHARED_AT_MOST else set()
    return ids


def held_back(
    connection: Connection, exam: ExamFacts, reports_of: Iterable[ReportFacts], judged: Collection[int] = ()
) -> list[Held]:
    """Studies that match the exam and were not joined to it, with the reason; for an exam that lacks
    images."""
    ids = matching_studies(connection, link.exam_keys(exam, reports_of)) - set(judged)
    if not ids:
        return []
    seen = Situation(exams={exam.id: exam})
    _read_studies_by_id(connection, seen, ids)
    seen.judged = set(seen.studies)
    _read_claimants(connection, seen)
    _read_reports_of(connection, seen, seen.exams)
    decided = judge(seen)
    return [held for decision in decided.values() for held in decision.held if held.exam_id == exam.id]


def judge(seen: Situation) -> dict[int, link.Decision]:
    """The decision about every judged study."""
    by_key: dict[tuple[str, str], list[ExamFacts]] = defaultdict(list)
    access_nos: dict[int, set[str]] = {}
    for exam in seen.exams.values():
        own = seen.reports_of(exam)
        access_nos[exam.id] = {r.access_no for r in own if not r.deleted}
        for key in link.exam_keys(exam, own):
            by_key[key].append(exam)
    decided = {}
    for study_id in sorted(seen.judged):
        study = seen.studies[study_id]
        sharing = {e.id: e for key in link.study_keys(study) for e in _uncrowded(by_key.get(key, []))}
        decided[study_id] = link.link_study(study, list(sharing.values()), access_nos)
    return decided


def _uncrowded(found: list[ExamFacts]) -> list[ExamFacts]:
    return found if len(found) <= SHARED_AT_MOST else []


def by_hospital(
    hospital: ColumnElement[str], column: ColumnElement[str], keys: Iterable[tuple[str, str]]
) -> Iterator[ColumnElement[bool]]:
    """Conditions that together say: (hospital, column) is one of `keys`."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for code, value in keys:
        grouped[code].append(value)
    for code, values in grouped.items():
        for chunk in _chunks(values):
            yield (hospital == code) & column.in_(chunk)


def _joined(
    connection: Connection, wanted: Column[int], column: Column[int], ids: Collection[int]
) -> set[int]:
    found: set[int] = set()
    for chunk in _chunks(ids):
        found |= set(connection.scalars(select(wanted).where(column.in_(chunk))))
    return found


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), IN_SIZE):
        yield ordered[start : start + IN_SIZE]


def _keep_exam(seen: Situation, row: Row[Any]) -> None:
    seen.exams[row.id] = exam_facts(row)
    seen.stored[row.id] = tuple(getattr(row, name) for name in DERIVED)


def _keep_report(seen: Situation, row: Row[Any]) -> None:
    seen.reports[row.id] = report_facts(row)
    seen.parked[row.id] = row.parked


def exam_facts(row: Row[Any]) -> ExamFacts:
    """A row holding EXAM_COLUMNS as facts."""
    values = {column.name: getattr(row, column.name) for column in EXAM_COLUMNS}
    values["accession_numbers"] = link.split_list(row.accession_numbers)
    values["study_uids"] = link.split_list(row.study_uids)
    return ExamFacts(**values)


def report_facts(row: Row[Any]) -> ReportFacts:
    """A row holding REPORT_COLUMNS as facts."""
    values = {column.name: getattr(row, column.name) for column in REPORT_COLUMNS}
    values["ris_study_ids"] = link.split_list(row.ris_study_ids)
    return ReportFacts(**values)


def study_facts(row: Row[Any]) -> StudyFacts:
    """A row holding STUDY_COLUMNS as facts."""
    return StudyFacts(**{column.name: getattr(row, column.name) for column in STUDY_COLUMNS})


def link_of(row: Row[Any]) -> Link:
    """A row of exam_studies."""
    return Link(row.exam_id, row.study_id, Rule(row.rule), link.split_list(row.findings))
