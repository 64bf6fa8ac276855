"""The tries this process carries out: run the handler, keep how it ended, finish the row, tell it to stop."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from yingqiao.exchange.retry import Random, RetryRule
from yingqiao.exchange.work import ErrorClass, Priority, WorkError, WorkState
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreFull, StoreUnavailable
from yingqiao.store.work import hand_over
from yingqiao.store.work.hand_over import Ended, Try
from yingqiao.store.work.task import Cancelled, Handler, Held, Interrupted, Pace, Progress, Stopping, Task

_AGAIN_FIRST_S, _AGAIN_MOST_S = 0.2, 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What every try needs."""

    database: Database
    executor: str
    handlers: Mapping[str, Handler]
    rule: RetryRule
    clock: Callable[[], int]
    random: Random
    ended: Callable[[], None]
    """Called after each."""


class Tries:
    """Those in hand here, from admission to the end. `carry` and `finish` run in threads of DBOS."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._in_hand: dict[int, Try] = {}
        self._tasks: dict[int, Task] = {}
        self._paces: dict[str, Pace] = {}
        self._closing = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._in_hand)

    def __contains__(self, number: int) -> bool:
        with self._lock:
            return number in self._in_hand

    def expect(self, what: Try) -> None:
        """It is about to be started."""
        with self._lock:
            self._in_hand[what.id] = what

    def unexpect(self, what: Try) -> None:
        """It ended, or could not be started."""
        with self._lock:
            if self._in_hand.get(what.id) == what:
                del self._in_hand[what.id]
                self._tasks.pop(what.id, None)

    def running(self) -> dict[int, Task]:
        with self._lock:
            return dict(self._tasks)

    def stop_all(self, why: Callable[[], Interrupted] = Stopping) -> None:
        """Every handler's next `check` raises."""
        for task in self.running().values():
            task.interrupt(why())

    def close(self) -> None:
        """No try begins any more; those that run are told to stop."""
        self._closing = True
        self.stop_all()

    def carry(self, number: int, run: int, attempt: int) -> dict[str, Any]:
        """DBOS's step: one try. Its result is kept, so that after a kill between it and `finish` the handler does
        not run again."""
        what = Try(number, run, attempt)
        self.expect(what)
        task = None if self._closing else self._begin(what)
        if task is None:
            return {"by": self._context.executor, "end": "stopped" if self._closing else "gone"}
        with self._lock:
            self._tasks[number] = task
        if self._closing:
            task.interrupt(Stopping())
        told = self._run(task)
        state = task.state
        return told | {
            "by": self._context.executor,
            "progressed": state.grew,
            "progress": [state.done, state.total, state.bytes],
        }

    def _begin(self, what: Try) -> Task | None:
        """Raises nothing: a store that is away is waited for."""

        def begin() -> Task | None:
            with self._context.database.write() as connection:
                row = hand_over.begin(connection, what, self._context.executor, self._context.clock())
                if row is None:
                    return None
                return self._task(row, hand_over.destination_of(connection, row.destination))

        task: Task | None = self._patiently(begin)
        return task

    def _task(self, row: Any, destination: Any) -> Task:
        with self._lock:
            pace = self._paces.setdefault(row.destination, Pace())
        return Task(
            id=row.id,
            kind=row.kind,
            key=row.key,
            hospital_code=row.hospital_code,
            destination=row.destination,
            payload=orjson.loads(row.payload),
            run=row.run,
            attempt=row.attempt,
            priority=Priority(row.priority),
            failures=row.failures,
            bytes_per_second=destination.bytes_per_second if destination is not None else 0,
            pace=pace,
            state=Progress(row.progress_done, row.progress_total, row.progress_bytes),
        )

    def _run(self, task: Task) -> dict[str, Any]:
        handler = self._context.handlers.get(task.kind)
        try:
            if handler is None:
                raise WorkError(ErrorClass.OURS, f"本程序没有处理 {task.kind} 这类工作的部分，请检查版本")
            handler(task)
        except WorkError as error:
            return _failed(error)
        except (Cancelled, Held, Stopping):
            return {"end": "stopped"}
        except StoreFull:
            return _failed(WorkError(ErrorClass.OURS, "本机磁盘或数据库已满"))
        except StoreUnavailable:
            return _failed(WorkError(ErrorClass.OURS, "本机数据库暂时不可用"))
        except Exception as error:  # noqa: BLE001 a handler's defect is told and tried again, whatever it is
            told = {"kind": task.kind, "work": task.id, "reason": type(error).__name__}
            _log.error("work.defect", **told, at=_places(error))
            return _failed(WorkError(ErrorClass.OURS, f"程序内部错误（{type(error).__name__}），详见日志"))
        return {"end": "done"}

    def finish(self, number: int, run: int, attempt: int, told: dict[str, Any]) -> None:
        """The row says how the try ended; again and again until the store takes it, or the gateway stops."""
        what = Try(number, run, attempt)
        if told["end"] == "gone":
            self._patiently(lambda: self._release(number))
        else:
            self._tell(what, self._patiently(lambda: self._finish(what, told)), told)

    def gone(self, number: int, run: int, attempt: int) -> None:
        """Its thread ends, whatever became of it."""
        self.unexpect(Try(number, run, attempt))
        self._context.ended()

    def _release(self, number: int) -> None:
        with self._context.database.write() as connection:
            hand_over.release(connection, number, self._context.executor)

    def _finish(self, what: Try, told: dict[str, Any]) -> WorkState | None:
        context = self._context
        done, total, size = told.get("progress", (0, 0, 0))
        ended = Ended(
            error=_error_of(told),
            stopped=told["end"] == "stopped",
            progressed=told.get("progressed", False),
            done=done,
            total=total,
            bytes=size,
        )
        here = told["by"] == context.executor
        with context.database.write() as connection:
            return hand_over.finish(
                connection, what, ended, context.executor, here, context.rule, context.random, context.clock()
            )

    def _tell(self, what: Try, state: WorkState | None, told: dict[str, Any]) -> None:
        if state is WorkState.DEAD:
            _log.warning("work.dead", work=what.id, attempt=what.attempt)
        elif state is WorkState.RETRYING:
            _log.info("work.failed", work=what.id, attempt=what.attempt, error_class=told["class"])

    def _patiently(self, act: Callable[[], Any]) -> Any:
        """`act`, repeated while the store is away. Raises StoreUnavailable when the gateway stops meanwhile."""
        pause = _AGAIN_FIRST_S
        while True:
            try:
                return act()
            except StoreUnavailable:
                if self._closing:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _AGAIN_MOST_S)


def _failed(error: WorkError) -> dict[str, Any]:
    return {
        "end": "failed",
        "class": str(error.error_class),
        "reason": error.reason,
        "retry_after": error.retry_after,
    }


def _error_of(told: Mapping[str, Any]) -> WorkError | None:
    if told["end"] != "failed":
        return None
    return WorkError(ErrorClass(told["class"]), told["reason"], retry_after=told["retry_after"])


def _places(error: Exception) -> list[str]:
    """Where it was raised; never what it says, which may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
