"""The variable items inside A-ASSOCIATE PDUs (PS3.8 9.3.2, 9.3.3 and annex D; PS3.7 annex D.3.3).

Unknown items are skipped, as PS3.8 asks; lengths and counts are bounded before anything is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
MAX_CONTEXTS = 128
MAX_TRANSFER_SYNTAXES = 256
MAX_ITEMS = 2048

INVALID_PARAMETER = 6
"""A-ABORT reason of the provider: invalid PDU parameter value (PS3.8 table 9-26)."""

_ITEM = struct.Struct(">BxH")


class PduError(Exception):
    """The peer's bytes break PS3.8. `reason` is the A-ABORT reason of table 9-26."""

    def __init__(self, text: str, reason: int = INVALID_PARAMETER) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ContextProposed:
    """One presentation context of an A-ASSOCIATE-RQ."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """One presentation context of an A-ASSOCIATE-AC; results of PS3.8 table 9-18."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class RoleSelection:
    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the peer says it is (PS3.7 D.3.3.7); kinds: 1 user, 2 user and password, 3 Kerberos, 4 SAML, 5
    JWT.
    """

    kind: int
    primary: bytes
    secondary: bytes
    wants_response: bool


@dataclass(frozen=True, slots=True)
class UserInformation:
    max_length: int = 0
    """Largest P-DATA-TF the sender of this item takes; 0 = any."""
    implementation_class_uid: str = ""
    implementation_version: str = ""
    async_window: tuple[int, int] | None = None
    """Operations invoked, performed; 0 = unlimited; None = not negotiated, meaning 1, 1."""
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def text(raw: bytes) -> str:
    """A UID or title of the wire. latin-1 keeps every byte, so what is echoed is what was sent."""
    return raw.decode("latin-1").strip("\0 ")


def item(kind: int, body: bytes) -> bytes:
    """One encoded item. Raises PduError when the body exceeds 65,535 bytes."""
    if len(body) > 0xFFFF:
        raise PduError(f"item {kind:#04x} of {len(body)} bytes")
    return _ITEM.pack(kind, len(body)) + body


def iter_items(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, body) items in `raw`. Raises PduError on a length that leaves it, or too many."""
    position = 0
    for _ in range(MAX_ITEMS):
        if position == len(raw):
            return
        if position + 4 > len(raw):
            raise PduError("item header cut short")
        kind, length = _ITEM.unpack_from(raw, position)
        end = position + 4 + length
        if end > len(raw):
            raise PduError(f"item {kind:#04x} is longer than what holds it")
        yield kind, raw[position + 4 : end]
        position = end
    if position != len(raw):
        raise PduError("too many items")


def encode_proposed(context: ContextProposed) -> bytes:
    """Presentation context item of an RQ (PS3.8 9.3.2.2)."""
    syntaxes = b"".join(item(0x40, uid.encode("latin-1")) for uid in context.transfer_syntaxes)
    head = bytes((context.id, 0, 0, 0))
    return item(0x20, head + item(0x30, context.abstract_syntax.encode("latin-1")) + syntaxes)


def decode_proposed(body: bytes) -> ContextProposed:
    """Raises PduError on an even id, a missing abstract syntax or too many transfer syntaxes."""
    context_id = _context_id(body)
    abstract = ""
    syntaxes = []
    for kind, value in iter_items(body[4:]):
        if kind == 0x30:
            abstract = text(value)
        elif kind == 0x40:
            syntaxes.append(text(value))
    if not abstract:
        raise PduError(f"presentation context {context_id} names no abstract syntax")
    if len(syntaxes) > MAX_TRANSFER_SYNTAXES:
        raise PduError(f"presentation context {context_id} proposes {len(syntaxes)} transfer syntaxes")
    return ContextProposed(context_id, abstract, tuple(syntaxes))


def encode_result(context: ContextResult) -> bytes:
    """Presentation context item of an AC (PS3.8 9.3.3.2)."""
    head = bytes((context.id, 0, context.result, 0))
    return item(0x21, head + item(0x40, context.transfer_syntax.encode("latin-1")))


def decode_result(body: bytes) -> ContextResult:
    """Raises PduError."""
    context_id = _context_id(body)
    syntaxes = [text(value) for kind, value in iter_items(body[4:]) if kind == 0x40]
    return ContextResult(context_id, body[2], syntaxes[0] if syntaxes else "")


def _context_id(body: bytes) -> int:
    if len(body) < 4:
        raise PduError("presentation context cut short")
    if not body[0] % 2:
        raise PduError(f"presentation context id {body[0]} is even")
    return body[0]


def encode_user_information(user: UserInformation) -> bytes:
    """User information item (PS3.8 annex D.1, PS3.7 D.3.3)."""
    parts = [item(0x51, struct.pack(">I", user.max_length))]
    parts.append(item(0x52, user.implementation_class_uid.encode("latin-1")))
    if user.async_window is not None:
        parts.append(item(0x53, struct.pack(">HH", *user.async_window)))
    parts += [item(0x54, _sized(r.sop_class_uid) + bytes((r.scu, r.scp))) for r in user.roles]
    if user.implementation_version:
        parts.append(item(0x55, user.implementation_version.encode("latin-1")))
    parts += [item(0x56, _sized(e.sop_class_uid) + e.information) for e in user.extended]
    if user.identity is not None:
        parts.append(item(0x58, _encode_identity(user.identity)))
    if user.identity_response is not None:
        parts.append(item(0x59, _sized_bytes(user.identity_response)))
    return item(0x50, b"".join(parts))


def decode_user_information(body: bytes) -> UserInformation:
    """Raises PduError."""
    found: dict[int, list[bytes]] = {}
    for kind, value in iter_items(body):
        found.setdefault(kind, []).append(value)
    identity = _last(found, 0x58)
    response = _last(found, 0x59)
    return UserInformation(
        max_length=int.from_bytes(_exactly(found, 0x51, 4), "big"),
        implementation_class_uid=text(_last(found, 0x52) or b""),
        implementation_version=text(_last(found, 0x55) or b""),
        async_window=_window(_exactly(found, 0x53, 4)),
        roles=tuple(_decode_role(value) for value in found.get(0x54, ())),
        extended=tuple(ExtendedNegotiation(*_take_uid(value)) for value in found.get(0x56, ())),
        identity=None if identity is None else _decode_identity(identity),
        identity_response=None if response is None else _take(response, 0)[0],
    )


def _last(found: dict[int, list[bytes]], kind: int) -> bytes | None:
    return found[kind][-1] if kind in found else None


def _exactly(found: dict[int, list[bytes]], kind: int, size: int) -> bytes:
    value = _last(found, kind)
    if value is not None and len(value) != size:
        raise PduError(f"item {kind:#04x} has {len(value)} bytes, not {size}")
    return value or b""


def _window(raw: bytes) -> tuple[int, int] | None:
    return (int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:], "big")) if raw else None


def _sized(uid: str) -> bytes:
    return _sized_bytes(uid.encode("latin-1"))


def _sized_bytes(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw


def _take(raw: bytes, position: int) -> tuple[bytes, int]:
    """A length-prefixed field and where the next starts."""
    if position + 2 > len(raw):
        raise PduError("a sub-item's length is cut short")
    end = position + 2 + int.from_bytes(raw[position : position + 2], "big")
    if end > len(raw):
        raise PduError("a sub-item's field is longer than what holds it")
    return raw[position + 2 : end], end


def _take_uid(raw: bytes) -> tuple[str, bytes]:
    uid, end = _take(raw, 0)
    return text(uid), raw[end:]


def _decode_role(raw: bytes) -> RoleSelection:
    uid, rest = _take_uid(raw)
    if len(rest) != 2:
        raise PduError("role selection has no two role bytes")
    return RoleSelection(uid, bool(rest[0]), bool(rest[1]))


def _encode_identity(identity: UserIdentity) -> bytes:
    head = bytes((identity.kind, identity.wants_response))
    return head + _sized_bytes(identity.primary) + _sized_bytes(identity.secondary)


def _decode_identity(raw: bytes) -> UserIdentity:
    if len(raw) < 2:
        raise PduError("user identity cut short")
    primary, position = _take(raw, 2)
    secondary, _ = _take(raw, position)
    return UserIdentity(raw[0], primary, secondary, bool(raw[1]))


def find_duplicates(ids: Sequence[int]) -> bool:
    """Whether an id is used twice."""
    return len(set(ids)) != len(ids)
