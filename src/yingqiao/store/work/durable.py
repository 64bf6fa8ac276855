"""DBOS Transact behind the engine: what carries out a try, remembers how it ended, and begins it again after a kill.

One workflow a try, named `<work id>.<run>.<attempt>`: a name that was used is refused, so a hand-over may be
repeated. Its one step runs the handler and its outcome is kept; then the ledger's row is finished. A process
that comes back goes on with its own workflows; those of processes that stay away are recovered by another.

Embedded, DBOS has its own SQLite file (WAL, synchronous FULL: its default journal is several times slower);
on PostgreSQL the schema `dbos` of our database. DBOS is one for each process, and so is this.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import orjson
import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._serialization import Serializer
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

from yingqiao.store.database import POSTGRES_SETTINGS

WORK_FILE = "work.sqlite"
SCHEMA = "dbos"
_NAME = "yingqiao-work"
_VERSION = "1"
"""Of the workflow below. DBOS leaves workflows of another version alone: change it only with the workflow."""
_BUSY_MS = 30_000
_FORGOTTEN_AT_ONCE = 500
_LISTENING_S = 0.1
"""How long closing waits for the thread that looks for notifications among processes, of which we have none."""
_SAID_EVERY_S = 30.0
_OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_log = structlog.get_logger(__name__)

Carry = Callable[[int, int, int], dict[str, Any]]
Finish = Callable[[int, int, int, dict[str, Any]], None]
Gone = Callable[[int, int, int], None]
_bound: list[tuple[Carry, Finish, Gone]] = []


def system_url(database_url: str, folder: Path) -> str:
    """Where DBOS keeps its own: a file in the data folder, or our PostgreSQL database."""
    if database_url.startswith("postgres"):
        return database_url
    return f"sqlite:///{folder / WORK_FILE}"


@DBOS.workflow(name="yingqiao.work", max_recovery_attempts=None)
def _carry_out(work_id: int, run: int, attempt: int) -> None:
    carry, finish, gone = _bound[-1]
    try:
        ended = DBOS.run_step({"name": "try"}, carry, work_id, run, attempt)
        finish(work_id, run, attempt, ended)
    finally:  # DBOS raises when its database breaks off at the wrong moment: then it is nobody's here
        gone(work_id, run, attempt)


class Known(Enum):
    """How DBOS sees a try."""

    OVER = "over"
    BEGUN_HERE = "begun here"
    ELSEWHERE = "elsewhere"
    """Begun by another process, or about to be begun by any."""


class Durable:
    """Launch once; then start, look, recover, forget; close at the end. Every method but `launch` needs it."""

    def __init__(
        self, url: str, executor: str, connections: int, carry: Carry, finish: Finish, gone: Gone
    ) -> None:
        self._url = url
        self._executor = executor
        self._connections = connections
        self._work = (carry, finish, gone)
        self._engine: Engine | None = None
        self._closed = False

    def launch(self) -> None:
        """Raises what the database raises while it is away; may be called again then."""
        _hear()
        _bound[:] = [self._work]
        self._closed = False
        if self._engine is None:
            self._engine = _engine(self._url, self._connections)
            event.listen(self._engine, "checkin", self._given_back)
        DBOS(config=self._config(self._engine))
        try:
            DBOS.launch()
        except BaseException:  # whatever DBOS or a driver raises, half a launch would refuse the next one
            DBOS.destroy()
            raise

    def _config(self, engine: Engine) -> DBOSConfig:
        return {
            "name": _NAME,
            "system_database_engine": engine,
            "system_database_url": engine.url.render_as_string(hide_password=False),
            "dbos_system_schema": SCHEMA,
            "executor_id": self._executor,
            "application_version": _VERSION,
            "serializer": _Json(),
            "enable_otlp": False,
            "log_level": "WARNING",
            "scheduler_polling_interval_sec": 86_400.0,
            "notification_listener_polling_interval_sec": _LISTENING_S,
        }

    def start(self, work_id: int, run: int, attempt: int) -> None:
        """Begin a try in a thread of its own, unless one of its name was ever begun."""
        with SetWorkflowID(f"{work_id}.{run}.{attempt}"):
            DBOS.start_workflow(_carry_out, work_id, run, attempt)

    def known(self, names: Sequence[str]) -> dict[str, Known]:
        """Name -> how DBOS sees it, of the tries it knows."""
        found = DBOS.list_workflows(workflow_ids=list(names), load_input=False, load_output=False)
        return {one.workflow_id: self._seen(one.status, one.executor_id) for one in found}

    def _seen(self, status: str, executor: str | None) -> Known:
        if status in _OVER:
            return Known.OVER
        return Known.BEGUN_HERE if status == "PENDING" and executor == self._executor else Known.ELSEWHERE

    def resume(self, name: str) -> None:
        """A try that was begun here and that nobody carries out any more goes on."""
        DBOS.resume_workflow(name)

    def recover(self, executor: str) -> None:
        """What a process that is gone had begun goes on in some living one."""
        DBOS._recover_pending_workflows([executor])  # noqa: SLF001 DBOS has no public name for it

    def forget(self, before_s: float) -> int:
        """Delete tries that were over before (Unix seconds); at most 500 at a time. Returns how many."""
        until = datetime.fromtimestamp(before_s, UTC).isoformat()
        found = DBOS.list_workflows(
            status=list(_OVER),
            completed_before=until,
            limit=_FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        DBOS.delete_workflows([one.workflow_id for one in found])
        return len(found)

    def close(self) -> None:
        """What still runs here is left to whoever comes next."""
        DBOS.destroy()
        self._closed = True
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _given_back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """A try that just ended is noted by DBOS while we close: its connection would stay open in a pool nobody has."""
        if self._closed:
            record.invalidate()


class _Json(Serializer):
    """Plain values as JSON: what is read back can do nothing."""

    def serialize(self, data: Any) -> str:
        return orjson.dumps(data, default=_plain).decode()

    def deserialize(self, serialized_data: str) -> Any:
        return orjson.loads(serialized_data)

    def name(self) -> str:
        return "yingqiao_json"


def _plain(value: object) -> str:
    """Of an exception its kind: what it says may quote a record."""
    return type(value).__name__


def _engine(url: str, connections: int) -> Engine:
    if not url.startswith("sqlite"):
        return _postgres(url, connections)
    engine = create_engine(url, pool_size=connections, max_overflow=connections)

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "wal_autocheckpoint = 2000",
            "journal_size_limit = 33554432",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


def _postgres(url: str, connections: int) -> Engine:
    made = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(
        made,
        pool_size=connections,
        max_overflow=connections,
        pool_pre_ping=True,
        connect_args=POSTGRES_SETTINGS | {"application_name": "yingqiao-work"},
    )


class _Ears(logging.Handler):
    """What DBOS says becomes an event with the place it says it at, each at most twice a minute; never its
    words, which quote statements."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.filename}:{record.lineno}"
        now = time.monotonic()
        if now - self._said.get(place, -_SAID_EVERY_S) < _SAID_EVERY_S:
            return
        self._said[place] = now
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        _log.warning("work.dbos", at=place, level_name=record.levelname.lower(), reason=kind)


def _hear() -> None:
    logger = logging.getLogger("dbos")
    logger.propagate = False
    if not any(isinstance(handler, _Ears) for handler in logger.handlers):
        logger.handlers[:] = [_Ears()]
