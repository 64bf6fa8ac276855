"""Images lists and registered hosts in both databases: one transaction with the submission, union, reopening."""

from __future__ import annotations

import asyncio
import hashlib
import time

import pytest
from sqlalchemy import func, select

from tests.store_makers import NOW, exam_row, report_row, submission
from yingqiao.exchange.fetch import AllowedHost, Credentials, FetchError, FileState
from yingqiao.exchange.model import ImageList, ListedFile
from yingqiao.exchange.work import ErrorClass
from yingqiao.gm.keystore import MasterKey
from yingqiao.store import image_lists
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.fetch_hosts import FetchHosts
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.ledger import Ledger
from yingqiao.store.linkage import Linker
from yingqiao.store.queries import ListFilter, list_image_lists, show_image_list, status_of
from yingqiao.store.report_documents import due_documents, keep_document
from yingqiao.store.schema import fetch_hosts, image_files, reports, submissions
from yingqiao.store.schema import image_lists as lists

KEY = "2a77be8ebc9c90cd25ccd1d31dce7a77"
MASTER = MasterKey(b"m" * 32)


def images(names: range, refused: str = "", series: str = "1.2.1", **changes: str) -> ImageList:
    urls = [f"http://10.0.0.1/{number}.dcm" for number in names]
    values = {
        "hospital_code": "H1",
        "series_uid": series,
        "study_uid": "1.2.E1",
        "accession_number": "A-E1",
        "patient_id": "P1",
        "patient_name": "张三",
        "modality": "CT",
        "study_date": "2026-01-01",
    } | changes
    files = tuple(ListedFile(url, hashlib.sha256(url.encode()).digest(), refused) for url in urls)
    return ImageList(**values, files=files)


def take(database: Database, *many: ImageList) -> list[tuple[int, frozenset[bytes]]]:
    """Through the ledger, as intake does."""

    async def go() -> list[tuple[int, frozenset[bytes]]]:
        ledger = Ledger(database)
        ledger.start()
        taken = [submission(interface="images-list", images=one) for one in many]
        found = await asyncio.gather(*(ledger.record_list(one) for one in taken))
        await ledger.close()
        return found

    return asyncio.run(go())


def states(database: Database) -> dict[str, int]:
    with database.read() as connection:
        counted = select(image_files.c.state, func.count()).group_by(image_files.c.state)
        return {row[0]: row[1] for row in connection.execute(counted)}


def test_a_list_is_kept_with_its_submission_and_united_with_what_was_there(database: Database):
    """T95: upsert by hospital and SERIESIUID, union of FILEPATH, in the submission's transaction."""
    ((first, known),) = take(database, images(range(5)))
    assert known == frozenset()
    ((second, known),) = take(database, images(range(3, 8), patient_name="李四"))
    assert len(known) == 2
    with database.read() as connection:
        (row,) = connection.execute(select(lists)).all()
        assert (row.submission_id, row.file_count, row.patient_name) == (second, 8, "李四")
        assert (row.first_received_at, row.relay_due) == (NOW, True)
        assert first in set(connection.scalars(select(submissions.c.id)))
    assert states(database) == {"pending": 8}


def test_lists_in_one_commit_do_not_disturb_each_other(database: Database):
    """Group commit: the same series twice and others, together."""
    take(database, *(images(range(10), series=f"1.2.{n % 3}") for n in range(9)))
    assert states(database) == {"pending": 30}


def test_a_given_up_file_named_again_is_tried_anew_a_done_one_never(database: Database):
    """T95: a changed list opens the work again."""
    take(database, images(range(4)))
    with database.write() as connection:
        files = image_lists.files_of(connection, 1, 0, 10)
        image_lists.mark_done(connection, [image_lists.Arrived(files[0].id, ("1.1",), 10, b"d" * 32)])
        gone = FetchError(ErrorClass.THEIRS, "没有", state=FileState.GONE)
        bad = FetchError(ErrorClass.POISON, "不是影像", state=FileState.UNUSABLE)
        image_lists.mark_failed(connection, [(files[1].id, gone), (files[2].id, bad)])
        (due,) = image_lists.due_lists(connection, 10)
        assert image_lists.clear_due(connection, due)
        assert [file.id for file in image_lists.files_of(connection, 1, 0, 10)] == [files[1].id, files[3].id]
        given_up = image_lists.files_of(connection, 1, 0, 10, given_up=True)
        assert [file.id for file in given_up] == [files[2].id]
        assert image_lists.expected_instances(connection, 1) == 4
    ((_, known),) = take(database, images(range(4)))
    assert len(known) == 2
    assert states(database) == {"done": 1, "pending": 3}
    with database.read() as connection:
        assert len(image_lists.due_lists(connection, 10)) == 1


def test_a_relay_does_not_forget_what_came_while_it_looked(database: Database):
    """relay_due is cleared only if the list is still as it was read."""
    take(database, images(range(2)))
    with database.read() as connection:
        (before,) = image_lists.due_lists(connection, 10)
    take(database, images(range(3)))
    with database.write() as connection:
        assert not image_lists.clear_due(connection, before)
        (now,) = image_lists.due_lists(connection, 10)
        assert image_lists.clear_due(connection, now)
        assert image_lists.due_lists(connection, 10) == []


def test_emergency_by_study_then_by_access_number(database: Database):
    """急诊 first: the exam is found by STUDYIUID, then by ACCESS_NO (T95)."""
    ledger = Ledger(database)
    ledger.record_now(submission(exam_row("E1", is_emergency=True)))
    linker = Linker(database)
    linker.start()
    take(database, images(range(1)), images(range(1), series="2", study_uid="9.9", accession_number="A-E1"))
    try:
        deadline = time.monotonic() + 60
        while True:
            with database.read() as connection:
                due = image_lists.due_lists(connection, 9)
                found = [image_lists.is_emergency(connection, one) for one in due]
            if all(found) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
    finally:
        linker.close()
    assert found == [True, True]


def test_hosts_are_sealed_listed_and_open_what_waited_for_them(database: Database):
    """T94: credentials under the master key; registering opens refused addresses again."""
    registry = HospitalRegistry(database, MASTER)
    registry.add("H1", "一院", KEY)
    take(database, images(range(3), refused="没有登记"))
    assert states(database) == {"refused": 3}
    hosts = FetchHosts(database, MASTER)
    secret = Credentials(user="pacs", password="秘密")
    registered = hosts.add("H1", AllowedHost("http", "10.0.0.1", private=True, credentials=secret))
    assert registered.reopened == 3
    assert states(database) == {"pending": 3}
    (shown,) = hosts.list("H1")
    assert (shown.address, shown.credentials) == ("http://10.0.0.1", True)
    assert "秘密" not in repr(shown)
    (opened,) = hosts.of("H1")
    assert opened.credentials == secret
    with database.read() as connection:
        assert "秘密".encode() not in connection.scalar(select(fetch_hosts.c.sealed))
    registry.reload()
    entry = registry.get("H1")
    assert entry is not None
    assert entry.reach("http://10.0.0.1/x.dcm") == ""
    assert "没有登记" in entry.reach("http://10.0.0.2/x.dcm")
    with pytest.raises(HospitalError):
        hosts.add("H1", AllowedHost("http", "10.0.0.1"))
    assert hosts.remove(shown.id)
    assert hosts.of("H1") == ()


def test_a_reports_path_is_due_only_when_its_pdf_is_elsewhere(database: Database):
    """T24: pdf_path without an embedded PDF; linked to the version that named it, if it is still shown."""
    ledger = Ledger(database)
    first = ledger.record_now(submission(report=report_row("R1", pdf_path="http://10.0.0.1/1.pdf")))
    ledger.record_now(submission(report=report_row("R2", pdf_path="http://x/2.pdf", pdf_object="sha256:00")))
    ledger.record_now(submission(report=report_row("R3")))
    with database.write() as connection:
        (wanted,) = due_documents(connection, 10)
        assert (wanted.record_num, wanted.submission_id) == ("R1", first)
        keep_document(connection, wanted, "sha256:11", 99)
        assert (
            connection.scalar(select(reports.c.pdf_object).where(reports.c.record_num == "R1")) == "sha256:11"
        )
    later = report_row("R1", changed="2026-01-02 09:00:00", pdf_path="http://10.0.0.1/1.pdf")
    ledger.record_now(submission(report=later))
    with database.write() as connection:
        keep_document(connection, wanted, "sha256:22", 99)
        assert connection.scalar(select(reports.c.pdf_object).where(reports.c.record_num == "R1")) == ""


def test_what_is_shown_of_lists(database: Database):
    """Progress per list, partial failure per file; the same for commands, API and status."""
    take(database, images(range(3)))
    take(database, images(range(2), series="2.2"))
    with database.write() as connection:
        files = image_lists.files_of(connection, 1, 0, 10)
        first = files[0].id
        image_lists.mark_done(connection, [image_lists.Arrived(first, ("1.1", "1.2"), 10, b"d" * 32)])
        bad = FetchError(ErrorClass.POISON, "不是影像", state=FileState.UNUSABLE)
        image_lists.mark_failed(connection, [(files[1].id, bad)])
    with database.read() as connection:
        page = list_image_lists(connection, ListFilter(state=FileState.UNUSABLE), with_total=True)
        assert page.total == 1
        (one,) = page.items
        assert (one.done, one.failed, one.waiting, one.instance_count) == (1, 1, 1, 2)
        assert list_image_lists(connection, ListFilter(host="10.0.0.1")).items != ()
        assert list_image_lists(connection, ListFilter(host="0.0.0.1")).items == ()
        assert list_image_lists(connection, ListFilter(complete=True)).items == ()
        shown = show_image_list(connection, one.id)
        assert shown is not None
        assert [file.state for file in shown.files] == ["done", "unusable", "pending"]
        (asked,) = status_of(connection, "H1", one.series_uid, "")
        assert [file.state for file in asked.files] == ["unusable", "pending"]
        assert status_of(connection, "H2", one.series_uid, "") == ()
        assert len(status_of(connection, "H1", "", "1.2.E1")) == 2
    with database.write() as connection:
        assert image_lists.open_again(connection, one.id) == 1
