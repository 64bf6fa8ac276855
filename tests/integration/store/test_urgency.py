"""急诊 first, also when the exam is told after its images were asked for; on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.integration.store.link_world import HOSPITAL, World
from tests.integration.store.test_image_lists import images, take
from yingqiao.exchange.fetch import AllowedHost
from yingqiao.exchange.pacs import NewPacsNode, parse_address
from yingqiao.exchange.work import Priority
from yingqiao.gm.keystore import MasterKey
from yingqiao.store.database import Database
from yingqiao.store.doorbell import Doorbell
from yingqiao.store.fetch_hosts import FetchHosts
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.linkage import link_all
from yingqiao.store.pacs import add_node
from yingqiao.store.schema import work
from yingqiao.tasks.relay import Relay

MASTER = MasterKey(b"m" * 32)


@pytest.fixture
def world(database: Database) -> World:
    registry = HospitalRegistry(database, MASTER)
    registry.add(HOSPITAL, "某某医院", "0123456789ABCDEFFEDCBA9876543210")
    add_node(database, NewPacsNode(HOSPITAL, "main", parse_address("PACS1@10.1.2.3:104")))
    return World(database)


def relay(database: Database) -> None:
    hosts = FetchHosts(database, MASTER)
    hosts.add(HOSPITAL, AllowedHost("http", "10.0.0.1", 80, "/", private=True))
    Relay(database, hosts, Doorbell(Path("/nowhere")), lambda: None).turn()


def priorities(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {row.key: row.priority for row in connection.execute(select(work))}


def test_an_exam_that_becomes_urgent_hurries_its_pull(database: Database, world: World) -> None:
    world.exam()
    world.exam(ris_study_id="RIS2", accession_numbers=("A2",), study_uids=())
    world.report(ris_study_ids=("RIS1", "RIS2"))
    link_all(database)
    assert Priority.EMERGENCY not in priorities(database).values()
    world.exam(is_emergency=True)
    link_all(database)
    found = priorities(database)
    assert found["exam:1@main"] == Priority.EMERGENCY
    assert found["exam:2@main"] != Priority.EMERGENCY


@pytest.mark.parametrize("by", [{"accession_number": ""}, {"study_uid": "9.9"}], ids=["study", "number"])
def test_an_urgent_exam_that_comes_late_hurries_its_list(database: Database, world: World, by: dict) -> None:
    """The list is found by STUDYIUID, then by ACCESS_NO (T95); another exam's list waits its turn."""
    values = {"hospital_code": HOSPITAL, "study_uid": "1.2.3", "accession_number": "A1"} | by
    other = values | {"series": "1.2.2", "study_uid": "1.2.4", "accession_number": "A4"}
    take(database, images(range(2), **values))
    take(database, images(range(2), **other))
    relay(database)
    assert priorities(database) == {f"list:{n}:http://10.0.0.1:80": Priority.NORMAL for n in (1, 2)}
    world.exam(is_emergency=True)
    link_all(database)
    assert priorities(database) == {
        "list:1:http://10.0.0.1:80": Priority.EMERGENCY,
        "list:2:http://10.0.0.1:80": Priority.NORMAL,
    }


def test_what_is_over_is_left_alone(database: Database, world: World) -> None:
    take(database, images(range(2), hospital_code=HOSPITAL, study_uid="1.2.3"))
    relay(database)
    with database.write() as connection:
        connection.execute(work.update().values(state="dead"))
    world.exam(is_emergency=True)
    link_all(database)
    assert priorities(database) == {"list:1:http://10.0.0.1:80": Priority.NORMAL}
