"""One association we asked for: the requestor's machine on a wire, with patience and typed errors.

One thread uses it; `cancel` and `shut` may come from another.
"""

from __future__ import annotations

import contextlib
import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from yingqiao.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from yingqiao.dicom.query_retrieve.connect import connect
from yingqiao.dicom.query_retrieve.errors import (
    Aborted,
    BadAnswer,
    ContextRefused,
    NodeError,
    Rejected,
    TimedOut,
    Unreachable,
)
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.upper_layer import machine as events
from yingqiao.dicom.upper_layer.dimse import Command, CommandField, encode_cancel, encode_request
from yingqiao.dicom.upper_layer.framer import Sink
from yingqiao.dicom.upper_layer.items import ContextProposed, PduError, RoleSelection, UserInformation
from yingqiao.dicom.upper_layer.machine import Action, State
from yingqiao.dicom.upper_layer.pdu import AssociateAccept, AssociateRequest
from yingqiao.dicom.upper_layer.requestor import RequestorMachine
from yingqiao.dicom.upper_layer.wire import PeerGone, Wire

MAX_ANSWER_BYTES = 4 << 20
"""Of one response's dataset: a list of 60,000 failed instances still fits."""
_CHECK_SECONDS = 0.5


class Message(NamedTuple):
    """A command set, and its dataset when that went to memory."""

    context_id: int
    command: Command
    dataset: bytes


SinkFor = Callable[[int, Command], Sink | None]
"""Where the dataset of a command goes; None = memory."""


class _MemorySink:
    def __init__(self) -> None:
        self.data = bytearray()
        self._room = bytearray()

    def room(self, size: int) -> memoryview:
        if len(self.data) + size > MAX_ANSWER_BYTES:
            raise PduError(f"a response larger than {MAX_ANSWER_BYTES} bytes")
        self._room = bytearray(size)
        return memoryview(self._room)

    def took(self, size: int) -> None:
        self.data += self._room[:size]


class Association:
    """Opened by the constructor, which raises NodeError; `release` or `abort` it."""

    def __init__(
        self,
        node: Node,
        limits: Limits,
        tls: ssl.SSLContext | None,
        contexts: Iterable[ContextProposed],
        roles: Iterable[RoleSelection] = (),
        async_window: tuple[int, int] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is called at least every half second of waiting; what it raises ends the wait."""
        self._limits = limits
        self._check = check
        self._machine = RequestorMachine(limits.max_pdu)
        self._ids = itertools.count(1)
        self._proposed = tuple(contexts)
        self.answer: AssociateAccept
        self._sending = threading.Lock()
        self._cancelled_at: float | None = None
        self._began = self._since = self._checked = time.monotonic()
        self.wire: Wire
        self.wire, self.address = connect(node, limits, tls)
        user = UserInformation(
            max_length=limits.max_pdu,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION,
            async_window=async_window,
            roles=tuple(roles),
        )
        request = AssociateRequest(node.called_aet, node.calling_aet, self._proposed, user)
        with self._aborting():
            self._associate(request)

    @property
    def is_usable(self) -> bool:
        """Established, and the peer has said nothing since."""
        return self._machine.state is State.ESTABLISHED and not self.wire.is_readable()

    @property
    def contexts(self) -> dict[int, tuple[str, str]]:
        """Accepted ones: id → abstract syntax, transfer syntax."""
        return self._machine.contexts

    def context_of(self, abstract_syntax: str) -> tuple[int, str]:
        """Id and transfer syntax of its first accepted context. Raises ContextRefused."""
        for context_id, (abstract, syntax) in self.contexts.items():
            if abstract == abstract_syntax:
                return context_id, syntax
        raise ContextRefused({abstract_syntax: self.refusals().get(abstract_syntax, 3)})

    def refusals(self) -> dict[str, int]:
        """Abstract syntaxes none of whose contexts was accepted → result of the last (PS3.8 table 9-18)."""
        results = {c.id: c.result for c in self.answer.contexts}
        accepted = {abstract for abstract, _ in self.contexts.values()}
        proposed = ((c.abstract_syntax, results.get(c.id, 3)) for c in self._proposed)
        return {uid: result for uid, result in proposed if uid not in accepted}

    def begin(
        self, field: CommandField, abstract_syntax: str, dataset: bytes | None = None, destination: str = ""
    ) -> int:
        """Send a request; its message id. Raises NodeError."""
        context_id, _ = self.context_of(abstract_syntax)
        message_id = next(self._ids) & 0xFFFF
        command = encode_request(
            field, message_id, abstract_syntax, has_dataset=dataset is not None, destination=destination
        )
        self._cancelled_at = None
        self._began = self._since = time.monotonic()
        self.send(self._machine.message(context_id, command, dataset))
        return message_id

    def cancel(self, message_id: int, abstract_syntax: str) -> None:
        """C-CANCEL; the final response is still to come. Raises NodeError."""
        context_id, _ = self.context_of(abstract_syntax)
        self._cancelled_at = time.monotonic()
        self.send(self._machine.message(context_id, encode_cancel(message_id)))

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled_at is not None

    def send(self, data: bytes) -> None:
        """Raises Aborted when the connection is gone."""
        try:
            with self._sending:
                self.wire.send(data)
        except PeerGone as error:
            raise self._lost() from error

    def ask(self, context_id: int, command_set: bytes, dataset: bytes) -> None:
        """Send a request of another kind than `begin` knows. Raises NodeError."""
        self._cancelled_at = None
        self._began = self._since = time.monotonic()
        self.send(self._machine.message(context_id, command_set, dataset))

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Send a request whose message is made piece by piece. Raises NodeError, and what making it raises."""
        self._cancelled_at = None
        self._began = self._since = time.monotonic()
        for piece in pieces:
            self.send(piece)
        self._since = time.monotonic()

    def respond(self, context_id: int, command_set: bytes) -> bytes:
        """The P-DATA of a response of ours, to be sent with `send`."""
        return self._machine.message(context_id, command_set)

    def next_message(self, sink_for: SinkFor = lambda _context_id, _command: None) -> Message:
        """The next whole message. Raises NodeError; the association is over then."""
        with self._aborting():
            while True:
                self._look_up()
                for action in self._advance():
                    message = self._perform(action, sink_for)
                    if message is not None:
                        return message

    def messages(
        self, message_id: int, abstract_syntax: str, sink_for: SinkFor | None = None
    ) -> Iterator[Message]:
        """All until the response to `message_id` that is not pending. Raises NodeError. A consumer that stops
        early cancels the operation, and its end is awaited; a C-GET is aborted.
        """
        over = False
        try:
            while not over:
                message = self.next_message(sink_for) if sink_for else self.next_message()
                over = self._ends(message, message_id)
                yield message
        except GeneratorExit:
            if not over and sink_for is None:
                self._wind_up(message_id, abstract_syntax)
            elif not over:
                self.abort("given up")  # its sub-operations would go on, and want answers
            raise

    def _wind_up(self, message_id: int, abstract_syntax: str) -> None:
        with contextlib.suppress(NodeError):
            self.cancel(message_id, abstract_syntax)
            while not self._ends(self.next_message(), message_id):
                pass

    def _ends(self, message: Message, message_id: int) -> bool:
        command = message.command
        if not command.is_response:
            return False
        if command.message_id != message_id or command.status is None:
            self.abort("a response to nothing")
            raise BadAnswer("a response to nothing")
        return command.status not in PENDING

    def release(self) -> None:
        """End it properly, or abort when the peer does not answer. Never raises for what the peer does."""
        if self._machine.state is not State.ESTABLISHED:
            self.abort("not established")
            return
        deadline = time.monotonic() + self._limits.release
        with contextlib.suppress(PeerGone, _Late):
            for action in self._machine.release():
                self._send_action(action)
            while self._machine.state not in (State.IDLE, State.AWAITING_CLOSE):
                self.wire.fill(self._machine.wanted, lambda: _not_after(deadline))
                for action in self._machine.advance():
                    if isinstance(action, events.CommandArrived):
                        self._machine.receive_into(_MemorySink())
                    self._send_action(action)
        self.wire.finish(0.5)

    def abort(self, text: str) -> None:
        """End it now; harmless when it is over."""
        with contextlib.suppress(PeerGone):
            for action in self._machine.abort(text=text):
                self._send_action(action)
        self.wire.finish(0.5)

    def shut(self) -> None:
        """From another thread: whatever is awaited ends with Aborted."""
        self.wire.shut()

    def _associate(self, request: AssociateRequest) -> None:
        try:
            for action in self._machine.associate(request):
                self._send_action(action)
        except PeerGone as error:
            raise self._lost() from error
        while self._machine.state is State.AWAITING_ACCEPT:
            for action in self._advance():
                self._perform(action, lambda _context_id, _command: None)

    def _advance(self) -> tuple[Action, ...]:
        try:
            self.wire.fill(self._machine.wanted, self._on_tick)
        except PeerGone as error:
            raise self._lost() from error
        self._since = time.monotonic()
        return self._machine.advance()

    def _perform(self, action: Action, sink_for: SinkFor) -> Message | None:
        match action:
            case events.CommandArrived(context_id, command):
                if not command.has_dataset:
                    return Message(context_id, command, b"")
                self._memory = _MemorySink()
                self._machine.receive_into(sink_for(context_id, command) or self._memory)
            case events.DatasetArrived(context_id, command):
                return Message(context_id, command, bytes(self._memory.data))
            case events.AssociationAccepted(answer):
                self.answer = answer
            case events.AssociationRejected(answer):
                raise Rejected(answer.result, answer.source, answer.reason)
            case events.Aborted(source, reason, by_peer, text):
                raise Aborted(source, reason) if by_peer else BadAnswer(text)
            case events.Released():
                raise Aborted(0, 0, lost=True)
            case events.Send():
                with contextlib.suppress(PeerGone):  # an answer to what is indicated next; that says more
                    self._send_action(action)
        return None

    def _send_action(self, action: Action) -> None:
        if isinstance(action, events.Send):
            with self._sending:
                self.wire.send(action.data)

    @contextlib.contextmanager
    def _aborting(self) -> Iterator[None]:
        """Whatever ends the wait ends the association: what the peer sends later would answer nothing."""
        try:
            yield
        except PeerGone as error:
            self.abort("gone")
            raise self._lost() from error
        except BaseException:  # what `check` raises is the caller's own and unknown here
            self.abort("given up")
            raise

    def _lost(self) -> NodeError:
        if self._machine.state is State.AWAITING_ACCEPT:
            return Unreachable(
                "closed",
                "TCP 连得上，但对方收到关联请求后直接断开。请核对：端口是否是 DICOM 端口，对方是否启用了 TLS，"
                "对方或防火墙是否按 IP 限制",
            )
        return Aborted(0, 0, lost=True)

    # Patience

    def _look_up(self) -> None:
        """Between messages: a peer that is never silent must not keep us for ever."""
        now = time.monotonic()
        if now - self._began > self._limits.operation:
            raise TimedOut("operation", self._limits.operation)
        if self._cancelled_at is not None and now - self._cancelled_at > self._limits.cancel:
            raise TimedOut("cancel", self._limits.cancel)
        if now - self._checked >= _CHECK_SECONDS:
            self._checked = now
            self._check()

    def _on_tick(self) -> None:
        waited, limits = time.monotonic() - self._since, self._limits
        if self._machine.state is State.AWAITING_ACCEPT:
            if waited > limits.association:
                raise TimedOut("association", limits.association)
        elif not self._machine.is_idle:
            if waited > limits.pdu:
                raise TimedOut("pdu", limits.pdu)
        elif waited > limits.response:
            raise TimedOut("response", limits.response)
        self._look_up()


PENDING = frozenset((0xFF00, 0xFF01))


class _Late(Exception):  # noqa: N818 an event
    pass


def _not_after(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise _Late
