"""What can go wrong when pushing. Each says whether trying again helps."""

from __future__ import annotations

from yingqiao.client.answer import Answer


class ClientError(Exception):
    """A push did not end with code 1."""

    retryable = False


class Refused(ClientError):  # noqa: N818 -- the word of the glossary (拒收)
    """Code 0 or HTTP 4xx: the gateway has understood and does not take it. The same again is refused
    again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


class Unavailable(ClientError):  # noqa: N818 -- a state of the peer, as in HTTP 503
    """Unreachable, too slow, or told to come again (HTTP 408, 429, 5xx). Nothing is known to be kept: send
    again.

    `retry_after` is in seconds when the gateway named it, `status` the HTTP status when there was one.
    """

    retryable = True

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Misunderstood(ClientError):  # noqa: N818 -- a state of the talk, not of this program
    """The answer is none of the standard's: probably not a gateway, or something between. `status` as in
    HTTP."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
