"""Requests waiting by host: each host is a line with its own limit, and a dead one holds up nobody else."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from yingqiao.client.fetch.model import FetchRequest, FetchSettings
from yingqiao.exchange.fetch import FetchError

LOOKAHEAD = 256
"""Requests taken from the caller ahead of their turn."""
_DEAD_AFTER = 2
"""Failures to connect, one after another, that let a line down."""


@dataclass(slots=True)
class Line:
    """One host's requests."""

    limit: int
    waiting: deque[FetchRequest] = field(default_factory=deque)
    active: int = 0
    failures: int = 0
    down: FetchError | None = None
    """Why nothing more is asked of it in this run."""

    def answered(self) -> None:
        self.failures = 0

    def unreachable(self, error: FetchError) -> None:
        self.failures += 1
        if self.failures >= _DEAD_AFTER:
            self.down = error


class Lines:
    """All lines of a run, served in turn."""

    def __init__(self, requests: Iterator[FetchRequest], settings: FetchSettings) -> None:
        self._requests = requests
        self._settings = settings
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._waiting = 0

    def next(self) -> tuple[Line, FetchRequest] | None:
        """A request whose line has room, or is down; None when there is none now. The caller counts `active`."""
        self._read_ahead()
        for origin, line in self._lines.items():
            if line.waiting and (line.down is not None or line.active < line.limit):
                self._lines.move_to_end(origin)
                self._waiting -= 1
                return line, line.waiting.popleft()
        return None

    def _read_ahead(self) -> None:
        while self._waiting < LOOKAHEAD:
            request = next(self._requests, None)
            if request is None:
                return
            self._line(request).waiting.append(request)
            self._waiting += 1

    def _line(self, request: FetchRequest) -> Line:
        origin = request.address.origin
        if origin not in self._lines:
            named = (h.options.max_connections for h in request.hosts if h.host == request.address.host)
            limits = [n for n in named if n > 0]
            self._lines[origin] = Line(min([*limits, self._settings.connections_per_host]))
        return self._lines[origin]
