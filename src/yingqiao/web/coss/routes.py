"""The four services at the paths the edition names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from yingqiao.settings import CossSettings
from yingqiao.spec.model import Edition
from yingqiao.store.database import Database
from yingqiao.web.coss.door import Apps, Door
from yingqiao.web.coss.jobs import Jobs
from yingqiao.web.coss.timestamps import Timestamps
from yingqiao.web.limits import TokenBuckets
from yingqiao.web.service import Service


@dataclass(frozen=True, slots=True)
class CossParts:
    """What the services need of the rest."""

    database: Database
    edition: Edition
    apps: Apps
    timestamps: Timestamps
    settings: CossSettings
    now_ms: Callable[[], int] = field(default=lambda: time.time_ns() // 10**6)


def services(parts: CossParts) -> list[Service]:
    """addSignJob, getAuthSignResult, createAndGetTssInfo, verifyTS."""
    door = Door(parts.apps, parts.edition, TokenBuckets(parts.settings.app_rate))
    jobs = Jobs(parts.database, parts.settings.public_url.rstrip("/"), parts.now_ms)
    stamps = parts.timestamps
    answers = {
        "coss-addSignJob": jobs.add,
        "coss-getAuthSignResult": jobs.result,
        "coss-createAndGetTssInfo": stamps.create,
        "coss-verifyTS": stamps.verify,
    }
    found = []
    for name, answer in answers.items():
        interface = parts.edition.interfaces[name]
        handle = door.handle(interface.request, answer)
        found.append(Service(interface.path, name, handle, parts.settings.max_body_bytes))
    return found
