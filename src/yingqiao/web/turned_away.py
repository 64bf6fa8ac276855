"""Requests that are answered before they were judged, or could not be kept: with which status, words and headers."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping

import structlog

from yingqiao.store.errors import StoreUnavailable
from yingqiao.web.visit import TurnedAwayError, Visit

Headers = tuple[tuple[bytes, bytes], ...]
_log = structlog.get_logger(__name__)


def later(status: int, message_id: str, seconds: int, wait: float = 0.0) -> TurnedAwayError:
    """Come again after `wait` seconds where they are known, else after `seconds`."""
    after = max(1, round(wait)) if wait else seconds
    return TurnedAwayError(status, message_id, retry_after=after, seconds=after)


def turned_away(visit: Visit, error: Exception, seconds: int) -> TurnedAwayError:
    """What to answer for whatever was raised, told to the visit. A defect of ours is answered too: see incident_of."""
    if isinstance(error, TurnedAwayError):
        turned = error
    elif isinstance(error, StoreUnavailable):
        _log.error("store.unavailable", interface=visit.interface, reason=type(error).__name__)
        turned = later(503, "store-unavailable", seconds)
    else:
        turned = incident_of(error)
    visit.status = turned.status
    visit.outcome = "failed" if turned.status >= 500 else "refused"
    return turned


def headers_of(turned: TurnedAwayError, asked: Mapping[bytes, bytes]) -> Headers:
    """Of its answer; `asked` are the request's."""
    said: list[tuple[bytes, bytes]] = []
    if turned.retry_after:
        said.append((b"retry-after", str(turned.retry_after).encode()))
    if turned.status == 405:
        said.append((b"allow", b"POST"))
    if turned.status == 408 or b"expect" in asked:
        said.append((b"connection", b"close"))
    return tuple(said)


def incident_of(error: Exception) -> TurnedAwayError:
    """Log where it happened, not what was in it: an exception's text may quote a record."""
    incident = uuid.uuid4().hex[:12]
    frames = [
        f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}"
        for f in traceback.extract_tb(error.__traceback__)
    ]
    _log.error("http.incident", incident=incident, kind=type(error).__name__, where=frames[-8:])
    return TurnedAwayError(500, "internal", incident=incident)
