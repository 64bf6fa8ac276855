"""The index of images on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.store_makers import NOW, landed
from yingqiao.store.database import Database, open_database
from yingqiao.store.images import ImageIndex
from yingqiao.store.schema import hospitals, instances, series, studies
from yingqiao.store.sources import add_source


def rows(database: Database, table: Any) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def test_studies_series_and_counts(database: Database) -> None:
    batch = [
        landed(f"1.{n}", series_uid=f"1.2.3.{n % 2}", modality=["CT", "SR"][n % 2], at=NOW + n)
        for n in range(6)
    ]
    ImageIndex(database).index_instances(batch, {"s-1": 6000})
    (study,) = rows(database, studies)
    assert (study.study_uid, study.patient_name, study.modalities) == ("1.2.3", "张三", ",CT,SR,")
    assert (study.series_count, study.instance_count, study.byte_count) == (2, 6, 6000)
    assert (study.first_received_at, study.updated_at, study.link_due) == (NOW, NOW + 5, True)
    assert [row.instance_count for row in rows(database, series)] == [3, 3]
    assert ImageIndex(database).progress() == {"s-1": 6000}
    ImageIndex(database).index_instances([landed("1.9")], {"s-1": 7000, "s-2": 10})
    assert rows(database, studies)[0].instance_count == 7
    assert ImageIndex(database).progress() == {"s-1": 7000, "s-2": 10}


def test_the_same_again_changes_nothing(database: Database) -> None:
    """After a crash between landing and index, segments are read again."""
    batch = [landed("1.1"), landed("1.2")]
    index = ImageIndex(database)
    index.index_instances(batch, {"s-1": 2000})
    with database.write() as connection:
        connection.execute(studies.update().values(link_due=False))
    before = rows(database, studies), rows(database, series), rows(database, instances)
    index.index_instances([*batch, *batch], {"s-1": 1000})
    assert (rows(database, studies), rows(database, series), rows(database, instances)) == before
    assert index.progress() == {"s-1": 2000}


@pytest.mark.parametrize("together", [True, False])
def test_another_content_under_the_same_uid(database: Database, together: bool) -> None:
    """Both kept, both flagged, the newest shown; what is counted is what is shown."""
    index = ImageIndex(database)
    batch = [
        landed("1.1", "a", at=NOW),
        landed("1.2", at=NOW),
        landed("1.1", "b", at=NOW + 9, series_uid="1.2.3.9"),
        landed("1.1", "c", at=NOW + 5),
        landed("1.1", "a", at=NOW + 20),
    ]
    for part in [batch] if together else [[item] for item in batch]:
        index.index_instances(part, {})
    found = {(row.sop_uid, row.digest): (row.conflict, row.shown) for row in rows(database, instances)}
    assert found == {
        ("1.1", batch[0].digest): (True, False),
        ("1.2", batch[1].digest): (False, True),
        ("1.1", batch[2].digest): (True, True),
        ("1.1", batch[3].digest): (True, False),
    }
    (study,) = rows(database, studies)
    assert (study.instance_count, study.byte_count, study.series_count) == (2, 2000, 2)
    assert {row.series_uid: row.instance_count for row in rows(database, series)} == {
        "1.2.3.1": 1,
        "1.2.3.9": 1,
    }


def test_what_contradicts_is_noted(database: Database) -> None:
    index = ImageIndex(database)
    index.index_instances([landed("1.1", patient_id="", oddities=("charset-lied",)), landed("1.2")], {})
    (study,) = rows(database, studies)
    assert (study.patient_id, study.oddities) == ("P1", ",charset-lied,")
    index.index_instances([landed("1.3", patient_name="李四", accession_number="A2")], {})
    (study,) = rows(database, studies)
    assert study.patient_name == "张三"
    assert study.oddities == ",charset-lied,patient-differs,accession-differs,"


def test_the_hospital_by_its_senders(database: Database) -> None:
    with database.write() as connection:
        for code in ("H1", "H2"):
            connection.execute(
                insert(hospitals).values(code=code, name=code, disabled=False, profile="{}", created_at=0)
            )
    add_source(database, "H1", "*", "10.0.0.0/8")
    add_source(database, "H2", "CT1", "10.1.0.0/16")
    ImageIndex(database).index_instances([landed("1.1")], {})
    assert rows(database, studies)[0].hospital_code == "H2"


def test_without_study_uid_instances_are_not_mixed_up(database: Database) -> None:
    batch = [landed(f"1.{n}", study_uid="", series_uid=["", "9.1", "9.1"][n]) for n in range(3)]
    ImageIndex(database).index_instances(batch, {})
    assert {row.study_uid: row.instance_count for row in rows(database, studies)} == {
        "no-study-uid:1.0": 1,
        "no-study-uid:9.1": 2,
    }


def test_facts_a_database_refuses(database: Database) -> None:
    """Nothing that landed may stop the index."""
    batch = [
        landed("1.1", patient_name="张\0三", series_description="\ud800"),
        landed("1.2", rows=10**12),
        landed("1.3", patient_id="".join(map(str, range(5000)))),  # no index of PostgreSQL takes that
        landed("1.4"),
    ]
    ImageIndex(database).index_instances(batch, {"s-1": 9})
    assert {row.sop_uid for row in rows(database, instances)} == {"1.1", "1.2", "1.3", "1.4"}
    assert ImageIndex(database).progress() == {"s-1": 9}


def test_two_writers_of_one_study(database: Database, url: str) -> None:
    """Two connections index overlapping batches at once: nothing is lost, nothing counted twice."""
    failures: list[Exception] = []
    own = open_database(url)

    def run(start: int) -> None:
        try:
            index = ImageIndex(database if database.is_sqlite else own)
            for first in range(start, start + 100, 10):
                batch = [
                    landed(f"1.{n}", study_uid=f"1.2.{n % 3}", series_uid=f"1.3.{n % 7}")
                    for n in range(first, first + 10)
                ]
                index.index_instances(batch[:: -1 if start else 1], {f"s-{start}": first})
        except Exception as error:  # noqa: BLE001 -- shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(start,)) for start in (0, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.close()
    assert failures == []
    assert len(rows(database, instances)) == 150
    assert sum(row.instance_count for row in rows(database, studies)) == 150
    assert sum(row.instance_count for row in rows(database, series)) == 150
    assert [row.series_count for row in rows(database, studies)] == [7, 7, 7]
