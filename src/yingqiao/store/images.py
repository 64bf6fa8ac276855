"""The index of images: studies, series and instances of what landed, in one transaction with how far it
was read.

The landing area is the truth; the index can be made again from it. Indexing the same instance again
changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from yingqiao.exchange.model import LandedInstance
from yingqiao.store.database import Database
from yingqiao.store.image_rows import (
    StudyState,
    bare,
    instance_row,
    new_series_row,
    new_study_row,
    sop_uid,
    study_uid,
)
from yingqiao.store.schema import instances, landing_progress, series, studies
from yingqiao.store.sources import SourceTable, source_table
from yingqiao.store.text import storable

T = TypeVar("T")
SeriesKey = tuple[int, str]
"""Study id and series UID."""
_MANY = 10_000
_ATTEMPTS = 5
_DEADLOCK = "40P01"


class ImageIndex:
    """Writes the index. Several processes may index into one PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def index_instances(self, batch: Sequence[LandedInstance], progress: Mapping[str, int]) -> None:
        """Index `batch` and note `progress` (segment -> read up to, bytes) in one durable transaction.

        Same UID and digest as before: nothing. Same UID, another digest: both kept, all flagged, the
        newest shown.
        Raises StoreUnavailable, StoreFull: nothing of the batch is indexed.
        """
        try:
            self._index_or_retry(batch, progress)
        except DBAPIError:  # not the store's trouble: a value in the batch it cannot take
            for instance in batch:
                self._index_alone(instance)
            self._index_or_retry([], progress)

    def progress(self) -> dict[str, int]:
        """How far each segment is indexed, bytes. Raises StoreUnavailable."""
        with self._database.read() as connection:
            rows = connection.execute(select(landing_progress.c.segment, landing_progress.c.indexed_to))
            return {row.segment: row.indexed_to for row in rows}

    def _index_or_retry(self, batch: Sequence[LandedInstance], progress: Mapping[str, int]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._database.write() as connection:
                    _index(connection, batch)
                    _note(connection, progress)
            except DBAPIError as error:
                if attempt == _ATTEMPTS or getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                    raise
            else:
                return

    def _index_alone(self, instance: LandedInstance) -> None:
        try:
            self._index_or_retry([instance], {})
        except DBAPIError:
            self._index_or_retry([bare(instance)], {})


def _index(connection: Connection, batch: Sequence[LandedInstance]) -> None:
    distinct = list({(sop_uid(i), i.digest): i for i in reversed(batch)}.values())[::-1]
    if not distinct:
        return
    sources = source_table(connection)
    found = _studies(connection, distinct, sources)
    series_ids = _series(connection, distinct, found)
    fresh, clashing = _sort_out(connection, distinct)
    if not fresh:
        return
    keys = [_series_key(found, i) for i in fresh]
    connection.execute(
        instances.insert(), [instance_row(i, series_ids[k]) for i, k in zip(fresh, keys, strict=True)]
    )
    for instance in fresh:
        found[study_uid(instance)].take(instance, sources.hospital_of(instance.calling_aet, instance.peer))
    touched = [state for state in found.values() if state.changed]
    connection.execute(
        update(studies).where(studies.c.id == bindparam("b_id")), [s.update_values() for s in touched]
    )
    _count(connection, Counter(series_ids[k] for k in keys), fresh[-1].received_at, [s.id for s in touched])
    _settle(connection, clashing)


def _studies(
    connection: Connection, batch: Sequence[LandedInstance], sources: SourceTable
) -> dict[str, StudyState]:
    """The batch's studies, made when new, locked until the commit."""
    first: dict[str, LandedInstance] = {}
    for instance in batch:
        first.setdefault(study_uid(instance), instance)
    rows = [
        new_study_row(first[u], sources.hospital_of(first[u].calling_aet, first[u].peer))
        for u in sorted(first)
    ]
    _insert_missing(connection, studies, rows, ["study_uid"])
    found: dict[str, StudyState] = {}
    for part in _parts(sorted(first)):
        wanted = select(studies).where(studies.c.study_uid.in_(part)).order_by(studies.c.study_uid)
        for row in connection.execute(wanted.with_for_update()).mappings():
            found[row["study_uid"]] = StudyState({str(column): value for column, value in row.items()})
    return found


def _series(
    connection: Connection, batch: Sequence[LandedInstance], found: Mapping[str, StudyState]
) -> dict[SeriesKey, int]:
    """Ids of the batch's series by (study id, series UID), made when new."""
    first: dict[SeriesKey, LandedInstance] = {}
    for instance in batch:
        first.setdefault(_series_key(found, instance), instance)
    rows = [new_series_row(key[0], first[key]) for key in sorted(first)]
    _insert_missing(connection, series, rows, ["study_id", "series_uid"])
    ids: dict[SeriesKey, int] = {}
    for part in _parts(sorted({study_id for study_id, _ in first})):
        chosen = select(series.c.id, series.c.study_id, series.c.series_uid).where(
            series.c.study_id.in_(part)
        )
        ids |= {(study_id, uid): number for number, study_id, uid in connection.execute(chosen)}
    return ids


def _sort_out(
    connection: Connection, batch: Sequence[LandedInstance]
) -> tuple[list[LandedInstance], list[str]]:
    """The instances not indexed yet, and the UIDs that now have more than one content."""
    known: dict[str, set[bytes]] = {}
    for part in _parts([sop_uid(i) for i in batch]):
        chosen = select(instances.c.sop_uid, instances.c.digest).where(instances.c.sop_uid.in_(part))
        for uid, digest in connection.execute(chosen):
            known.setdefault(uid, set()).add(bytes(digest))
    fresh: list[LandedInstance] = []
    clashing: list[str] = []
    for instance in batch:
        uid = sop_uid(instance)
        digests = known.setdefault(uid, set())
        if instance.digest in digests:
            continue
        if digests:
            clashing.append(uid)
        digests.add(instance.digest)
        fresh.append(instance)
    return fresh, clashing


def _series_key(found: Mapping[str, StudyState], instance: LandedInstance) -> SeriesKey:
    return found[study_uid(instance)].id, storable(instance.facts.series_uid)


def _count(connection: Connection, added: Counter[int], now: int, study_ids: Sequence[int]) -> None:
    counted = series.c.instance_count + bindparam("b_added")
    connection.execute(
        update(series).where(series.c.id == bindparam("b_id")).values(instance_count=counted, updated_at=now),
        [{"b_id": number, "b_added": count} for number, count in sorted(added.items())],
    )
    total = (
        select(func.count()).select_from(series).where(series.c.study_id == studies.c.id).scalar_subquery()
    )
    for part in _parts(study_ids):
        connection.execute(update(studies).where(studies.c.id.in_(part)).values(series_count=total))


def _settle(connection: Connection, uids: Sequence[str]) -> None:
    """Flag every content of these UIDs, show the newest of each, and count again what is shown."""
    for part in _parts(uids):
        other = instances.alias()
        newest = (
            select(other.c.id)
            .where(other.c.sop_uid == instances.c.sop_uid)
            .order_by(other.c.received_at.desc(), other.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        mine = instances.c.sop_uid.in_(part)
        connection.execute(
            update(instances).where(mine).values(conflict=True, shown=instances.c.id == newest)
        )
        _count_again(
            connection, list(connection.execute(select(instances.c.series_id).where(mine)).scalars())
        )


def _count_again(connection: Connection, series_ids: Sequence[int]) -> None:
    shown = (
        select(func.count()).where(instances.c.series_id == series.c.id, instances.c.shown).scalar_subquery()
    )
    connection.execute(update(series).where(series.c.id.in_(series_ids)).values(instance_count=shown))
    of_study = series.c.study_id == studies.c.id
    count = select(func.coalesce(func.sum(series.c.instance_count), 0)).where(of_study).scalar_subquery()
    size = (
        select(func.coalesce(func.sum(instances.c.length), 0))
        .select_from(instances.join(series))
        .where(of_study, instances.c.shown)
        .scalar_subquery()
    )
    touched = studies.c.id.in_(select(series.c.study_id).where(series.c.id.in_(series_ids)))
    connection.execute(
        update(studies).where(touched).values(instance_count=count, byte_count=size, link_due=True)
    )


def _note(connection: Connection, progress: Mapping[str, int]) -> None:
    if not progress:
        return
    statement = _dialect_insert(connection, landing_progress)
    before, now = landing_progress.c.indexed_to, statement.excluded.indexed_to
    statement = statement.on_conflict_do_update(
        index_elements=["segment"], set_={"indexed_to": case((now > before, now), else_=before)}
    )
    rows = [{"segment": s, "indexed_to": to, "sealed": False} for s, to in sorted(progress.items())]
    connection.execute(statement, rows)


def _insert_missing(connection: Connection, table: Table, rows: list[dict[str, Any]], key: list[str]) -> None:
    connection.execute(_dialect_insert(connection, table).on_conflict_do_nothing(index_elements=key), rows)


def _dialect_insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _MANY):
        yield items[start : start + _MANY]
