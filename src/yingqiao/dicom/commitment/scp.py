"""Storage commitment on an association of the storage SCP: N-ACTION in, N-EVENT-REPORT out (PS3.4 J.3).

The request is durable before 0000. Its result is told on this association if the requester keeps it open
and silent for a moment: it waits for us. A requester that releases gets it on an association of ours.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

import structlog

from yingqiao.dicom.commitment.datasets import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    INVALID_ARGUMENT,
    MAX_BYTES,
    RESOURCE_LIMITATION,
    BadRequest,
    read_request,
    write_report,
)
from yingqiao.dicom.upper_layer.dimse import Command, encode_event_report
from yingqiao.dicom.upper_layer.pdu import encode_dataset, encode_message
from yingqiao.exchange.commitment import Asked, Unavailable, Verdict

log = structlog.get_logger(__name__)
REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 table J.3-1)."""
PROCESSING_FAILURE, NO_SUCH_INSTANCE, NO_SUCH_CLASS, NO_SUCH_ACTION = 0x0110, 0x0112, 0x0118, 0x0123
SILENCE_S = 0.4
"""A requester that says nothing for so long after its answer waits for the result on this association."""
MOST_HERE = 64
"""Requests of one association whose results may wait for it; further ones are told on another."""
_SMALL = 256 * 1024
_LARGE = threading.BoundedSemaphore(2)
"""Requests larger than _SMALL that may be in memory at a time, over all associations."""


class Commitments(Protocol):
    """Keeps requests and judges them. Methods raise `Unavailable` while the ledger is away."""

    def keep(self, asked: Asked) -> int:
        """Make the request durable; its number."""
        ...

    def verdict(self, number: int) -> Verdict | None:
        """The judgement now; None while instances that came are not indexed yet."""
        ...

    def told(self, number: int, verdict: Verdict) -> None:
        """The requester has answered the report with 0000."""
        ...

    def tell_elsewhere(self, numbers: list[int]) -> None:
        """The association is over: what it was not told is to be told on another. Never raises."""
        ...


class RequestSink:
    """A `framer.Sink` for an N-ACTION's dataset: at most MAX_BYTES, large ones only when few others are."""

    def __init__(self, max_fragment: int) -> None:
        self._scrap = bytearray(max_fragment)
        self._data = bytearray()
        self._has_place = False
        self.refusal: BadRequest | None = None

    @property
    def data(self) -> bytearray:
        return self._data

    def room(self, size: int) -> memoryview:
        """See `framer.Sink`."""
        return memoryview(self._scrap)[:size]

    def took(self, size: int) -> None:
        """See `framer.Sink`."""
        if self.refusal is not None:
            return
        total = len(self._data) + size
        if total > MAX_BYTES:
            self._refuse(f"a request larger than {MAX_BYTES} bytes")
        elif total > _SMALL and not self._has_place and not self._take_place():
            self._refuse("too many large requests at a time, try again later")
        else:
            self._data += memoryview(self._scrap)[:size]

    def close(self) -> None:
        """Give back memory and place."""
        self._data = bytearray()
        if self._has_place:
            self._has_place = False
            _LARGE.release()

    def _take_place(self) -> bool:
        self._has_place = _LARGE.acquire(blocking=False)
        return self._has_place

    def _refuse(self, comment: str) -> None:
        self.refusal = BadRequest(RESOURCE_LIMITATION, comment)
        self.close()


@dataclass(slots=True)
class _Waiting:
    """A request whose result this association has not been told."""

    number: int
    transaction_uid: str
    context_id: int
    transfer_syntax_uid: str
    sent_as: int = 0
    """Message id of the report under way."""
    verdict: Verdict | None = None


class CommitmentSide:
    """The storage commitment of one association; used by its thread."""

    def __init__(
        self,
        commitments: Commitments,
        calling_aet: str,
        called_aet: str,
        address: str,
        peer_max_pdu: int,
        max_fragment: int,
    ) -> None:
        self._commitments = commitments
        self._calling, self._called, self._address = calling_aet, called_aet, address
        self._peer_max_pdu = peer_max_pdu
        self._max_fragment = max_fragment
        self._sink: RequestSink | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._next_id = 0

    def refusal(self, command: Command) -> tuple[int, str] | None:
        """Why an N-ACTION is refused before its dataset arrives; None when it is not (PS3.7 10.1.4.1.10)."""
        if command.sop_class_uid != COMMITMENT_PUSH_MODEL:
            return NO_SUCH_CLASS, "only the Storage Commitment Push Model"
        if command.sop_instance_uid != COMMITMENT_INSTANCE:
            return NO_SUCH_INSTANCE, "only the well-known instance"
        if command.type_id != REQUEST_COMMITMENT:
            return NO_SUCH_ACTION, "only action type 1"
        return None if command.has_dataset else (INVALID_ARGUMENT, "N-ACTION without a dataset")

    def begin(self) -> RequestSink:
        """Where the dataset of the N-ACTION goes."""
        self._close_sink()
        self._sink = RequestSink(self._max_fragment)
        return self._sink

    def perform(self, context_id: int, transfer_syntax_uid: str) -> tuple[int, str]:
        """The dataset is whole: keep the request; the status to answer and a comment."""
        sink = self._sink
        if sink is None:
            return PROCESSING_FAILURE, "no dataset"
        try:
            if sink.refusal is not None:
                raise sink.refusal
            asked = self._asked(sink, transfer_syntax_uid)
            number = self._commitments.keep(asked)
        except BadRequest as refusal:
            log.warning(
                "dicom.commitment_refused",
                calling=self._calling,
                peer=self._address,
                status=f"{refusal.status:04X}",
                reason=refusal.comment,
            )
            return refusal.status, refusal.comment
        except Unavailable:
            return PROCESSING_FAILURE, "the ledger is not available, try again later"
        finally:
            self._close_sink()
        if len(self._waiting) < MOST_HERE or number in self._waiting:
            self._waiting[number] = _Waiting(number, asked.transaction_uid, context_id, transfer_syntax_uid)
        else:
            self._commitments.tell_elsewhere([number])
        return 0, ""

    def reports(self, silent_s: float) -> bytes:
        """The report to send now, the peer having been silent for so long; b'' when there is none, or one
        is under way."""
        if silent_s < SILENCE_S or any(one.sent_as for one in self._waiting.values()):
            return b""
        for one in list(self._waiting.values()):
            try:
                one.verdict = self._commitments.verdict(one.number)
            except Unavailable:
                return b""
            if one.verdict is not None:
                return self._report(one, one.verdict)
        return b""

    def on_response(self, command: Command) -> None:
        """A response of the peer: of a report of ours, or of nothing."""
        for one in list(self._waiting.values()):
            if one.sent_as == command.message_id and one.verdict is not None:
                del self._waiting[one.number]
                self._settle(one, one.verdict, command.status)

    def close(self) -> None:
        """The association is over."""
        self._close_sink()
        if self._waiting:
            self._commitments.tell_elsewhere(sorted(self._waiting))
            self._waiting = {}

    @property
    def is_waited_for(self) -> bool:
        """Whether results are due here."""
        return bool(self._waiting)

    def _settle(self, one: _Waiting, verdict: Verdict, status: int | None) -> None:
        if status == 0:
            try:
                self._commitments.told(one.number, verdict)
            except Unavailable:
                self._commitments.tell_elsewhere([one.number])
            return
        self._commitments.tell_elsewhere([one.number])

    def _asked(self, sink: RequestSink, transfer_syntax_uid: str) -> Asked:
        requested = read_request(sink.data, transfer_syntax_uid)
        return Asked(
            transaction_uid=requested.transaction_uid,
            requester_aet=self._calling,
            called_aet=self._called,
            peer=self._address,
            received_at=time.time_ns() // 1_000_000,
            references=requested.references,
        )

    def _report(self, one: _Waiting, verdict: Verdict) -> bytes:
        self._next_id = self._next_id % 0xFFFF + 1
        one.sent_as = self._next_id
        command = encode_event_report(
            one.sent_as, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE, verdict.event_type
        )
        dataset = write_report(one.transaction_uid, verdict, one.transfer_syntax_uid)
        return encode_message(one.context_id, command) + encode_dataset(
            one.context_id, dataset, self._peer_max_pdu
        )

    def _close_sink(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None
