"""One association of a C-GET: the peer's C-STORE sub-operations land as those of the storage SCP do, and are
answered 0000 only when durable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from yingqiao.dicom.keeper import InstanceKeeper, Kept, Store
from yingqiao.dicom.query_retrieve.association import Association, Message
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.progress import Tally
from yingqiao.dicom.query_retrieve.storage_contexts import Proposal, proposals
from yingqiao.dicom.upper_layer.dimse import Command, CommandField, Status, encode_response
from yingqiao.dicom.upper_layer.framer import PDU_SLACK, Sink
from yingqiao.exchange.model import Arrival

_MAX_TEXT = 64


def plan(get_class_uid: str, sop_classes: Sequence[str], tally: Tally) -> Iterator[Proposal]:
    """The associations to make, until nothing is missing: for all classes; then for compressed images alone."""
    for compressed_only in (False, True):
        for proposal in proposals(get_class_uid, sop_classes, compressed_only=compressed_only):
            yield proposal
            if tally.is_over:
                return


class Retrieval:
    """Feed it every message of the association; what is no sub-operation it gives back."""

    def __init__(
        self, association: Association, node: Node, limits: Limits, store: Store, stored: set[str]
    ) -> None:
        """`stored` is added the SOP instance UIDs that are durable and answered."""
        self._association = association
        self._node = node
        self._keeper = InstanceKeeper(store, limits.max_pdu + PDU_SLACK)
        window = association.answer.user.async_window
        self._window = min(window[1] or limits.async_window, limits.async_window) if window else 1
        self._waiting: list[tuple[int, Command, Kept]] = []
        self._arrival: Arrival | None = None
        self._refusal: tuple[int, str] | None = None
        self._stored = stored
        self.refused = 0

    def responses(self, messages: Iterator[Message]) -> Iterator[Message]:
        """The responses to the C-GET; instances are kept on the way."""
        for message in messages:
            if message.command.is_response:
                self._settle()
                yield message
            else:
                self._on_request(message)

    def sink_for(self, context_id: int, command: Command) -> Sink | None:
        """Where the dataset of a sub-operation goes. What waits for its flush has left the sink by then."""
        if command.field != CommandField.C_STORE_RQ:
            return None
        self._refusal = self._keeper.refusal(command)
        self._arrival = None if self._refusal else self._new_arrival(context_id, command)
        self._keeper.begin(self._arrival)
        return self._keeper.sink

    def close(self) -> None:
        """Whole instances not answered are flushed and indexed all the same; the peer will send them again."""
        kept = [kept for _, _, kept in self._waiting]
        self._waiting = []
        self._keeper.flush(kept)
        self._keeper.hand_over(kept)
        self._keeper.close()

    def _on_request(self, message: Message) -> None:
        command = message.command
        if command.field != CommandField.C_STORE_RQ:
            if command.field != CommandField.C_CANCEL_RQ:
                self._answer(message.context_id, command, Status.UNRECOGNIZED_OPERATION, "only C-STORE here")
            return
        refusal = self._refusal if command.has_dataset else self._keeper.refusal(command)
        if refusal is not None or self._arrival is None:
            self.refused += 1
            self._answer(message.context_id, command, *(refusal or (Status.CANNOT_UNDERSTAND, "no dataset")))
            return
        kept = self._keeper.keep(self._arrival, reused=self._window > 1)
        self._waiting.append((message.context_id, command, kept))
        if len(self._waiting) >= self._window or not self._association.wire.is_readable():
            self._settle()

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        kept = [kept for _, _, kept in waiting]
        self._keeper.flush(kept)
        try:
            self._association.send(b"".join(self._response(c, command, k) for c, command, k in waiting))
        finally:  # durable is durable, whether the peer hears of it or not
            self._keeper.hand_over(kept)
            self._count(kept)

    def _count(self, kept: list[Kept]) -> None:
        good = [k.arrival.sop_instance_uid for k in kept if k.status == Status.SUCCESS]
        self._stored.update(good)
        self.refused += len(kept) - len(good)

    def _response(self, context_id: int, command: Command, kept: Kept) -> bytes:
        return self._association.respond(context_id, encode_response(command, kept.status, kept.comment))

    def _answer(self, context_id: int, command: Command, status: int, comment: str) -> None:
        self._association.send(
            self._association.respond(context_id, encode_response(command, status, comment))
        )

    def _new_arrival(self, context_id: int, command: Command) -> Arrival:
        return Arrival(
            received_at=time.time_ns() // 1_000_000,
            calling_aet=self._node.called_aet[:_MAX_TEXT],
            called_aet=self._node.calling_aet[:_MAX_TEXT],
            peer=self._association.address[:_MAX_TEXT],
            transfer_syntax_uid=self._association.contexts[context_id][1],
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
        )
