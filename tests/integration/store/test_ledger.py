"""The ledger on both databases: one transaction a submission, newest version shown, every version kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tests.store_makers import NOW, exam_row, report_row, submission
from yingqiao.exchange.model import Finding, Level, Outcome, Submission
from yingqiao.store.compression import decompress
from yingqiao.store.database import Database
from yingqiao.store.errors import RecordRejected, StoreBusy, StoreUnavailable
from yingqiao.store.ledger import Bounds, Ledger
from yingqiao.store.schema import exams, reports, submissions


async def _record_all(database: Database, items: Sequence[Submission]) -> list[Any]:
    """All at once: they share batches, in this order."""
    ledger = Ledger(database)
    ledger.start()
    try:
        return await asyncio.gather(*(ledger.record(item) for item in items), return_exceptions=True)
    finally:
        await ledger.close()


def record(database: Database, *items: Submission) -> list[Any]:
    return asyncio.run(_record_all(database, items))


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def test_a_submission_is_kept_whole(database: Database) -> None:
    finding = Finding("patName", "姓名", "length", Level.WARN, "太长", "缩短", ("T62",))
    kept = submission(exam_row("E1"), findings=(finding,), replay_of=None, message="成功，有提示")
    (number,) = record(database, kept)
    assert isinstance(number, int), number
    (row,) = rows(database, submissions)
    assert row.id == number
    assert decompress(row.body) == kept.body
    assert row.digest == kept.digest
    assert orjson.loads(row.findings)[0]["label"] == "姓名"
    assert (row.outcome, row.exam_key, row.report_key) == ("accepted", "E1", "")


def test_first_and_second_version_of_an_exam(database: Database) -> None:
    """三(六): the record is inserted, or updated by risStudyId (T26)."""
    first, second = record(
        database,
        submission(exam_row("E1", "2026-01-01 08:00:00"), at=NOW),
        submission(exam_row("E1", "2026-01-01 08:05:00", exam_status=4, patient_name="李四"), at=NOW + 5),
    )
    (exam,) = rows(database, exams)
    assert (exam.submission_id, exam.exam_status, exam.patient_name) == (second, 4, "李四")
    assert (exam.first_received_at, exam.updated_at) == (NOW, NOW + 5)
    assert exam.link_due
    assert [row.id for row in rows(database, submissions)] == [first, second]
    assert (exam.study_uids, exam.accession_numbers) == (",1.2.E1,", ",A-E1,")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("stored", "comes", "wins"),
    [
        ("2026-01-01 08:00:00", "2026-01-01 07:59:59", False),
        ("2026-01-01 08:00:00", "2026-01-01 08:00:00", True),
        ("2026-01-01 08:00:00", "2026-01-02 00:00:00", True),
        ("2026-01-01 08:00:00", "", False),
        ("", "", True),
        ("", "2026-01-01 08:00:00", True),
    ],
)
def test_stale_never_overwrites_newer(
    database: Database, stored: str, comes: str, wins: bool, together: bool
) -> None:
    """lastChangeTime orders versions; '' is older than all, equal ones go by arrival. Each version is
    kept."""
    items = [
        submission(exam_row("E1", stored, lab_num="old"), report_row("R1", stored, lab_num="old")),
        submission(exam_row("E1", comes, lab_num="new"), report_row("R1", comes, lab_num="new")),
    ]
    for group in [items] if together else [[item] for item in items]:
        record(database, *group)
    expected = "new" if wins else "old"
    assert [row.lab_num for row in rows(database, exams)] == [expected]
    assert [row.lab_num for row in rows(database, reports)] == [expected]
    assert len(rows(database, submissions)) == 2


def test_the_same_key_many_times_in_a_batch(database: Database) -> None:
    changed = ["10", "12", "11", "12", "", "09"]
    ids = record(
        database, *(submission(exam_row("E1", c, age=str(n)), at=NOW + n) for n, c in enumerate(changed))
    )
    (exam,) = rows(database, exams)
    assert (exam.submission_id, exam.age) == (ids[3], "3")
    assert (exam.first_received_at, exam.updated_at) == (NOW, NOW + 3)


def test_the_same_key_of_two_hospitals(database: Database) -> None:
    """T48: risStudyId identifies within its hospital only."""
    record(
        database,
        submission(exam_row("E1")),
        submission(exam_row("E1", hospital_code="H2"), hospital_code="H2"),
    )
    assert [(row.hospital_code, row.ris_study_id) for row in rows(database, exams)] == [
        ("H1", "E1"),
        ("H2", "E1"),
    ]


def test_a_new_version_leaves_what_the_linker_decided(database: Database) -> None:
    record(database, submission(exam_row("E1"), report_row("R1")))
    with database.write() as connection:
        connection.execute(exams.update().values(link_due=False, state="images", image_count=7))
        connection.execute(reports.update().values(link_due=False, parked=False))
    record(database, submission(exam_row("E1"), report_row("R1")))
    (exam,), (report,) = rows(database, exams), rows(database, reports)
    assert (exam.link_due, exam.state, exam.image_count) == (True, "images", 7)
    assert (report.link_due, report.parked) == (True, False)


def test_a_stale_version_asks_for_no_linking(database: Database) -> None:
    record(database, submission(exam_row("E1", "2026-01-02 00:00:00")))
    with database.write() as connection:
        connection.execute(exams.update().values(link_due=False))
    record(database, submission(exam_row("E1", "2026-01-01 00:00:00")))
    assert not rows(database, exams)[0].link_due


def test_a_report_is_parked_until_linked(database: Database) -> None:
    """T75: a report may come before its exam."""
    record(database, submission(report=report_row("R1")))
    (report,) = rows(database, reports)
    assert report.parked
    assert report.link_due
    assert report.ris_study_ids == ",E1,E2,"


def test_a_refusal_changes_no_exam(database: Database) -> None:
    record(database, submission(outcome=Outcome.REFUSED, message="签名错误"))
    assert rows(database, exams) == []
    assert rows(database, submissions)[0].outcome == "refused"


def test_recording_outside_a_loop(database: Database) -> None:
    """What replay does; its order with the loop's ids is kept."""
    (first,) = record(database, submission(exam_row("E1")))
    second = Ledger(database).record_now(submission(exam_row("E1"), replay_of=first))
    assert second > first
    assert rows(database, exams)[0].submission_id == second


@pytest.mark.parametrize("bad", ["张\0三", "张\ud800三"])
def test_text_a_database_refuses_is_mended_in_columns_only(database: Database, bad: str) -> None:
    """One such record does not fail the others of its batch; its body stays as it came."""
    body = b'{"patName": "\xe5\xbc\xa0\\u0000"}'
    items = [submission(exam_row(f"E{n}")) for n in range(5)]
    items[2] = submission(exam_row("E2", patient_name=bad), body=body)
    ids = record(database, *items)
    assert all(isinstance(number, int) for number in ids)
    kept = {row.id: row for row in rows(database, submissions)}
    assert decompress(kept[ids[2]].body) == body
    assert len(rows(database, exams)) == 5
    assert isinstance(Ledger(database).record_now(items[2]), int)


def test_what_cannot_be_kept_fails_alone(database: Database) -> None:
    items = [submission(exam_row(f"E{n}")) for n in range(4)]
    items[1] = submission(exam_row("E1", patient_name=None))
    results = record(database, *items)
    assert isinstance(results[1], RecordRejected)
    assert all(isinstance(results[n], int) for n in (0, 2, 3))
    assert len(rows(database, submissions)) == 3
    with pytest.raises(RecordRejected):
        Ledger(database).record_now(items[1])


def test_numbers_beyond_the_column(database: Database) -> None:
    (number,) = record(database, submission(exam_row("E1", exam_status=10**30)))
    assert isinstance(number, int)
    assert rows(database, exams)[0].exam_status is None


def test_a_waiter_that_goes_away_disturbs_nobody(database: Database) -> None:
    async def run() -> None:
        ledger = Ledger(database)
        ledger.start()
        tasks = [asyncio.create_task(ledger.record(submission(exam_row(f"E{n}")))) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(number, int) for number in results[1::2])
        await ledger.close()

    asyncio.run(run())
    assert len(rows(database, exams)) == 20


def test_bounds_and_close(database: Database) -> None:
    async def run() -> None:
        ledger = Ledger(database, Bounds(queued=3))
        with pytest.raises(StoreUnavailable):
            await ledger.record(submission(exam_row("E0")))
        ledger.start()
        results = await asyncio.gather(
            *(ledger.record(submission(exam_row(f"E{n}"))) for n in range(10)), return_exceptions=True
        )
        assert sum(isinstance(result, StoreBusy) for result in results) == 7
        await ledger.close()
        with pytest.raises(StoreUnavailable):
            await ledger.record(submission(exam_row("E0")))

    asyncio.run(run())
    assert len(rows(database, exams)) == 3


def test_a_large_body_does_not_go_through_the_loop(database: Database) -> None:
    body = b"\x89" * 100 + bytes(range(256)) * 40_000
    (number,) = record(database, submission(outcome=Outcome.REFUSED, body=body))
    (row,) = rows(database, submissions)
    assert row.id == number
    assert decompress(row.body) == body
