"""Storage commitment requests (`commitments`): kept durably, judged from the index, told once it succeeds.

A request is judged whenever its answer is about to be told, from what is kept then; nothing of the
judgement but its count is stored, so it can never be older than the ledger.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.commitment import Asked, Known, Reference, Verdict, expectations, judge
from yingqiao.store.compression import compress, decompress
from yingqiao.store.database import Database
from yingqiao.store.expectations import read_present, tell
from yingqiao.store.schema import commitments, instances, series, studies
from yingqiao.store.sources import SourceTable, list_sources
from yingqiao.store.text import storable

_IN_SIZE = 5_000
IsKept = Callable[[str], bool]
"""Whether a landing file of this name is there."""


@dataclass(frozen=True, slots=True)
class Request:
    """A kept request."""

    number: int
    hospital_code: str
    asked: Asked
    notified_at: int | None
    attempts: int
    reason: str
    """Chinese, why the last try to report did not succeed."""


def keep(connection: Connection, asked: Asked) -> tuple[int, str]:
    """Keep a request in the caller's transaction; its number and the requester's hospital ('': in no list).

    The same requester asking again under the same transaction UID is answered again: what it names now
    takes the place of what it named before.
    """
    row = _row(connection, asked)
    statement = _insert(connection).values(row)
    fresh = {
        name: statement.excluded[name] for name in row if name not in ("requester_aet", "transaction_uid")
    }
    kept = statement.on_conflict_do_update(
        index_elements=["requester_aet", "transaction_uid"], set_=fresh
    ).returning(commitments.c.id)
    return int(connection.execute(kept).scalar_one()), row["hospital_code"]


def _row(connection: Connection, asked: Asked) -> dict[str, Any]:
    references = [[one.sop_class_uid, one.sop_instance_uid] for one in asked.references]
    sources = SourceTable(list_sources(connection))
    return {
        "transaction_uid": storable(asked.transaction_uid),
        "hospital_code": sources.hospital_of(asked.requester_aet, asked.peer),
        "requester_aet": storable(asked.requester_aet),
        "called_aet": storable(asked.called_aet),
        "peer": asked.peer,
        "received_at": asked.received_at,
        "referenced": compress(orjson.dumps(references)),
        "reference_count": len(references),
        "failed_count": None,
        "judged_at": None,
        "notified_at": None,
        "attempts": 0,
        "reason": "",
    }


def read_request(connection: Connection, number: int) -> Request | None:
    """A request by its number. Raises StoredBodyBroken."""
    row = connection.execute(select(commitments).where(commitments.c.id == number)).first()
    return None if row is None else _request(row)


def _request(row: Row[Any]) -> Request:
    asked = Asked(
        transaction_uid=row.transaction_uid,
        requester_aet=row.requester_aet,
        called_aet=row.called_aet,
        peer=row.peer,
        received_at=row.received_at,
        references=references_of(row.referenced),
    )
    return Request(row.id, row.hospital_code, asked, row.notified_at, row.attempts, row.reason)


def references_of(frame: bytes) -> tuple[Reference, ...]:
    """The instances a kept request names."""
    return tuple(Reference(*pair) for pair in orjson.loads(decompress(frame)))


def judge_request(connection: Connection, asked: Asked, is_kept: IsKept) -> Verdict:
    """The judgement by what is indexed now."""
    return judge(asked.references, known_instances(connection, asked, is_kept))


def known_instances(connection: Connection, asked: Asked, is_kept: IsKept) -> dict[str, list[Known]]:
    """What is kept under the UIDs a request names, by SOP Instance UID."""
    found: dict[str, list[Known]] = defaultdict(list)
    uids = sorted({storable(reference.sop_instance_uid) for reference in asked.references})
    segments: dict[str, bool] = {}
    for start in range(0, len(uids), _IN_SIZE):
        for row in connection.execute(_contents(uids[start : start + _IN_SIZE])):
            uid, sop_class, series_uid, study_uid, segment, shown = row
            if segment not in segments:
                segments[segment] = is_kept(segment)
            found[uid].append(Known(sop_class, series_uid, study_uid, segments[segment], shown))
    return dict(found)


def _contents(uids: Sequence[str]) -> Select[Any]:
    c = instances.c
    return (
        select(c.sop_uid, c.sop_class_uid, series.c.series_uid, studies.c.study_uid, c.segment, c.shown)
        .join(series, series.c.id == c.series_id)
        .join(studies, studies.c.id == series.c.study_id)
        .where(c.sop_uid.in_(uids))
    )


def tell_expectations(database: Database, number: int, is_kept: IsKept) -> None:
    """What a judged request says of numbers of images becomes an expectation. Raises StoreUnavailable."""
    with database.read() as connection:
        request = read_request(connection, number)
        if request is None:
            return
        known = known_instances(connection, request.asked, is_kept)
        uids = {one.study_uid for contents in known.values() for one in contents}
        told = expectations(request.asked, request.hospital_code, known, read_present(connection, uids))
    if told:
        with database.write() as connection:
            tell(connection, told)


def note_verdict(connection: Connection, number: int, verdict: Verdict) -> None:
    """Keep how a request was judged."""
    values = {"failed_count": len(verdict.failed), "judged_at": _now()}
    connection.execute(update(commitments).where(commitments.c.id == number).values(values))


def note_told(connection: Connection, number: int, verdict: Verdict) -> None:
    """The requester has answered the report with 0000."""
    note_verdict(connection, number, verdict)
    values = {"notified_at": _now(), "attempts": commitments.c.attempts + 1, "reason": ""}
    connection.execute(update(commitments).where(commitments.c.id == number).values(values))


def note_failure(connection: Connection, number: int, reason: str) -> None:
    """A try to report did not succeed; `reason` is Chinese."""
    values = {"attempts": commitments.c.attempts + 1, "reason": storable(reason)}
    connection.execute(update(commitments).where(commitments.c.id == number).values(values))


def counts(connection: Connection) -> tuple[int, int]:
    """(requests kept, those whose result was not told yet)."""
    total = connection.scalar(select(func.count()).select_from(commitments)) or 0
    waiting = connection.scalar(
        select(func.count()).select_from(commitments).where(commitments.c.notified_at.is_(None))
    )
    return total, waiting or 0


def _insert(connection: Connection) -> postgresql.Insert | sqlite.Insert:
    return (
        sqlite.insert(commitments) if connection.dialect.name == "sqlite" else postgresql.insert(commitments)
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
