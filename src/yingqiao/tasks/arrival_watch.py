"""Whether an instance came to this gateway, seen from any process: in the index, or in the landing area."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from sqlalchemy import select

from yingqiao.store.database import Database
from yingqiao.store.landing import LandingReader
from yingqiao.store.landing_format import LandingFormatError
from yingqiao.store.schema import instances, landing_progress, series

_POLL_S = 0.3


class Awaited(Protocol):
    """What is waited for: an instance, or of a series any."""

    @property
    def sop_uid(self) -> str: ...

    @property
    def keys(self) -> Mapping[str, Any]: ...


class ArrivalWatch:
    """An instance that was here before and comes again changes nothing in the index; it does land again."""

    def __init__(self, database: Database, landing: LandingReader) -> None:
        self._database = database
        self._landing = landing
        self._from: dict[str, int] = {}
        self._since = 0

    def known(self, sop_uids: Collection[str]) -> set[str]:
        """Those that are in the index."""
        asked = list(sop_uids)[:500]
        with self._database.read() as connection:
            where = instances.c.sop_uid.in_(asked)
            return set(connection.scalars(select(instances.c.sop_uid).where(where)))

    def start(self) -> None:
        """What lands from now on has arrived."""
        self._since = time.time_ns() // 10**6
        with self._database.read() as connection:
            rows = connection.execute(select(landing_progress.c.segment, landing_progress.c.indexed_to))
            self._from = {row.segment: row.indexed_to for row in rows}

    def arrived(self, awaited: Awaited, seconds: float) -> bool:
        """Waits at most so long for it."""
        deadline = time.monotonic() + seconds
        while True:
            if self._indexed(awaited) or self._landed(awaited):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)

    def _indexed(self, awaited: Awaited) -> bool:
        statement = select(instances.c.id).where(instances.c.received_at >= self._since).limit(1)
        if awaited.sop_uid:
            statement = statement.where(instances.c.sop_uid == awaited.sop_uid)
        else:
            of_it = series.c.series_uid == str(awaited.keys.get("SeriesInstanceUID", ""))
            statement = statement.join(series, series.c.id == instances.c.series_id).where(of_it)
        with self._database.read() as connection:
            return connection.scalar(statement) is not None

    def _landed(self, awaited: Awaited) -> bool:
        """Reads what landed since `start`; a segment being written is read as far as it is whole."""
        if not awaited.sop_uid:
            return False
        for segment in self._landing.segments():
            try:
                for record in self._landing.scan(segment, self._from.get(segment, 0)):
                    arrival = record.arrival
                    if arrival.sop_instance_uid == awaited.sop_uid and arrival.received_at >= self._since:
                        return True
            except (OSError, LandingFormatError):
                continue
        return False
