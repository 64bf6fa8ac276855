"""Storage commitment joined: the receiver's requests into the ledger, their results to who asked.

Work of kind 'commitment', key = the request's number: one try to tell a result on a new association. The
association the request came on may be quicker; whoever succeeds first notes it, and the other does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import select

from yingqiao.dicom.commitment.reporting import report
from yingqiao.dicom.query_retrieve.errors import NodeError
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.exchange.commitment import Asked, FailureReason, Unavailable, Verdict
from yingqiao.exchange.work import ErrorClass, NewWork, WorkError, WorkState
from yingqiao.store import commitments as ledger
from yingqiao.store.commitments import Request
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.schema import pacs_nodes, work
from yingqiao.store.work.actions import Action, Order, act
from yingqiao.store.work.ledger import add, find

KIND = "commitment"
HERE_FIRST_MS = 30_000
"""So long a request's own association has for its result before another is made."""
INDEX_S = 60.0
"""Instances that came and are not indexed are waited for, for so long a try."""
_POLL_S = 0.5
_log = structlog.get_logger(__name__)


class Index(Protocol):
    """What judging needs to know of the indexer."""

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that landed before now is indexed."""
        ...

    def wait(self, seconds: float) -> bool:
        """Until a batch is indexed, at most so long."""
        ...


class CommitmentLedger:
    """`dicom.commitment.scp.Commitments` on the database. Used by association threads."""

    def __init__(
        self, database: Database, landing: Path, index: Index, wake: Callable[[], None] = lambda: None
    ) -> None:
        """`landing`: the folder of landing files. `wake` is told that there is work."""
        self._database = database
        self._landing = landing
        self._index = index
        self._wake = wake

    def begin(self) -> None:
        """At the start: associations that ended with the last process are not waited for. Raises StoreUnavailable."""
        with self._database.write() as connection:
            mine = work.update().where(work.c.kind == KIND, work.c.state == str(WorkState.DELAYED))
            connection.execute(mine.values(due_at=0))

    def keep(self, asked: Asked) -> int:
        """The request and the work of telling its result, in one durable transaction. Raises Unavailable."""
        try:
            with self._database.write() as connection:
                number, hospital_code = ledger.keep(connection, asked)
                later = time.time_ns() // 1_000_000 + HERE_FIRST_MS
                add(connection, [_work(number, hospital_code, asked.requester_aet, later)])
        except StoreUnavailable as error:
            raise Unavailable from error
        _log.info(
            "dicom.commitment_asked", number=number, calling=asked.requester_aet, count=len(asked.references)
        )
        return number

    def verdict(self, number: int) -> Verdict | None:
        """Raises Unavailable."""
        caught_up = self._index.is_caught_up  # asked first: what lands meanwhile is not named by the request
        try:
            with self._database.read() as connection:
                request = ledger.read_request(connection, number)
                if request is None:
                    raise Unavailable
                verdict = ledger.judge_request(connection, request.asked, self._is_kept)
        except StoreUnavailable as error:
            raise Unavailable from error
        return verdict if caught_up or not _lacks(verdict) else None

    def wait(self, seconds: float) -> None:
        """Until something more is indexed, at most so long."""
        self._index.wait(seconds)

    def told(self, number: int, verdict: Verdict) -> None:
        """Raises Unavailable."""
        try:
            with self._database.write() as connection:
                ledger.note_told(connection, number, verdict)
            ledger.tell_expectations(self._database, number, self._is_kept)
        except StoreUnavailable as error:
            raise Unavailable from error
        _log.info(
            "dicom.commitment_told",
            number=number,
            committed=len(verdict.committed),
            failed=len(verdict.failed),
        )

    def tell_elsewhere(self, numbers: list[int]) -> None:
        """Whatever happens here, the work asked for with the request is done some time later."""
        try:
            with self._database.write() as connection:
                found = [find(connection, KIND, str(number)) for number in numbers]
                act(connection, Order(Action.RETRY), [one for one in found if one is not None])
            self._wake()
        except StoreUnavailable:
            _log.warning("dicom.commitment_later", numbers=numbers)

    def request(self, number: int) -> Request | None:
        """Raises StoreUnavailable."""
        with self._database.read() as connection:
            return ledger.read_request(connection, number)

    def failed(self, number: int, reason: str) -> None:
        """Raises StoreUnavailable."""
        with self._database.write() as connection:
            ledger.note_failure(connection, number, reason)

    def _is_kept(self, segment: str) -> bool:
        return (self._landing / segment).is_file()


def _lacks(verdict: Verdict) -> bool:
    return any(one.reason is FailureReason.NO_SUCH_OBJECT_INSTANCE for one in verdict.failed)


def _work(number: int, hospital_code: str, requester_aet: str, not_before: int) -> NewWork:
    """Each requester is a destination: one that is away holds up no other."""
    return NewWork(
        KIND,
        str(number),
        hospital_code,
        destination=f"{hospital_code}/commitment/{requester_aet}",
        payload=f'{{"commitment":{number}}}',
        not_before=not_before,
    )


class Reporter:
    """Does the work: finds out where the requester is, judges, tells."""

    def __init__(self, database: Database, requests: CommitmentLedger, peers: Sequence[str]) -> None:
        """`peers`: addresses of requesters, 'AET@host:port' each. Raises ValueError."""
        self._database = database
        self._requests = requests
        self._peers = dict(map(parse_peer, peers))

    def tell(self, number: int, check: Callable[[], None] = lambda: None) -> None:
        """One try. Raises WorkError with the reason in Chinese; what `check` raises."""
        request = self._requests.request(number)
        if request is None or request.notified_at is not None:
            return
        try:
            node = self._node(request)
            verdict = self._verdict(number, check)
            report(node, request.asked.transaction_uid, verdict, check=check)
            self._requests.told(number, verdict)
        except NodeError as error:
            raise self._failed(number, WorkError(error.error_class, error.words)) from error
        except WorkError as error:
            raise self._failed(number, error) from error
        except Unavailable as error:
            raise WorkError(ErrorClass.OURS, "数据库暂不可用") from error

    def _failed(self, number: int, error: WorkError) -> WorkError:
        self._requests.failed(number, error.reason)
        return error

    def _verdict(self, number: int, check: Callable[[], None]) -> Verdict:
        deadline = time.monotonic() + INDEX_S
        while (verdict := self._requests.verdict(number)) is None:
            check()
            if time.monotonic() > deadline:
                raise WorkError(ErrorClass.OURS, "索引还没有跟上已收到的影像，稍后再判定")
            self._requests.wait(_POLL_S)
        return verdict

    def _node(self, request: Request) -> Node:
        """Where the requester listens: as set, else as a PACS node of the same AE title."""
        asked = request.asked
        found = self._peers.get(asked.requester_aet)
        if found is not None:
            return Node(*found, asked.requester_aet, asked.called_aet)
        node = self._registered(asked.requester_aet, request.hospital_code)
        if node is None:
            raise WorkError(
                ErrorClass.THEIRS,
                f"不知道请求方 {asked.requester_aet} 的地址，结果无法送达：请登记为 PACS 节点，"
                f"或在 dicom.commitment_peers 写 {asked.requester_aet}@主机:端口（请求来自 {asked.peer}）",
            )
        host, port, calling = node
        return Node(host, port, asked.requester_aet, calling or asked.called_aet)

    def _registered(self, ae_title: str, hospital_code: str) -> tuple[str, int, str] | None:
        c = pacs_nodes.c
        wanted = (
            select(c.host, c.port, c.calling_aet)
            .where(c.ae_title == ae_title, ~c.disabled)
            .order_by(c.hospital_code != hospital_code, c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else (row.host, row.port, row.calling_aet)


def parse_peer(text: str) -> tuple[str, tuple[str, int]]:
    """'AET@host:port' as (AE title, (host, port)). Raises ValueError (Chinese)."""
    aet, at, address = text.strip().partition("@")
    host, colon, port = address.rpartition(":")
    if not (at and colon and host and 1 <= len(aet) <= 16 and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"dicom.commitment_peers：{text!r} 应写作 AET@主机:端口")
    return aet, (host.strip("[]"), int(port))
