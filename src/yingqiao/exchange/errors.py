"""Why a request as a whole is refused. The text is the edition's, in Chinese."""

from __future__ import annotations

from collections.abc import Mapping

MALFORMED = frozenset({"not-json", "not-object"})
"""Refusals of a body that is not even the outer JSON object: answered with HTTP 400, the
rest with 200 (T11).
"""


class Refusal(Exception):  # noqa: N818 -- the word of the glossary (拒收)
    """The request cannot be taken; `message_id` names a message of the edition, `params` fill its places."""

    def __init__(self, message_id: str, *, hospital_code: str = "", **params: object) -> None:
        """`hospital_code` is who claims to have sent it, as far as it could be read."""
        super().__init__(message_id)
        self.message_id = message_id
        self.hospital_code = hospital_code
        self.params = params

    def message(self, messages: Mapping[str, str]) -> str:
        """The Chinese answer. Raises KeyError when the edition has no such message."""
        return messages[self.message_id].format(**self.params)

    @property
    def http_status(self) -> int:
        return 400 if self.message_id in MALFORMED else 200
