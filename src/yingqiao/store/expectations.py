"""Expected numbers of images as told (`study_expectations`), beside what is here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.completeness import STABLE_MS, Completeness, Expectation, Source, judge
from yingqiao.exchange.link import KEY_STUDY_UID
from yingqiao.store.schema import exam_keys, exams, series, studies, study_expectations
from yingqiao.store.text import storable

IN_SIZE = 800
_MOST = 2**31 - 1
_COLUMNS = (
    study_expectations.c.study_uid,
    study_expectations.c.series_uid,
    study_expectations.c.source,
    study_expectations.c.origin,
    study_expectations.c.expected,
    study_expectations.c.told_at,
    study_expectations.c.hospital_code,
)


def tell(connection: Connection, told: Sequence[Expectation]) -> None:
    """Keep what was told, in the caller's transaction; the studies and exams concerned are linked anew.

    The same origin telling again about the same series replaces its number. A PACS speaks of a study as a
    whole: give all its series (and the total) in one call, for what it told earlier and does not tell now
    is gone. An older telling never replaces a newer one. Raises StoreUnavailable through the transaction.
    """
    rows = {_key(row): row for row in map(_row, sorted(told, key=lambda one: one.told_at))}
    if not rows:
        return
    ordered = [rows[key] for key in sorted(rows)]
    _forget_what_a_pacs_no_longer_tells(connection, ordered)
    statement = _insert(connection)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["study_uid", "series_uid", "source", "origin", "hospital_code"],
            set_={"expected": new.expected, "told_at": new.told_at},
            where=study_expectations.c.told_at <= new.told_at,
        ),
        ordered,
    )
    mark_due(connection, {row["study_uid"] for row in ordered})


def forget(
    connection: Connection, study_uid: str, source: Source | None = None, origin: str | None = None
) -> int:
    """Take back what was told about a study (by this source, by this origin); the number of rows gone."""
    where = study_expectations.c.study_uid == study_uid
    if source is not None:
        where &= study_expectations.c.source == str(source)
    if origin is not None:
        where &= study_expectations.c.origin == origin
    gone = connection.execute(delete(study_expectations).where(where)).rowcount
    mark_due(connection, {study_uid})
    return gone


def mark_due(connection: Connection, study_uids: Collection[str]) -> None:
    """Have the linker look again at these studies and at the exams that list them."""
    for part in chunks(study_uids):
        found = studies.c.study_uid.in_(part)
        connection.execute(update(studies).where(found).values(link_due=True))
        listing = select(exam_keys.c.exam_id).where(
            exam_keys.c.kind == KEY_STUDY_UID, exam_keys.c.value.in_(part)
        )
        connection.execute(update(exams).where(exams.c.id.in_(listing)).values(link_due=True))


def read(connection: Connection, study_uids: Iterable[str]) -> dict[str, tuple[Expectation, ...]]:
    """What was told about each study; studies nobody told about are left out."""
    found: dict[str, list[Expectation]] = defaultdict(list)
    for part in chunks(study_uids):
        where = study_expectations.c.study_uid.in_(part)
        for row in connection.execute(select(*_COLUMNS).where(where).order_by(study_expectations.c.id)):
            found[row.study_uid].append(Expectation(*row[:2], Source(row.source), *row[3:]))
    return {uid: tuple(told) for uid, told in found.items()}


def read_present(connection: Connection, study_uids: Iterable[str]) -> dict[str, dict[str, int]]:
    """Study UID -> series UID -> shown instances: distinct SOP Instance UIDs, of each its newest content."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    columns = (studies.c.study_uid, series.c.series_uid, series.c.instance_count)
    for part in chunks(study_uids):
        joined = select(*columns).join(series, series.c.study_id == studies.c.id)
        for study_uid, series_uid, count in connection.execute(joined.where(studies.c.study_uid.in_(part))):
            found[study_uid][series_uid] = count
    return dict(found)


def completeness(
    connection: Connection,
    study_uids: Iterable[str],
    now: int,
    stable_after: int = STABLE_MS,
    hospital_code: str | None = None,
) -> dict[str, Completeness]:
    """The judgement about each study, also about those of which nothing came. Times in Unix ms and ms.

    `hospital_code`: only what this hospital's peers (and those of none) told.
    """
    uids = set(study_uids)
    told, present = read(connection, uids), read_present(connection, uids)
    last: dict[str, int] = {}
    for part in chunks(uids):
        where = studies.c.study_uid.in_(part)
        last |= dict(connection.execute(select(studies.c.study_uid, studies.c.updated_at).where(where)).all())
    codes = None if hospital_code is None else ("", hospital_code)
    return {
        uid: judge(_of(told.get(uid, ()), codes), present.get(uid, {}), last.get(uid), now, stable_after)
        for uid in uids
    }


def _of(told: Iterable[Expectation], codes: tuple[str, str] | None) -> Iterable[Expectation]:
    return (one for one in told if codes is None or one.hospital_code in codes)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), IN_SIZE):
        yield ordered[start : start + IN_SIZE]


def _forget_what_a_pacs_no_longer_tells(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    newest: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row["source"] == str(Source.PACS):
            key = (row["study_uid"], row["origin"], row["hospital_code"])
            newest[key] = max(row["told_at"], newest.get(key, 0))
    c = study_expectations.c
    for (study_uid, origin, hospital_code), at in sorted(newest.items()):
        of_it = (c.study_uid == study_uid) & (c.source == str(Source.PACS)) & (c.origin == origin)
        connection.execute(
            delete(study_expectations).where(of_it, c.hospital_code == hospital_code, c.told_at < at)
        )


def _row(one: Expectation) -> dict[str, Any]:
    return {
        "study_uid": storable(one.study_uid),
        "series_uid": storable(one.series_uid),
        "source": str(one.source),
        "origin": storable(one.origin),
        "hospital_code": one.hospital_code,
        "expected": min(max(one.expected, 0), _MOST),
        "told_at": one.told_at,
    }


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("study_uid", "series_uid", "source", "origin", "hospital_code"))


def _insert(connection: Connection) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(study_expectations)
    return postgresql.insert(study_expectations)
