"""A requestor that does what real ones do not: any fragments, operations outstanding, half messages."""

from __future__ import annotations

import socket
import time
from typing import Self

from yingqiao.dicom.upper_layer import dimse, items, pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"


class RawSender:
    """One association, opened at once unless `request` is None."""

    def __init__(
        self,
        port: int,
        contexts: list[tuple[str, str]] | None = None,
        *,
        calling: str = "RAW",
        called: str = "YINGQIAO",
        window: tuple[int, int] | None = None,
        user: items.UserInformation | None = None,
        connect_only: bool = False,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.contexts = contexts or [(CT, EXPLICIT)]
        self.answer: pdu.Pdu | None = None
        if connect_only:
            return
        proposed = tuple(items.ContextProposed(2 * n + 1, a, (t,)) for n, (a, t) in enumerate(self.contexts))
        user = user or items.UserInformation(
            max_length=16384, implementation_class_uid="1.2", async_window=window
        )
        self.socket.sendall(pdu.encode(pdu.AssociateRequest(called, calling, proposed, user)))
        self.answer = self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def __del__(self) -> None:
        self.socket.close()

    def receive(self) -> pdu.Pdu:
        """The next PDU. Raises EOFError at the end of the stream."""
        head = self._exactly(6)
        return pdu.decode(head[0], self._exactly(int.from_bytes(head[2:], "big")))

    def receive_command(self) -> dimse.Command:
        answer = self.receive()
        assert isinstance(answer, pdu.PData), answer
        return dimse.decode_command(answer.values[0].data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def store_bytes(
        self,
        dataset: bytes,
        uid: str,
        message_id: int = 1,
        *,
        context: int = 0,
        fragment: int = 16000,
        sop_class: str = "",
    ) -> bytes:
        """A C-STORE's bytes as they go on the wire."""
        context_id, sop_class = 2 * context + 1, sop_class or self.contexts[context][0]
        command = dimse.encode_request(
            dimse.CommandField.C_STORE_RQ, message_id, sop_class, uid, has_dataset=True
        )
        return message(context_id, command, dataset, fragment)

    def store(self, dataset: bytes, uid: str, message_id: int = 1, **how: object) -> int:
        """Send and wait; the status."""
        self.socket.sendall(self.store_bytes(dataset, uid, message_id, **how))  # type: ignore[arg-type]
        answer = self.receive_command()
        assert answer.message_id == message_id
        assert answer.status is not None
        return answer.status

    def echo(self, context: int = 0) -> int:
        command = dimse.encode_request(dimse.CommandField.C_ECHO_RQ, 7, VERIFICATION)
        self.socket.sendall(message(2 * context + 1, command))
        return self.receive_command().status or 0

    def release(self) -> None:
        self.socket.sendall(pdu.encode(pdu.ReleaseRequest()))
        assert self.receive() == pdu.ReleaseResponse()
        self.socket.close()

    def is_closed(self, seconds: float) -> bool:
        """Whether the receiver ends the connection within that time; what it sends before is read away."""
        self.socket.settimeout(seconds)
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if not self.socket.recv(65536):
                    return True
        except TimeoutError:
            return False
        except OSError:
            return True
        return False


def message(context_id: int, command: bytes, dataset: bytes | None = None, fragment: int = 16000) -> bytes:
    """P-DATA PDUs of one message."""
    parts = [pdu.encode(pdu.PData((pdu.Pdv(context_id, True, True, command),)))]
    if dataset is not None:
        starts = range(0, max(len(dataset), 1), fragment)
        for start in starts:
            last = start + fragment >= len(dataset)
            parts.append(
                pdu.encode(pdu.PData((pdu.Pdv(context_id, False, last, dataset[start : start + fragment]),)))
            )
    return b"".join(parts)
