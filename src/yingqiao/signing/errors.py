"""What a request to the signing services may be refused for."""

from __future__ import annotations


class SigningRefused(Exception):  # noqa: N818 a refusal, not a fault
    """Not as asked: `code` is stable and for programs, `reason` Chinese and for people; neither quotes secrets.

    `stands`: what was asked is done all the same; something that follows from it is not yet.
    """

    def __init__(self, code: str, reason: str, *, stands: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.stands = stands
