"""The engine as handlers and people see it, on both databases (issue 3, the work engine)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from tests.integration.work.conftest import EngineMaker, ask, rows, states, wait_until
from yingqiao.exchange.retry import Backoff, BreakerRule, RetryRule
from yingqiao.exchange.work import ErrorClass, Priority, WorkError
from yingqiao.store.database import Database
from yingqiao.store.schema import work
from yingqiao.store.work import destinations, hand_over
from yingqiao.store.work.actions import Action, Order, act
from yingqiao.store.work.engine import EngineRule
from yingqiao.store.work.task import Pace, Task

QUICK = RetryRule({each: Backoff(0.05, 0.2) for each in ErrorClass}, BreakerRule(3, Backoff(0.4, 1.0)))
FAST = EngineRule(places=8, per_hospital=8, retry=QUICK, poll_s=0.2, stop_s=60.0)
FRIDAY_NOON = 1_795_752_000_000
"""2026-11-27 12:00 Beijing time."""


class Clock:
    """Time that a test moves."""

    def __init__(self, now: int = FRIDAY_NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def order(database: Database, action: Action, *keys: str, **more: Any) -> list[int]:
    numbers = [rows(database)[key].id for key in keys]
    with database.write() as connection:
        return act(connection, Order(action, **more), numbers)


def limit(database: Database, name: str, hospital: str = "H1", **limits: Any) -> None:
    with database.write() as connection:
        destinations.ensure(connection, name, hospital)
        destinations.set_limits(connection, name, **limits)


def endless(seen: list[str]) -> Callable[[Task], None]:
    def handler(task: Task) -> None:
        seen.append(task.key)
        while True:
            time.sleep(0.02)
            task.check()

    return handler


def test_work_is_done_once(database: Database, make_engine: EngineMaker) -> None:
    seen: list[tuple[str, Any]] = []
    engine = make_engine({"test": lambda task: seen.append((task.key, task.payload))})
    ask(database, "a", "b", payload='{"x":1}')
    engine.wake()
    wait_until(lambda: set(states(database).values()) == {"done"})
    assert sorted(seen, key=lambda pair: pair[0]) == [("a", {"x": 1}), ("b", {"x": 1})]
    row = rows(database)["a"]
    assert (row.attempt, row.run, row.executor) == (1, 1, "")


def test_errors_decide_what_happens_next(database: Database, make_engine: EngineMaker) -> None:
    """passing, theirs and ours are tried again until they succeed; poison is a dead letter; a defect is ours."""
    tries: dict[str, int] = {}

    def handler(task: Task) -> None:
        tries[task.key] = tries.get(task.key, 0) + 1
        if task.key == "poison":
            raise WorkError(ErrorClass.POISON, "不是影像")
        if tries[task.key] < 3 and task.key == "defect":
            raise KeyError("张三")
        if tries[task.key] < 3:
            raise WorkError(ErrorClass(task.key), "还不行")

    ask(database, "passing", "theirs", "ours", "poison", "defect")
    make_engine({"test": handler}, FAST)
    wait_until(lambda: sorted(states(database).values()) == ["dead"] + ["done"] * 4)
    assert tries == {"passing": 3, "theirs": 3, "ours": 3, "poison": 1, "defect": 3}
    dead = rows(database)["poison"]
    assert (dead.error_class, dead.reason) == ("poison", "不是影像")
    assert order(database, Action.RETRY, "poison") == [dead.id]
    wait_until(lambda: tries["poison"] == 2)
    assert rows(database)["poison"].run == 2


def test_a_defect_keeps_patients_out_of_reason_and_log(
    database: Database, make_engine: EngineMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    def handler(_: Task) -> None:
        raise ValueError("张三 140101199001011234")

    ask(database, "a")
    make_engine({"test": handler}, EngineRule())
    wait_until(lambda: states(database)["a"] == "retrying")
    assert "张三" not in rows(database)["a"].reason
    said = capsys.readouterr()
    assert "work.defect" in said.out + said.err
    assert "张三" not in said.out + said.err


def test_a_kind_nobody_knows_waits_for_a_program_that_does(
    database: Database, make_engine: EngineMaker
) -> None:
    ask(database, "a")
    make_engine({}, FAST)
    wait_until(lambda: "没有处理" in rows(database)["a"].reason)
    make_engine({"test": lambda _: None}, FAST)
    wait_until(lambda: states(database)["a"] == "done")


def test_asked_for_while_it_is_being_done_it_is_done_once_more(
    database: Database, make_engine: EngineMaker
) -> None:
    begun, go_on, payloads = threading.Event(), threading.Event(), []

    def handler(task: Task) -> None:
        payloads.append(dict(task.payload))
        begun.set()
        assert go_on.wait(120)

    ask(database, "a", payload='{"files":1}')
    make_engine({"test": handler}, FAST)
    assert begun.wait(120)
    ask(database, "a", payload='{"files":2}')
    go_on.set()
    wait_until(lambda: len(payloads) == 2 and states(database)["a"] == "done")
    assert payloads == [{"files": 1}, {"files": 2}]


def test_asking_again_while_it_waits_changes_only_payload_and_higher_priority(database: Database) -> None:
    ask(database, "a", payload='{"n":1}', priority=Priority.NORMAL)
    ask(database, "a", payload='{"n":2}', priority=Priority.BACKFILL)
    row = rows(database)["a"]
    assert (row.payload, row.priority, row.run, row.state) == ('{"n":2}', 5, 1, "waiting")
    ask(database, "a", priority=Priority.EMERGENCY)
    assert rows(database)["a"].priority == 0


def test_not_before_is_kept(database: Database, make_engine: EngineMaker) -> None:
    clock = Clock()
    ask(database, "a", not_before=clock.now + 3_600_000, now_ms=clock.now)
    engine = make_engine({"test": lambda _: None}, FAST, clock=clock)
    time.sleep(0.6)
    assert states(database)["a"] == "delayed"
    clock.now += 3_600_000
    engine.wake()
    wait_until(lambda: states(database)["a"] == "done")


def test_emergencies_go_first(database: Database, make_engine: EngineMaker) -> None:
    """急诊 before what a person waits for, before the usual, before backfill."""
    seen: list[str] = []
    for priority in (Priority.BACKFILL, Priority.NORMAL, Priority.MANUAL, Priority.EMERGENCY):
        ask(database, f"{priority.name}-1", f"{priority.name}-2", priority=priority)
    limit(database, "H1/http://a:80", max_parallel=1)
    make_engine({"test": lambda task: seen.append(task.key.partition("-")[0])}, FAST)
    wait_until(lambda: len(seen) == 8)
    assert seen == [n for n in ("EMERGENCY", "MANUAL", "NORMAL", "BACKFILL") for _ in range(2)]


def test_a_hospital_with_little_does_not_wait_behind_one_with_much(
    database: Database, make_engine: EngineMaker
) -> None:
    seen: list[str] = []
    pair = threading.Barrier(2)
    ask(database, *(f"A{i}" for i in range(60)), hospital_code="A", destination="A/http://a:80")
    ask(database, *(f"B{i}" for i in range(6)), hospital_code="B", destination="B/http://b:80")
    rule = EngineRule(places=2, per_hospital=2, retry=QUICK, poll_s=0.2)

    def handler(task: Task) -> None:
        seen.append(task.key[0])
        with suppress(threading.BrokenBarrierError):
            pair.wait(60)  # by twos: where one thread stands still the other takes no more meanwhile

    make_engine({"test": handler}, rule)
    wait_until(lambda: seen.count("B") == 6)
    pair.abort()
    last = [place for place, name in enumerate(seen) if name == "B"][5]
    assert seen[:last].count("A") <= 12


def test_limits_of_destination_and_hospital_hold(database: Database, make_engine: EngineMaker) -> None:
    lock, now, most = threading.Lock(), {"a": 0, "b": 0}, {"a": 0, "b": 0, "all": 0}
    together = threading.Event()

    def handler(task: Task) -> None:
        place = task.key[0]
        with lock:
            now[place] += 1
            most[place] = max(most[place], now[place])
            most["all"] = max(most["all"], sum(now.values()))
            if now["a"] == 2:
                together.set()
        if place == "a":
            together.wait(60)  # what may go on at once does, however long the engine takes to begin it
        time.sleep(0.05)
        with lock:
            now[place] -= 1

    limit(database, "H1/http://a:80", max_parallel=2)
    limit(database, "H1/http://b:80", max_parallel=4)
    ask(database, *(f"a{i}" for i in range(10)))
    ask(database, *(f"b{i}" for i in range(10)), destination="H1/http://b:80")
    make_engine({"test": handler}, EngineRule(places=8, per_hospital=5, retry=QUICK, poll_s=0.2))
    wait_until(lambda: set(states(database).values()) == {"done"}, 120)
    assert most["a"] == 2
    assert most["b"] <= 4
    assert most["all"] <= 5


def test_a_dead_destination_rests_and_healthy_ones_do_not_notice(
    database: Database, make_engine: EngineMaker
) -> None:
    """The breaker: few tries reach the dead host, each healthy row is done meanwhile; the probe closes it."""
    dead = {"is": True}
    reached: list[float] = []

    def handler(task: Task) -> None:
        if task.destination == "H1/http://dead:80":
            reached.append(time.monotonic())
            if dead["is"]:
                raise WorkError(ErrorClass.PASSING, "连接被拒绝")

    ask(database, *(f"d{i}" for i in range(40)), destination="H1/http://dead:80")
    ask(database, *(f"h{i}" for i in range(40)))
    started = time.monotonic()
    make_engine({"test": handler}, FAST)
    healthy = lambda: [s for k, s in states(database).items() if k[0] == "h"]  # noqa: E731
    wait_until(lambda: set(healthy()) == {"done"})
    time.sleep(1.0)
    assert (
        len(reached) < 15 + (time.monotonic() - started) / 0.2
    )  # half the shortest rest; 40 rows would try 200 times a second

    def said() -> str:
        with database.read() as connection:
            found = destinations.read(connection, "H1/http://dead:80")
        return found.last_error if found is not None else ""

    wait_until(lambda: said() == "连接被拒绝")  # noted when a try has ended, which may be later
    dead["is"] = False
    wait_until(lambda: set(states(database).values()) == {"done"}, 120)


def test_a_weekend_of_outage(database: Database, make_engine: EngineMaker) -> None:
    """PACS down from Friday noon to Monday morning: nothing gives up, few tries, all done soon after."""
    clock = Clock()
    up = {"is": False}
    tries = [0]
    tried_at: list[int] = []

    def handler(_: Task) -> None:
        tries[0] += 1
        tried_at.append(clock.now)
        if not up["is"]:
            raise WorkError(ErrorClass.PASSING, "连接超时")

    keys = [f"k{i}" for i in range(30)]
    ask(database, *keys, now_ms=clock.now)
    engine = make_engine({"test": handler}, EngineRule(poll_s=0.05), clock=clock)
    for _ in range(68 * 2):  # half hours
        clock.now += 1_800_000
        before = tries[0]
        engine.wake()
        deadline = time.monotonic() + 0.12
        while tries[0] == before and time.monotonic() < deadline:
            time.sleep(0.005)
        wait_until(lambda: tried_at and clock.now - tried_at[-1] < 6 * 3_600_000)
    wait_until(lambda: engine.in_hand == 0)
    # what is tried just now ends so, too; what was given up never would
    wait_until(lambda: set(states(database).values()) <= {"waiting", "retrying"})
    assert 5 < tries[0] < 600
    assert (
        max(tried_at) - min(tried_at) > 48 * 3_600_000
    )  # to the end: a slow machine tries less often, but goes on
    up["is"] = True
    monday, slowest = clock.now, time.monotonic() + 240
    while set(states(database).values()) != {"done"} and time.monotonic() < slowest:
        clock.now = min(clock.now + 600_000, monday + 36_000_000)
        engine.wake()
        time.sleep(0.1)
    assert set(states(database).values()) == {"done"}


def test_windows_are_kept_and_emergencies_need_none(database: Database, make_engine: EngineMaker) -> None:
    clock = Clock()
    seen: list[str] = []
    limit(database, "H1/http://a:80", windows="22:00-06:00")
    ask(database, "night")
    ask(database, "emergency", priority=Priority.EMERGENCY)
    engine = make_engine({"test": lambda task: seen.append(task.key)}, FAST, clock=clock)
    wait_until(lambda: seen == ["emergency"])
    time.sleep(0.5)
    assert states(database)["night"] == "waiting"
    clock.now += 10 * 3_600_000
    engine.wake()
    wait_until(lambda: states(database)["night"] == "done")


@pytest.mark.parametrize(("action", "state"), [(Action.CANCEL, "cancelled"), (Action.PAUSE, "held")], ids=str)
def test_running_work_stops_within_seconds(
    database: Database, make_engine: EngineMaker, action: Action, state: str
) -> None:
    seen: list[str] = []
    ask(database, "a")
    make_engine({"test": endless(seen)}, FAST)
    wait_until(lambda: states(database)["a"] == "running")
    started = time.monotonic()
    order(database, action, "a")
    wait_until(lambda: rows(database)["a"].executor == "")
    assert time.monotonic() - started < 60
    assert states(database)["a"] == state
    back = Action.RETRY if action is Action.CANCEL else Action.RESUME
    order(database, back, "a")
    wait_until(lambda: len(seen) == 2)


def test_cancelled_and_asked_for_again_it_does_not_run_twice_at_once(
    database: Database, make_engine: EngineMaker
) -> None:
    inside, most = [0], [0]

    def handler(task: Task) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            for _ in range(3000):
                time.sleep(0.02)
                task.check()
        finally:
            time.sleep(0.3)
            inside[0] -= 1

    ask(database, "a")
    engine = make_engine({"test": handler}, FAST)
    wait_until(lambda: states(database)["a"] == "running")
    order(database, Action.CANCEL, "a")
    order(database, Action.RETRY, "a")
    engine.wake()
    wait_until(lambda: rows(database)["a"].run == 2 and states(database)["a"] == "running")
    assert most[0] == 1


def test_pausing_a_destination_is_one_row_and_stops_what_runs(
    database: Database, make_engine: EngineMaker
) -> None:
    seen: list[str] = []
    ask(database, "a", "b")
    ask(database, "c", hospital_code="H2", destination="H2/http://c:80")
    make_engine({"test": endless(seen)}, FAST)
    wait_until(lambda: len(seen) == 3)
    with database.write() as connection:
        assert destinations.hold(connection, "H1/*", "检修")
    wait_until(lambda: [states(database)[k] for k in "abc"] == ["waiting", "waiting", "running"])
    time.sleep(0.5)
    assert len(seen) == 3
    with database.write() as connection:
        assert destinations.resume(connection, "H1/*")
    wait_until(lambda: len(seen) == 5)


def test_stopping_tells_handlers_and_their_rows_wait(database: Database, make_engine: EngineMaker) -> None:
    seen: list[str] = []
    ask(database, "a", "b")
    engine = make_engine({"test": endless(seen)}, FAST)
    wait_until(lambda: len(seen) == 2)
    started = time.monotonic()
    engine.close()
    assert time.monotonic() - started < 60
    assert set(states(database).values()) == {"waiting"}
    make_engine({"test": lambda _: None}, FAST)
    wait_until(lambda: set(states(database).values()) == {"done"})


def test_progress_is_seen_while_it_runs_and_kept(database: Database, make_engine: EngineMaker) -> None:
    go_on = threading.Event()

    def handler(task: Task) -> None:
        task.progress(3, 10, 4096)
        assert go_on.wait(120)
        task.progress(10, 10, 8192)

    ask(database, "a")
    make_engine({"test": handler}, FAST)
    seen = lambda: (rows(database)["a"].progress_done, rows(database)["a"].progress_total)  # noqa: E731
    wait_until(lambda: seen() == (3, 10))
    go_on.set()
    wait_until(lambda: states(database)["a"] == "done")
    assert (seen(), rows(database)["a"].progress_bytes) == ((10, 10), 8192)


def test_bandwidth_of_a_destination_is_shared(database: Database, make_engine: EngineMaker) -> None:
    limit(database, "H1/http://a:80", bytes_per_second=200_000)

    def handler(task: Task) -> None:
        for _ in range(10):
            task.throttle(10_000)

    ask(database, "a", "b")
    started = time.monotonic()
    make_engine({"test": handler}, FAST)
    wait_until(lambda: set(states(database).values()) == {"done"})
    assert time.monotonic() - started > 0.8


def test_bandwidth_is_shared_with_other_processes(database: Database, make_engine: EngineMaker) -> None:
    """On PostgreSQL: while another machine has work of the destination in hand, each takes half."""
    limit(database, "H1/http://a:80", bytes_per_second=1_000_000)
    ask(database, "a", "elsewhere")
    with database.write() as connection:
        mine = work.c.key == "elsewhere"
        connection.execute(update(work).where(mine).values(state="running", executor="other", attempt=1))
        assert hand_over.sharers(connection, {"H1/http://a:80", "none"}) == {"H1/http://a:80": 1}
    expected = 1 if database.is_sqlite else 2
    seen: list[int] = []

    def handler(task: Task) -> None:
        if task.key == "a":
            wait_until(lambda: task.pace.processes == expected, 60)
            seen.append(task.pace.processes)

    make_engine({"test": handler}, EngineRule(poll_s=0.05))
    wait_until(lambda: states(database)["a"] == "done")
    assert seen == [expected]


def test_two_processes_together_keep_within_a_limit() -> None:
    alone, shared = Pace(lambda: 0.0), Pace(lambda: 0.0)
    shared.processes = 2
    for pace in (alone, shared):
        assert pace.reserve(100, 100) == 0
    assert (alone.reserve(1, 100), shared.reserve(1, 100)) == (1.0, 2.0)


def test_timers_run_about_every_so_often(database: Database, make_engine: EngineMaker) -> None:
    ran: list[int] = []
    engine = make_engine({}, FAST)
    engine.close()
    from yingqiao.store.work.timers import Timers

    def timer(name: str) -> Timers:
        """It notes when it was found due: it may come late to what is done then, and the next one not."""
        looked = [0]

        def clock() -> int:
            looked[0] = int(time.time() * 1000)
            return looked[0]

        made = Timers(database, name, clock)
        made.add(0.4, "nightly", lambda: ran.append(looked[0]))
        return made

    timers = [timer(name) for name in ("one", "two")]
    for each in timers:
        each.start()
    wait_until(lambda: len(ran) >= 4)
    for each in timers:
        each.close()
    assert all(later - before >= 400 for before, later in pairwise(sorted(ran)))
