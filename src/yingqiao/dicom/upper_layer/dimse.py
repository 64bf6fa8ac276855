"""Command sets (PS3.7 6.3, 9.3, annex E): always implicit VR little endian; only what a peer may send is
trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from yingqiao.dicom.upper_layer.items import PduError, text

MAX_COMMAND_BYTES = 16 * 1024
MAX_COMMAND_ELEMENTS = 64
NO_DATASET = 0x0101
RESPONSE_BIT = 0x8000

_TEXTS = frozenset((0x0600, 0x0902))
"""Padded with blanks; the others are UIDs."""
_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<HHIH")
_UL = struct.Struct("<HHII")


class CommandField(IntEnum):
    """(0000,0100), PS3.7 table E.1-1."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_ACTION_RQ = 0x0130
    C_CANCEL_RQ = 0x0FFF


class Status(IntEnum):
    """What this SCP answers (PS3.4 table B.2-1, PS3.7 annex C)."""

    SUCCESS = 0x0000
    INVALID_SOP_INSTANCE = 0x0117
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    UNRECOGNIZED_OPERATION = 0x0211
    OUT_OF_RESOURCES = 0xA700
    CANNOT_UNDERSTAND = 0xC000
    NEVER_FITS = 0xC001
    """Larger than an instance may be. Of table B.2-1 only the Cxxx do not invite to try again, as A7xx does."""


@dataclass(frozen=True, slots=True)
class SubOperations:
    """Counts of a C-MOVE or C-GET response (PS3.7 9.3.3.2, 9.3.4.2); None where the peer does not say."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None


_NOT_COUNTED = SubOperations()


@dataclass(frozen=True, slots=True)
class Command:
    """A received command set, what the gateway acts on."""

    field: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_dataset: bool
    status: int | None
    priority: int = 0
    counts: SubOperations = _NOT_COUNTED
    comment: bytes = b""
    """(0000,0902), of a response."""
    type_id: int = 0
    """Action Type ID (0000,1008) or Event Type ID (0000,1002)."""

    @property
    def is_response(self) -> bool:
        return bool(self.field & RESPONSE_BIT)


def decode_command(raw: bytes | bytearray | memoryview) -> Command:
    """The command set in `raw`. Raises PduError: no command field, cut short, unordered, or too many
    elements.
    """
    elements = _elements(raw)
    if 0x0100 not in elements:
        raise PduError("command set without a command field")
    message_id = _number(elements, 0x0120, 0x0110)
    is_response = 0x0900 in elements
    return Command(
        field=_uint16(elements, 0x0100),
        message_id=message_id,
        sop_class_uid=text(elements.get(0x0002) or elements.get(0x0003) or b""),
        sop_instance_uid=text(elements.get(0x1000) or elements.get(0x1001) or b""),
        has_dataset=_uint16(elements, 0x0800, NO_DATASET) != NO_DATASET,
        status=_uint16(elements, 0x0900) if is_response else None,
        priority=_uint16(elements, 0x0700),
        counts=_counts(elements) if is_response else _NOT_COUNTED,
        comment=elements.get(0x0902, b""),
        type_id=_uint16(elements, 0x1008) or _uint16(elements, 0x1002),
    )


def _counts(elements: Mapping[int, bytes]) -> SubOperations:
    """A count of another width than US is not worth an association: it is as if not given."""
    found = [elements.get(number, b"") for number in range(0x1020, 0x1024)]
    if not any(found):
        return _NOT_COUNTED
    return SubOperations(*(raw[0] | raw[1] << 8 if len(raw) == 2 else None for raw in found))


def _elements(raw: bytes | bytearray | memoryview) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    raw = bytes(raw)
    position, size = 0, len(raw)
    while position < size:
        if position + 8 > size:
            raise PduError("command element cut short")
        group, element, length = _ELEMENT.unpack_from(raw, position)
        position += 8
        if group and found.get(0x0100, b"")[1:2] >= b"\x80":
            break  # Orthanc ends a failed C-GET with (0008,0058) in the command set
        if group or position + length > size:
            raise PduError(
                f"command element ({group:04X},{element:04X}) of {length} bytes does not belong here"
            )
        found[element] = raw[position : position + length]
        position += length
        if len(found) > MAX_COMMAND_ELEMENTS:
            raise PduError("too many command elements")
    return found


def _uint16(elements: Mapping[int, bytes], element: int, default: int = 0) -> int:
    raw = elements.get(element)
    if raw is None:
        return default
    if len(raw) != 2:
        raise PduError(f"command element (0000,{element:04X}) of {len(raw)} bytes, not 2")
    return raw[0] | raw[1] << 8


def _number(elements: Mapping[int, bytes], *choices: int) -> int:
    """A request's message id, or the id a response answers, whichever is there."""
    for element in reversed(choices):
        if element in elements:
            return _uint16(elements, element)
    raise PduError("command set without a message id")


def encode_command(elements: Mapping[int, int | str]) -> bytes:
    """A command set of group 0000 from element number → US value or UI/LO text; the group length is added."""
    body = b"".join(_encode_element(element, elements[element]) for element in sorted(elements))
    return _UL.pack(0, 0, 4, len(body)) + body


def _encode_element(element: int, value: int | str) -> bytes:
    if isinstance(value, int):
        return _US.pack(0, element, 2, value)
    raw = value.encode("latin-1")
    if len(raw) % 2:
        raw += b" " if element in _TEXTS else b"\0"
    return _ELEMENT.pack(0, element, len(raw)) + raw


def encode_response(command: Command, status: int, comment: str = "") -> bytes:
    """The response's command set (PS3.7 9.3.1.2, 9.3.5.2). `comment` (ASCII) is cut to the 64 characters of
    LO.
    """
    before = _before_message_id(command.sop_class_uid, command.field)
    message_id = _US.pack(0, 0x0120, 2, command.message_id)
    after = _after_message_id(int(status), comment)
    uid = command.sop_instance_uid
    instance = _encode_element(0x1000, uid) if uid else b""
    length = len(before) + len(message_id) + len(after) + len(instance)
    return b"".join((_UL.pack(0, 0, 4, length), before, message_id, after, instance))


@lru_cache(maxsize=128)
def _before_message_id(sop_class_uid: str, field: int) -> bytes:
    sop_class = _encode_element(0x0002, sop_class_uid) if sop_class_uid else b""
    return sop_class + _encode_element(0x0100, (field | RESPONSE_BIT) & 0xFFFF)


@lru_cache(maxsize=128)
def _after_message_id(status: int, comment: str) -> bytes:
    fixed = _encode_element(0x0800, NO_DATASET) + _encode_element(0x0900, status)
    return fixed + _encode_element(0x0902, comment[:64]) if comment else fixed


def encode_request(
    field: CommandField,
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str = "",
    has_dataset: bool = False,
    *,
    priority: int = 0,
    destination: str = "",
) -> bytes:
    """A composite request's command set (PS3.7 9.3). `priority` 0 medium, 1 high, 2 low; `destination` is the
    AE title of a C-MOVE.
    """
    elements: dict[int, int | str] = {
        0x0002: sop_class_uid,
        0x0100: int(field),
        0x0110: message_id,
        0x0800: 0 if has_dataset else NO_DATASET,
    }
    if field is not CommandField.C_ECHO_RQ:
        elements[0x0700] = priority
    if field is CommandField.C_STORE_RQ:
        elements[0x1000] = sop_instance_uid
    if field is CommandField.C_MOVE_RQ:
        elements[0x0600] = destination
    return encode_command(elements)


def encode_cancel(message_id: int) -> bytes:
    """C-CANCEL of the request `message_id` (PS3.7 9.3.2.3)."""
    return encode_command({0x0100: int(CommandField.C_CANCEL_RQ), 0x0120: message_id, 0x0800: NO_DATASET})


def encode_event_report(message_id: int, sop_class_uid: str, sop_instance_uid: str, event_type: int) -> bytes:
    """An N-EVENT-REPORT request's command set, with a dataset to follow (PS3.7 10.3.1)."""
    elements: dict[int, int | str] = {
        0x0002: sop_class_uid,
        0x0100: int(CommandField.N_EVENT_REPORT_RQ),
        0x0110: message_id,
        0x0800: 0,
        0x1000: sop_instance_uid,
        0x1002: event_type,
    }
    return encode_command(elements)


def encode_action(message_id: int, sop_class_uid: str, sop_instance_uid: str, action_type: int) -> bytes:
    """An N-ACTION request's command set, with a dataset to follow (PS3.7 10.3.4)."""
    elements: dict[int, int | str] = {
        0x0003: sop_class_uid,
        0x0100: int(CommandField.N_ACTION_RQ),
        0x0110: message_id,
        0x0800: 0,
        0x1001: sop_instance_uid,
        0x1008: action_type,
    }
    return encode_command(elements)
