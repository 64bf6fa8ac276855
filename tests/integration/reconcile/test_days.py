"""Statements, days, their chain and the receipts in it, in both databases (四(二)5)."""

from __future__ import annotations

import base64
import json
import time

import pytest
from sqlalchemy import select, update

from tests.acceptance.senders import exam, report
from tests.integration.reconcile.conftest import CODE, KEY, Gateway
from yingqiao.exchange.balance import EntryKind, MissingState
from yingqiao.exchange.clock import day_of_ms
from yingqiao.exchange.reconcile import StatementReceiver, answer, read_missing
from yingqiao.exchange.work import WorkState
from yingqiao.gm import sm4
from yingqiao.settings import ReconcileSettings
from yingqiao.spec import load_edition
from yingqiao.store.balances import balance_of, close_day, entries_of_day, entries_within, verify_chain
from yingqiao.store.compression import compress, decompress
from yingqiao.store.errors import HospitalError
from yingqiao.store.ledger import Ledger
from yingqiao.store.linkage import link_all
from yingqiao.store.missing import list_missing
from yingqiao.store.receipts import submission_receipt, verify_submission
from yingqiao.store.reconciliation import MEND, Reconciled, keep, missing_of
from yingqiao.store.schema import balance_entries, submissions, work
from yingqiao.store.work.task import Task
from yingqiao.tasks.balancing import Balancing
from yingqiao.web.balance_files import FORMATS, render

DAY = "2026-11-20"
LATER = int(time.time() * 1000) + 40 * 86_400_000


def push(gateway: Gateway, interface: str, record: dict[str, object]) -> int:
    taken = gateway.receiver.adopt(
        interface,
        CODE,
        json.dumps(record, ensure_ascii=False).encode(),
        origin="t",
        received_at=int(time.time() * 1000),
    )
    assert taken.answer.code == 1, taken.answer
    for document in taken.submissions[0].documents:
        gateway.objects.put(document.content, document.digest)
    return Ledger(gateway.database).record_now(taken.submissions[0])


def state(gateway: Gateway, ids: list[str], day: str = DAY, **counts: int) -> Reconciled:
    said = {
        "hospitalCode": CODE,
        "date": day,
        "examInfo": [{"imgExamType": "CT", "pushExamNum": len(ids), "study_uids": ids, **counts}]
        if ids
        else [],
    }
    cipher = sm4.encrypt_ecb(bytes.fromhex(KEY), json.dumps(said).encode())
    body = json.dumps({"content": base64.b64encode(cipher).decode()}).encode()
    edition = load_edition("shanxi/v2_1")
    taken = StatementReceiver(edition.id, edition.messages, gateway.hospitals).take(
        body, peer="10.0.0.1", received_at=int(time.time() * 1000)
    )
    assert taken.statement is not None, taken.message
    return keep(gateway.database, Ledger(gateway.database), taken)


def mend_day(gateway: Gateway, day: str = DAY, **settings: bool) -> None:
    task = Task(1, MEND, f"{CODE}/{day}", CODE, "", {"day": day}, 1, 1, 5)  # type: ignore[arg-type]
    Balancing(gateway.database, ReconcileSettings(**settings)).mend_day(task)


def test_missing_by_each_name_linked_or_not(gateway: Gateway) -> None:
    """T154: risStudyId, then studyUid, then accessionNumber; also before the linker has looked."""
    for key in ("E1", "E2", "E3"):
        push(gateway, "exam-sync", exam(key))
    ids = ["E1", str(exam("E2")["studyUid"]), "AE3", "X1", "é,'\"中"]
    for _ in range(2):
        with gateway.database.read() as connection:
            assert missing_of(connection, CODE, ids) == ids[3:]
            assert missing_of(connection, "other", ids) == ids
        link_all(gateway.database)


def test_a_day_is_written_down_id_by_id_and_mended(gateway: Gateway) -> None:
    """What is missing is visible for each id, and seen to arrive."""
    push(gateway, "exam-sync", exam("E1"))
    assert state(gateway, ["E1", "X1", "X2"]).missing == ("X1", "X2")
    with gateway.database.read() as connection:
        assert connection.scalar(select(work.c.state).where(work.c.kind == MEND)) == WorkState.WAITING
    mend_day(gateway)
    with gateway.database.read() as connection:
        listed = list_missing(connection, CODE, DAY).items
    assert [(one.listed_id, one.state, one.imaging_name) for one in listed] == [
        ("X1", "missing", "CT"),
        ("X2", "missing", "CT"),
    ]
    push(gateway, "exam-sync", exam("X1"))
    Balancing(gateway.database, ReconcileSettings()).look_again()
    with gateway.database.read() as connection:
        assert [one.listed_id for one in list_missing(connection, CODE, DAY, "missing").items] == ["X2"]
        assert [one.listed_id for one in list_missing(connection, CODE, DAY, "arrived").items] == ["X1"]
    assert MissingState.ARRIVED == "arrived"


def test_counts_are_compared_by_class(gateway: Gateway) -> None:
    """T152, T156: CT of the hospital is dictionary 十二's 2; images and reports only where they are told."""
    push(gateway, "exam-sync", exam("E1"))
    push(gateway, "report-sync", report("R1", "E1"))
    link_all(gateway.database)
    done = state(gateway, ["E1"], pushImageNum=7, pushReportNum=1)
    assert done.missing == ()
    assert "CT：医院 检查 1 影像 7 报告 1，平台 检查 1 影像 0 报告 1" in done.message
    assert state(gateway, ["E1"], pushImageNum=0, pushReportNum=1).message == "SUCCESS"


def test_a_closed_day_is_amended_never_altered(gateway: Gateway) -> None:
    """Late arrivals come after it in the chain."""
    push(gateway, "exam-sync", exam("E1"))
    state(gateway, ["E1", "X1"])
    first = close_day(gateway.database, CODE, DAY, LATER)
    assert first is not None
    assert close_day(gateway.database, CODE, DAY, LATER) is None
    push(gateway, "exam-sync", exam("X1"))
    second = close_day(gateway.database, CODE, DAY, LATER)
    assert second is not None
    assert (first.kind, second.kind) == (EntryKind.CLOSE, EntryKind.AMEND)
    assert second.previous == first.digest
    changes = json.loads(second.content)["changes"]
    assert "平台台账：检查 1 影像 0 报告 0 → 检查 2 影像 0 报告 0" in changes
    assert "缺少的检查：1 → 0" in changes
    assert json.loads(second.content)["verdict"] == "平"
    with gateway.database.read() as connection:
        assert entries_of_day(connection, CODE, DAY)[0] == first
        assert verify_chain(connection, CODE) == (2, [])


def test_extras_and_a_silent_hospital(gateway: Gateway) -> None:
    """What the gateway has and the hospital did not list; what it never said."""
    push(gateway, "exam-sync", exam("E1"))
    with gateway.database.read() as connection:
        balance = balance_of(connection, CODE, DAY)
        assert (balance.verdict, balance.stated, balance.unlisted_count) == ("医院未报送", None, 0)
    state(gateway, [])
    with gateway.database.read() as connection:
        balance = balance_of(connection, CODE, DAY)
    assert (balance.verdict, balance.unlisted, balance.unlisted_count) == ("不平", ("E1",), 1)


def test_today_and_strangers_are_not_closed(gateway: Gateway) -> None:
    with pytest.raises(HospitalError, match="没有过完"):
        close_day(gateway.database, CODE, day_of_ms(LATER), LATER)
    with pytest.raises(HospitalError, match="没有医疗机构"):
        close_day(gateway.database, "nobody", DAY, LATER)


@pytest.mark.parametrize("what", ["content", "leaves", "digest", "gone", "broken", "order"])
def test_altering_a_closed_day_shows(gateway: Gateway, what: str) -> None:
    """The SM3 chain: whatever is changed afterwards."""
    for day in ("2026-11-18", "2026-11-19", DAY):
        close_day(gateway.database, CODE, day, LATER)
    b = balance_entries.c
    with gateway.database.write() as connection:
        second = b.sequence == 2
        row = connection.execute(select(balance_entries).where(second)).one()
        if what == "content":
            said = decompress(row.content).replace(b'"count":0', b'"count":1', 1)
            connection.execute(update(balance_entries).where(second).values(content=compress(said)))
        elif what == "gone":
            connection.execute(balance_entries.delete().where(second))
        elif what == "order":
            connection.execute(update(balance_entries).where(second).values(day=DAY))
        else:
            column = {"leaves": "leaves", "digest": "digest", "broken": "content"}[what]
            connection.execute(update(balance_entries).where(second).values({column: b"\x01" * 41}))
    with gateway.database.read() as connection:
        count, found = verify_chain(connection, CODE)
    assert count == (2 if what == "gone" else 3)
    assert found


def test_a_receipt_is_bound_into_the_day_it_came(gateway: Gateway) -> None:
    """Recomputed from what is kept: the body, its row, its documents, the closed day."""
    number = push(gateway, "report-sync", report("R1", "E1"))
    with gateway.database.read() as connection:
        came = connection.scalar(select(submissions.c.received_at).where(submissions.c.id == number))
        today = day_of_ms(int(came or 0))
        receipt = submission_receipt(connection, number)
        assert receipt is not None
        assert len(receipt.documents) == 1
        checked = verify_submission(connection, gateway.objects, number)
        assert checked is not None
        assert (checked.faults, checked.entry) == ((), "")
    close_day(gateway.database, CODE, today, LATER)
    with gateway.database.read() as connection:
        checked = verify_submission(connection, gateway.objects, number)
        assert checked is not None
        assert (checked.faults, checked.entry) == ((), f"第 1 条（{today} 结账）")
    with gateway.database.write() as connection:
        connection.execute(update(submissions).where(submissions.c.id == number).values(peer="10.9.9.9"))
    with gateway.database.read() as connection:
        checked = verify_submission(connection, gateway.objects, number)
        assert checked is not None
        assert "来源" in checked.faults[0]


def test_a_changed_body_shows_at_once(gateway: Gateway) -> None:
    number = push(gateway, "exam-sync", exam("E1"))
    with gateway.database.write() as connection:
        row = connection.execute(select(submissions).where(submissions.c.id == number)).one()
        body = decompress(row.body).replace("张三丰".encode(), "张无忌".encode())
        connection.execute(update(submissions).where(submissions.c.id == number).values(body=compress(body)))
    with gateway.database.read() as connection:
        checked = verify_submission(connection, gateway.objects, number)
    assert checked is not None
    assert "SHA-256" in checked.faults[0]


def test_due_days_close_by_themselves(gateway: Gateway) -> None:
    """Every day since the hospital was registered, and older ones it stated."""
    state(gateway, ["X1"], "2026-01-05")
    now = int(time.time() * 1000)
    balancing = Balancing(gateway.database, ReconcileSettings(), clock=lambda: now + 3 * 86_400_000)
    balancing.close_days()
    balancing.close_days()
    with gateway.database.read() as connection:
        days = [entry.day for entry in entries_within(connection, CODE)]
        assert verify_chain(connection, CODE) == (len(days), [])
    assert days[0] == "2026-01-05"
    assert day_of_ms(now) in days
    assert len(days) == len(set(days))


def test_files_of_each_format(gateway: Gateway) -> None:
    """CSV, XLSX, and PDF with Chinese and a chart."""
    push(gateway, "exam-sync", exam("E1"))
    state(gateway, ["E1", "=X1"])
    close_day(gateway.database, CODE, DAY, LATER)
    with gateway.database.read() as connection:
        entries = entries_within(connection)
    made = {shape: render(entries, shape) for shape in FORMATS}
    assert entries[0].digest.hex() in made["csv"].decode("utf-8-sig")
    assert made["xlsx"].startswith(b"PK")
    assert made["pdf"].startswith(b"%PDF")


def test_an_answer_reads_back() -> None:
    """T157: array, object, or nothing."""
    key = bytes.fromhex(KEY)
    for as_object in (False, True):
        body = json.loads(answer("0", "SUCCESS", ["A", "B"], key, as_object=as_object))
        assert read_missing(body["data"], key) == ("A", "B")
    assert read_missing("", key) == ()
