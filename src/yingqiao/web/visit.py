"""One request on its way through intake: what is known of it for limits, metrics and the log."""

from __future__ import annotations

import time

from msgspec import Struct


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


class Line(Struct, kw_only=True):
    """What the request log says of a request: codes, sizes, times and ids; never contents."""

    time: float | str
    """Unix seconds; as text when it is written."""
    level: str = "info"
    event: str = "http.request"
    interface: str
    hospital: str
    peer: str
    outcome: str
    stage: str
    status: int
    bytes: int
    ms: float
    submission: int


class Visit:
    """Times are `time.perf_counter()` seconds."""

    __slots__ = (
        *("interface", "peer", "began", "received", "judged", "ended", "size", "entered"),
        *("stage", "outcome", "status", "hospital", "submission"),
    )

    def __init__(self, interface: str, peer: str) -> None:
        self.interface = interface
        self.peer = peer
        self.began = time.perf_counter()
        self.received = self.judged = self.ended = 0.0
        self.size = 0
        """Bytes of body counted against the limits so far."""
        self.entered = False
        self.stage = "receive"
        self.outcome = "failed"
        self.status = 0
        self.hospital = ""
        self.submission = 0

    def line(self) -> Line:
        took = round((self.ended - self.began) * 1000, 2)
        return Line(
            time=time.time(),
            interface=self.interface,
            hospital=self.hospital[:64],
            peer=self.peer,
            outcome=self.outcome,
            stage=self.stage,
            status=self.status,
            bytes=self.size,
            ms=took,
            submission=self.submission,
        )
