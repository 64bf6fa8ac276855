"""What the seal client refuses, in words for the person at the desk."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 a refusal, not a fault
    """`code` is stable and for programs (docs/reference/seal-client.md), `reason` Chinese; neither holds a secret.

    `status` is HTTP's; `retry_after` seconds, 0 = does not say.
    """

    def __init__(self, status: int, code: str, reason: str, *, retry_after: int = 0) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason, self.retry_after = status, code, reason, retry_after


class ConfigError(Exception):
    """seal-client.toml cannot be used; the text is Chinese and names the key."""


class StartError(Exception):
    """The service cannot listen; the text is Chinese."""
