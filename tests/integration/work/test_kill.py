"""Work survives kill -9 without loss and without doing an effect twice that cannot be done twice (issue 3)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from tests.helpers.work_engine import make_tables
from tests.integration.work.conftest import ask, states, wait_until
from tests.peers.postgres import PostgresServer, wait_until_ready
from yingqiao.store.database import Database, open_database
from yingqiao.store.schema import work


class Engines:
    """Engine processes that a test starts and kills."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(
        self, executor: str = "one", seconds: float = 0.02, lease: float = 3.0
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.helpers.work_engine", self.url, str(self.folder), executor]
        with (self.folder / f"{executor}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, str(seconds), str(lease)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[3],
            )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", self.log(executor)
        return process

    def readies(self) -> int:
        log = self.folder / "one.log"
        return log.read_text("utf-8").count("work.ready") if log.exists() else 0

    def log(self, executor: str = "one") -> str:
        return (self.folder / f"{executor}.log").read_text("utf-8")


@pytest.fixture
def engines(url: str, tmp_path: Path) -> Iterator[Engines]:
    made = Engines(url, tmp_path)
    yield made
    for process in made.processes:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def account(database: Database, names: int) -> None:
    """Every effect is there once, every row is done, no row ran twice at once."""
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM effects")) == names
        assert connection.scalar(text("SELECT max(times) FROM effects")) == 1
        left = connection.scalar(select(func.count()).where(work.c.executor != ""))
        assert left == 0


def begun(database: Database, name: str) -> bool:
    with database.read() as connection:
        found = connection.execute(text("SELECT 1 FROM begins WHERE name = :name"), {"name": name})
        return found.first() is not None


def overlaps(database: Database, gone_at: dict[str, float]) -> list[str]:
    """Names that were in hand twice at once; a try without an end ended when its process was killed."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with database.read() as connection:
        for name, executor, began, ended in connection.execute(
            text("SELECT name, executor, began, ended FROM begins")
        ):
            spans[name].append((began, ended or gone_at.get(executor, began)))
    return [
        name
        for name, times in spans.items()
        if any(later[0] < before[1] for before, later in pairwise(sorted(times)))
    ]


def test_killed_again_and_again_nothing_is_lost_or_done_twice(database: Database, engines: Engines) -> None:
    make_tables(database)
    names = [f"w{i}" for i in range(220)] + ["long"]
    ask(database, *names[:160], kind="effect", destination="H1/http://a:80")
    ask(database, "long", kind="effect", destination="H1/http://long:80", payload='{"seconds":600}')
    chance = random.Random(7)
    for turn in range(5):
        ready = engines.readies()
        process = engines.start()
        wait_until(lambda: engines.readies() > ready)  # noqa: B023 called at once
        ask(
            database,
            *names[160 + turn * 12 : 172 + turn * 12],
            kind="effect",
            destination=f"H1/http://b{turn}:80",
        )
        if turn == 0:
            wait_until(lambda: begun(database, "long"))
        time.sleep(chance.random() * 0.6)
        kill(process)
    with database.write() as connection:  # what is begun anew is quick
        connection.execute(update(work).where(work.c.key == "long").values(payload="{}"))
    ask(database, *names[:-1], kind="effect", destination="H1/http://a:80")
    engines.start()
    wait_until(lambda: set(states(database).values()) == {"done"}, 240)
    time.sleep(0.5)
    account(database, len(names))
    with database.read() as connection:
        cut_off = connection.scalar(text("SELECT count(*) FROM begins WHERE ended IS NULL"))
    assert cut_off  # some were killed in the middle


@pytest.mark.peer
class TestSeveralMachines:
    """PostgreSQL: the same code in several processes."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def database(self, url: str) -> Iterator[Database]:
        opened = open_database(url)
        yield opened
        opened.close()

    def test_both_work_and_no_row_runs_twice_at_once(self, database: Database, engines: Engines) -> None:
        make_tables(database)
        names: list[str] = []
        for executor in ("one", "two"):
            engines.start(executor, 0.1, lease=60)
        for executor in ("one", "two"):  # which it says before it has launched
            wait_until(lambda: "work.ready" in engines.log(executor), 120)  # noqa: B023 called at once
        deadline = time.monotonic() + 120
        while len(names) < 120 or min(self.begins(database).values()) < 10:  # one may stand still for a while
            assert time.monotonic() < deadline, self.begins(database)
            ask(database, f"w{len(names)}", kind="effect", destination=f"H1/http://d{len(names) % 6}:80")
            names.append(f"w{len(names)}")
        wait_until(lambda: set(states(database).values()) == {"done"}, 240)
        account(database, len(names))
        with database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM begins")) == len(names)
        assert min(self.begins(database).values()) >= 10
        assert overlaps(database, {}) == []

    def begins(self, database: Database) -> dict[str, int]:
        """How many each has begun."""
        with database.read() as connection:
            rows = connection.execute(text("SELECT executor, count(*) FROM begins GROUP BY 1"))
            return {"one": 0, "two": 0} | dict(rows.all())

    def test_what_a_killed_machine_had_in_hand_is_adopted(self, database: Database, engines: Engines) -> None:
        make_tables(database)
        ask(database, *(f"w{i}" for i in range(4)), kind="effect", payload='{"seconds":60}')
        one = engines.start("one", lease=20)  # long enough for a process that is held up meanwhile
        wait_until(lambda: list(states(database).values()).count("running") == 4)
        engines.start("two", lease=20)
        kill(one)
        gone = time.time()
        with database.write() as connection:  # what is begun anew is quick
            connection.execute(update(work).values(payload='{"seconds":0.1}'))
        wait_until(lambda: set(states(database).values()) == {"done"}, 120)
        account(database, 4)
        assert overlaps(database, {"one": gone}) == []
        with database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM begins WHERE executor = 'two'")) == 4
        assert "work.taken_over" in engines.log("two")

    @pytest.mark.long
    def test_the_database_is_killed_and_comes_back(
        self, database: Database, engines: Engines, postgres: PostgresServer
    ) -> None:
        """PostgreSQL's postmaster dies under running work, and is away while an engine starts."""
        make_tables(database)
        names = [f"w{i}" for i in range(60)]
        ask(database, *names, kind="effect")
        engines.start("one", 0.2)
        wait_until(lambda: list(states(database).values()).count("done") >= 5)
        for _ in range(2):
            pid = int((postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 9)
            time.sleep(1.0)
            late = engines.start("two", 0.2) if len(engines.processes) == 1 else None
            time.sleep(1.0)
            postgres.start()
            wait_until_ready(postgres)
            assert late is None or late.poll() is None
            time.sleep(1.5)
        wait_until(lambda: set(states(database).values()) == {"done"}, 240)
        account(database, len(names))
