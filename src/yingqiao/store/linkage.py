"""关联 carried out: a thread that takes what changed, asks `exchange.link` and `exchange.timeline`, and
writes what they say.

A row that changed has link_due. It is cleared only if the row is still the one that was read, so whatever
arrives meanwhile is looked at again; every pass may be repeated at any time. PostgreSQL: one linker at a
time over all processes, by an advisory lock, because a link is decided from the keys of all exams.
SQLite: one gateway process, reads outside the write lock.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, text, true, update
from sqlalchemy.exc import DBAPIError

from yingqiao.exchange import link
from yingqiao.exchange.completeness import together
from yingqiao.exchange.link import Link
from yingqiao.exchange.timeline import ReportState, Standing, missing_study_uids, report_state, state_of
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.expectations import mark_due
from yingqiao.store.expectations import read as read_told
from yingqiao.store.link_rows import Situation, due_rows, held_back, judge, named, read_situation
from yingqiao.store.pulls import ask_for_pulls
from yingqiao.store.report_seals import mark_due as mark_seals_due
from yingqiao.store.report_signatures import mark_due as mark_signatures_due
from yingqiao.store.schema import (
    exam_keys,
    exam_reports,
    exam_studies,
    exams,
    instances,
    reports,
    studies,
    submissions,
)
from yingqiao.store.set_aside import Choice, DueRow, SetAside, every, only
from yingqiao.store.urgency import hurry

BATCH = 200
"""Due rows of each kind in one pass while it is quiet."""
QUIET_POLL_S = 0.2
BUSY_RATE, BUSY_SHARE = 100.0, 0.25
"""More submissions and instances per second than this are a lot: then at most this part of the time is
spent linking, which keeps up with some 350 exams and as many reports a second."""
HOT_RATE, HOT_SHARE = 1000.0, 0.02
"""A backfill: intake has the interpreter to itself, the exams wait (their rows say so) until it is over."""
BUSY_BATCH = 32
"""Due rows of each kind in one pass then: intake never waits long for SQLite's write lock (100 rows: 20 ms)."""
BUSY_REST_S = 0.05
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 5.0
_ADVISORY_KEY = 0x59_51_4C_4B  # "YQLK"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Changes:
    """What one pass writes; lists of parameter sets."""

    keys_gone: list[dict[str, Any]] = field(default_factory=list)
    keys_new: list[dict[str, Any]] = field(default_factory=list)
    names_gone: list[dict[str, Any]] = field(default_factory=list)
    names_new: list[dict[str, Any]] = field(default_factory=list)
    links_gone: list[dict[str, Any]] = field(default_factory=list)
    links_new: list[dict[str, Any]] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    standings: list[dict[str, Any]] = field(default_factory=list)


IsHeld = Callable[[link.ExamFacts, Sequence[link.ReportFacts]], bool]


def plan(seen: Situation, is_held: IsHeld) -> Changes:
    """What follows from a situation.

    `is_held` answers whether a study that is not judged here matches an exam without images and is held back.
    """
    changes = Changes()
    known = {(exam.hospital_code, exam.ris_study_id) for exam in seen.exams.values()}
    for exam_id in sorted(seen.core):
        _plan_keys(seen, changes, exam_id)
    for report_id in sorted(seen.reports):
        _plan_report(seen, changes, report_id, known)
    decisions = judge(seen)
    links = _plan_links(seen, changes, decisions)
    held = {back.exam_id for decision in decisions.values() for back in decision.held}
    by_exam: dict[int, list[Link]] = defaultdict(list)
    for (exam_id, _), made in links.items():
        by_exam[exam_id].append(made)
    for exam_id in sorted(seen.exams):
        exam = seen.exams[exam_id]
        waits = exam_id in held or (
            exam_id not in seen.core and not by_exam[exam_id] and is_held(exam, seen.reports_of(exam))
        )
        _plan_standing(seen, changes, exam_id, by_exam[exam_id], waits)
    return changes


def _plan_keys(seen: Situation, changes: Changes, exam_id: int) -> None:
    exam = seen.exams[exam_id]
    wanted, stored = link.exam_keys(exam, seen.reports_of(exam)), seen.keys[exam_id]
    for kind, value in sorted(stored - wanted):
        changes.keys_gone.append({"b_kind": kind, "b_value": value, "b_exam": exam_id})
    for kind, value in sorted(wanted - stored):
        row = {"kind": kind, "value": value, "exam_id": exam_id, "hospital_code": exam.hospital_code}
        changes.keys_new.append(row)


def _plan_report(seen: Situation, changes: Changes, report_id: int, known: set[tuple[str, str]]) -> None:
    report = seen.reports[report_id]
    parked = link.is_parked(report, known)
    if parked != seen.parked[report_id]:
        changes.parked.append({"b_id": report_id, "b_parked": parked})
    if report_id not in seen.due_reports:
        return
    for code, ris_id in sorted(seen.names[report_id] - named(report)):
        changes.names_gone.append({"b_hospital": code, "b_ris": ris_id, "b_report": report_id})
    for code, ris_id in sorted(named(report) - seen.names[report_id]):
        changes.names_new.append({"hospital_code": code, "ris_study_id": ris_id, "report_id": report_id})


def _plan_links(
    seen: Situation, changes: Changes, decisions: Mapping[int, link.Decision]
) -> dict[tuple[int, int], Link]:
    """The links as they will be."""
    links = {pair: made for pair, made in seen.links.items() if pair[1] not in seen.judged}
    for decision in decisions.values():
        links |= {(made.exam_id, made.study_id): made for made in decision.links}
    for pair, old in sorted(seen.links.items()):
        if links.get(pair) != old:
            changes.links_gone.append({"b_exam": pair[0], "b_study": pair[1]})
    for pair, made in sorted(links.items()):
        if seen.links.get(pair) != made:
            row = {"exam_id": pair[0], "study_id": pair[1], "rule": str(made.rule)}
            changes.links_new.append(row | {"findings": ",".join(made.findings)})
    return links


def _plan_standing(seen: Situation, changes: Changes, exam_id: int, links: list[Link], held: bool) -> None:
    exam = seen.exams[exam_id]
    own = seen.reports_of(exam)
    pictures = [seen.studies[made.study_id] for made in links]
    rules = [made.rule for made in links]
    expected, missing = _expected(seen, exam, pictures, rules)
    standing = state_of(exam, own, pictures, rules, held, bool(missing))
    counted = sum(report_state(report) is not ReportState.VOID for report in own)
    images = sum(study.instance_count for study in pictures)
    wanted = (*_columns(standing), images, counted, expected, missing)
    if wanted != seen.stored[exam_id]:
        names = ("b_state", "b_for", "b_on", "b_since", "b_images", "b_reports", "b_expected", "b_missing")
        changes.standings.append(dict(zip(names, wanted, strict=True)) | {"b_id": exam_id})


def _expected(
    seen: Situation, exam: link.ExamFacts, pictures: Sequence[link.StudyFacts], rules: Sequence[link.Rule]
) -> tuple[int | None, int | None]:
    """Images told and missing, over the exam's studies and those it still waits for; None: unknown."""
    uids = {study.study_uid for study in pictures} | set(missing_study_uids(exam, pictures, rules))
    judged = [seen.images_of(exam, uid) for uid in sorted(uids)]
    found = together(judged)
    is_known = bool(found.missing) or (bool(judged) and all(one.expected is not None for one in judged))
    return found.expected, found.missing if is_known else None


def _columns(standing: Standing) -> tuple[str, str, str, int | None]:
    return (
        str(standing.state),
        ",".join(standing.waiting_for),
        standing.waiting_on,
        standing.waiting_since,
    )


def _write(connection: Connection, seen: Situation, changes: Changes) -> None:
    gone = (
        (exam_keys, {"kind": "b_kind", "value": "b_value", "exam_id": "b_exam"}, changes.keys_gone),
        (
            exam_reports,
            {"hospital_code": "b_hospital", "ris_study_id": "b_ris", "report_id": "b_report"},
            changes.names_gone,
        ),
        (exam_studies, {"exam_id": "b_exam", "study_id": "b_study"}, changes.links_gone),
    )
    for table, where, rows in gone:
        if rows:
            conditions = [table.c[name] == bindparam(place) for name, place in where.items()]
            connection.execute(delete(table).where(*conditions), rows)
    new = (
        (exam_keys, changes.keys_new),
        (exam_reports, changes.names_new),
        (exam_studies, changes.links_new),
    )
    for table, rows in new:
        if rows:
            connection.execute(insert(table), rows)
    if changes.parked:
        connection.execute(
            update(reports).where(reports.c.id == bindparam("b_id")).values(parked=bindparam("b_parked")),
            changes.parked,
        )
    if changes.standings:
        connection.execute(_STANDING, changes.standings)
    _clear(connection, exams, "submission_id", seen.due_exams)
    _clear(connection, reports, "submission_id", seen.due_reports)
    _clear(connection, studies, "instance_count", seen.due_studies)
    _ask_for_pulls(connection, seen, changes)
    hurry(connection, [seen.exams[exam_id] for exam_id in sorted(seen.due_exams)])
    _ask_for_signatures(connection, seen)
    _look_again(connection, seen)


def _ask_for_pulls(connection: Connection, seen: Situation, changes: Changes) -> None:
    """Q/R 模式: of what changed, and of what turned out short just now."""
    short = {row["b_id"] for row in changes.standings if row["b_missing"]}
    concerned = sorted(seen.core | short)
    ask_for_pulls(connection, [(seen.exams[i], seen.reports_of(seen.exams[i])) for i in concerned], short)


def _ask_for_signatures(connection: Connection, seen: Situation) -> None:
    """The signatures of reports that are audited, and the seals on their PDFs, as far as they carry any."""
    audited = [i for i in sorted(seen.due_reports) if report_state(seen.reports[i]) is ReportState.AUDITED]
    if audited:
        mark_signatures_due(connection, audited)
        mark_seals_due(connection, audited)


def _look_again(connection: Connection, seen: Situation) -> None:
    """What was told since the pass began is not in what it decided: its studies and exams stay due.

    After the clearing, on purpose: whoever tells marks the rows in the same transaction, which either has
    ended by now and is seen here, or waits for our rows and marks them afterwards.
    """
    uids = seen.study_uids()
    told = read_told(connection, uids)
    mark_due(connection, {uid for uid in uids if told.get(uid) != seen.told.get(uid)})


_STANDING = (
    update(exams)
    .where(exams.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        waiting_for=bindparam("b_for"),
        waiting_on=bindparam("b_on"),
        waiting_since=bindparam("b_since"),
        image_count=bindparam("b_images"),
        report_count=bindparam("b_reports"),
        image_expected=bindparam("b_expected"),
        image_missing=bindparam("b_missing"),
    )
)


def _clear(connection: Connection, table: Table, mark: str, due: dict[int, tuple[int, int]]) -> None:
    """Clears link_due of the rows that are still as they were read."""
    if not due:
        return
    statement = (
        update(table)
        .where(table.c.id == bindparam("b_id"))
        .where(table.c[mark] == bindparam("b_mark"), table.c.updated_at == bindparam("b_updated"))
        .values(link_due=False)
    )
    rows = [{"b_id": i, "b_mark": marked, "b_updated": at} for i, (marked, at) in sorted(due.items())]
    connection.execute(statement, rows)


def _lock_rows(connection: Connection, seen: Situation) -> None:
    """PostgreSQL: takes the row locks in the order in which the ledger takes them, so that neither
    deadlocks the other."""
    for table, key, ids in (
        (exams, "ris_study_id", sorted(seen.exams)),
        (reports, "record_num", sorted(seen.reports)),
    ):
        if ids:
            order = (table.c.hospital_code.collate("C"), table.c[key].collate("C"))
            wanted = select(table.c.id).where(table.c.id.in_(ids)).order_by(*order)
            connection.execute(wanted.with_for_update(key_share=True)).all()


def _held_in(connection: Connection, seen: Situation) -> IsHeld:
    return lambda exam, own: bool(held_back(connection, exam, own, seen.judged))


def link_batch(database: Database, batch: int = BATCH, choice: Choice = every) -> int:
    """One pass over due rows of the choice. Returns how many were taken; 0 when nothing is due or another
    process is linking.

    Raises StoreUnavailable.
    """
    if database.is_sqlite:
        with database.read() as connection:
            seen = read_situation(connection, batch, choice)
            if not seen:
                return 0
            changes = plan(seen, _held_in(connection, seen))
        with database.write() as connection:
            _write(connection, seen, changes)
    else:
        with database.write() as connection:
            lock = text("SELECT pg_try_advisory_xact_lock(:key)")
            if not connection.scalar(lock, {"key": _ADVISORY_KEY}):
                return 0
            seen = read_situation(connection, batch, choice)
            if not seen:
                return 0
            changes = plan(seen, _held_in(connection, seen))
            _lock_rows(connection, seen)
            _write(connection, seen, changes)
    return len(seen.due_exams) + len(seen.due_reports) + len(seen.due_studies)


def link_all(database: Database) -> int:
    """Links everything that is due now, in the calling thread; returns the rows taken. Raises
    StoreUnavailable."""
    total = 0
    while taken := link_batch(database):
        total += taken
    return total


def relink_all(database: Database, chunk: int = 2000) -> int:
    """Marks every exam, report and study as due, in short transactions; a running linker then joins all
    of it anew.

    Returns the number of rows marked. Raises StoreUnavailable.
    """
    marked = 0
    for table in (exams, reports, studies):
        with database.read() as connection:
            last = connection.scalar(select(func.max(table.c.id))) or 0
        for start in range(0, last + 1, chunk):
            span = table.c.id.between(start, start + chunk - 1) & (table.c.link_due != true())
            with database.write() as connection:
                marked += connection.execute(update(table).where(span).values(link_due=True)).rowcount
    return marked


class Linker:
    """The thread. It links within a moment while little comes in, and takes a bounded share of the time
    while much does."""

    def __init__(self, database: Database, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen_rows = 0
        self._seen_at = 0.0
        self._busy = False
        self.taken = 0
        """Due rows taken since the start."""
        self.passes = 0
        self.available = True
        """False from a failed pass until one succeeds."""
        self._aside = SetAside()

    @property
    def set_aside(self) -> int:
        """Due rows that raise whenever they are looked at, left out until their next try."""
        return len(self._aside)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="linker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends after the pass that is running; what is left stays due."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        retry = RETRY_FIRST_S
        while not self._stop.wait(pause):
            try:
                pause = self._turn()
                retry = RETRY_FIRST_S
            except StoreUnavailable as error:
                pause, retry = self._pause("store", error, retry)
            except DBAPIError as error:
                pause, retry = self._pause("conflict", error, retry)
            except Exception as error:  # noqa: BLE001 a thread that dies unseen would stop all linking
                pause, retry = self._pause("unexpected", error, retry)

    def _pause(self, cause: str, error: Exception, retry: float) -> tuple[float, float]:
        """How long to wait before the next try, and before the one after; told once, without patient data."""
        if self.available:
            _log.warning("link.paused", cause=cause, reason=type(error).__name__, at=_place(error))
        self.available = False
        return retry, min(retry * 2, RETRY_MOST_S)

    def _turn(self) -> float:
        """One pass; returns how long to rest after it, in seconds."""
        started = time.monotonic()
        taken = self._pass(min(self._batch, BUSY_BATCH) if self._busy else self._batch)
        took = time.monotonic() - started
        if not self.available:
            _log.info("link.resumed")
        self.available = True
        self.taken += taken
        self.passes += 1
        rate = self._rate()
        self._busy = rate > BUSY_RATE
        if not taken:
            return QUIET_POLL_S
        if self._busy:
            share = HOT_SHARE if rate > HOT_RATE else BUSY_SHARE
            return max(BUSY_REST_S, took * (1 / share - 1))
        return 0.0

    def _pass(self, batch: int) -> int:
        """A pass that no single row can hold up."""
        for row in self._aside.ready():
            self._alone(row)
        try:
            return link_batch(self._database, batch, self._aside.others)
        except StoreUnavailable:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and self.available:
                raise  # PostgreSQL may choose us as the victim of a deadlock: the pass is repeated first
        with self._database.read() as connection:
            rows = due_rows(connection, batch, self._aside.others)
        return sum(self._alone(row) for row in rows if not self._stop.is_set())

    def _alone(self, row: DueRow) -> int:
        """A pass for one row, which is set aside when it raises. Returns 1 when it was taken."""
        try:
            taken = link_batch(self._database, 1, only(row))
        except StoreUnavailable:
            raise
        except Exception as error:
            again = self._aside.add(row)
            if again is None:
                raise
            table, row_id = row
            told = {"table": table, "id": row_id, "reason": type(error).__name__, "at": _place(error)}
            _log.error("link.row_set_aside", **told, again_s=again)
            return 0
        self._aside.remove(row)
        return taken

    def _rate(self) -> float:
        """Submissions and instances that came per second since the last pass, over all processes."""
        with self._database.read() as connection:
            rows = sum(
                connection.scalar(select(func.max(table.c.id))) or 0 for table in (submissions, instances)
            )
        now = time.monotonic()
        elapsed, came = now - self._seen_at, rows - self._seen_rows
        first, self._seen_rows, self._seen_at = self._seen_at == 0.0, rows, now
        return 0.0 if first or elapsed <= 0 else came / elapsed


def _place(error: Exception) -> str:
    """Where it was raised; never what it says, which may quote a record."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.name}:{where.lineno}"
