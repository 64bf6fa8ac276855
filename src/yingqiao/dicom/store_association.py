"""One association of the storage SCP, from its first byte to its close; runs in a thread of its own."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import structlog

from yingqiao.dicom import negotiation
from yingqiao.dicom.commitment.scp import CommitmentSide
from yingqiao.dicom.keeper import InstanceKeeper, Kept, Store
from yingqiao.dicom.storage_service import StoreService
from yingqiao.dicom.upper_layer.acceptor import Acceptor
from yingqiao.dicom.upper_layer.dimse import Command, CommandField, Status, encode_response
from yingqiao.dicom.upper_layer.framer import PDU_SLACK
from yingqiao.dicom.upper_layer.machine import (
    Aborted,
    Action,
    AssociationRequested,
    CloseTransport,
    CommandArrived,
    DatasetArrived,
    ReleaseRequested,
    Send,
    StartArtim,
    State,
)
from yingqiao.dicom.upper_layer.pdu import AssociateReject, AssociateRequest
from yingqiao.dicom.upper_layer.wire import PeerGone, Wire
from yingqiao.exchange.model import Arrival

log = structlog.get_logger(__name__)
_OVER = (State.AWAITING_CLOSE, State.IDLE)
_MAX_TEXT = 64


class GivenUp(Exception):  # noqa: N818 an event, not a fault
    """The association has to end from our side: a timeout, or the gateway stops."""


@dataclass(slots=True)
class _Answer:
    """An operation performed and not answered yet."""

    context_id: int
    command: Command
    status: int
    comment: str
    size: int
    began: float
    kept: Kept | None = None


class StoreAssociation:
    """Reads, keeps, answers. With an operations window several instances share one flush and one write of
    responses.
    """

    def __init__(
        self, service: StoreService, wire: Wire, address: str, reject: AssociateReject | None = None
    ) -> None:
        """`address` is the peer's IP address. With `reject` the association is only refused, properly."""
        config = service.config
        self._service = service
        self._wire = wire
        self._address = address
        self._reject = reject
        self._machine = Acceptor(config.max_pdu)
        self._keeper: InstanceKeeper
        self._commitment: CommitmentSide | None = None
        self._opened = False
        self._window = 1
        self._calling = ""
        self._called = ""
        self._began = self._since = self._message_began = time.monotonic()
        self._answers: list[_Answer] = []
        self._arrival: Arrival | None = None
        self._refusal: tuple[int, str] | None = None

    def serve(self) -> None:
        """Until the association is over; closes the connection. Never raises for what a peer does."""
        try:
            self._converse()
        except PeerGone:
            self._perform(self._machine.transport_closed())
        except GivenUp as reason:
            self._abort(str(reason))
        finally:
            if self._opened:
                self._keeper.close()
                if self._commitment is not None:
                    self._commitment.close()
                self._service.observer.association_closed(time.monotonic() - self._began)
            self._wire.finish(2.0)

    def _converse(self) -> None:
        machine, wire = self._machine, self._wire
        while machine.state not in _OVER:
            if machine.is_idle:
                self._between_messages()
            wire.fill(machine.wanted, self._on_tick)
            self._since = time.monotonic()
            actions = machine.advance()
            if actions:
                self._perform(actions)
            elif self._since - self._message_began > self._service.config.pdu_timeout:
                self._check_rate()

    def _between_messages(self) -> None:
        """Answer, unless the peer may and does send another operation before. Raises GivenUp."""
        answers = self._answers
        if answers and not (len(answers) < self._window and self._wire.is_readable()):
            self._settle()
        if self._service.is_stopping() and not self._answers and not self._wire.is_readable():
            raise GivenUp("the gateway stops")

    def _perform(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case CommandArrived():
                    self._on_command(action.context_id, action.command)
                case DatasetArrived():
                    self._on_dataset(action.context_id, action.command)
                case Send():
                    self._wire.send(action.data)
                case AssociationRequested():
                    self._on_request(action.request)
                case ReleaseRequested():
                    self._settle()
                    self._perform(self._machine.release())
                case Aborted():
                    self._on_aborted(action)
                case StartArtim() | CloseTransport():
                    pass  # the conversation's loop ends with the state; `serve` awaits the close

    # Association

    def _on_request(self, request: AssociateRequest) -> None:
        config = self._service.config
        reject, cause = self._judge(request)
        if reject is not None:
            self._service.observer.association_rejected(cause)
            log.warning(
                "dicom.association_rejected", cause=cause, calling=request.calling_aet, peer=self._address
            )
            self._perform(self._machine.reject(reject))
            return
        self._calling, self._called = request.calling_aet, request.called_aet
        self._keeper = InstanceKeeper(self._store(), config.max_pdu + PDU_SLACK)
        commitments = self._service.commitments
        if commitments is not None:
            self._commitment = CommitmentSide(
                commitments,
                request.calling_aet,
                request.called_aet,
                self._address,
                request.user.max_length,
                config.max_pdu + PDU_SLACK,
            )
        answer = negotiation.accept(
            request, config.max_pdu, config.async_window, commits=commitments is not None
        )
        if answer.user.async_window is not None:
            self._window = answer.user.async_window[0]
        self._opened = True
        self._service.observer.association_opened()
        self._perform(self._machine.accept(answer, request))

    def _store(self) -> Store:
        service, config = self._service, self._service.config
        return Store(
            landing=service.landing,
            on_landed=service.on_landed,
            is_behind=service.is_behind,
            spill_bytes=config.spill_bytes,
            max_instance_bytes=config.max_instance_bytes,
        )

    def _judge(self, request: AssociateRequest) -> tuple[AssociateReject | None, str]:
        if self._reject is not None:
            return self._reject, "limit"
        if (reject := negotiation.refuse(request)) is not None:
            return reject, "protocol" if reject.source == 2 else "application-context"
        if self._service.config.check_called_aet and request.called_aet != self._service.config.aet:
            return negotiation.CALLED_NOT_RECOGNIZED, "called-aet"
        if not self._service.admits(request.calling_aet, self._address):
            return negotiation.CALLING_NOT_RECOGNIZED, "calling-aet"
        return None, ""

    def _on_aborted(self, aborted: Aborted) -> None:
        self._finish_unanswered()
        self._service.observer.association_aborted(aborted.by_peer)
        log.info(
            "dicom.association_aborted",
            by_peer=aborted.by_peer,
            reason=aborted.reason,
            text=aborted.text,
            calling=self._calling,
            peer=self._address,
        )

    def _abort(self, text: str) -> None:
        with contextlib.suppress(PeerGone):  # nobody left to tell
            self._perform(self._machine.abort(text=text))

    # Operations

    def _on_command(self, context_id: int, command: Command) -> None:
        self._message_began = self._since
        self._arrival = None
        self._refusal = self._judge_command(command)
        if self._refusal is None and command.field == CommandField.C_STORE_RQ:
            self._arrival = self._new_arrival(context_id, command)
        if command.is_response and self._commitment is not None:
            self._commitment.on_response(command)
        if self._is_action(command) and self._commitment is not None and self._refusal is None:
            self._machine.receive_into(self._commitment.begin())
        elif command.has_dataset:
            self._keeper.begin(self._arrival)
            self._machine.receive_into(self._keeper.sink)
        elif not command.is_response and command.field != CommandField.C_CANCEL_RQ:
            self._answer(context_id, command, 0)

    def _judge_command(self, command: Command) -> tuple[int, str] | None:
        """Why the operation is refused, before its dataset arrives; None when it is not."""
        if command.field == CommandField.C_ECHO_RQ:
            return None
        if self._is_action(command) and self._commitment is not None:
            return self._commitment.refusal(command)
        if command.field != CommandField.C_STORE_RQ:
            return Status.UNRECOGNIZED_OPERATION, "only C-STORE and C-ECHO are served here"
        return self._keeper.refusal(command)

    @staticmethod
    def _is_action(command: Command) -> bool:
        return command.field == CommandField.N_ACTION_RQ

    def _new_arrival(self, context_id: int, command: Command) -> Arrival:
        return Arrival(
            received_at=time.time_ns() // 1_000_000,
            calling_aet=self._calling,
            called_aet=self._called,
            peer=self._address[:_MAX_TEXT],
            transfer_syntax_uid=self._machine.contexts[context_id][1],
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
        )

    def _on_dataset(self, context_id: int, command: Command) -> None:
        if command.is_response:
            return
        if self._is_action(command) and self._refusal is None and self._commitment is not None:
            self._refusal = self._commitment.perform(context_id, self._machine.contexts[context_id][1])
        answer = self._answer(context_id, command, self._keeper.sink.total)
        if self._refusal is None and self._arrival is not None:
            answer.kept = self._keeper.keep(self._arrival, reused=self._window > 1)

    def _answer(self, context_id: int, command: Command, size: int) -> _Answer:
        status, comment = self._refusal or (Status.SUCCESS, "")
        answer = _Answer(context_id, command, status, comment, size, self._message_began)
        self._answers.append(answer)
        return answer

    def _settle(self) -> None:
        """Make durable what is pending, answer everything in one write, hand over to the index."""
        answers = self._answers
        self._keeper.flush([a.kept for a in answers if a.kept is not None])
        self._answers = []
        try:
            self._wire.send(b"".join(map(self._response, answers)))
        finally:  # durable is durable: a sender that missed the answer sends again, which changes nothing
            self._hand_over(answers)

    def _response(self, answer: _Answer) -> bytes:
        kept = answer.kept
        status, comment = (kept.status, kept.comment) if kept else (answer.status, answer.comment)
        return self._machine.respond(answer.context_id, encode_response(answer.command, status, comment))

    def _hand_over(self, answers: list[_Answer]) -> None:
        now = time.monotonic()
        observer = self._service.observer
        for answer in answers:
            status = answer.kept.status if answer.kept else answer.status
            if status != Status.SUCCESS:
                observer.instance_refused(status)
            elif answer.kept is None:
                observer.echoed()
            else:
                observer.instance_stored(answer.size, now - answer.began)
                self._keeper.hand_over((answer.kept,))

    def _finish_unanswered(self) -> None:
        """The peer is gone. What it sent whole is flushed and indexed all the same; it was not
        acknowledged.
        """
        answers, self._answers = self._answers, []
        self._keeper.flush([a.kept for a in answers if a.kept is not None])
        self._hand_over([a for a in answers if a.kept is not None and a.kept.status == Status.SUCCESS])

    # Patience

    def _on_tick(self) -> None:
        """Called while bytes are awaited. Raises GivenUp when that lasts too long."""
        config, now = self._service.config, time.monotonic()
        waited = now - self._since
        if now - self._began > config.association_timeout:
            raise GivenUp("the association lasts too long")
        if self._machine.state is State.AWAITING_REQUEST:
            if now - self._began > config.request_timeout:
                raise GivenUp("no association request in time")
            return
        if not self._machine.is_idle:
            if waited > config.pdu_timeout:
                raise GivenUp("the peer stopped in the middle of a message")
            return
        if waited > config.idle_timeout:
            raise GivenUp("the association is idle")
        if self._service.is_stopping():
            raise GivenUp("the gateway stops")
        if self._commitment is not None and (report := self._commitment.reports(waited)):
            self._wire.send(report)
        self._keeper.sink.trim()

    def _check_rate(self) -> None:
        if self._machine.is_idle:
            return
        config = self._service.config
        allowed = config.pdu_timeout + self._keeper.sink.total / config.min_bytes_per_second
        if self._since - self._message_began > allowed:
            raise GivenUp("the peer sends too slowly")
