"""What comparisons with hospitals' query services found, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson
from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.exchange.query import KIND_NAMES, STATE_NAMES, Difference, FieldDifference, Kind, State
from yingqiao.store.compression import compress, decompress
from yingqiao.store.queries.common import Page, page_of, record_of
from yingqiao.store.schema import comparisons, differences, exams, reports, series, studies, submissions

_CHUNK = 500
_AT_ONCE = 200


class DifferenceShown(msgspec.Struct, frozen=True, rename="camel"):
    """A difference as lists show it."""

    id: int
    hospital_code: str
    kind: str
    kind_name: str
    key: str
    study_uid: str
    words: str
    """What differs, field by field, Chinese."""
    state: str
    state_name: str
    reason: str
    submission_id: int | None
    found_at: int
    seen_at: int
    updated_at: int


class DifferenceFilter(msgspec.Struct, frozen=True):
    hospital_code: str | None = None
    kind: str | None = None
    state: str | None = None
    key: str | None = None


class ComparisonShown(msgspec.Struct, frozen=True, rename="camel"):
    """One comparison, as lists show it."""

    id: int
    hospital_code: str
    subject: str
    start: str
    end: str
    named: str
    began_at: int
    ended_at: int | None
    compared: int
    differing: int
    reason: str


def exam_records(
    connection: Connection, hospital_code: str, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """risStudyId -> the record of the version shown."""
    return _records(connection, exams, exams.c.ris_study_id, hospital_code, keys, "patient")


def report_records(
    connection: Connection, hospital_code: str, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """recordNum -> the record of the version shown."""
    return _records(connection, reports, reports.c.record_num, hospital_code, keys, "report")


def series_counts(connection: Connection, hospital_code: str, keys: Sequence[str]) -> dict[str, int]:
    """Series UID -> instances the gateway has of it."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        rows = connection.execute(
            select(series.c.series_uid, series.c.instance_count)
            .join(studies, studies.c.id == series.c.study_id)
            .where(series.c.series_uid.in_(part), studies.c.hospital_code.in_((hospital_code, "")))
        )
        for uid, count in rows:
            found[uid] = max(count, found.get(uid, 0))
    return found


def _records(
    connection: Connection, table: Any, name: Any, hospital_code: str, keys: Sequence[str], part: str
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(keys), _CHUNK):
        rows = connection.execute(
            select(name, submissions.c.body)
            .join(submissions, submissions.c.id == table.c.submission_id)
            .where(table.c.hospital_code == hospital_code, name.in_(keys[start : start + _CHUNK]))
        )
        for key, body in rows:
            found[key] = record_of(body, part)
    return found


def note(connection: Connection, hospital_code: str, found: Iterable[Difference], now: int) -> None:
    """Write differences down; one seen before is opened again, unless it is to be ignored."""
    insert_ = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(differences)
    new, old = insert_.excluded, differences.c
    changes = {
        "fields": new.fields,
        "record": new.record,
        "study_uid": new.study_uid,
        "seen_at": new.seen_at,
        "state": _opened_again(old.state),
    }
    statement = insert_.on_conflict_do_update(index_elements=["hospital_code", "kind", "key"], set_=changes)
    rows = [_row(hospital_code, one, now) for one in found]
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(statement, rows[start : start + _AT_ONCE])


def _opened_again(state: Any) -> Any:
    from sqlalchemy import case

    return case((state == str(State.MENDED), str(State.OPEN)), else_=state)


def _row(hospital_code: str, one: Difference, now: int) -> dict[str, Any]:
    return {
        "hospital_code": hospital_code,
        "kind": str(one.kind),
        "key": one.key.replace("\0", "")[:400],
        "study_uid": one.study_uid.replace("\0", "")[:100],
        "fields": msgspec.json.encode(one.fields).decode().replace("\\u0000", ""),
        "record": compress(orjson.dumps(one.record)),
        "state": str(State.OPEN),
        "reason": "",
        "submission_id": None,
        "found_at": now,
        "seen_at": now,
        "updated_at": now,
    }


def settle(
    connection: Connection, hospital_code: str, kinds: Sequence[Kind], keys: Sequence[str], now: int
) -> None:
    """Differences of these records that are no more: mended, by whatever way they came."""
    d = differences.c
    open_states = [str(State.OPEN), str(State.FAILED), str(State.ASKED)]
    for start in range(0, len(keys), _CHUNK):
        where = (
            (d.hospital_code == hospital_code)
            & d.kind.in_([str(kind) for kind in kinds])
            & d.key.in_(keys[start : start + _CHUNK])
            & d.state.in_(open_states)
        )
        values = {"state": str(State.MENDED), "reason": "", "updated_at": now}
        connection.execute(update(differences).where(where).values(values))


def list_differences(
    connection: Connection,
    wanted: DifferenceFilter,
    limit: int = 50,
    offset: int = 0,
    with_total: bool = False,
) -> Page[DifferenceShown]:
    """The newest first."""
    statement = _filtered(wanted).order_by(differences.c.id.desc())
    return page_of(connection, statement, _shown, limit, offset, with_total)


def show_difference(
    connection: Connection, number: int
) -> tuple[DifferenceShown, tuple[FieldDifference, ...], dict[str, Any]] | None:
    """A difference, its fields and the hospital's record."""
    row = connection.execute(select(differences).where(differences.c.id == number)).first()
    if row is None:
        return None
    return _shown(row), _fields(row), record_of(row.record)


def open_ids(connection: Connection, wanted: DifferenceFilter, limit: int) -> list[int]:
    """Those that are to be mended, oldest first."""
    d = differences.c
    waiting = d.state.in_([str(State.OPEN), str(State.FAILED)])
    statement = _filtered(wanted).with_only_columns(d.id).where(waiting).order_by(d.id)
    return list(connection.scalars(statement.limit(limit)))


def raw_difference(connection: Connection, number: int) -> tuple[str, Kind, str, str, bytes] | None:
    """Hospital, kind, key, study UID and the JSON of the hospital's record."""
    row = connection.execute(select(differences).where(differences.c.id == number)).first()
    if row is None:
        return None
    return row.hospital_code, Kind(row.kind), row.key, row.study_uid, decompress(row.record)


def set_state(
    connection: Connection, number: int, state: State, reason: str, submission: int | None, now: int
) -> bool:
    """True when there is such a difference."""
    values: Mapping[str, Any] = {"state": str(state), "reason": reason[:1000], "updated_at": now}
    if submission is not None:
        values = {**values, "submission_id": submission}
    return (
        connection.execute(update(differences).where(differences.c.id == number).values(values)).rowcount > 0
    )


def begin(
    connection: Connection, hospital_code: str, subject: str, start: str, end: str, named: str, now: int
) -> int:
    """A comparison begins; its id."""
    made = connection.execute(
        insert(comparisons)
        .values(
            hospital_code=hospital_code,
            subject=subject,
            start=start,
            end=end,
            named=named,
            began_at=now,
            compared=0,
            differing=0,
            reason="",
        )
        .returning(comparisons.c.id)
    )
    return int(made.scalar_one())


def end(
    connection: Connection, number: int, compared: int, differing: int, now: int | None, reason: str = ""
) -> None:
    """How far it came; `now` when it is over."""
    values = {"compared": compared, "differing": differing, "ended_at": now, "reason": reason[:1000]}
    connection.execute(update(comparisons).where(comparisons.c.id == number).values(values))


def list_comparisons(
    connection: Connection, hospital_code: str | None = None, limit: int = 50, offset: int = 0
) -> Page[ComparisonShown]:
    """The newest first."""
    statement = select(comparisons).order_by(comparisons.c.id.desc())
    if hospital_code is not None:
        statement = statement.where(comparisons.c.hospital_code == hospital_code)
    return page_of(connection, statement, _comparison, limit, offset, False)


def _filtered(wanted: DifferenceFilter) -> Select[Any]:
    statement = select(differences)
    for name in wanted.__struct_fields__:
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(differences.c[name] == value)
    return statement


def _shown(row: Row[Any]) -> DifferenceShown:
    fields = _fields(row)
    kind = Kind(row.kind)
    return DifferenceShown(
        row.id,
        row.hospital_code,
        row.kind,
        KIND_NAMES[kind],
        row.key,
        row.study_uid,
        "；".join(field.words for field in fields),
        row.state,
        STATE_NAMES[State(row.state)],
        row.reason,
        row.submission_id,
        row.found_at,
        row.seen_at,
        row.updated_at,
    )


def _fields(row: Row[Any]) -> tuple[FieldDifference, ...]:
    return msgspec.json.decode(row.fields, type=tuple[FieldDifference, ...])


def _comparison(row: Row[Any]) -> ComparisonShown:
    members = {name: row._mapping[name] for name in ComparisonShown.__struct_fields__}  # noqa: SLF001
    return ComparisonShown(**members)
