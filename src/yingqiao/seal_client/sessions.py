"""Visits of the page: one session a loaded page, its secret known to that page alone, its PDF in memory only."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from yingqiao.gm import sm3
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.parameters import NOTHING, Parameters

_UNOPENED = 64
"""Pages loaded that have not asked for their file; the oldest is forgotten beyond."""


@dataclass(slots=True)
class Session:
    """What one page has open."""

    secret: str
    parameters: Parameters
    opener: str
    """Origin of the page that embeds or opened it; '' when the browser did not say."""
    refusal: Refused | None = None
    """Why the page's address cannot be used: said when the page asks, so that the PACS hears of it."""
    base: bytes = field(default=b"", repr=False)
    """The PDF as opened."""
    current: bytes = field(default=b"", repr=False)
    """With the seals of this visit."""
    name: str = "report.pdf"
    received: int = 0
    """Bytes fetched so far, for the progress bar."""
    sealed: int = 0
    """Acts of sealing in this visit."""
    signatures: list[dict[str, Any]] = field(default_factory=list)
    """Those of `current`, as `Earlier.facts` told them."""
    stamped: bool = True
    """Whether all of them have time stamps."""
    saved: bool = True
    """Whether `current` is where it belongs."""
    touched: float = 0.0
    busy: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def digest(self) -> str:
        """SM3 of `current`, hex."""
        return sm3.digest(self.current).hex()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One act at a time: a second click waits for nobody. Raises Refused 409."""
        if not self.busy.acquire(blocking=False):
            raise Refused(409, "busy", "上一个操作还没有完成")
        try:
            yield
        finally:
            self.busy.release()


class Sessions:
    """At most `most` with a file; those idle for `idle_seconds` are forgotten."""

    def __init__(self, most: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._idle_seconds, self._clock = most, idle_seconds, clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._mutex = threading.Lock()

    def begin(self, asked: Parameters | Refused, opener: str) -> Session:
        """For a page that is being loaded."""
        refusal = asked if isinstance(asked, Refused) else None
        parameters = asked if isinstance(asked, Parameters) else NOTHING
        session = Session(secrets.token_urlsafe(32), parameters, opener, refusal, touched=self._clock())
        with self._mutex:
            self._forget_idle()
            self._forget_beyond(_UNOPENED, [one for one in self._sessions.values() if not one.current])
            self._sessions[session.secret] = session
        return session

    def get(self, secret: str) -> Session:
        """The session of a page's secret. Raises Refused 401."""
        with self._mutex:
            self._forget_idle()
            session = self._sessions.get(secret)
            if session is None:
                raise Refused(401, "no-session", "页面已过期，请在 PACS 中重新打开")
            session.touched = self._clock()
            self._sessions.move_to_end(secret)
            return session

    def room(self) -> None:
        """Before a file is kept: the session longest unused makes room, one that waits to be saved last."""
        with self._mutex:
            held = [one for one in self._sessions.values() if one.current]
            held.sort(key=lambda one: not one.saved)
            self._forget_beyond(self._most, held)

    def end(self, session: Session) -> None:
        with self._mutex:
            self._sessions.pop(session.secret, None)

    def _forget_idle(self) -> None:
        before = self._clock() - self._idle_seconds
        self._drop([one for one in self._sessions.values() if one.touched < before])

    def _forget_beyond(self, most: int, oldest_first: list[Session]) -> None:
        self._drop(oldest_first[: max(0, len(oldest_first) - most + 1)])

    def _drop(self, sessions: list[Session]) -> None:
        for one in sessions:
            if not one.busy.locked():
                del self._sessions[one.secret]
