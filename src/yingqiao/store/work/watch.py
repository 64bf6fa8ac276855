"""Once a second: beat, write progress down, tell handlers what people decided, take over from the dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.work import IN_HAND, WorkState
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.schema import work_executors
from yingqiao.store.work import hand_over
from yingqiao.store.work.durable import Durable, Known
from yingqiao.store.work.hand_over import Try
from yingqiao.store.work.task import Cancelled, Held, Interrupted, Stopping, Task
from yingqiao.store.work.tries import Tries

_EVERY_S = 1.0
_ORPHAN_S = 5.0
"""A row in hand here that nobody here knows is looked into after so long: DBOS may be about to begin it."""
_LOST_SHARE = 0.6
"""Of the lease: who could not beat for so long stops its handlers, before others take them over."""
_log = structlog.get_logger(__name__)


class Watch:
    """The thread."""

    def __init__(
        self,
        database: Database,
        executor: str,
        tries: Tries,
        durable: Durable,
        lease_s: float,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._executor = executor
        self._tries = tries
        self._durable = durable
        self._lease_s = lease_s
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="work-watch", daemon=True)
        self._beating = threading.Thread(target=self._beat, name="work-beat", daemon=True)
        self._beat_at = time.monotonic()
        self._looked_at = 0.0
        self._beats: dict[str, tuple[int, float]] = {}
        self._suspects: set[str] = set()

    def start(self) -> None:
        self._thread.start()
        if not self._database.is_sqlite:
            self._beating.start()

    def close(self) -> None:
        self._stop.set()
        for thread in (self._thread, self._beating):
            if thread.ident is not None:
                thread.join()
        if self._thread.ident is not None:
            with suppress(StoreUnavailable):
                self._say_goodbye()

    def _run(self) -> None:
        told = False
        while not self._stop.wait(min(_EVERY_S, self._lease_s / 5)):
            try:
                self._look()
                told = False
            except Exception as error:  # noqa: BLE001 a thread that dies unseen would watch no more
                if not told:
                    _log.warning("work.watch_failed", reason=type(error).__name__)
                told = True

    def _beat(self) -> None:
        """A thread of its own: nothing that waits for the database elsewhere may cost the lease."""
        while not self._stop.is_set():
            try:
                with self._database.write() as connection:
                    _beat(connection, self._executor, self._clock())
                self._beat_at = time.monotonic()
            except Exception:  # noqa: BLE001 told by the other thread; what counts is how long it lasts
                self._maybe_lost()
            self._stop.wait(self._lease_s / 10)

    def _look(self) -> None:
        self._tell_progress()
        self._interrupt()
        if time.monotonic() - self._looked_at > min(_ORPHAN_S, self._lease_s / 4):
            for dead in self._dead():
                self._take_over(dead)
            is_first = self._looked_at == 0.0
            self._orphans(0 if is_first else int(min(_ORPHAN_S, self._lease_s / 2) * 1000))
            self._looked_at = time.monotonic()

    def _maybe_lost(self) -> None:
        if time.monotonic() - self._beat_at > self._lease_s * _LOST_SHARE:
            self._tries.stop_all()

    def _tell_progress(self) -> None:
        rows = []
        for task in self._tries.running().values():
            state = task.state
            if state.changed:
                state.changed = False
                names = {"b_id": task.id, "b_run": task.run, "b_attempt": task.attempt, "now": self._clock()}
                rows.append(names | {"done": state.done, "total": state.total, "bytes": state.bytes})
        if rows:
            with self._database.write() as connection:
                hand_over.tell_progress(connection, sorted(rows, key=lambda row: int(row["b_id"])))

    def _interrupt(self) -> None:
        running = self._tries.running()
        if not running:
            return
        with self._database.read() as connection:
            rows = hand_over.standing(connection, sorted(running))
            closed = hand_over.closed_lines(connection, {task.destination for task in running.values()})
            self._share(connection, [task for task in running.values() if task.bytes_per_second])
        now = self._clock()
        for number, task in running.items():
            if closed(task.hospital_code, task.destination, task.priority, now):
                task.interrupt(Held())
            row = rows.get(number)
            if row is None:
                task.interrupt(Cancelled())
            elif (row.run, row.attempt) != (task.run, task.attempt) or row.state not in IN_HAND:
                task.interrupt(_reason(row.state))
            elif row.executor != self._executor:
                task.interrupt(Stopping())

    def _share(self, connection: Connection, limited: Collection[Task]) -> None:
        """A source's bandwidth is that of all machines together: each takes its part."""
        if not limited or self._database.is_sqlite:
            return
        counts = hand_over.sharers(connection, {task.destination for task in limited})
        for task in limited:
            task.pace.processes = max(1, counts.get(task.destination, 1))

    def _dead(self) -> list[str]:
        """Processes that do not beat. Judged by this process's own clock, and only while it could look."""
        if self._database.is_sqlite:
            with self._database.read() as connection:
                return sorted(hand_over.holders(connection) - {self._executor})
        with self._database.read() as connection:
            rows = connection.execute(select(work_executors.c.name, work_executors.c.beat))
            beats: dict[str, int] = {row.name: row.beat for row in rows}
            beats |= dict.fromkeys(hand_over.holders(connection) - set(beats), 0)
        now = time.monotonic()
        self._beats = {
            name: self._beats[name] if self._beats.get(name, (None,))[0] == beat else (beat, now)
            for name, beat in beats.items()
            if name != self._executor
        }
        return [name for name, (_, seen) in self._beats.items() if now - seen > self._lease_s]

    def _take_over(self, dead: str) -> None:
        """First what DBOS had begun, which any living process then goes on with; then the rows."""
        self._durable.recover(dead)
        with self._database.write() as connection:
            rows = hand_over.adopt(connection, dead, self._executor, self._clock())
            connection.execute(delete(work_executors).where(work_executors.c.name == dead))
        self._beats.pop(dead, None)
        _log.warning("work.taken_over", executor=dead, rows=rows)

    def _orphans(self, older_ms: int) -> None:
        """Rows in hand here that no thread here has: begun if DBOS never heard of them, put back if it is done
        with them, resumed if their thread broke off, left alone while DBOS is about to go on."""
        with self._database.read() as connection:
            held = hand_over.held_by(connection, self._executor, self._clock() - older_ms)
        lost = [what for what in held if what.id not in self._tries]
        if not lost:
            return
        known = self._durable.known([what.name for what in lost])
        before, self._suspects = self._suspects, set()
        for what in lost:
            if what.id not in self._tries:
                self._hand_over(what, known.get(what.name), before)

    def _hand_over(self, what: Try, known: Known | None, suspects: set[str]) -> None:
        if known is None:
            self._tries.expect(what)
            self._durable.start(what.id, what.run, what.attempt)
        elif known is Known.OVER:
            with self._database.write() as connection:
                hand_over.put_back(connection, what, self._clock())
        elif known is Known.BEGUN_HERE and what.name in suspects:
            self._durable.resume(what.name)
        elif known is Known.BEGUN_HERE:
            self._suspects.add(what.name)  # its thread may be about to say so

    def _say_goodbye(self) -> None:
        if self._database.is_sqlite:
            return
        with self._database.write() as connection:
            if not hand_over.held_by(connection, self._executor, self._clock()):
                connection.execute(delete(work_executors).where(work_executors.c.name == self._executor))


def _reason(state: str) -> Interrupted:
    return Cancelled() if state == WorkState.CANCELLED else Held()


def _beat(connection: Connection, executor: str, now: int) -> None:
    mine = update(work_executors).where(work_executors.c.name == executor)
    if connection.execute(mine.values(beat=work_executors.c.beat + 1, beat_at=now)).rowcount:
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(work_executors)
    connection.execute(insert.values(name=executor, beat=now, beat_at=now).on_conflict_do_nothing())
