"""What can go wrong when calling: one class a cause, so that each can be met with what helps.

Texts are Chinese, for the engineer in the hospital; none quotes a record or a key.
"""

from __future__ import annotations

from yingqiao.client.answer import Answer
from yingqiao.exchange.model import Finding, Level


class ClientError(Exception):
    """A call did not end well."""

    retryable = False
    """The same call may succeed later without anything being mended here."""


class Refused(ClientError):  # noqa: N818 -- the word of the glossary (拒收)
    """Understood and not taken (code 0). The same again is refused again: mend what `findings` say first."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, warnings and notes too."""
        return self.answer.findings

    @property
    def refusing(self) -> tuple[Finding, ...]:
        """Those for which it is refused."""
        return tuple(finding for finding in self.answer.findings if finding.level is Level.REFUSE)


class Invalid(Refused):
    """The local check refuses it, as the gateway would: nothing was sent."""


class TooLarge(Refused):
    """The request is larger than the gateway takes (HTTP 413)."""


class NotAdmitted(Refused):
    """The gateway does not know the hospitalCode, or has disabled it: for the platform's people to mend."""


class BadKey(Refused):
    """The gateway cannot open what was sealed with our SM4 key: another key is registered there."""


class BadSignature(Refused):
    """The signature does not fit: something between here and the gateway changes bodies."""


class WrongClock(Refused):
    """The gateway's clock and ours are too far apart (T03).

    `ahead` = seconds the gateway's clock is ahead of ours, when its answer tells.
    """

    def __init__(self, answer: Answer, ahead: float | None = None) -> None:
        super().__init__(answer)
        self.ahead = ahead


class Unavailable(ClientError):  # noqa: N818 -- a state of the peer, as in HTTP 503
    """Nothing is known to be kept: send again later. The parent of `RetryLater` and `Unreachable`."""

    retryable = True

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        """`status` is the HTTP status when there was one, `retry_after` in seconds when the other side named it."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class RetryLater(Unavailable):
    """The other side answered that it cannot now (HTTP 408, 425, 429, 5xx); `retry_after` seconds when it says."""


class Unreachable(Unavailable):
    """No connection, cut off, or too slow. With `sent` the request may have arrived and been kept all the same:
    sending it again is safe, the standard's uploads replace by key (四(二)1).
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Misunderstood(ClientError):  # noqa: N818 -- a state of the talk, not of this program
    """The answer is none of the standard's: wrong address, something between, or another program. Nothing is known
    of the record; worth trying again later (T11), and worth a look by somebody. `status` as in HTTP.
    """

    retryable = True

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AnswerTooLarge(Misunderstood):
    """The answer is longer than the limit; the rest was not read."""
