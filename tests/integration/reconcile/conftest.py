"""Both databases, real, behind one fixture, and the parts of a gateway that reconcile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from yingqiao.exchange.receive import Receiver
from yingqiao.gm.keystore import MasterKey
from yingqiao.spec import load_edition
from yingqiao.store.database import Database, open_database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.tasks.comparing import Comparing
from yingqiao.tasks.mending import Mender

CODE = "12140000MB00000005"
KEY = "2a77be8ebc9c90cd25ccd1d31dce7a77"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    database = open_database(tmp_path)
    database.migrate()
    database.close()
    return str(tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@dataclass
class Gateway:
    """The parts of a gateway that reconcile, without its processes."""

    database: Database
    hospitals: HospitalRegistry
    objects: LocalObjects
    receiver: Receiver
    mender: Mender
    comparing: Comparing


@pytest.fixture
def gateway(database: Database, tmp_path: Path) -> Gateway:
    hospitals = HospitalRegistry(database, MasterKey(b"m" * 32))
    hospitals.add(CODE, "某某医院", KEY)
    edition = load_edition("shanxi/v2_1")
    (tmp_path / "objects").mkdir()
    objects = LocalObjects(tmp_path / "objects")
    receiver = Receiver(edition, hospitals)
    mender = Mender(receiver, database, objects)
    return Gateway(
        database, hospitals, objects, receiver, mender, Comparing(edition, database, hospitals, mender)
    )
