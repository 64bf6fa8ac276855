"""One request on its way through intake: what is known of it for limits, metrics and the log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class TurnedAwayError(Exception):
    """A request is answered before it was judged: too large, too slow, too many, not ours."""

    def __init__(self, status: int, message_id: str, *, retry_after: int = 0, **params: object) -> None:
        super().__init__(message_id)
        self.status = status
        self.message_id = message_id
        self.retry_after = retry_after
        self.params = params


class ClientGoneError(Exception):
    """The client closed the connection before its body was complete: nobody to answer."""


@dataclass(slots=True)
class Visit:
    """Times are `time.perf_counter()` seconds."""

    interface: str
    peer: str
    began: float = field(default_factory=time.perf_counter)
    received: float = 0.0
    judged: float = 0.0
    size: int = 0
    """Bytes of body counted against the limits so far."""
    entered: bool = False
    stage: str = "receive"
    outcome: str = "failed"
    status: int = 0
    hospital: str = ""
    submission: int = 0

    def line(self) -> dict[str, object]:
        """What the request log says of it: codes, sizes, times and ids; never contents."""
        now = time.perf_counter()
        return {
            "time": time.time(),
            "level": "info",
            "event": "http.request",
            "interface": self.interface,
            "hospital": self.hospital[:64],
            "peer": self.peer,
            "outcome": self.outcome,
            "stage": self.stage,
            "status": self.status,
            "bytes": self.size,
            "ms": round((now - self.began) * 1000, 2),
            "submission": self.submission,
        }
