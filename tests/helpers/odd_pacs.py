"""PACS that misbehave on purpose: scripts on raw sockets, and pynetdicom with strange handlers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from yingqiao.dicom.upper_layer import dimse, items, pdu

EXPLICIT = "1.2.840.10008.1.2.1"
SERVICES = (
    Verification,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
)


class Line:
    """One connection of a scripted PACS."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.settimeout(120)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hear(self) -> pdu.Pdu:
        """The next PDU. Raises EOFError at the end of the stream."""
        head = self._exactly(6)
        return pdu.decode(head[0], self._exactly(int.from_bytes(head[2:], "big")))

    def accept(self, user: items.UserInformation | None = None) -> pdu.AssociateRequest:
        """Every context proposed, with its first syntax."""
        request = self.hear()
        assert isinstance(request, pdu.AssociateRequest)
        results = tuple(items.ContextResult(c.id, 0, c.transfer_syntaxes[0]) for c in request.contexts)
        self.say(pdu.AssociateAccept(request.called_aet, request.calling_aet, results, user or _USER))
        return request

    def hear_request(self) -> tuple[int, dimse.Command, bytes]:
        """Context id, command and dataset of a message."""
        command: dimse.Command | None = None
        dataset, context = b"", 0
        while True:
            data = self.hear()
            assert isinstance(data, pdu.PData), data
            for value in data.values:
                context = value.context_id
                if value.is_command:
                    command = dimse.decode_command(value.data)
                else:
                    dataset += value.data
                done = value.is_last and not (value.is_command and command and command.has_dataset)
                if command is not None and done:
                    return context, command, dataset

    def respond(
        self,
        context: int,
        command: dimse.Command,
        status: int,
        comment: bytes = b"",
        dataset: bytes = b"",
        **counts: int,
    ) -> None:
        """`counts` by element number, as `n1020=3`."""
        elements: dict[int, int | str] = {0x0100: command.field | 0x8000, 0x0120: command.message_id}
        elements |= {int(name[1:], 16): value for name, value in counts.items()}
        elements |= {0x0800: 1 if dataset else dimse.NO_DATASET, 0x0900: status}
        if comment:
            elements[0x0902] = comment.decode("latin-1")
        self.say_message(context, dimse.encode_command(elements), dataset)

    def say_message(self, context: int, command: bytes, dataset: bytes = b"") -> None:
        values = [pdu.Pdv(context, True, True, command)]
        self.say(pdu.PData(tuple(values)))
        if dataset:
            self.say(pdu.PData((pdu.Pdv(context, False, True, dataset),)))

    def say(self, value: pdu.Pdu) -> None:
        self.socket.sendall(pdu.encode(value))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


_USER = items.UserInformation(max_length=16384, implementation_class_uid="1.2")


@contextlib.contextmanager
def scripted(script: Callable[[Line], object]) -> Iterator[int]:
    """A port where each connection is played `script`, then closed; a peer that hangs up ends it quietly."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def play(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            script(Line(connection))

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=play, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        listening.join(5)
        for thread in threads:
            thread.join(5)


@contextlib.contextmanager
def pynetdicom_pacs(handlers: list[tuple[Any, Any]], **options: Any) -> Iterator[int]:
    """pynetdicom as a PACS; `options` are attributes of its AE."""
    ae = AE(ae_title="PYNET")
    for service in SERVICES:
        ae.add_supported_context(service)
    ae.add_supported_context(CTImageStorage, ALL_TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
    for name, value in options.items():
        setattr(ae, name, value)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
