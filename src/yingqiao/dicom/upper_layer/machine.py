"""What both sides of the upper layer protocol machine (PS3.8 9.2) share, without sockets: events in, actions out.

States and action names are those of PS3.8 tables 9-1 to 9-10. A message is assembled here
too (PS3.7 6.3.1, PS3.8 annex E):
its command set in a bounded buffer, its dataset in the sink the service gives. Whatever the peer sends, the
answer is an action. The sides themselves: `acceptor`, `requestor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from yingqiao.dicom.upper_layer.dimse import MAX_COMMAND_BYTES, Command, decode_command
from yingqiao.dicom.upper_layer.framer import Fragment, Framer, Sink
from yingqiao.dicom.upper_layer.items import PduError
from yingqiao.dicom.upper_layer.pdu import (
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    Pdu,
    encode,
)


class State(Enum):
    """PS3.8 tables 9-1 to 9-5."""

    AWAITING_REQUEST = "Sta2"
    AWAITING_LOCAL_ACCEPT = "Sta3"
    AWAITING_ACCEPT = "Sta5"
    ESTABLISHED = "Sta6"
    AWAITING_RELEASE_RESPONSE = "Sta7"
    AWAITING_LOCAL_RELEASE = "Sta8"
    RELEASE_COLLIDED = "Sta11"
    AWAITING_CLOSE = "Sta13"
    IDLE = "Sta1"


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class StartArtim:
    """From now on only the close is awaited, and not for long (PS3.8 9.1.4)."""


@dataclass(frozen=True, slots=True)
class CloseTransport:
    pass


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """A-ASSOCIATE indication: answer with `accept` or `reject`."""

    request: AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociationAccepted:
    """A-ASSOCIATE confirmation: the contexts of the machine are open."""

    answer: AssociateAccept


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """A-ASSOCIATE confirmation, refused; the transport is to be closed."""

    answer: AssociateReject


@dataclass(frozen=True, slots=True)
class Released:
    """A-RELEASE confirmation: the association is over, as we wished."""


@dataclass(frozen=True, slots=True)
class CommandArrived:
    """A command set is complete. When it has a dataset, give `receive_into` a sink before going on."""

    context_id: int
    command: Command


@dataclass(frozen=True, slots=True)
class DatasetArrived:
    """The dataset of the command before is complete in its sink."""

    context_id: int
    command: Command


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """A-RELEASE indication: answer what is outstanding, then `release`."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association is over without release. `text` says why, for the log."""

    source: int
    reason: int
    by_peer: bool
    text: str


Action = (
    Send
    | StartArtim
    | CloseTransport
    | AssociationRequested
    | AssociationAccepted
    | AssociationRejected
    | Released
    | CommandArrived
    | DatasetArrived
    | ReleaseRequested
    | Aborted
)
NOTHING: tuple[Action, ...] = ()
BY_PROVIDER = 2


_MAY_CLOSE = (State.AWAITING_CLOSE, State.AWAITING_REQUEST, State.IDLE)


class _CommandSink:
    """Takes command fragments, never more than MAX_COMMAND_BYTES."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(MAX_COMMAND_BYTES))
        self.size = 0

    def room(self, size: int) -> memoryview:
        if self.size + size > MAX_COMMAND_BYTES:
            raise PduError(f"command set larger than {MAX_COMMAND_BYTES} bytes")
        return self._buffer[self.size : self.size + size]

    def took(self, size: int) -> None:
        self.size += size

    def take(self) -> memoryview:
        taken = self._buffer[: self.size]
        self.size = 0
        return taken


class Machine(ABC):
    """One association, seen by one side.

    Fill every view of `wanted`, call `advance()`, perform the actions; what the local side does are methods
    returning actions too.
    """

    def __init__(self, max_pdu: int, state: State) -> None:
        self.state = state
        self.contexts: dict[int, tuple[str, str]] = {}
        """Accepted presentation contexts: id → abstract syntax, transfer syntax."""
        self._commands = _CommandSink()
        self._framer = Framer(max_pdu)
        self._framer.sink = self._commands
        self._command: CommandArrived | None = None
        self._fragments_from = 0

    @property
    def wanted(self) -> list[memoryview]:
        return self._framer.wanted

    @property
    def is_idle(self) -> bool:
        """Between messages: no PDU, no command and no dataset is under way."""
        return self._framer.at_boundary and self._command is None and not self._fragments_from

    def advance(self) -> tuple[Action, ...]:
        """The wanted bytes are there. Hostile ones end in an abort, never in an exception."""
        try:
            got = self._framer.filled()
            if got is None:
                return NOTHING
            if isinstance(got, Fragment):
                return self._dt_2(got)
            return self._aa_3(got) if isinstance(got, Abort) else self._on_pdu(got)
        except PduError as error:
            return self._aa_8(error.reason, str(error))

    def receive_into(self, sink: Sink) -> None:
        """The dataset of the command just indicated goes there."""
        self._framer.sink = sink

    def abort(self, reason: int = 0, text: str = "local abort") -> tuple[Action, ...]:
        """AA-1 by the provider's choice: a timeout, a stop, an error of ours."""
        return self._aa_8(reason, text)

    def transport_closed(self) -> tuple[Action, ...]:
        """AA-4, AA-5, AR-5: the peer's connection is gone."""
        graceful = self.state in _MAY_CLOSE and self.is_idle
        self.state = State.IDLE
        self._framer.takes_data = False
        return NOTHING if graceful else (Aborted(BY_PROVIDER, 0, by_peer=True, text="connection lost"),)

    def artim_expired(self) -> tuple[Action, ...]:
        """AA-2: the peer neither asked nor closed in time."""
        self.state = State.IDLE
        return (CloseTransport(),)

    @abstractmethod
    def _on_pdu(self, pdu: Pdu) -> tuple[Action, ...]:
        """A PDU that is no data and no abort."""

    def _dt_2(self, fragment: Fragment) -> tuple[Action, ...]:
        """A fragment is in its sink; when it ends a command set or a dataset, that is indicated."""
        if fragment.context_id not in self.contexts:
            raise PduError(f"presentation context {fragment.context_id} was not accepted")
        if self._fragments_from not in (0, fragment.context_id):
            raise PduError("a message changes its presentation context")
        if fragment.is_command is not (self._command is None):
            raise PduError("command and dataset fragments out of order")
        if not fragment.is_last:
            self._fragments_from = fragment.context_id
            return NOTHING
        return self._command_ends(fragment) if fragment.is_command else self._dataset_ends()

    def _command_ends(self, fragment: Fragment) -> tuple[Action, ...]:
        arrived = CommandArrived(fragment.context_id, decode_command(self._commands.take()))
        if arrived.command.has_dataset:
            self._command = arrived
            self._fragments_from = fragment.context_id
        else:
            self._fragments_from = 0
        return (arrived,)

    def _dataset_ends(self) -> tuple[Action, ...]:
        arrived = self._command
        if arrived is None:
            raise PduError("a dataset without a command")
        self._command = None
        self._fragments_from = 0
        self._framer.sink = self._commands
        return (DatasetArrived(arrived.context_id, arrived.command),)

    def _aa_3(self, pdu: Abort) -> tuple[Action, ...]:
        over = self.state is State.AWAITING_CLOSE
        self.state = State.IDLE
        if over:
            return (CloseTransport(),)
        return Aborted(pdu.source, pdu.reason, by_peer=True, text="A-ABORT"), CloseTransport()

    def _aa_8(self, reason: int, text: str) -> tuple[Action, ...]:
        """AA-1, AA-8: A-ABORT, indicate it, await the close. A second fault while closing just closes
        (AA-7, AA-2).
        """
        if self.state in (State.AWAITING_CLOSE, State.IDLE):
            self.state = State.IDLE
            return (CloseTransport(),)
        self.state = State.AWAITING_CLOSE
        self._framer.takes_data = False
        abort = Abort(BY_PROVIDER, reason)
        return Send(encode(abort)), Aborted(BY_PROVIDER, reason, by_peer=False, text=text), StartArtim()
