"""Structured logs: one JSON object a line on standard error, without patient data.

Events say what happened with codes, sizes, times and submission ids; records never reach a logger. The
lines of requests are many and alike, so they are put together by hand and written by a thread of their
own: a slow reader of standard error costs log lines, never requests.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, TextIO, cast

import msgspec
import orjson
import structlog
from msgspec import Struct

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Events of structlog and the standard library go to `stream` (default: standard error) as JSON lines."""
    target = Unfailing(stream or sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", target)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.WARNING), force=True)


class Unfailing:
    """Where log lines go. A full disk or a closed pipe costs lines, never what was being logged about."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class Line(Protocol):
    """A msgspec.Struct that says when: Unix seconds; ISO text once it is written."""

    time: float | str


class _Dropped(Struct, kw_only=True):
    time: float | str
    level: str = "warning"
    event: str = "logging.lines_dropped"
    count: int


class RequestLog:
    """One line per request, written by a thread. At most `bound` lines wait; more are dropped and counted."""

    def __init__(self, stream: TextIO | None = None, *, bound: int = 20_000, interval_s: float = 0.2) -> None:
        self._stream = stream or sys.stderr
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._bound = bound
        self._interval_s = interval_s
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="request-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, line: Line) -> None:
        """Queue a line, which is the log's from now on. Never blocks."""
        if self._lines.qsize() >= self._bound:
            self._dropped += 1
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Write what waits and stop."""
        self._lines.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def _write(self) -> None:
        going = True
        while going:
            batch, going = self._take()
            dropped, self._dropped = self._dropped, 0
            if dropped:
                batch.append(_Dropped(time=time.time(), count=dropped))
            try:
                self._stream.write(_lines(batch))
                self._stream.flush()
            except (OSError, ValueError):
                # The log's disk is full, or nobody reads any more; the requests matter more.
                self._dropped += dropped + len(batch)

    def _take(self) -> tuple[list[Line], bool]:
        """Wait for a line, then gather those of the next interval: one write for many."""
        first = self._lines.get()
        if first is None:
            return [], False
        time.sleep(self._interval_s)
        batch = [first]
        while not self._lines.empty():
            line = self._lines.get()
            if line is None:
                return batch, False
            batch.append(line)
        return batch, True


_encoder = msgspec.json.Encoder()


def _lines(batch: Sequence[Line]) -> str:
    second, prefix = -1, ""
    for line in batch:
        seconds = float(line.time)
        if int(seconds) != second:
            second = int(seconds)
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        line.time = f"{prefix}.{int(seconds * 1000) % 1000:03d}Z"
    return _encoder.encode_lines(batch).decode()
