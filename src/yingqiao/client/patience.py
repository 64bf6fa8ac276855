"""When a call is made again by itself. What is asked here may be asked twice: uploads insert or replace by key."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from yingqiao.client.errors import Unavailable
from yingqiao.client.limits import Limits
from yingqiao.client.talk import Pause, Request, Response, Talk

_T = TypeVar("_T")
_FIRST_WAIT = 0.5


def patiently(limits: Limits, ask: Callable[[], Request], read: Callable[[Response], _T]) -> Talk[_T]:
    """Asks, each time made anew, until `read` gives a value, or raises what is no `Unavailable`, or tries are up."""
    for attempt in range(1, limits.tries + 1):
        try:
            response: Response = yield ask()
            return read(response)
        except Unavailable as error:
            wait = _wait(error, attempt)
            if attempt == limits.tries or wait > limits.longest_wait:
                raise
        yield Pause(wait)
    raise AssertionError("at least one try")  # pragma: no cover


def _wait(error: Unavailable, attempt: int) -> float:
    """Seconds; a little by chance, so that many do not come again together."""
    if error.retry_after is not None:
        return error.retry_after
    return _FIRST_WAIT * float(2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
