"""What an answer's head says, from HTTP header lines or FTP replies as libcurl hands them over."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

from yingqiao.client.fetch.spool import Validators

_STATUS = re.compile(rb"HTTP/[\d.]+ (\d{3})")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.IGNORECASE)
MAX_WAIT = 24 * 3600.0
"""Seconds: no Retry-After is taken for longer."""


class Head:
    """The latest answer's status and headers; earlier ones (100 Continue) are forgotten."""

    def __init__(self) -> None:
        self.status = 0
        self._fields: dict[bytes, bytes] = {}

    def line(self, line: bytes) -> None:
        """One header line. libcurl bounds how many and how long."""
        name, colon, value = line.partition(b":")
        if line.startswith(b"HTTP/") and (match := _STATUS.match(line)):
            self.status = int(match[1])
            self._fields = {}
        elif colon:
            self._fields[name.strip().lower()] = value.strip()

    def text(self, name: str) -> str:
        return self._fields.get(name.encode(), b"").decode("latin-1")

    @property
    def location(self) -> bytes:
        return self._fields.get(b"location", b"")

    @property
    def length(self) -> int:
        """Of what follows; -1 when not said."""
        text = self.text("content-length")
        return int(text) if text.isdecimal() and len(text) < 19 else -1

    @property
    def encoded(self) -> bool:
        return self.text("content-encoding").lower() not in ("", "identity")

    def content_range(self) -> tuple[int, int]:
        """First byte and total of a 206; (-1, -1) when it says no such thing."""
        match = _RANGE.fullmatch(self.text("content-range").strip())
        if not match or max(map(len, match.groups())) > 18:
            return -1, -1
        return int(match[1]), -1 if match[3] == "*" else int(match[3])

    def validators(self) -> Validators:
        """Of a 200 or 206; none of a compressed answer, whose parts are not the file's."""
        if self.encoded:
            return Validators()
        total = self.content_range()[1] if self.status == 206 else self.length
        return Validators(self.text("etag"), self.text("last-modified"), total)

    def retry_after(self, now: float | None = None) -> float | None:
        """Seconds the other side asks us to wait (RFC 9110 10.2.3), at most a day."""
        text = self.text("retry-after")
        if text.isdecimal():
            return min(float(text[:9]), MAX_WAIT)
        try:
            due = parsedate_to_datetime(text).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(0.0, due - (time.time() if now is None else now)), MAX_WAIT)
