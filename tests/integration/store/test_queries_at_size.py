"""With 100,000 exams a page of the list is still found by an index, never by reading the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from tests.integration.store.link_world import EXAM, HOSPITAL, OTHER
from yingqiao.exchange.timeline import ExamState, Need
from yingqiao.store import queries
from yingqiao.store.database import Database, open_database
from yingqiao.store.queries import ExamFilter, Range
from yingqiao.store.schema import exam_keys, exams

COUNT = 100_000


def rows() -> Iterator[dict[str, Any]]:
    derived = {"waiting_for": "", "waiting_on": "", "image_count": 0, "report_count": 0, "link_due": False}
    for n in range(1, COUNT + 1):
        day = f"2026-{n % 12 + 1:02d}-{n % 28 + 1:02d} 10:00:00"
        missing = n % 1000 == 0
        yield (
            EXAM
            | derived
            | {
                "ris_study_id": f"RIS{n}",
                "hospital_code": HOSPITAL if n % 10 else OTHER,
                "patient_id": f"P{n // 2}",
                "his_patient_id": "",
                "accession_numbers": f",A{n},",
                "study_uids": f",1.2.{n},",
                "exam_time": day,
                "submission_id": n,
                "first_received_at": n,
                "updated_at": n,
                "state": "waiting-images" if missing else "complete",
                "waiting_for": "images" if missing else "",
            }
        )


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("crowded")
    database = open_database(folder)
    database.migrate()
    with database.write() as connection:
        connection.execute(insert(exams), list(rows()))
        connection.execute(
            insert(exam_keys),
            [
                {"kind": "accession", "value": f"A{n}", "exam_id": n, "hospital_code": HOSPITAL}
                for n in range(1, COUNT + 1)
            ],
        )
        connection.exec_driver_sql("ANALYZE")
    yield database
    database.close()


@pytest.mark.parametrize(
    "wanted",
    [
        ExamFilter(),
        ExamFilter(hospital_code=HOSPITAL),
        ExamFilter(hospital_code=OTHER, ris_study_id="RIS10"),
        ExamFilter(accession_number="A77777"),
        ExamFilter(state=ExamState.WAITING_IMAGES),
        ExamFilter(waiting_for=Need.IMAGES),
        ExamFilter(hospital_code=HOSPITAL, exam_time=Range("2026-03-03", "2026-03-04")),
        ExamFilter(patient_id="P4711"),
    ],
)
def test_a_page_reads_few_rows(crowded: Database, wanted: ExamFilter) -> None:
    """SQLite counts its virtual machine's steps: a page costs far less than a look at every exam would."""
    with crowded.read() as connection:
        driver = connection.connection.driver_connection
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        driver.set_progress_handler(count, 1000)
        page = queries.list_exams(connection, wanted, limit=50)
        driver.set_progress_handler(None, 0)
    assert page.items
    assert steps < COUNT / 1000, f"{steps} thousand steps"


def test_a_total_is_bounded(crowded: Database) -> None:
    """Totals are exact up to a bound, and say so beyond it."""
    with crowded.read() as connection:
        page = queries.list_exams(connection, ExamFilter(hospital_code=OTHER), limit=1, with_total=True)
        everything = queries.list_exams(connection, limit=1, with_total=True)
    assert (page.total, page.total_is_exact) == (COUNT // 10, True)
    assert (everything.total, everything.total_is_exact) == (COUNT, True)


def test_a_list_takes_a_bounded_number_of_statements(crowded: Database) -> None:
    seen: list[str] = []
    event.listen(crowded.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    with crowded.read() as connection:
        queries.list_exams(connection, limit=1000, with_total=True)
        queries.show_exam(connection, HOSPITAL, "RIS1")
    assert len([statement for statement in seen if statement.startswith("SELECT")]) <= 13
