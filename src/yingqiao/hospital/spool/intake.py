"""Takes what sources say into the spool: records, troubles and the source's position in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from yingqiao.hospital.errors import SpoolFullError
from yingqiao.hospital.source import SourceRecord, Trouble
from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.entries import IMAGES, REPORT, Entry, Lane, entry
from yingqiao.hospital.spool.store import Pressure, Spool, now_ms

_MOST_KEYS = 400
"""In one query; SQLite takes 32,766 parameters."""
_MOST_TROUBLES = 5_000
Identity = tuple[str, str]
"""Kind, key."""
LaneOf = Callable[[str], Lane | None]
"""The lane of a record by its time (`entries.entry`'s `at`); None: it is not wanted."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many of what was handed over were what."""

    new: int = 0
    changed: int = 0
    same: int = 0
    troubles: int = 0


def keep(
    spool: Spool,
    source: str,
    rows: Sequence[SourceRecord | Trouble],
    lane: Lane | LaneOf = Lane.LIVE,
    *,
    asked_at: int | None = None,
) -> Taken:
    """Durable when this returns. The same content again is dropped; new content of a record replaces an older
    one not yet sent, a refused one too.

    `asked_at` (Unix ms): the rows answer a question put then, not the stream of changes: the position stays, and
    what changed since by the stream is newer and stays too. Raises SpoolFullError when nothing may be taken,
    StoreError.
    """
    if spool.pressure() is Pressure.FULL:
        raise SpoolFullError("本地暂存已满，暂不接收")
    entries = {(r.table.value, r.key): _entry_of(r) for r in rows if isinstance(r, SourceRecord)}
    troubles = {(t.table.value, t.where): t for t in rows if isinstance(t, Trouble)}
    with spool.database.write() as c:
        taken = _keep_entries(c, source, entries, lane, asked_at)
        _keep_troubles(c, source, troubles.values())
        _forget_troubles(c, source, entries)
        if asked_at is None and rows:
            _keep_positions(c, source, rows)
    return Taken(taken.new, taken.changed, taken.same, len(troubles))


def refill(
    spool: Spool, source: str, rows: Sequence[SourceRecord | Trouble], wanted: Collection[Identity]
) -> int:
    """Those of `wanted` that `keep_days` let go get the source's content again, and are queued; how many. Raises
    SpoolFullError, StoreError.
    """
    entries = [
        _entry_of(row)
        for row in rows
        if isinstance(row, SourceRecord) and (row.table.value, row.key) in wanted
    ]
    if not entries:
        return 0
    if spool.pressure() is Pressure.FULL:
        raise SpoolFullError("本地暂存已满，暂不接收")
    with spool.database.write() as c:
        _write(c, source, entries, Lane.LIVE, now_ms())
    return len(entries)


def keep_series(spool: Spool, source: str, lists: Iterable[dict[str, Any]], lane: Lane = Lane.LIVE) -> Taken:
    """As `keep`, of the data of /images/list, one series each (四(二)2(3))."""
    entries = {(IMAGES, one["SERIESIUID"]): entry(IMAGES, one["SERIESIUID"], one) for one in lists}
    if spool.pressure() is Pressure.FULL:
        raise SpoolFullError("本地暂存已满，暂不接收")
    with spool.database.write() as c:
        return _keep_entries(c, source, entries, lane, None)


def _entry_of(record: SourceRecord) -> Entry:
    return entry(record.table.value, record.key, record.values)


def _keep_entries(
    c: Connection, source: str, entries: dict[Identity, Entry], lane: Lane | LaneOf, asked_at: int | None
) -> Taken:
    known = _known(c, list(entries))
    now = now_ms()
    new = [e for name, e in entries.items() if name not in known]
    changed = [
        e
        for name, e in entries.items()
        if name in known
        and known[name].digest != e.digest
        and (asked_at is None or known[name].changed_at < asked_at)
    ]
    for one_lane, chosen in _by_lane([*new, *changed], lane).items():
        _write(c, source, chosen, one_lane, now)
    return Taken(len(new), len(changed), len(entries) - len(new) - len(changed))


def _by_lane(entries: Sequence[Entry], lane: Lane | LaneOf) -> dict[Lane, list[Entry]]:
    if isinstance(lane, Lane):
        return {lane: list(entries)} if entries else {}
    found: dict[Lane, list[Entry]] = {}
    for one in entries:
        chosen = lane(one.row["at"])
        if chosen is not None:
            found.setdefault(chosen, []).append(one)
    return found


def _known(c: Connection, names: Sequence[Identity]) -> dict[Identity, Any]:
    r = s.records.c
    found: dict[Identity, Any] = {}
    for start in range(0, len(names), _MOST_KEYS):
        wanted = names[start : start + _MOST_KEYS]
        query = select(r.kind, r.key, r.digest, r.changed_at).where(tuple_(r.kind, r.key).in_(wanted))
        found |= {(row.kind, row.key): row for row in c.execute(query)}
    return found


_PUT_RECORD = upsert(s.records)
_PUT_RECORD = _PUT_RECORD.on_conflict_do_update(
    index_elements=["kind", "key"],
    set_={
        name: _PUT_RECORD.excluded[name]
        for name in (
            *("source", "digest", "body", "changed_at", "at", "day", "apply_id", "patient_id"),
            *("study_uid", "accession", "modality", "deleted"),
        )
    }
    | {"version": s.records.c.version + 1},
)
_r = s.records.c
_QUEUE = upsert(s.outbox).from_select(
    ["kind", "key", "version", "lane", "state", "queued_at", "due_at"],
    select(
        _r.kind,
        _r.key,
        _r.version,
        bindparam("new_lane"),
        bindparam("new_state"),
        bindparam("now"),
        bindparam("now"),
    ).where(_r.kind == bindparam("of_kind"), _r.key == bindparam("of_key")),
)
_QUEUE = _QUEUE.on_conflict_do_update(
    index_elements=["kind", "key"],
    set_={
        "version": _QUEUE.excluded.version,
        "lane": func.min(s.outbox.c.lane, _QUEUE.excluded.lane),
        "state": _QUEUE.excluded.state,
        "due_at": _QUEUE.excluded.due_at,
        "failures": 0,
        "error_class": "",
        "reason": "",
        "findings": "[]",
    },
)


def _write(c: Connection, source: str, entries: Sequence[Entry], lane: Lane, now: int) -> None:
    fixed = {"source": source, "version": 1, "first_at": now, "changed_at": now}
    c.execute(
        _PUT_RECORD,
        [
            {"kind": e.kind, "key": e.key, "digest": e.digest, "body": e.body(), **e.row, **fixed}
            for e in entries
        ],
    )
    queue(c, [(e.kind, e.key) for e in entries], lane, now)
    reports = [e for e in entries if e.kind == REPORT]
    if reports:
        _link(c, reports, lane)


def queue(c: Connection, names: Sequence[Identity], lane: Lane, now: int) -> None:
    """The newest version of each is to be sent, whatever became of it before."""
    rows = [
        {"of_kind": kind, "of_key": key, "new_lane": int(lane), "new_state": "waiting", "now": now}
        for kind, key in names
    ]
    if rows:
        c.execute(_QUEUE, rows)


def _link(c: Connection, reports: Sequence[Entry], lane: Lane) -> None:
    """A report waits for its exams (see outbox): those come into its lane."""
    keys = [e.key for e in reports]
    c.execute(delete(s.links).where(s.links.c.report_key == bindparam("gone")), [{"gone": k} for k in keys])
    pairs = [{"report_key": e.key, "exam_key": exam} for e in reports for exam in dict.fromkeys(e.exams)]
    if not pairs:
        return
    c.execute(upsert(s.links).on_conflict_do_nothing(), pairs)
    if lane is Lane.LIVE:
        o = s.outbox.c
        hurry = update(s.outbox).where(o.kind == "exam", o.key == bindparam("of_key"), o.lane > int(lane))
        c.execute(hurry.values(lane=int(lane)), [{"of_key": pair["exam_key"]} for pair in pairs])


def _keep_troubles(c: Connection, source: str, troubles: Iterable[Trouble]) -> None:
    now = now_ms()
    rows = [
        {
            "source": source,
            "kind": t.table.value,
            "place": t.where,
            "reason": t.reason,
            "first_at": now,
            "last_at": now,
        }
        for t in troubles
    ]
    if rows:
        put = upsert(s.troubles)
        put = put.on_conflict_do_update(
            index_elements=["source", "kind", "place"],
            set_={"reason": put.excluded.reason, "last_at": put.excluded.last_at},
        )
        c.execute(put, rows)


def _forget_troubles(c: Connection, source: str, entries: dict[Identity, Entry]) -> None:
    """A row that has become a record is no trouble any more, where the source names it by its key (`view.key=…`)."""
    t = s.troubles.c
    if not entries:
        return
    open_ = c.execute(select(t.id, t.kind, t.place).where(t.source == source).limit(_MOST_TROUBLES))
    over = [{"of_id": row.id} for row in open_ if (row.kind, row.place.rpartition("=")[2]) in entries]
    if over:
        c.execute(delete(s.troubles).where(t.id == bindparam("of_id")), over)


def _keep_positions(c: Connection, source: str, rows: Sequence[SourceRecord | Trouble]) -> None:
    now = now_ms()
    last = {row.table.value: row.position for row in rows}
    put = upsert(s.positions)
    put = put.on_conflict_do_update(
        index_elements=["source", "kind"],
        set_={"position": put.excluded.position, "read_at": put.excluded.read_at},
    )
    c.execute(
        put,
        [{"source": source, "kind": kind, "position": p, "read_at": now} for kind, p in last.items()],
    )


def position(spool: Spool, source: str, kind: str) -> str | None:
    """Where a source was left; None = at its beginning."""
    p = s.positions.c
    with spool.database.read() as c:
        found = c.execute(select(p.position).where(p.source == source, p.kind == kind)).scalar()
    return None if found is None else str(found)
