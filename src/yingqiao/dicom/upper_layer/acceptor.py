"""The acceptor's side of the upper layer protocol machine (PS3.8 9.2)."""

from __future__ import annotations

from yingqiao.dicom.upper_layer.machine import (
    NOTHING,
    Action,
    AssociationRequested,
    Machine,
    ReleaseRequested,
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
    encode_message,
)


class Acceptor(Machine):
    """One association, seen by the side that was called."""

    def __init__(self, max_pdu: int) -> None:
        super().__init__(max_pdu, State.AWAITING_REQUEST)  # AE-5: the transport connection is here

    def accept(self, answer: AssociateAccept, request: AssociateRequest) -> tuple[Action, ...]:
        """AE-7: the local side accepts; contexts with result 0 are open from now on."""
        abstract = {c.id: c.abstract_syntax for c in request.contexts}
        self.contexts = {c.id: (abstract[c.id], c.transfer_syntax) for c in answer.contexts if c.result == 0}
        self.state = State.ESTABLISHED
        self._framer.takes_data = True
        return (Send(encode(answer)),)

    def reject(self, answer: AssociateReject) -> tuple[Action, ...]:
        """AE-8: the local side refuses the association."""
        self.state = State.AWAITING_CLOSE
        return Send(encode(answer)), StartArtim()

    def respond(self, context_id: int, command_set: bytes) -> bytes:
        """DT-1 / AR-7: the P-DATA of one response; the caller sends several in one call when it can."""
        return encode_message(context_id, command_set)

    def release(self) -> tuple[Action, ...]:
        """AR-4: the local side agrees to the release."""
        self.state = State.AWAITING_CLOSE
        return Send(encode(ReleaseResponse())), StartArtim()

    def _on_pdu(self, pdu: Pdu) -> tuple[Action, ...]:
        if self.state is State.AWAITING_CLOSE:
            return NOTHING  # AA-6: too late to matter
        if isinstance(pdu, AssociateRequest) and self.state is State.AWAITING_REQUEST:
            self.state = State.AWAITING_LOCAL_ACCEPT  # AE-6
            return (AssociationRequested(pdu),)
        if isinstance(pdu, ReleaseRequest) and self.state is State.ESTABLISHED and self._command is None:
            self.state = State.AWAITING_LOCAL_RELEASE  # AR-2
            self._framer.takes_data = False
            return (ReleaseRequested(),)
        return self._aa_8(UNEXPECTED_PDU, f"{type(pdu).__name__} in {self.state.value}")
