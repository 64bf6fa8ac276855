"""An exam's timeline, once it tells what a test waits for: a report's events are there when it is linked to its exam."""

from __future__ import annotations

import httpx

from tests.acceptance.senders import HOSPITAL
from tests.helpers.connector import until
from tests.peers.gateway import RunningGateway


def told(gateway: RunningGateway, exam: str, *kinds: str) -> dict[str, str]:
    """Text by kind of event, with `kinds` among them."""
    headers = {"authorization": f"Bearer {gateway.token}"}
    seen: dict[str, str] = {}

    def all_there() -> bool:
        shown = httpx.get(f"{gateway.url}/api/exams/{HOSPITAL}/{exam}", headers=headers).json()
        seen.update({event["kind"]: event["text"] for event in shown["timeline"]})
        return set(kinds) <= set(seen)

    assert until(all_there, every=0.1), seen
    return seen
