"""The registry of hospitals on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from yingqiao.exchange.profile import Profile
from yingqiao.gm.keystore import MasterKey
from yingqiao.gm.sm4 import check_value
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import HospitalError
from yingqiao.store.followed import FRESH_S
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.schema import hospital_keys
from yingqiao.store.sources import SourceTable, add_source, list_sources, remove_source

MASTER = MasterKey(bytes(range(32)))
KEY = "0123456789ABCDEFFEDCBA9876543210"
OTHER = "00112233445566778899AABBCCDDEEFF"


class Clock:
    def __init__(self) -> None:
        self.now = 1_767_225_600_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def registry(database: Database) -> HospitalRegistry:
    made = HospitalRegistry(database, MASTER, Clock())
    made.add("H1", "第一医院", KEY)
    return made


@pytest.fixture
def elsewhere(url: str) -> Iterator[HospitalRegistry]:
    """The registry of another process, as far as connections and caches go."""
    database = open_database(url)
    registry = HospitalRegistry(database, MASTER)
    registry.start()
    yield registry
    registry.close()
    database.close()


def until(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_hospital_and_its_key(registry: HospitalRegistry, database: Database) -> None:
    entry = registry.get("H1")
    assert entry is not None
    assert (entry.name, entry.disabled, entry.keys) == ("第一医院", False, (bytes.fromhex(KEY),))
    assert registry.get("H9") is None
    with database.read() as connection:
        (row,) = connection.execute(select(hospital_keys)).all()
    assert bytes.fromhex(KEY) not in row.sealed
    (shown,) = registry.list()
    assert shown.keys[0].check_value == check_value(bytes.fromhex(KEY))
    assert KEY not in repr(shown)


def test_rotation_with_overlap(registry: HospitalRegistry) -> None:
    clock = registry._now_ms
    assert isinstance(clock, Clock)
    key, shown = registry.rotate_key("H1", OTHER, overlap_seconds=60)
    assert key == OTHER
    assert registry.get("H1").keys == (bytes.fromhex(OTHER), bytes.fromhex(KEY))
    clock.now += 60_000
    registry.reload()
    assert registry.get("H1").keys == (bytes.fromhex(OTHER),)
    drawn, shown = registry.rotate_key("H1", None, overlap_seconds=0)
    assert registry.get("H1").keys == (bytes.fromhex(drawn),)
    assert shown.check_value == check_value(bytes.fromhex(drawn))
    assert [k.retires_at is None for k in registry.list()[0].keys] == [True, False, False]
    with pytest.raises(HospitalError):
        registry.rotate_key("H1", drawn, 60)


def test_disabling_and_profile(registry: HospitalRegistry) -> None:
    registry.disable("H1")
    assert registry.get("H1").disabled
    registry.enable("H1")
    assert not registry.get("H1").disabled
    registry.set_profile("H1", Profile(ca_required=True))
    assert registry.get("H1").profile.ca_required
    before = registry.get("H1").profile
    registry.reload()
    assert registry.get("H1").profile is before


@pytest.mark.parametrize(
    ("code", "key"),
    [("H1", OTHER), ("", KEY), ("a b", KEY), ("a,b", KEY), ("x" * 65, KEY), ("H2", "12"), ("H2", "zz" * 16)],
)
def test_what_cannot_be_added(registry: HospitalRegistry, code: str, key: str) -> None:
    with pytest.raises(HospitalError):
        registry.add(code, "某医院", key)
    assert [shown.code for shown in registry.list()] == ["H1"]


def test_no_such_hospital(registry: HospitalRegistry, database: Database) -> None:
    for act in (registry.disable, registry.enable, lambda code: registry.rotate_key(code, None, 0)):
        with pytest.raises(HospitalError):
            act("H9")
    with pytest.raises(HospitalError):
        add_source(database, "H9", "CT1", "*")


def test_changes_of_another_process_are_seen(registry: HospitalRegistry, elsewhere: HospitalRegistry) -> None:
    assert elsewhere.get("H1") is not None
    registry.add("H2", "第二医院", OTHER)
    until(lambda: elsewhere.get("H2") is not None)
    registry.disable("H1")
    until(lambda: elsewhere.get("H1").disabled)


@pytest.mark.parametrize("followed", [True, False])
def test_unknown_codes_do_not_hammer_the_database(
    registry: HospitalRegistry, elsewhere: HospitalRegistry, monkeypatch: pytest.MonkeyPatch, followed: bool
) -> None:
    asked = elsewhere if followed else registry
    read, reads = asked._followed._read, []
    monkeypatch.setattr(asked._followed, "_read", lambda: (reads.append(1), read()))
    started = time.monotonic()
    for number in range(20_000):
        asked.get(f"X{number}")
    assert len(reads) <= 2 + (time.monotonic() - started) / FRESH_S


def test_a_key_under_another_master_key_harms_no_other(
    registry: HospitalRegistry, database: Database
) -> None:
    other = HospitalRegistry(database, MasterKey(bytes(32)))
    other.add("H2", "第二医院", OTHER)
    assert other.get("H2").keys == (bytes.fromhex(OTHER),)
    assert other.get("H1").keys == ()


def test_dicom_sources(registry: HospitalRegistry, database: Database) -> None:
    registry.add("H2", "第二医院", OTHER)
    anywhere = add_source(database, "H1", "CT1", "*")
    add_source(database, "H2", "*", "10.1.2.7/16")
    add_source(database, "H1", "MR1", "10.1.2.3")
    for title, network in (("CT1", "*"), ("", "*"), ("A" * 17, "*"), ("CT9", "10.1.2.3.4"), ("CT\\9", "*")):
        with pytest.raises(HospitalError):
            add_source(database, "H2", title, network)
    with database.read() as connection:
        table = SourceTable(list_sources(connection))
    assert table.hospital_of("CT1", "192.168.1.1") == "H1"
    assert table.hospital_of("US1", "10.1.9.9:40123") == "H2"
    assert table.hospital_of("MR1", "::ffff:10.1.2.3") == "H1"
    assert table.hospital_of("MR1", "10.1.2.4") == "H2"
    assert table.hospital_of("US1", "2001:db8::1") == ""
    assert remove_source(database, anywhere.id)
    assert not remove_source(database, anywhere.id)


def test_an_unknown_code_reads_no_database_once_started(
    registry: HospitalRegistry, elsewhere: HospitalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`get` is asked in event loops: only the follower's thread reads, and sees a new hospital in a second."""
    readers: set[str] = set()
    followed = elsewhere._followed
    read = followed._read

    def watched() -> None:
        readers.add(threading.current_thread().name)
        read()

    monkeypatch.setattr(followed, "_read", watched)
    followed._read_at = float("-inf")
    assert elsewhere.get("NEW") is None
    registry.add("NEW", "新医院", OTHER)
    until(lambda: elsewhere.get("NEW"))
    assert readers == {"hospitals"}


def test_what_was_committed_before_its_moment_is_known(
    registry: HospitalRegistry, elsewhere: HospitalRegistry
) -> None:
    """The moment is that of a reading's beginning: what is committed while it goes on may be missed by it."""
    registry.add("NEW", "新医院", OTHER)
    at = time.time()
    until(lambda: (elsewhere.as_of or 0.0) > at)
    assert elsewhere.get("NEW") is not None
    assert registry.as_of is None, (
        "it is read when it is needed, and may be older than all that is at hand elsewhere"
    )
