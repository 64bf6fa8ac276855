"""Judging kept submissions again, after keys or a profile were mended. Works beside a running gateway."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from yingqiao.app.stores import Stores
from yingqiao.exchange.receive import Policy, Receiver
from yingqiao.exchange.reconcile import INTERFACE, StatementReceiver
from yingqiao.settings import Settings
from yingqiao.spec import load_edition
from yingqiao.store.kept import read_kept
from yingqiao.store.ledger import Ledger
from yingqiao.store.objects import Objects
from yingqiao.store.reconciliation import retake


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one; `submission` is the new ledger row, None when nothing was kept."""

    replay_of: int
    submission: int | None
    code: int
    message: str


def replay(settings: Settings, stores: Stores, ids: Iterable[int]) -> Iterator[Replayed]:
    """Each submission judged with today's keys and profile, and kept like a new one.

    Raises StoreUnavailable; what was yielded before is durable.
    """
    edition = load_edition(settings.exchange.edition)
    receiver = Receiver(edition, stores.hospitals, Policy(keep_unknown=True))
    statements = StatementReceiver(edition.id, edition.messages, stores.hospitals, keep_unknown=True)
    ledger = Ledger(stores.database, fetchable=stores.bell.ring)
    for number in ids:
        yield _replay(receiver, statements, ledger, stores, number)


def _replay(
    receiver: Receiver, statements: StatementReceiver, ledger: Ledger, stores: Stores, number: int
) -> Replayed:
    with stores.database.read() as connection:
        kept = read_kept(connection, number)
    if kept is None:
        return Replayed(number, None, 0, f"没有编号为 {number} 的提交")
    if kept.interface == INTERFACE:
        stated = statements.retake(kept, time.time_ns() // 10**6)
        return Replayed(number, *retake(stores.database, ledger, stated))
    taken = receiver.retake(kept, time.time_ns() // 10**6, lambda digest: _load(stores.objects, digest))
    made: int | None = None
    for submission in taken.submissions:
        for document in submission.documents:
            stores.objects.put(document.content, document.digest)
        made = ledger.record_now(submission)
    return Replayed(number, made, taken.answer.code, taken.answer.message)


def _load(objects: Objects, digest: str) -> bytes | None:
    try:
        with objects.open(digest) as stream:
            return stream.read()
    except FileNotFoundError:
        return None
