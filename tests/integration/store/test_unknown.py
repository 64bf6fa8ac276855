"""Refused bodies of unknown hospitals are bounded."""

from __future__ import annotations

from sqlalchemy import insert

from tests.store_makers import exam_row, submission
from yingqiao.exchange.model import Outcome
from yingqiao.store.database import Database
from yingqiao.store.ledger import Ledger
from yingqiao.store.schema import hospitals
from yingqiao.store.unknown import UnknownBounds, UnknownSenders


def test_bounded_by_count_and_bytes(database: Database) -> None:
    senders = UnknownSenders(database, UnknownBounds(count=3, bytes=100))
    assert [senders.admit(size) for size in (40, 90, 40, 30, 20, 1)] == [
        True,
        False,
        True,
        False,
        True,
        False,
    ]


def test_what_is_kept_already_counts(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            insert(hospitals).values(code="H1", name="", disabled=False, profile="{}", created_at=0)
        )
    ledger = Ledger(database)
    for hospital in ("H1", "X1", ""):
        ledger.record_now(submission(hospital_code=hospital, outcome=Outcome.REFUSED))
    ledger.record_now(submission(exam_row("E1", hospital_code="X2"), hospital_code="X2"))
    assert [UnknownSenders(database, UnknownBounds(count=n)).admit(1) for n in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
