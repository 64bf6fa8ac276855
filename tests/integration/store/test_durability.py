"""An acknowledgement means durable: what `record` returned is there after kill -9, a lost database, a full
disk."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.peers.postgres import PostgresServer, wait_until_ready
from tests.store_makers import exam_row, submission
from yingqiao.store.compression import decompress
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.ledger import Bounds, Ledger
from yingqiao.store.schema import exams, reports, submissions

ROOT = Path(__file__).parents[3]


@dataclass
class Load:
    """A loader process and what it said."""

    process: subprocess.Popen[str]
    acknowledged: list[tuple[int, str, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, url: str, prefix: str = "K", keys: int = 50, limit: int = 0) -> Load:
        command = [sys.executable, "-m", "tests.integration.store.loader", url, prefix, str(keys), str(limit)]
        load = cls(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        load._reader = threading.Thread(target=load._read)  # type: ignore[attr-defined]
        load._reader.start()  # type: ignore[attr-defined]
        return load

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                break  # the kill cut it
            words = line.split()
            if words[0] == "error":
                self.errors.append(words[1])
            elif words[0] == "kept":
                self.acknowledged.append((int(words[1]), words[2], int(words[3])))

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (len(self.acknowledged), self.errors[-3:])
            assert self.process.poll() is None
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()  # type: ignore[attr-defined]
        assert self.process.stdout is not None
        self.process.stdout.close()


def assert_nothing_lost(database: Database, acknowledged: list[tuple[int, str, int]]) -> None:
    """Every acknowledged version is there, byte for byte, and each key shows its newest or a newer one."""
    with database.read() as connection:
        kept = {row.id: row for row in connection.execute(select(submissions))}
        shown = {row.ris_study_id: row for row in connection.execute(select(exams))}
        filed = {row.record_num: row for row in connection.execute(select(reports))}
    newest: dict[str, int] = {}
    for number, key, count in acknowledged:
        assert kept[number].exam_key == key
        assert f"{count:09d}".encode() in decompress(kept[number].body)
        newest[key] = max(newest.get(key, 0), count)
    for key, count in newest.items():
        changed = f"2026-01-01 00:00:00 {count:09d}"
        assert shown[key].last_change_time >= changed
        assert filed[key].last_change_time >= changed
    assert_no_half_ones(kept, shown, filed)


def assert_no_half_ones(kept: dict[int, Any], shown: dict[str, Any], filed: dict[str, Any]) -> None:
    """One transaction: what is shown is kept, and what is kept is not newer than what is shown."""
    for table, name in ((shown, "exam_key"), (filed, "report_key")):
        for key, row in table.items():
            assert getattr(kept[row.submission_id], name) == key
    for row in kept.values():
        assert shown[row.exam_key].last_change_time >= row.last_change_time
        assert filed[row.report_key].last_change_time >= row.last_change_time


def test_kill_minus_nine_under_load(url: str, database: Database) -> None:
    chance = random.Random(9)
    acknowledged: list[tuple[int, str, int]] = []
    for _ in range(4):
        load = Load.begin(url)
        load.until(lambda load=load: len(load.acknowledged) > 20)
        time.sleep(chance.random() / 3)
        load.kill()
        acknowledged += load.acknowledged
        assert load.errors == []
    assert_nothing_lost(database, acknowledged)
    if database.is_sqlite:
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


@pytest.mark.peer
def test_two_processes_write_the_same_keys(postgres_url: str) -> None:
    """Concurrent upserts of the same keys: no deadlock reaches a caller, the newest wins."""
    loads = [Load.begin(postgres_url, keys=20) for _ in range(2)]
    for load in loads:
        load.until(lambda load=load: len(load.acknowledged) > 800)
    for load in loads:
        load.kill()
        assert load.errors == []
    database = open_database(postgres_url)
    assert_nothing_lost(database, [one for load in loads for one in load.acknowledged])
    database.close()


@pytest.mark.peer
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_database_goes_away_and_comes_back(
    postgres: PostgresServer, postgres_url: str, mode: str
) -> None:
    load = Load.begin(postgres_url)
    try:
        load.until(lambda: len(load.acknowledged) > 50)
        postgres.stop(mode)
        try:
            load.until(lambda: len(load.errors) > 20)
        finally:
            postgres.start()
            wait_until_ready(postgres)
        before = len(load.acknowledged)
        load.until(lambda: len(load.acknowledged) > before + 50)
    finally:
        load.kill()
    assert set(load.errors) == {"StoreUnavailable"}
    database = open_database(postgres_url)
    assert_nothing_lost(database, load.acknowledged)
    database.close()


def _mounted(folder: Path) -> bool:
    """Whether a file system of 2 MB is now at `folder`: not everybody may mount."""
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def test_the_disk_is_full_and_has_room_again(tmp_path: Path) -> None:
    """A file system of 2 MB that grows; where mounting is not permitted, a limit on the size of files."""
    small_disk = tmp_path / "small"
    small_disk.mkdir()
    if not _mounted(small_disk):
        _fill(small_disk, 1_000_000, lambda load: load.process.send_signal(signal.SIGUSR1))
        return
    try:
        _fill(
            small_disk,
            0,
            lambda _: subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True),
        )
    finally:
        subprocess.run(["umount", "-l", small_disk], check=True)


def test_the_file_limit_is_reached_and_lifted(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: writes beyond it fail much as they do on a full disk."""
    _fill(tmp_path, 1_500_000, lambda load: load.process.send_signal(signal.SIGUSR1))


def _fill(folder: Path, limit: int, make_room: Callable[[Load], Any]) -> None:
    database = open_database(folder)
    database.migrate()
    load = Load.begin(str(folder), keys=0, limit=limit)
    try:
        load.until(lambda: len(load.errors) > 20)
        make_room(load)
        before = len(load.acknowledged)
        load.until(lambda: len(load.acknowledged) > before + 50)
    finally:
        load.kill()
    assert set(load.errors) <= {"StoreFull", "StoreUnavailable"}
    assert_nothing_lost(database, load.acknowledged)
    database.close()


def test_another_process_holds_the_file(tmp_path: Path) -> None:
    """A command writing meanwhile delays the gateway; it does not fail it."""
    database, other = open_database(tmp_path), open_database(tmp_path)
    database.migrate()

    async def run() -> None:
        ledger = Ledger(database)
        ledger.start()
        with other.write():
            waiting = asyncio.create_task(ledger.record(submission(exam_row("E1"))))
            await asyncio.sleep(0.3)
            assert not waiting.done()
        assert await waiting == 1
        await ledger.close()

    asyncio.run(run())
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(exams)).scalar() == 1
    database.close()
    other.close()


def test_a_data_folder_that_vanished(tmp_path: Path) -> None:
    async def run() -> None:
        ledger = Ledger(open_database(tmp_path / "missing"))
        ledger.start()
        with pytest.raises(StoreUnavailable):
            await ledger.record(submission(exam_row("E1")))
        while ledger.available:  # noqa: ASYNC110 -- it tries at once to reconnect before it gives up
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            await ledger.record(submission(exam_row("E1")))
        await ledger.close()

    asyncio.run(run())


@pytest.mark.peer
def test_a_lane_whose_connection_died_between_two_writes_refuses_nothing(
    postgres: PostgresServer, postgres_url: str
) -> None:
    """`/health/ready` says ready as soon as one lane is back: the others must write as well, at once."""
    database = open_database(postgres_url)

    async def run() -> None:
        ledger = Ledger(database, Bounds(batch=1), postgres_lanes=3)
        ledger.start()
        try:
            for round_ in range(3):
                keys = [f"L{round_}-{number}" for number in range(9)]
                await asyncio.gather(*(ledger.record(submission(exam_row(key))) for key in keys))
                postgres.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE datname = '{database.engine.url.database}'"
                )
        finally:
            await ledger.close()

    asyncio.run(run())
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(submissions)) == 27
    database.close()
