"""The seven PDUs (PS3.8 9.3) as values, and their bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from yingqiao.dicom.upper_layer.items import (
    APPLICATION_CONTEXT,
    MAX_CONTEXTS,
    ContextProposed,
    ContextResult,
    PduError,
    UserInformation,
    decode_proposed,
    decode_result,
    decode_user_information,
    encode_proposed,
    encode_result,
    encode_user_information,
    find_duplicates,
    item,
    iter_items,
    text,
)

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)
UNRECOGNIZED_PDU = 1
UNEXPECTED_PDU = 2

_HEAD = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_ASSOCIATE = struct.Struct(">Hxx16s16s32x")
_MOST_FRAGMENT = 128 * 1024
_LEAST_PDU = 128
"""A peer that says it takes less is not believed: no command set would fit its fragments."""
COMMAND_BIT = 1
LAST_BIT = 2


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    called_aet: str
    calling_aet: str
    contexts: tuple[ContextProposed, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    called_aet: str
    calling_aet: str
    contexts: tuple[ContextResult, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """Result, source and reason of PS3.8 table 9-21."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    pass


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    pass


@dataclass(frozen=True, slots=True)
class Abort:
    """Source 0 = user, 2 = provider; reasons of PS3.8 table 9-26."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Pdv:
    """A presentation data value: one fragment of a message (PS3.8 9.3.5.1, annex E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class PData:
    values: tuple[Pdv, ...]


type_of_pdu = {
    AssociateRequest: A_ASSOCIATE_RQ,
    AssociateAccept: A_ASSOCIATE_AC,
    AssociateReject: A_ASSOCIATE_RJ,
    PData: P_DATA_TF,
    ReleaseRequest: A_RELEASE_RQ,
    ReleaseResponse: A_RELEASE_RP,
    Abort: A_ABORT,
}
Pdu = AssociateRequest | AssociateAccept | AssociateReject | PData | ReleaseRequest | ReleaseResponse | Abort


def encode(pdu: Pdu) -> bytes:
    """The PDU's bytes. Raises PduError when a value does not fit its field."""
    match pdu:
        case AssociateRequest() | AssociateAccept():
            body = _encode_associate(pdu)
        case AssociateReject(result, source, reason):
            body = bytes((0, result, source, reason))
        case PData(values):
            body = b"".join(encode_pdv(v.context_id, v.is_command, v.is_last, v.data) for v in values)
        case Abort(source, reason):
            body = bytes((0, 0, source, reason))
        case _:
            body = bytes(4)
    return _HEAD.pack(type_of_pdu[type(pdu)], len(body)) + body


def encode_pdv(context_id: int, is_command: bool, is_last: bool, data: bytes) -> bytes:
    """One PDV item with its length."""
    return _PDV.pack(len(data) + 2, context_id, is_command * COMMAND_BIT | is_last * LAST_BIT) + data


def encode_message(context_id: int, command: bytes) -> bytes:
    """A P-DATA-TF that carries a whole command set: what a response is."""
    head = _HEAD.pack(P_DATA_TF, len(command) + 6)
    return head + _PDV.pack(len(command) + 2, context_id, COMMAND_BIT | LAST_BIT) + command


def encode_dataset(context_id: int, dataset: bytes, peer_max_pdu: int) -> bytes:
    """The P-DATA-TFs of a whole dataset, none longer than the peer takes; 0 = any."""
    size = min(max(peer_max_pdu, _LEAST_PDU) - 6, _MOST_FRAGMENT) if peer_max_pdu else _MOST_FRAGMENT
    pdus = []
    for start in range(0, max(len(dataset), 1), size):
        value = encode_pdv(context_id, False, start + size >= len(dataset), dataset[start : start + size])
        pdus.append(_HEAD.pack(P_DATA_TF, len(value)) + value)
    return b"".join(pdus)


def decode(kind: int, body: bytes) -> Pdu:
    """The PDU of type `kind` whose bytes after the 6-byte head are `body`. Raises PduError."""
    match kind:
        case 1:
            return _decode_request(body)
        case 2:
            return _decode_accept(body)
        case 4:
            return _decode_data(body)
        case 3 | 5 | 6 | 7:
            return _decode_short(kind, body)
    raise PduError(f"PDU type {kind:#04x}", UNRECOGNIZED_PDU)


def _decode_short(kind: int, body: bytes) -> Pdu:
    if len(body) != 4:
        raise PduError(f"PDU type {kind:#04x} of {len(body)} bytes")
    if kind == A_ASSOCIATE_RJ:
        return AssociateReject(body[1], body[2], body[3])
    if kind == A_ABORT:
        return Abort(body[2], body[3])
    return ReleaseRequest() if kind == A_RELEASE_RQ else ReleaseResponse()


def _encode_associate(pdu: AssociateRequest | AssociateAccept) -> bytes:
    if isinstance(pdu, AssociateRequest):
        contexts = b"".join(map(encode_proposed, pdu.contexts))
    else:
        contexts = b"".join(map(encode_result, pdu.contexts))
    return b"".join(
        (
            _ASSOCIATE.pack(pdu.protocol_version, _title(pdu.called_aet), _title(pdu.calling_aet)),
            item(0x10, pdu.application_context.encode("latin-1")),
            contexts,
            encode_user_information(pdu.user),
        )
    )


def _title(title: str) -> bytes:
    return title.encode("latin-1")[:16].ljust(16)


def _decode_request(body: bytes) -> AssociateRequest:
    version, called, calling = _fixed(body)
    application, contexts, user = _variable(body, 0x20)
    proposed = tuple(map(decode_proposed, contexts))
    if find_duplicates([c.id for c in proposed]):
        raise PduError("a presentation context id is used twice")
    return AssociateRequest(called, calling, proposed, user, application, version)


def _decode_accept(body: bytes) -> AssociateAccept:
    version, called, calling = _fixed(body)
    application, contexts, user = _variable(body, 0x21)
    return AssociateAccept(called, calling, tuple(map(decode_result, contexts)), user, application, version)


def _fixed(body: bytes) -> tuple[int, str, str]:
    if len(body) < _ASSOCIATE.size:
        raise PduError("A-ASSOCIATE cut short")
    version, called, calling = _ASSOCIATE.unpack_from(body)
    return version, text(called), text(calling)


def _variable(body: bytes, context_kind: int) -> tuple[str, list[bytes], UserInformation]:
    application = ""
    contexts: list[bytes] = []
    user = UserInformation()
    for kind, value in iter_items(body[_ASSOCIATE.size :]):
        if kind == 0x10:
            application = text(value)
        elif kind == context_kind:
            contexts.append(value)
        elif kind == 0x50:
            user = decode_user_information(value)
    if len(contexts) > MAX_CONTEXTS:
        raise PduError(f"{len(contexts)} presentation contexts")
    return application, contexts, user


def _decode_data(body: bytes) -> PData:
    values = []
    position = 0
    while position < len(body):
        if position + _PDV.size > len(body):
            raise PduError("presentation data value cut short")
        length, context_id, control = _PDV.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise PduError(f"presentation data value of {length} bytes does not fit its PDU")
        data = body[position + _PDV.size : end]
        values.append(Pdv(context_id, bool(control & COMMAND_BIT), bool(control & LAST_BIT), data))
        position = end
    return PData(tuple(values))
