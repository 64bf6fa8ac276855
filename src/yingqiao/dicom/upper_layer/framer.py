"""Cuts a byte stream into PDUs without owning the stream: it says where the next bytes go, and is told when
they are there.

Dataset bytes land straight in the receiver's own buffer (`Sink`), so nothing is copied twice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

from yingqiao.dicom.upper_layer.items import PduError
from yingqiao.dicom.upper_layer.pdu import (
    A_ABORT,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RQ,
    COMMAND_BIT,
    LAST_BIT,
    P_DATA_TF,
    UNEXPECTED_PDU,
    UNRECOGNIZED_PDU,
    Pdu,
    decode,
)

MAX_ASSOCIATE_BYTES = 512 * 1024
PDU_SLACK = 1024
"""Some senders count the PDU's head into the length they were promised; so much over is forgiven."""

_HEAD = struct.Struct(">BxII")  # every PDU has at least ten bytes: type, length and four more


class Sink(Protocol):
    """Where the fragments of a message go. What cannot be kept is dropped and answered later."""

    def room(self, size: int) -> memoryview:
        """Exactly `size` writable bytes for the next fragment."""
        ...

    def took(self, size: int) -> None:
        """The room given last now holds `size` bytes."""
        ...


class Fragment(NamedTuple):
    """A presentation data value that went into the sink."""

    context_id: int
    is_command: bool
    is_last: bool
    size: int


class Framer:
    """Reads one association's stream. Use: fill all of `wanted`, call `filled()`, look again."""

    def __init__(self, max_pdu: int) -> None:
        self.max_pdu = max_pdu + PDU_SLACK
        self.takes_data = False
        """P-DATA is allowed (an association is established)."""
        self.sink: Sink
        self.at_boundary = True
        """Between PDUs: silence here is idleness, elsewhere a stalled peer."""
        self._head = memoryview(bytearray(10))
        self._pdv_length = self._head[6:]
        self._control = memoryview(bytearray(2))
        self._body = bytearray()
        self._kind = 0
        self._left = 0
        self._data_size = 0
        self.wanted: list[memoryview] = [self._head]
        self._then: Callable[[], Pdu | Fragment | None] = self._on_head

    def filled(self) -> Pdu | Fragment | None:
        """What the bytes just filled in complete, if anything. Raises PduError."""
        return self._then()

    def _on_head(self) -> Pdu | None:
        self.at_boundary = False
        kind, length, first = _HEAD.unpack(self._head)
        if kind == P_DATA_TF:
            self._begin_data(length, first)
            return None
        if not A_ASSOCIATE_RQ <= kind <= A_ABORT:
            raise PduError(f"PDU type {kind:#04x}", UNRECOGNIZED_PDU)
        if kind in (A_ASSOCIATE_RQ, A_ASSOCIATE_AC):
            self._begin_body(kind, length)
            return None
        if length != 4:
            raise PduError(f"PDU type {kind:#04x} of {length} bytes")
        return self._finish(kind, bytes(self._head[6:]))

    def _begin_body(self, kind: int, length: int) -> None:
        if not 4 < length <= MAX_ASSOCIATE_BYTES:
            raise PduError(f"A-ASSOCIATE of {length} bytes")
        self._kind = kind
        self._body = bytearray(length)
        self._body[:4] = self._head[6:]
        self.wanted = [memoryview(self._body)[4:]]
        self._then = self._on_body

    def _on_body(self) -> Pdu:
        self.wanted = []
        return self._finish(self._kind, bytes(self._body))

    def _finish(self, kind: int, body: bytes) -> Pdu:
        self._body = bytearray()
        self._want_head()
        return decode(kind, body)

    def _want_head(self) -> None:
        self.at_boundary = True
        self.wanted = [self._head]
        self._then = self._on_head

    def _begin_data(self, length: int, pdv_length: int) -> None:
        if not self.takes_data:
            raise PduError("P-DATA outside an association", UNEXPECTED_PDU)
        if length > self.max_pdu:
            raise PduError(f"P-DATA of {length} bytes, at most {self.max_pdu} were offered")
        self._left = length - 4
        self._begin_value(pdv_length)

    def _begin_value(self, pdv_length: int) -> None:
        if not 2 <= pdv_length <= self._left:
            raise PduError(f"presentation data value of {pdv_length} bytes does not fit its PDU")
        self._left -= pdv_length
        self._data_size = pdv_length - 2
        self.wanted = [self._control]
        if self._data_size:
            self.wanted.append(self.sink.room(self._data_size))
        self._then = self._on_value

    def _on_value(self) -> Fragment:
        context_id, control = self._control
        if self._data_size:
            self.sink.took(self._data_size)
        if self._left:
            self._want_next_value()
        else:
            self._want_head()
        return Fragment(context_id, bool(control & COMMAND_BIT), bool(control & LAST_BIT), self._data_size)

    def _want_next_value(self) -> None:
        if self._left < 6:
            raise PduError(f"{self._left} bytes left over in a P-DATA")
        self._left -= 4
        self.wanted = [self._pdv_length]
        self._then = self._on_pdv_length

    def _on_pdv_length(self) -> None:
        self._begin_value(int.from_bytes(self._pdv_length, "big"))
