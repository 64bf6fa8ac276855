"""Kept submissions as replay needs them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from yingqiao.exchange.model import BodyKind, Outcome
from yingqiao.exchange.receive import Kept
from yingqiao.store.compression import decompress
from yingqiao.store.schema import submissions


def read_kept(connection: Connection, submission_id: int) -> Kept | None:
    """The submission, None when there is none. Raises StoredBodyBroken."""
    row = connection.execute(select(submissions).where(submissions.c.id == submission_id)).first()
    if row is None:
        return None
    return Kept(
        id=row.id,
        interface=row.interface,
        hospital_code=row.hospital_code,
        peer=row.peer,
        received_at=row.received_at,
        body_kind=BodyKind(row.body_kind),
        body=decompress(row.body),
        digest=row.digest,
    )


def refused_ids(connection: Connection, hospital_code: str) -> list[int]:
    """Refused submissions of a hospital that no later replay brought in, oldest first."""
    replays = submissions.alias()
    done = select(replays.c.replay_of).where(
        replays.c.replay_of == submissions.c.id, replays.c.outcome == str(Outcome.ACCEPTED)
    )
    statement = (
        select(submissions.c.id)
        .where(submissions.c.outcome == str(Outcome.REFUSED), submissions.c.hospital_code == hospital_code)
        .where(submissions.c.replay_of.is_(None), ~done.exists())
        .order_by(submissions.c.id)
    )
    return list(connection.scalars(statement))
