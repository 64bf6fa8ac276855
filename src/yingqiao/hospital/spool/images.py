"""Instances received to be forwarded: where they lie in the landing area, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from yingqiao.exchange.model import LandedInstance
from yingqiao.hospital.spool import schema as s
from yingqiao.hospital.spool.store import Spool, now_ms

WAITING, SENT, REFUSED = "waiting", "sent", "refused"


@dataclass(frozen=True, slots=True)
class Instance:
    """One to be forwarded. `offset` and `length` are those of its Part 10 file in the landing file."""

    id: int
    segment: str
    offset: int
    length: int
    dataset_offset: int
    sop_uid: str
    sop_class: str
    syntax: str
    study_uid: str
    failures: int


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of a try. `state` as above; `due_at` Unix ms when it is to be tried again."""

    id: int
    state: str
    due_at: int = 0
    failures: int = 0
    reason: str = ""


def landed(spool: Spool, batch: Sequence[LandedInstance], progress: Mapping[str, int]) -> None:
    """Instances and how far each landing file is known, in one transaction. Raises StoreError."""
    now = now_ms()
    rows = [
        {
            "segment": one.segment,
            "offset": one.offset,
            "length": one.length,
            "dataset_offset": one.dataset_offset,
            "sop_uid": one.facts.sop_instance_uid,
            "sop_class": one.facts.sop_class_uid,
            "syntax": one.facts.transfer_syntax_uid,
            "study_uid": one.facts.study_uid,
            "series_uid": one.facts.series_uid,
            "state": WAITING,
            "due_at": now,
        }
        for one in batch
    ]
    put = upsert(s.landing_progress)
    put = put.on_conflict_do_update(index_elements=["segment"], set_={"indexed_to": put.excluded.indexed_to})
    with spool.database.write() as c:
        if rows:
            c.execute(upsert(s.images).on_conflict_do_nothing(), rows)
        if progress:
            c.execute(put, [{"segment": name, "indexed_to": to} for name, to in progress.items()])


def indexed_so_far(spool: Spool) -> dict[str, int]:
    """Landing file → known up to."""
    with spool.database.read() as c:
        rows = c.execute(select(s.landing_progress))
        return {row.segment: row.indexed_to for row in rows}


def due(spool: Spool, limit: int, without: Collection[int]) -> list[Instance]:
    """The oldest that may be forwarded now; `without` those in hand."""
    i = s.images.c
    query = (
        select(
            *(i.id, i.segment, i.offset, i.length, i.dataset_offset),
            *(i.sop_uid, i.sop_class, i.syntax, i.study_uid, i.failures),
        )
        .where(i.state == WAITING, i.due_at <= now_ms(), i.segment != "", i.id.not_in(list(without)))
        .order_by(i.id)
        .limit(limit)
    )
    with spool.database.read() as c:
        return [Instance(**row) for row in c.execute(query).mappings()]


def settle(spool: Spool, outcomes: Sequence[Forwarded]) -> None:
    """Raises StoreError."""
    i = s.images.c
    change = (
        update(s.images)
        .where(i.id == bindparam("of_id"))
        .values(
            state=bindparam("new_state"),
            due_at=bindparam("new_due"),
            failures=bindparam("new_failures"),
            reason=bindparam("new_reason"),
            sent_at=bindparam("new_sent"),
        )
    )
    now = now_ms()
    rows = [
        {
            "of_id": one.id,
            "new_state": one.state,
            "new_due": one.due_at,
            "new_failures": one.failures,
            "new_reason": one.reason,
            "new_sent": now if one.state == SENT else None,
        }
        for one in outcomes
    ]
    if rows:
        with spool.database.write() as c:
            c.execute(change, rows)


def due_now(spool: Spool) -> None:
    """The gateway is back: what failed is due."""
    i = s.images.c
    with spool.database.write() as c:
        c.execute(update(s.images).where(i.state == WAITING, i.due_at > now_ms()).values(due_at=now_ms()))


def resend_studies(spool: Spool, studies: Sequence[str]) -> int:
    """Queues again what of these studies is still kept; how many instances."""
    if not studies:
        return 0
    i = s.images.c
    with spool.database.write() as c:
        return c.execute(
            update(s.images)
            .where(i.study_uid == bindparam("of_study"), i.segment != "")
            .values(state=WAITING, due_at=now_ms(), failures=0, reason=""),
            [{"of_study": uid} for uid in studies],
        ).rowcount


def let_go_of(spool: Spool, segment: str) -> bool:
    """Whether all of a landing file is sent; then nothing refers to it any more and it may be deleted. What is
    kept of its instances is that they were sent.
    """
    i = s.images.c
    counts = select(func.count(), func.count().filter(i.state == SENT)).where(i.segment == segment)
    with spool.database.write() as c:
        known, sent = c.execute(counts.select_from(s.images)).one()
        if not known or known != sent:
            return False
        c.execute(
            update(s.images).where(i.segment == segment).values(segment="", offset=-i.id)
        )  # offset: (segment, offset) is unique
        return True
