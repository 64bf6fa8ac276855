"""The ledger of storage commitment requests, on both databases (PS3.4 annex J)."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from tests.store_makers import NOW, landed
from yingqiao.exchange.commitment import Asked, Reference
from yingqiao.exchange.completeness import ImagesState
from yingqiao.store import commitments as ledger
from yingqiao.store.database import Database
from yingqiao.store.expectations import completeness
from yingqiao.store.images import ImageIndex
from yingqiao.store.queries import CommitmentFilter, list_commitments, show_commitment
from yingqiao.store.schema import hospitals
from yingqiao.store.sources import add_source

CT = "1.2.840.10008.5.1.4.1.1.2"


def asked(*uids: str, transaction: str = "1.9", aet: str = "CT1") -> Asked:
    references = tuple(Reference(CT, uid) for uid in uids)
    return Asked(transaction, aet, "YINGQIAO", "10.1.2.3", NOW, references)


def keep(database: Database, request: Asked) -> int:
    with database.write() as connection:
        return ledger.keep(connection, request)[0]


def everything(_: str) -> bool:
    return True


def test_judged_by_what_is_indexed(database: Database) -> None:
    ImageIndex(database).index_instances([landed("1"), landed("2")], {})
    number = keep(database, asked("1", "2", "3"))
    with database.read() as connection:
        request = ledger.read_request(connection, number)
        assert request is not None
        verdict = ledger.judge_request(connection, request.asked, everything)
        gone = ledger.judge_request(connection, request.asked, lambda _: False)
    assert [one.sop_instance_uid for one in verdict.committed] == ["1", "2"]
    assert [one.reason for one in verdict.failed] == [0x0112]
    assert [one.reason for one in gone.failed] == [0x0110, 0x0110, 0x0112]


def test_the_same_transaction_of_the_same_requester_is_one(database: Database) -> None:
    first = keep(database, asked("1"))
    with database.write() as connection:
        request = ledger.read_request(connection, first)
        assert request is not None
        ledger.note_told(connection, first, ledger.judge_request(connection, request.asked, everything))
    assert keep(database, asked("1", "2")) == first
    assert keep(database, asked("1", aet="CT2")) != first
    with database.read() as connection:
        again = ledger.read_request(connection, first)
        assert again is not None
        assert (len(again.asked.references), again.notified_at) == (2, None)  # to be answered again
        assert ledger.counts(connection) == (2, 2)


def test_tries_and_their_reason_are_kept(database: Database) -> None:
    number = keep(database, asked("1"))
    with database.write() as connection:
        ledger.note_failure(connection, number, "对方拒绝连接")
    with database.read() as connection:
        (shown,) = list_commitments(connection, CommitmentFilter(told=False)).items
        assert (shown.attempts, shown.reason, shown.failed_count) == (1, "对方拒绝连接", None)
        assert ledger.counts(connection) == (1, 1)


def test_lists_and_details(database: Database) -> None:
    ImageIndex(database).index_instances([landed("1")], {})
    numbers = [keep(database, asked("1", "2", transaction=f"1.{n}")) for n in range(3)]
    with database.write() as connection:
        request = ledger.read_request(connection, numbers[0])
        assert request is not None
        ledger.note_told(connection, numbers[0], ledger.judge_request(connection, request.asked, everything))
    with database.read() as connection:
        assert [one.id for one in list_commitments(connection).items] == numbers[::-1]
        assert [one.id for one in list_commitments(connection, CommitmentFilter(told=True)).items] == [
            numbers[0]
        ]
        assert [one.id for one in list_commitments(connection, CommitmentFilter(failed=True)).items] == [
            numbers[0]
        ]
        found = show_commitment(connection, numbers[1], everything)
        assert found is not None
        assert (found.committed_count, [one.sop_instance_uid for one in found.failures]) == (1, ["2"])
        assert show_commitment(connection, 999, everything) is None


def test_the_requester_s_hospital(database: Database) -> None:
    with database.write() as connection:
        row = {"code": "H1", "name": "某院", "disabled": False, "profile": "{}", "created_at": NOW}
        connection.execute(insert(hospitals).values(row))
    add_source(database, "H1", "CT1", "10.1.0.0/16")
    number = keep(database, asked("1"))
    with database.read() as connection:
        request = ledger.read_request(connection, number)
        assert request is not None
        assert request.hospital_code == "H1"


def test_a_request_is_evidence(database: Database) -> None:
    """Who wants 3 images of a study safe has 3 of it."""
    ImageIndex(database).index_instances([landed("1"), landed("2")], {})
    number = keep(database, asked("1", "2", "3"))
    ledger.tell_expectations(database, number, everything)
    with database.read() as connection:
        found = completeness(connection, ["1.2.3"], NOW + 10_000_000)["1.2.3"]
    assert (found.state, found.expected, found.missing) == (ImagesState.SHORT, 3, 1)
    ImageIndex(database).index_instances([landed("3")], {})
    with database.read() as connection:
        found = completeness(connection, ["1.2.3"], NOW + 10_000_000)["1.2.3"]
    assert found.state is ImagesState.COMPLETE


@pytest.mark.parametrize("count", [12_000])
def test_many_references(database: Database, count: int) -> None:
    """More than fit one IN list."""
    number = keep(database, asked(*(f"1.2.{n}" for n in range(count))))
    with database.read() as connection:
        request = ledger.read_request(connection, number)
        assert request is not None
        assert len(ledger.judge_request(connection, request.asked, everything).failed) == count
