"""Days are closed, and what a hospital's statement misses is written down and mended, all by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.balance import MissingState
from yingqiao.exchange.clock import BEIJING, day_of_ms
from yingqiao.exchange.statement import Statement
from yingqiao.exchange.work import NewWork, Priority
from yingqiao.settings import ReconcileSettings
from yingqiao.store.balances import close_day, closed_days, due_days
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.query_services import QueryService, claim_night, get_service, list_services
from yingqiao.store.reconciliation import last_statement, missing_of, next_day, now_ms
from yingqiao.store.schema import hospitals, missing_exams
from yingqiao.store.work import ledger as work_ledger
from yingqiao.store.work.task import Task
from yingqiao.tasks.comparing import COMPARE, SUBJECTS, Asked, nightly_window, payload_of

_ROWS = 1_000
_log = structlog.get_logger(__name__)


class Balancing:
    """The daily round of a gateway."""

    def __init__(
        self,
        database: Database,
        settings: ReconcileSettings,
        wake: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._settings = settings
        self._wake = wake
        self._clock = clock

    def mend_day(self, task: Task) -> None:
        """The handler of MEND: what a day's last statement lists and the ledger lacks is written down, id by id; and
        the hospital's query services are asked for it, where it has some.
        """
        day, code = str(task.payload["day"]), task.hospital_code
        with self._database.read() as connection:
            found = last_statement(connection, code, day)
            missing = missing_of(connection, code, found.statement.ids) if found else []
            service = get_service(connection, code) if self._settings.pull_missing else None
        task.check()
        state = MissingState.ASKED if service else MissingState.MISSING
        if found is not None:
            self._write_down(code, day, found.statement, missing, state)
        if service and missing:
            with self._database.write() as connection:
                work_ledger.add(connection, _asking(service, day))
            self._wake()

    def _write_down(
        self, code: str, day: str, statement: Statement, missing: list[str], state: MissingState
    ) -> None:
        imaging = {one: group.imaging for group in statement.groups for one in group.ids}
        now = self._clock()
        m = missing_exams.c
        mine = (m.hospital_code == code, m.day == day, m.state != str(MissingState.ARRIVED))
        with self._database.read() as connection:
            before = set(connection.scalars(select(m.listed_id).where(*mine)))
        for part in _parts(missing):
            with self._database.write() as connection:
                _upsert(connection, [_row(code, day, one, imaging.get(one, "9"), state, now) for one in part])
        for part in _parts(sorted(before.difference(missing))):
            with self._database.write() as connection:
                arrived = {"state": str(MissingState.ARRIVED), "reason": "", "updated_at": now}
                connection.execute(update(missing_exams).where(*mine, m.listed_id.in_(part)).values(arrived))

    def look_again(self) -> None:
        """What was missing may have come since: look at every day that still misses something."""
        m = missing_exams.c
        open_states = (str(MissingState.MISSING), str(MissingState.ASKED))
        with self._database.read() as connection:
            days = connection.execute(
                select(m.hospital_code, m.day).where(m.state.in_(open_states)).distinct()
            ).all()
        for code, day in days:
            self._arrived(code, day)

    def _arrived(self, code: str, day: str) -> None:
        m = missing_exams.c
        mine = (m.hospital_code == code, m.day == day, m.state != str(MissingState.ARRIVED))
        with self._database.read() as connection:
            listed = list(connection.scalars(select(m.listed_id).where(*mine)))
            come = set(listed).difference(missing_of(connection, code, listed))
        values = {"state": str(MissingState.ARRIVED), "reason": "", "updated_at": self._clock()}
        for part in _parts(sorted(come)):
            with self._database.write() as connection:
                connection.execute(update(missing_exams).where(*mine, m.listed_id.in_(part)).values(values))

    def close_days(self) -> None:
        """Close every day that is due, and amend closed ones that changed; one failing hospital stops no other."""
        hours = self._settings.close_hours
        if hours <= 0:
            return
        until = day_of_ms(self._clock() - int(hours * 3_600_000))
        with self._database.read() as connection:
            known = connection.execute(select(hospitals.c.code, hospitals.c.created_at)).all()
        for code, created_at in known:
            try:
                self._close(code, created_at, until)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 one hospital's trouble must not keep the others open
                _log.error("balance.not_closed", hospital=code, error=type(error).__name__)

    def _close(self, code: str, created_at: int, until: str) -> None:
        with self._database.read() as connection:
            due = due_days(connection, code, created_at, until)
            since = _days_before(until, self._settings.amend_days)
            earlier = closed_days(connection, code, since) if due else []
        for day in due:
            close_day(self._database, code, day, self._clock())
        for day in earlier:
            close_day(self._database, code, day, self._clock())

    def ask_nightly(self) -> None:
        """Ask for the comparisons whose hour has come."""
        now = self._clock()
        moment = datetime.fromtimestamp(now / 1000, BEIJING)
        today, hour = moment.date().isoformat(), moment.strftime("%H:%M")
        with self._database.read() as connection:
            due = [
                s
                for s in list_services(connection)
                if s.nightly and s.nightly <= hour and s.asked_for < today
            ]
        for service in due:
            with self._database.write() as connection:
                if claim_night(connection, service.hospital_code, today):
                    start, end = nightly_window(service.days, now)
                    work_ledger.add(connection, _compare_work(service, f"nightly/{today}", start, end))
        if due:
            self._wake()


def _asking(service: QueryService, day: str) -> list[NewWork]:
    """The day and its neighbours: which of an exam's times the service filters by is not said (T103)."""
    start, end = _days_before(day, 1), next_day(next_day(day))
    return _compare_work(service, day, f"{start} 00:00:00", f"{end} 00:00:00", mend=True)


def _compare_work(
    service: QueryService, name: str, start: str, end: str, *, mend: bool | None = None
) -> list[NewWork]:
    code = service.hospital_code
    asked = [
        Asked(code, subject, start, end, mend=service.mend if mend is None else mend) for subject in SUBJECTS
    ]
    return [
        NewWork(
            COMPARE,
            f"{code}/{name}/{one.subject}",
            code,
            service.destination,
            Priority.BACKFILL,
            json.dumps(payload_of(one)),
        )
        for one in asked
    ]


def _upsert(connection: Connection, rows: list[dict[str, object]]) -> None:
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(missing_exams)
    new = insert.excluded
    statement = insert.on_conflict_do_update(
        index_elements=["hospital_code", "day", "listed_id"],
        set_={"state": new.state, "updated_at": new.updated_at},
    )
    connection.execute(statement, rows)


def _row(
    code: str, day: str, listed_id: str, imaging: str, state: MissingState, now: int
) -> dict[str, object]:
    return {
        "hospital_code": code,
        "day": day,
        "listed_id": listed_id,
        "imaging": imaging,
        "state": str(state),
        "reason": "",
        "found_at": now,
        "updated_at": now,
    }


def _parts(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + _ROWS] for start in range(0, len(ids), _ROWS))


def _days_before(day: str, days: int) -> str:
    return (datetime.fromisoformat(day) - timedelta(days=days)).date().isoformat()
