"""The requestor's side of the upper layer protocol machine (PS3.8 9.2)."""

from __future__ import annotations

from collections.abc import Iterator

from yingqiao.dicom.upper_layer.items import PduError
from yingqiao.dicom.upper_layer.machine import (
    NOTHING,
    Action,
    AssociationAccepted,
    AssociationRejected,
    CloseTransport,
    Machine,
    Released,
    Send,
    StartArtim,
    State,
)
from yingqiao.dicom.upper_layer.pdu import (
    UNEXPECTED_PDU,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    Pdu,
    ReleaseRequest,
    ReleaseResponse,
    encode,
    encode_dataset,
    encode_message,
)


class RequestorMachine(Machine):
    """One association, seen by the side that calls. The transport connection is there from the start."""

    def __init__(self, max_pdu: int) -> None:
        super().__init__(max_pdu, State.IDLE)
        self.peer_max_pdu = 0
        """Longest P-DATA-TF the peer takes; 0 = any."""
        self._proposed: dict[int, tuple[str, tuple[str, ...]]] = {}

    def associate(self, request: AssociateRequest) -> tuple[Action, ...]:
        """AE-2: ask for the association. Raises PduError when the request cannot be encoded."""
        self._proposed = {c.id: (c.abstract_syntax, c.transfer_syntaxes) for c in request.contexts}
        self.state = State.AWAITING_ACCEPT
        return (Send(encode(request)),)

    def message(self, context_id: int, command_set: bytes, dataset: bytes | None = None) -> bytes:
        """DT-1: the P-DATA PDUs of one message, for one call to the kernel."""
        pdus = [encode_message(context_id, command_set)]
        if dataset is not None:
            pdus.append(encode_dataset(context_id, dataset, self.peer_max_pdu))
        return b"".join(pdus)

    def release(self) -> tuple[Action, ...]:
        """AR-1: ask for the release."""
        self.state = State.AWAITING_RELEASE_RESPONSE
        return (Send(encode(ReleaseRequest())),)

    def _on_pdu(self, pdu: Pdu) -> tuple[Action, ...]:
        match self.state, pdu:
            case State.AWAITING_CLOSE, _:
                return NOTHING  # AA-6: too late to matter
            case State.AWAITING_ACCEPT, AssociateAccept():
                return self._ae_3(pdu)
            case State.AWAITING_ACCEPT, AssociateReject():
                self.state = State.IDLE  # AE-4
                return AssociationRejected(pdu), CloseTransport()
            case ((State.AWAITING_RELEASE_RESPONSE | State.RELEASE_COLLIDED), ReleaseResponse()):
                self.state = State.IDLE  # AR-3
                return Released(), CloseTransport()
            case State.AWAITING_RELEASE_RESPONSE, ReleaseRequest():
                self.state = State.RELEASE_COLLIDED  # AR-8, and AR-9 at once: we wish to release anyway
                return (Send(encode(ReleaseResponse())),)
            case State.ESTABLISHED, ReleaseRequest():
                return self._ar_2()
        return self._aa_8(UNEXPECTED_PDU, f"{type(pdu).__name__} in {self.state.value}")

    def _ae_3(self, answer: AssociateAccept) -> tuple[Action, ...]:
        self.contexts = dict(self._accepted(answer))
        self.peer_max_pdu = answer.user.max_length
        self.state = State.ESTABLISHED
        self._framer.takes_data = True
        return (AssociationAccepted(answer),)

    def _accepted(self, answer: AssociateAccept) -> Iterator[tuple[int, tuple[str, str]]]:
        """Accepted contexts. Raises PduError for one never proposed, or with a syntax never proposed."""
        for context in answer.contexts:
            abstract, syntaxes = self._proposed.get(context.id, ("", ()))
            if context.result != 0:
                continue
            if not abstract:
                raise PduError(f"presentation context {context.id} was accepted, not proposed")
            if context.transfer_syntax not in syntaxes:
                raise PduError(f"presentation context {context.id} was accepted with a syntax not proposed")
            yield context.id, (abstract, context.transfer_syntax)

    def _ar_2(self) -> tuple[Action, ...]:
        """AR-2 and AR-4 at once: an acceptor that releases has nothing more to say; what was asked is lost."""
        if self._command is not None:
            return self._aa_8(UNEXPECTED_PDU, "ReleaseRequest within a message")
        self.state = State.AWAITING_CLOSE
        self._framer.takes_data = False
        return Send(encode(ReleaseResponse())), Released(), StartArtim()
