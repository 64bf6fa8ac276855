"""The ledger against a model: any order of submissions, alone or together, ends as a dictionary would."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import delete, select

from tests.peers.postgres import PostgresServer
from tests.store_makers import NOW, exam_row, report_row, submission
from yingqiao.store.database import Database, open_database
from yingqiao.store.ledger import Ledger
from yingqiao.store.schema import exams, reports, submissions

KEYS = st.sampled_from(["E1", "E2", "e1", "E1 ", "检1", ""])
TIMES = st.sampled_from(["", "2026-01-01 00:00:00", "2026-01-01 00:00:01", "2025-12-31 23:59:59"])
ITEMS = st.tuples(KEYS, TIMES, st.sampled_from(["exam", "report", "both"]))


class LedgerMachine(RuleBasedStateMachine):
    """Shown: key -> (lastChangeTime, number of the version, first number). Arrival counts as the clock."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        with self.database.write() as connection:
            for table in (submissions, exams, reports):
                connection.execute(delete(table))
        self.arrived = 0
        self.exams: dict[str, tuple[str, int, int]] = {}
        self.reports: dict[str, tuple[str, int, int]] = {}

    def _arrive(self, key: str, changed: str, what: str) -> object:
        self.arrived += 1
        for kind, shown in (("exam", self.exams), ("report", self.reports)):
            if what in (kind, "both"):
                before = shown.get(key)
                if before is None or changed >= before[0]:
                    shown[key] = (changed, self.arrived, before[2] if before else self.arrived)
        return submission(
            exam_row(key, changed, age=str(self.arrived)) if what != "report" else None,
            report_row(key, changed, positive=str(self.arrived)) if what != "exam" else None,
            at=NOW + self.arrived,
        )

    @rule(items=st.lists(ITEMS, min_size=1, max_size=12))
    def together(self, items: list[tuple[str, str, str]]) -> None:
        arriving = [self._arrive(*item) for item in items]

        async def run() -> None:
            ledger = Ledger(self.database, postgres_lanes=1)
            ledger.start()
            ids = await asyncio.gather(*(ledger.record(item) for item in arriving))
            assert ids == sorted(ids)
            await ledger.close()

        asyncio.run(run())

    @rule(item=ITEMS)
    def alone(self, item: tuple[str, str, str]) -> None:
        Ledger(self.database).record_now(self._arrive(*item))

    @invariant()
    def shown_is_the_model(self) -> None:
        with self.database.read() as connection:
            found_exams = {
                row.ris_study_id: (row.last_change_time, int(row.age), row.first_received_at - NOW)
                for row in connection.execute(select(exams))
            }
            found_reports = {
                row.record_num: (row.last_change_time, int(row.positive), row.first_received_at - NOW)
                for row in connection.execute(select(reports))
            }
            kept = (
                connection.execute(select(submissions.c.received_at).order_by(submissions.c.id))
                .scalars()
                .all()
            )
        assert found_exams == self.exams
        assert found_reports == self.reports
        assert list(kept) == [NOW + n for n in range(1, self.arrived + 1)]


def _run(database: Database, examples: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"database": database})
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
    )
    case().runTest()


def test_on_sqlite() -> None:
    folder = tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    database = open_database(folder)
    database.migrate()
    try:
        _run(database, 30)
    finally:
        database.close()
        shutil.rmtree(folder)


@pytest.mark.peer
def test_on_postgresql(postgres: PostgresServer, postgres_url: str) -> None:
    database = open_database(postgres_url)
    try:
        _run(database, 15)
    finally:
        database.close()
