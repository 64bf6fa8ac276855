"""The indexer: everything landed gets into the index, through outages, restarts and overflow."""

import threading
import time

import pytest

from tests.helpers.laid import lay
from yingqiao.exchange.model import Arrival, InstanceFacts, Landed
from yingqiao.store.indexer import Indexer, Progress
from yingqiao.store.landing import LandingArea


def read_facts(dataset, transfer_syntax, sop_class, sop_instance):
    return InstanceFacts(sop_class, sop_instance, transfer_syntax)


class Index:
    """A database that can be away; keeps what it is given, and the progress, across indexers."""

    def __init__(self) -> None:
        self.away = False
        self.uids: list[str] = []
        self.progress: dict[str, int] = {}
        self.guard = threading.Lock()

    def write(self, batch, progress):
        with self.guard:
            if self.away:
                raise ConnectionError("database away")
            self.uids += [landed.facts.sop_instance_uid for landed in batch]
            self.progress.update(progress)

    def read(self):
        if self.away:
            raise ConnectionError("database away")
        return self.progress


class Gateway:
    """A landing area with an indexer behind it, and a receiver's moves."""

    def __init__(self, root, index, **options) -> None:
        self.area = LandingArea(root, reserve_bytes=0, segment_bytes=200_000)
        options = {"batch_seconds": 0.0, "retry_seconds": 0.05} | options
        self.indexer = Indexer(self.area, index.write, read_facts, index.read, **options)
        self.indexer.start()

    def receive(self, uid, submit=True):
        arrival = Arrival(1, "CT", "Y", "10.0.0.1", "1.2.840.10008.1.2.1", "1.2", uid)
        pending = self.area.append(arrival, lay(b"", uid.encode() * 300))
        self.area.flush([pending])
        if submit:
            self.indexer.submit(Landed(pending.place, arrival, b""))

    def stop(self, timeout=60.0):
        done = self.indexer.stop(timeout)
        self.area.close()
        return done


@pytest.fixture
def index():
    return Index()


def eventually(check, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


UIDS = [f"1.2.{n}" for n in range(100)]


def test_what_is_submitted_is_indexed(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    for uid in UIDS:
        gateway.receive(uid)
    assert gateway.stop()
    assert sorted(index.uids) == sorted(UIDS)
    assert index.progress == {n: -(-s // 4096) * 4096 for n, s in gateway.area.segments().items()}


def test_what_a_kill_left_unindexed_is_found_again(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    for uid in UIDS[:50]:
        gateway.receive(uid)
    for uid in UIDS[50:]:
        gateway.receive(uid, submit=False)  # acknowledged, then killed
    gateway.stop()
    gateway = Gateway(tmp_path / "l", index)
    assert gateway.indexer.wait_recovered(60.0)
    assert gateway.stop()
    assert sorted(index.uids) == sorted(UIDS)


def test_progress_never_passes_what_is_not_indexed(tmp_path, index):
    """An instance indexed before an earlier one of its file must not hide that one from recovery."""
    gateway = Gateway(tmp_path / "l", index)
    gateway.receive("1.2.1", submit=False)
    gateway.receive("1.2.2")
    assert gateway.stop()
    assert index.uids == ["1.2.2"]
    gateway = Gateway(tmp_path / "l", index)
    assert gateway.indexer.wait_recovered(60.0)
    gateway.stop()
    assert set(index.uids) == {"1.2.1", "1.2.2"}


def test_nothing_is_read_twice_after_a_clean_stop(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    for uid in UIDS:
        gateway.receive(uid)
    assert gateway.stop()
    gateway = Gateway(tmp_path / "l", index)
    assert gateway.indexer.wait_recovered(60.0)
    gateway.stop()
    assert len(index.uids) == len(UIDS)


def test_an_outage_keeps_the_backlog(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    assert gateway.indexer.wait_recovered(60.0)
    index.away = True
    for uid in UIDS:
        gateway.receive(uid)
    assert gateway.indexer.backlog == len(UIDS)
    index.away = False
    eventually(lambda: gateway.indexer.backlog == 0)
    assert gateway.stop()
    assert sorted(index.uids) == sorted(UIDS)


def test_what_does_not_fit_the_queue_is_read_from_the_landing_area(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index, queue_limit=10, batch_size=5)
    assert gateway.indexer.wait_recovered(60.0)
    index.away = True
    for uid in UIDS:
        gateway.receive(uid)
    assert gateway.indexer.backlog == len(UIDS)
    index.away = False
    eventually(lambda: set(index.uids) == set(UIDS))
    for uid in ("1.3.1", "1.3.2"):
        gateway.receive(uid)
    assert gateway.stop()
    assert set(index.uids) == {*UIDS, "1.3.1", "1.3.2"}


def test_a_database_away_at_the_start_is_waited_for(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    gateway.receive("1.2.1", submit=False)
    gateway.stop()
    index.away = True
    gateway = Gateway(tmp_path / "l", index)
    assert not gateway.indexer.wait_recovered(0.1)
    gateway.receive("1.2.2")
    index.away = False
    assert gateway.indexer.wait_recovered(60.0)
    assert gateway.stop()
    assert index.uids == ["1.2.1", "1.2.2"]


def test_too_far_behind_is_said(tmp_path, index):
    """The receiver then answers A700."""
    gateway = Gateway(tmp_path / "l", index, backlog_limit=20)
    index.away = True
    for uid in UIDS[:19]:
        gateway.receive(uid)
    assert not gateway.indexer.is_behind
    gateway.receive(UIDS[19])
    assert gateway.indexer.is_behind
    assert not gateway.stop(1.0)
    assert not index.uids


def test_a_stop_during_an_outage_does_not_hang(tmp_path, index):
    index.away = True
    gateway = Gateway(tmp_path / "l", index)
    started = time.monotonic()
    assert gateway.stop()
    assert time.monotonic() - started < 50.0


def test_a_file_that_is_no_landing_file_does_not_stop_recovery(tmp_path, index):
    gateway = Gateway(tmp_path / "l", index)
    gateway.receive("1.2.1", submit=False)
    gateway.stop()
    (tmp_path / "l" / "seg-00000076.landing").write_bytes(b"short")
    (tmp_path / "l" / "big-00000077.landing").write_bytes(b"x" * 9000)
    gateway = Gateway(tmp_path / "l", index)
    assert gateway.indexer.wait_recovered(60.0)
    gateway.stop()
    assert index.uids == ["1.2.1"]


def test_progress_is_contiguous():
    progress = Progress()
    assert progress.mark("s", 8192, 12288, 4096) == 4096
    assert progress.mark("s", 12288, 16384, 4096) == 4096
    assert progress.mark("s", 4096, 8192, 4096) == 16384
    assert progress.mark("s", 4096, 8192, 4096) == 16384
    progress.skip_to("s", 5)
    assert progress.complete("s") == 16384
