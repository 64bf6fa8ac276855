"""Plays a peer's bytes to the acceptor without a socket, and collects what it decides."""

from yingqiao.dicom.upper_layer import dimse, items, pdu
from yingqiao.dicom.upper_layer.acceptor import Acceptor
from yingqiao.dicom.upper_layer.machine import (
    Action,
    AssociationRequested,
    CommandArrived,
    ReleaseRequested,
    State,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
REQUEST = pdu.AssociateRequest("YINGQIAO", "CT01", (items.ContextProposed(1, CT, (EXPLICIT,)),))


class ListSink:
    """Keeps a dataset in memory; a fragment larger than a megabyte would be the framer's fault."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._room = bytearray()

    def room(self, size: int) -> memoryview:
        assert size <= 1 << 20
        self._room = bytearray(size)
        return memoryview(self._room)

    def took(self, size: int) -> None:
        self.data += self._room[:size]


class Conversation:
    """A scripted connection; local answers are given as the storage SCP would."""

    def __init__(self, max_pdu: int = 16384) -> None:
        self.machine = Acceptor(max_pdu)
        self.sink = ListSink()
        self.actions: list[Action] = []

    def hears(self, data: bytes) -> list[Action]:
        """The actions that `data` leads to, in order, local answers included."""
        before = len(self.actions)
        position = 0
        while self.machine.state not in (State.AWAITING_CLOSE, State.IDLE):
            wanted = self.machine.wanted
            size = sum(map(len, wanted))
            if position + size > len(data):
                break
            for view in wanted:
                view[:] = data[position : position + len(view)]
                position += len(view)
            self._perform(self.machine.advance())
        return self.actions[before:]

    def _perform(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            self.actions.append(action)
            match action:
                case AssociationRequested(request):
                    results = tuple(items.ContextResult(c.id, 0, EXPLICIT) for c in request.contexts)
                    self._perform(self.machine.accept(pdu.AssociateAccept("A", "B", results), request))
                case CommandArrived(_, command) if command.has_dataset:
                    self.machine.receive_into(self.sink)
                case ReleaseRequested():
                    self._perform(self.machine.release())


def store_command(message_id: int = 1, uid: str = "1.2.3") -> bytes:
    return dimse.encode_request(dimse.CommandField.C_STORE_RQ, message_id, CT, uid, has_dataset=True)


def fragments(data: bytes, size: int, context_id: int = 1, command: bool = False) -> bytes:
    """P-DATA PDUs carrying `data` in fragments of `size`."""
    pieces = [data[i : i + size] for i in range(0, len(data), size)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        pdu.encode(pdu.PData((pdu.Pdv(context_id, command, i == last, piece),)))
        for i, piece in enumerate(pieces)
    )
