"""HTTP processes beside the main one: started with their socket, watched, started again when they end.

A worker's standard input is its life line: the first line tells it its settings, the end of it tells it to
stop. So workers also end, gracefully, when the main process is killed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import orjson
import structlog
from prometheus_client import multiprocess

from yingqiao.app.http_side import Listening
from yingqiao.settings import Settings

_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 0.2, 10.0
_HEALTHY_S = 30.0
_START_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Seat:
    """One worker's place: its sockets stay open here, so connections wait there while it is started again."""

    number: int
    listening: Listening
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    again_at: float = 0.0
    backoff: float = _BACKOFF_FIRST_S
    ready: threading.Event = field(default_factory=threading.Event)


class Supervisor:
    """Runs one worker per `Listening`."""

    def __init__(self, settings: Settings, listening: Sequence[Listening]) -> None:
        self._settings = settings
        self._seats = [_Seat(number, each) for number, each in enumerate(listening)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all and wait until all serve. Raises TimeoutError."""
        for seat in self._seats:
            self._spawn(seat)
        self._thread.start()
        deadline = time.monotonic() + _START_S
        for seat in self._seats:
            if not seat.ready.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"worker {seat.number} did not get ready")

    def close(self) -> None:
        """Let all finish what they accepted, then end them."""
        self._stop.set()
        self._thread.join()
        for seat in self._seats:
            if seat.process is not None and seat.process.stdin is not None:
                seat.process.stdin.close()
        deadline = time.monotonic() + self._settings.http.stop_seconds + 5
        for seat in self._seats:
            self._end(seat, deadline)

    @staticmethod
    def _end(seat: _Seat, deadline: float) -> None:
        if seat.process is None:
            return
        try:
            seat.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.error("worker.killed", worker=seat.number)
            seat.process.kill()
            seat.process.wait()

    def _spawn(self, seat: _Seat) -> None:
        sockets = [s for s in (seat.listening.main, seat.listening.admin) if s is not None]
        task = {"settings": msgspec.to_builtins(self._settings), "sockets": [s.fileno() for s in sockets]}
        seat.ready.clear()
        seat.started_at = time.monotonic()
        seat.process = subprocess.Popen(
            [sys.executable, "-m", "yingqiao.app.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=task["sockets"],
        )
        assert seat.process.stdin  # noqa: S101 a pipe, as asked for above
        seat.process.stdin.write(orjson.dumps(task) + b"\n")
        seat.process.stdin.flush()
        threading.Thread(target=_await_ready, args=(seat, seat.process), daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for seat in self._seats:
                if seat.process is not None and seat.process.poll() is not None:
                    self._mourn(seat, seat.process)
                if seat.process is None and time.monotonic() >= seat.again_at:
                    self._spawn(seat)

    @staticmethod
    def _mourn(seat: _Seat, process: subprocess.Popen[bytes]) -> None:
        _log.error("worker.ended", worker=seat.number, code=process.returncode)
        multiprocess.mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
        lived = time.monotonic() - seat.started_at
        seat.backoff = _BACKOFF_FIRST_S if lived > _HEALTHY_S else min(seat.backoff * 2, _BACKOFF_MOST_S)
        seat.again_at = time.monotonic() + seat.backoff
        seat.process = None


def _await_ready(seat: _Seat, process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None and process.stdout.readline().strip() == b"ready":
        seat.ready.set()
