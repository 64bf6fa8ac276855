"""Plays a called peer's bytes to the requestor's machine without a socket, and collects what it decides."""

from tests.unit.dicom.conversation import ListSink
from yingqiao.dicom.upper_layer import dimse, items, pdu
from yingqiao.dicom.upper_layer.machine import Action, CommandArrived, Send, State
from yingqiao.dicom.upper_layer.requestor import RequestorMachine

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
REQUEST = pdu.AssociateRequest("PACS", "YINGQIAO", (items.ContextProposed(1, FIND, (EXPLICIT, IMPLICIT)),))


def accepted(*results, max_length=16384):
    """An A-ASSOCIATE-AC; without results the one context proposed is accepted."""
    user = items.UserInformation(max_length=max_length)
    return pdu.encode(
        pdu.AssociateAccept("PACS", "YINGQIAO", results or (items.ContextResult(1, 0, EXPLICIT),), user)
    )


def response(status, has_dataset=False, message_id=1, field=0x8020, **counts):
    """A command set; `counts` by element number as `n1020=3`."""
    elements = {0x0002: FIND, 0x0100: field, 0x0120: message_id, 0x0900: status}
    elements |= {int(name[1:], 16): value for name, value in counts.items()}
    return dimse.encode_command(elements | {0x0800: 1 if has_dataset else dimse.NO_DATASET})


class Asking:
    """A scripted connection, from our request on."""

    def __init__(self, max_pdu: int = 16384, request: pdu.AssociateRequest = REQUEST) -> None:
        self.machine = RequestorMachine(max_pdu)
        self.sink = ListSink()
        self.actions: list[Action] = list(self.machine.associate(request))

    def hears(self, data: bytes) -> list[Action]:
        """The actions that `data` leads to, in order."""
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
            for action in self.machine.advance():
                self.actions.append(action)
                if isinstance(action, CommandArrived) and action.command.has_dataset:
                    self.machine.receive_into(self.sink)
        return self.actions[before:]

    @property
    def said(self) -> list[pdu.Pdu]:
        """The PDUs sent so far."""
        return [pdu.decode(a.data[0], a.data[6:]) for a in self.actions if isinstance(a, Send)]
