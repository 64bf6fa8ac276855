"""Replacing the master key on both databases: everything sealed is there afterwards, whatever happens in between."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, func, insert, select, update

from tests.helpers import sm2_reference as reference
from tests.helpers.sm2_reference import Phone
from tests.integration.store.test_signing_people import HOSPITAL, Office
from tests.peers.gateway import YINGQIAO
from yingqiao.app import key_rotation
from yingqiao.app.folder import DataFolder
from yingqiao.app.keyring import KeyRing
from yingqiao.app.keys import key_place, master_key
from yingqiao.app.stores import Stores, open_stores
from yingqiao.exchange.fetch import AllowedHost, Credentials
from yingqiao.gm.key_share import KeyOffer
from yingqiao.gm.keystore import KeystoreError, MasterKey, new_master_key
from yingqiao.settings import Settings
from yingqiao.signing import tsa
from yingqiao.signing.applications import AppSettings
from yingqiao.signing.certificates.authority import IssuingRule
from yingqiao.store import resealing, tokens
from yingqiao.store.applications import AppRegistry
from yingqiao.store.database import Database
from yingqiao.store.fetch_hosts import FetchHosts
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.resealing import Step
from yingqiao.store.schema import metadata, service_secrets
from yingqiao.store.sealed import SEALED
from yingqiao.store.signing.shared_keys import user_of
from yingqiao.store.signing.unit_certificates import UnitCertificates

SECRET = "old secret of the app"
MANY = 400


def fill(office: Office) -> None:
    """Something in every sealed column."""
    database, master = office.database, office.master_key
    doctor_id = office.enrol()
    office.authority.start("测试 CA")
    office.issue(doctor_id)
    phone = Phone(reference.fresh(), user_of(doctor_id))
    with database.write() as connection:
        office.authority.issue_automatic(connection, office.doctors.get(doctor_id))
        offer = KeyOffer.from_bytes(phone.offer_key("s"))
        office.keys.make(connection, doctor_id, "手机", offer, "s")
        rule = IssuingRule()
        UnitCertificates(database, master, office.authority, rule, office.clock).maker(connection)
    host = AllowedHost("http", "pacs", credentials=Credentials(user="u", password="p"))
    FetchHosts(database, master).add(HOSPITAL, host)
    apps = AppRegistry(database, master)
    apps.add("APP", SECRET, settings=AppSettings())
    apps.rotate("APP", None, 3600)
    tokens.keep_authority(database, master, tsa.make("测试", datetime.now(UTC)), "built-in")


def opened(database: Database, master: MasterKey) -> dict[str, list[bytes]]:
    """Every secret in clear, by place."""
    found: dict[str, list[bytes]] = {}
    with database.read() as connection:
        for one in SEALED:
            rows = connection.execute(
                select(one.column.table).where(one.column.is_not(None)).order_by(one.id)
            )
            found[one.place] = [
                master.unseal(bytes(row._mapping[one.column.name]), one.context(row)) for row in rows
            ]
    return found


def traces(database: Database, key_id: bytes) -> list[str]:
    """Columns, of all there are, in which something is still sealed under this key."""
    header, found = b"YQ\x01" + key_id, []
    with database.read() as connection:
        for table in metadata.tables.values():
            for column in table.columns:
                if isinstance(column.type, LargeBinary):
                    start = func.substr(column, 1, len(header), type_=LargeBinary)
                    if connection.scalar(select(func.count()).where(start == header)):
                        found.append(f"{table.name}.{column.name}")
    return found


def quietly(_: Step) -> None:
    """Nobody is told."""


def test_everything_sealed_is_under_the_new_key_and_unchanged(database: Database):
    office = Office(database)
    fill(office)
    before = opened(database, office.master_key)
    assert all(before.values()), "a sealed column that this test does not fill"
    assert set(traces(database, office.master_key.key_id)) == before.keys()
    old, new = office.master_key, new_master_key()
    ring = MasterKey(new, [office.raw_master])
    rehearsed = resealing.reseal(database, ring, quietly, dry_run=True)
    assert sum(step.done for step in rehearsed) == sum(map(len, before.values()))
    assert resealing.left(database, ring) == sum(map(len, before.values()))
    told: list[Step] = []
    steps = resealing.reseal(database, ring, told.append)
    assert [(step.done, step.unreadable) for step in steps] == [
        (len(before[step.place]), ()) for step in steps
    ]
    assert told
    assert traces(database, old.key_id) == []
    assert opened(database, MasterKey(new)) == before
    assert resealing.left(database, ring) == 0


def test_what_does_not_open_stays_and_is_named(database: Database):
    office = Office(database)
    fill(office)
    stranger = MasterKey(new_master_key())
    lost = stranger.seal(b"x" * 32, "service secret lost")
    with database.write() as connection:
        connection.execute(insert(service_secrets).values(name="lost", sealed=lost, created_at=0))
    steps = resealing.reseal(database, MasterKey(new_master_key(), [office.raw_master]), quietly)
    (trouble,) = (why for step in steps for why in step.unreadable)
    assert trouble.startswith("service_secrets.sealed lost：")
    assert stranger.key_id.hex() in trouble
    with database.read() as connection:
        kept = connection.scalar(select(service_secrets.c.sealed).where(service_secrets.c.name == "lost"))
    assert bytes(kept) == lost


def test_what_is_written_meanwhile_is_not_undone(database: Database):
    """A secret replaced between being read and being written back stays the newer one."""
    office = Office(database)
    (one,) = (one for one in SEALED if one.place == "service_secrets.sealed")
    with database.write() as connection:
        sealed = office.master_key.seal(b"first", "service secret s")
        connection.execute(insert(service_secrets).values(name="s", sealed=sealed, created_at=0))
    ring = MasterKey(new_master_key(), [office.raw_master])
    (rows,) = resealing._batches(database, one, one.column.is_not(None))
    with database.write() as connection:
        newer = office.master_key.seal(b"second", "service secret s")
        connection.execute(update(service_secrets).values(sealed=newer))
    assert resealing._reseal_rows(database, ring, one, rows) == (0, [])
    assert opened(database, ring)[one.place] == [b"second"]


# --- the command, on a data folder, killed ------------------------------------------------------------------------


_KILLED = """
import os, signal, sys
import yingqiao.cli.keys as keys
from yingqiao.cli import main

after, *sys.argv = sys.argv[1:]
tell = keys._tell


def told(step):
    tell(step)
    if after in f"{step.done}/{step.total}":
        os.kill(os.getpid(), signal.SIGKILL)


keys._tell = told
main()
"""


class Place:
    """A data folder with many secrets in it."""

    def __init__(self, folder: Path, database: Database, url: str) -> None:
        self.folder, self.database = folder, database
        self.settings = Settings(data=str(folder), database=url if "://" in url else "")
        self.environ = os.environ | {"YINGQIAO_DATABASE": self.settings.database}
        self.master = master_key(self.settings, DataFolder(folder))
        self.plain = {f"s{number}": secrets.token_bytes(32) for number in range(MANY)}
        rows = [
            {"name": name, "sealed": self.master.seal(plain, f"service secret {name}"), "created_at": 0}
            for name, plain in self.plain.items()
        ]
        with database.write() as connection:
            connection.execute(insert(service_secrets), rows)

    def stores(self) -> AbstractContextManager[Stores]:
        return open_stores(self.settings, migrate=False)

    def ring(self) -> KeyRing:
        return key_place(self.settings, DataFolder(self.folder)).ring()

    def command(self, *words: str) -> list[str]:
        return [YINGQIAO, "keys", *words, "--data", str(self.folder)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, env=self.environ, timeout=120, check=False
        )

    def killed(self, after: str) -> None:
        """`keys rotate`, killed where it tells this much of its progress: nobody is quick enough from outside."""
        command = [sys.executable, "-c", _KILLED, after, *self.command("rotate")]
        done = subprocess.run(command, env=self.environ, timeout=240, check=False)
        assert done.returncode == -signal.SIGKILL


def test_a_rotation_killed_in_the_middle_goes_on(url: str, database: Database, tmp_path: Path):
    place = Place(tmp_path, database, url)
    first = place.ring().keys[0].id
    running = HospitalRegistry(database, place.master)
    place.killed(f"100/{MANY}")
    ring = place.ring()
    assert [key.word for key in ring.keys] == ["", "old"]
    assert ring.keys[1].id == first
    (held,) = (one for one in resealing.held(database) if one.place == "service_secrets.sealed")
    assert 0 < held.by_key[first] < MANY
    running.add("H1", "某某医院", "00" * 16)  # a gateway that runs follows the file
    assert place.master.key_id.hex() == ring.keys[0].id
    assert running.get("H1") is not None
    done = place.run("rotate")
    assert done.returncode == 0, done.stderr
    assert "继续上次的更换" in done.stdout
    assert place.ring() == ring
    with place.stores() as stores:
        where = key_place(place.settings, stores.folder)
        gone, kept = key_rotation.retire(stores, where)
        assert (gone, [one.key_id for one in kept]) == ([], [first]), "the file was changed a moment ago"
        os.utime(place.folder / "master.key", (0, 0))
        assert key_rotation.retire(stores, where) == ([first], [])
    (only,) = place.ring().keys
    assert only == ring.keys[0]
    master = MasterKey(only.raw)
    with database.read() as connection:
        rows = connection.execute(select(service_secrets)).all()
    kept = {row.name: master.unseal(bytes(row.sealed), f"service secret {row.name}") for row in rows}
    assert kept == place.plain


def test_several_gateways_know_the_next_key_before_it_seals(url: str, database: Database, tmp_path: Path):
    """A gateway elsewhere, with the prepared file, opens what is sealed anew before it has the new order."""
    place = Place(tmp_path, database, url)
    with place.stores() as stores:
        prepared = key_rotation.prepare(key_place(place.settings, stores.folder))
    assert place.ring() == prepared
    assert [key.word for key in prepared.keys] == ["", "next"]
    elsewhere = MasterKey(prepared.raw[0], prepared.raw[1:])
    with place.stores() as stores:
        done = key_rotation.rotate(stores, key_place(place.settings, stores.folder), quietly)
    assert not done.unreadable
    assert place.ring().keys[0].raw == prepared.raw[1]
    row = service_secrets.c.name == "s1"
    with database.read() as connection:
        sealed = bytes(connection.scalar(select(service_secrets.c.sealed).where(row)) or b"")
    assert elsewhere.unseal(sealed, "service secret s1") == place.plain["s1"]
    with pytest.raises(KeystoreError, match="没有它"):
        MasterKey(prepared.raw[0]).unseal(sealed, "service secret s1")
