"""What is to be sent: given out in order, and what became of it.

One row a record, so that versions of one record never overtake each other; a report waits while one of its exams
is still to be sent (not while it is refused: the gateway then keeps the report waiting for it).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select, tuple_, update

from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.entries import EXAM, REPORT, Lane, values_of
from yingqiao.hospital.spool.intake import Identity, queue
from yingqiao.hospital.spool.store import Spool, now_ms

WAITING, REFUSED = "waiting", "refused"
_CLAIM_BYTES = 16 << 20
_EXAM_MAY_COME_MS = 3_000
"""So long a report waits for an exam nobody has told of yet: the two tables of a source are read side by side."""


@dataclass(frozen=True, slots=True)
class Due:
    """A version to be sent now."""

    kind: str
    key: str
    version: int
    lane: Lane
    failures: int
    values: Mapping[str, Any]

    @property
    def name(self) -> Identity:
        return self.kind, self.key


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try. `state`: sent | waiting (again at `due_at`) | refused."""

    due: Due
    state: str
    due_at: int = 0
    failures: int = 0
    error_class: str = ""
    reason: str = ""
    findings: str = "[]"


def _claim_query(lane: Lane, now: int, limit: int, without: Collection[Identity]) -> Any:
    o, r = s.outbox.c, s.records.c
    pending = s.outbox.alias("pending")
    held = (
        select(1)
        .select_from(s.links.join(pending, and_(pending.c.kind == EXAM, pending.c.key == s.links.c.exam_key)))
        .where(s.links.c.report_key == o.key, pending.c.state == WAITING)
        .correlate(s.outbox)
        .exists()
    )
    exam = s.records.alias("exam")
    unheard = (
        select(1)
        .select_from(s.links.outerjoin(exam, and_(exam.c.kind == EXAM, exam.c.key == s.links.c.exam_key)))
        .where(s.links.c.report_key == o.key, exam.c.id.is_(None))
        .correlate(s.outbox)
        .exists()
    )
    may_go = ~held & (~unheard | (o.queued_at <= now - _EXAM_MAY_COME_MS))
    query = (
        select(o.kind, o.key, o.version, o.lane, o.failures, r.body, func.length(r.body).label("size"))
        .select_from(s.outbox.join(s.records, and_(r.kind == o.kind, r.key == o.key)))
        .where(o.state == WAITING, o.lane == int(lane), o.due_at <= now, (o.kind != REPORT) | may_go)
        .order_by(o.kind, o.queued_at)
        .limit(limit)
    )
    if without:
        query = query.where(tuple_(o.kind, o.key).not_in(list(without)))
    return query


def claim(spool: Spool, lane: Lane, limit: int, without: Collection[Identity] = ()) -> list[Due]:
    """At most `limit` that may go now, exams first, `without` those in hand already. Nothing is marked: who
    claims knows what it has in hand, and after a kill all is still here.
    """
    found: list[Due] = []
    size = 0
    with spool.database.read() as c:
        rows = c.execute(_claim_query(lane, now_ms(), limit, without))
        for row in rows:
            if row.body is None:
                continue  # let go by keep_days; see `resend`
            found.append(
                Due(row.kind, row.key, row.version, Lane(row.lane), row.failures, values_of(row.body))
            )
            size += int(row.size)
            if size > _CLAIM_BYTES:
                break
    return found


def next_due(spool: Spool) -> int | None:
    """When the next waiting row is due (Unix ms)."""
    o = s.outbox.c
    with spool.database.read() as c:
        found = c.execute(select(func.min(o.due_at)).where(o.state == WAITING)).scalar()
    return None if found is None else int(found)


_o, _r = s.outbox.c, s.records.c
_IS = and_(_o.kind == bindparam("of_kind"), _o.key == bindparam("of_key"), _o.version == bindparam("of_v"))
_DONE = delete(s.outbox).where(_IS)
_SENT = (
    update(s.records)
    .where(_r.kind == bindparam("of_kind"), _r.key == bindparam("of_key"))
    .values(sent_version=bindparam("of_v"), sent_at=bindparam("now"))
)
_AGAIN = (
    update(s.outbox)
    .where(_IS)
    .values(
        state=bindparam("new_state"),
        due_at=bindparam("new_due"),
        failures=bindparam("new_failures"),
        error_class=bindparam("new_class"),
        reason=bindparam("new_reason"),
        findings=bindparam("new_findings"),
    )
)


def settle(spool: Spool, outcomes: Sequence[Outcome]) -> None:
    """All in one transaction. A record that got new content meanwhile stays queued with that. Raises
    StoreError.
    """
    sent = [_named(o) for o in outcomes if o.state == "sent"]
    again = [_named(o) | _told(o) for o in outcomes if o.state != "sent"]
    with spool.database.write() as c:
        if sent:
            c.execute(_DONE, sent)
            now = now_ms()
            c.execute(_SENT, [one | {"now": now} for one in sent])
        if again:
            c.execute(_AGAIN, again)


def _named(outcome: Outcome) -> dict[str, Any]:
    due = outcome.due
    return {"of_kind": due.kind, "of_key": due.key, "of_v": due.version}


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "new_state": outcome.state,
        "new_due": outcome.due_at,
        "new_failures": outcome.failures,
        "new_class": outcome.error_class,
        "new_reason": outcome.reason,
        "new_findings": outcome.findings,
    }


def waiting(spool: Spool, lane: Lane) -> int:
    """How many are to be sent in a lane."""
    o = s.outbox.c
    with spool.database.read() as c:
        query = select(func.count()).where(o.state == WAITING, o.lane == int(lane))
        return int(c.execute(query.select_from(s.outbox)).scalar_one())


def due_now_after_outage(spool: Spool) -> None:
    """The gateway is back: what waits after a failure of the connection is due at once."""
    o = s.outbox.c
    with spool.database.write() as c:
        c.execute(
            update(s.outbox)
            .where(o.state == WAITING, o.error_class == "passing", o.due_at > now_ms())
            .values(due_at=now_ms())
        )


def resend(spool: Spool, names: Sequence[Identity], lane: Lane = Lane.LIVE) -> int:
    """Queues what is known and still kept, whether it was sent or refused; how many that were."""
    with spool.database.write() as c:
        known = [name for name in names if _is_kept(c, name)]
        queue(c, known, lane, now_ms())
    return len(known)


def let_go_of(spool: Spool, names: Sequence[Identity]) -> set[Identity]:
    """Those known here whose content `keep_days` let go: only their source can give it again."""
    with spool.database.read() as c:
        return {name for name in names if not _is_kept(c, name)}


def _is_kept(c: Any, name: Identity) -> bool:
    r = s.records.c
    query = select(r.id).where(r.kind == name[0], r.key == name[1], r.body.is_not(None))
    return c.execute(query).first() is not None


__all__ = [
    "Due",
    "Outcome",
    "claim",
    "next_due",
    "resend",
    "settle",
    "waiting",
]
