"""The one family of errors of this layer."""

from __future__ import annotations


class GmError(Exception):
    """Bytes or a request this layer refuses.

    `code` is stable and for programs; `reason` is Chinese and for people. Neither quotes secrets.
    """

    code = "gm"

    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        if code is not None:
            self.code = code
