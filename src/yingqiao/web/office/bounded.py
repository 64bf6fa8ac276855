"""What people upload is opened in a bounded process: a hostile picture costs its sender an answer and nobody else anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from yingqiao.sandbox import Busy, Line, SandboxError
from yingqiao.signing.errors import SigningRefused
from yingqiao.web.office.door import TurnedAway

_P = ParamSpec("_P")
_R = TypeVar("_R")


def bounded(line: Line, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """`function(*args)` in a worker. Raises what it raises; TurnedAway when all are busy; SigningRefused for what costs
    too much or kills its worker.
    """
    try:
        return line.call(function, *args, **kwargs)
    except Busy as error:
        raise TurnedAway(503, "busy", error.reason, 10) from error
    except SandboxError as error:
        raise SigningRefused(error.code, error.reason) from error
