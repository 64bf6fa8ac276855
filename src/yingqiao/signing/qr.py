"""What the QR code of a job says: JSON as the standard's sample of addSignJob (T118, T119), and its picture.

`{"id": appId, "sUrl": <service>/coss/phone/v1/getServiceInfo, "o": ticket, "cv": "2.0"}`. The ticket alone finds the
job (the standard lets a thinner code carry `o` only); it is random, no id of anything, and ends with the job.
"""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass

import segno

SERVICE_INFO = "/coss/phone/v1/getServiceInfo"
VERSION = "2.0"
_TICKET = re.compile(r"[A-Za-z0-9_-]{24}")
_MAX_TEXT = 2048


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scanned code says; '' where a thin code does not."""

    ticket: str
    app_id: str = ""
    service: str = ""
    """Base address of the signing service."""


def text_of(app_id: str, service: str, ticket: str) -> str:
    """The code's text. `service` is `http(s)://host[:port]`."""
    content = {"id": app_id, "sUrl": service.rstrip("/") + SERVICE_INFO, "o": ticket, "cv": VERSION}
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def picture_of(text: str) -> str:
    """The code as PNG in base64; medium error correction, four modules of margin."""
    held = io.BytesIO()
    segno.make(text, error="m", micro=False).save(held, kind="png", scale=5, border=4)
    return base64.b64encode(held.getvalue()).decode()


def read(text: str) -> Scanned | None:
    """A scanned text as a job's code: the whole JSON, or the ticket alone; None when it is neither."""
    text = text.strip()
    if len(text) > _MAX_TEXT:
        return None
    if _TICKET.fullmatch(text):
        return Scanned(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(n, ""), str) for n in ("id", "sUrl", "o")):
        return None
    ticket, service = found.get("o", ""), found.get("sUrl", "")
    if not _TICKET.fullmatch(ticket) or not service.endswith(SERVICE_INFO):
        return None
    return Scanned(ticket, found.get("id", ""), service.removesuffix(SERVICE_INFO))
