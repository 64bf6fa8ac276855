"""The datasets of storage commitment (PS3.4 J.3.2, J.3.3): read from anybody, written by us.

Read without recursion, every step bounded: a request is at most MAX_BYTES, names at most MAX_REFERENCES
instances, and has at most MAX_ELEMENTS elements. Only little endian syntaxes are negotiated for it.
"""

from __future__ import annotations

import re
from struct import Struct, error
from typing import NamedTuple

from yingqiao.exchange.commitment import Reference, Verdict

COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known SOP instance (PS3.4 J.3.5)."""
IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SYNTAXES = (IMPLICIT_LE, EXPLICIT_LE)

MAX_REFERENCES = 100_000
MAX_BYTES = 32 * 1024 * 1024
MAX_ELEMENTS = 1_000_000

TRANSACTION_UID, FAILED_SOPS, REFERENCED_SOPS = 0x0008_1195, 0x0008_1198, 0x0008_1199
FAILURE_REASON, SOP_CLASS, SOP_INSTANCE = 0x0008_1197, 0x0008_1150, 0x0008_1155
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
_UNDEFINED = 0xFFFF_FFFF
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_UID = re.compile(rb"[0-9.]{1,64}")

_TAG = Struct("<HHI")
_LONG = Struct("<I")
_SHORT = Struct("<H")


class BadRequest(Exception):  # noqa: N818 what the requester is answered
    """The request cannot be understood, or is too large. `status` is the N-ACTION status (PS3.7 annex C)."""

    def __init__(self, status: int, comment: str) -> None:
        """`comment`: ASCII, for (0000,0902)."""
        super().__init__(comment)
        self.status = status
        self.comment = comment


INVALID_ARGUMENT, RESOURCE_LIMITATION = 0x0115, 0x0213


class Requested(NamedTuple):
    """What an N-ACTION's dataset says."""

    transaction_uid: str
    references: tuple[Reference, ...]
    """Distinct, in the order sent."""


class _Header(NamedTuple):
    tag: int
    start: int
    """Of the value."""
    length: int


class _Reader:
    """Walks a dataset; positions are checked against the end of what encloses them."""

    def __init__(self, data: bytes | bytearray | memoryview, *, explicit: bool) -> None:
        self.data = bytes(data)
        self.explicit = explicit
        self.left = MAX_ELEMENTS

    def header(self, position: int, end: int) -> _Header:
        self.left -= 1
        if self.left < 0:
            raise BadRequest(RESOURCE_LIMITATION, "too many elements")
        try:
            group, element, length = _TAG.unpack_from(self.data, position)
            start = position + 8
            if self.explicit and group != 0xFFFE:
                if self.data[position + 4 : position + 6] in _LONG_VRS:
                    (length,) = _LONG.unpack_from(self.data, start)
                    start += 4
                else:
                    (length,) = _SHORT.unpack_from(self.data, position + 6)
        except error:
            raise BadRequest(INVALID_ARGUMENT, "the dataset is cut short") from None
        if start > end or (length != _UNDEFINED and start + length > end):
            raise BadRequest(INVALID_ARGUMENT, "an element is longer than what holds it")
        return _Header(group << 16 | element, start, length)

    def after(self, header: _Header, end: int) -> int:
        """Where the next element starts: nested ones are jumped over, or counted when their length is not
        given."""
        if header.length != _UNDEFINED:
            return header.start + header.length
        depth, position = 1, header.start
        while depth:
            inner = self.header(position, end)
            position = inner.start
            if inner.tag in (_ITEM_END, _SEQUENCE_END):
                depth -= 1
            elif inner.length == _UNDEFINED:
                depth += 1
            elif inner.tag != _ITEM or inner.length:
                position += inner.length
        return position

    def uid(self, header: _Header) -> str:
        raw = self.data[header.start : header.start + min(header.length, 80)].strip(b"\0 ")
        if header.length > 80 or _UID.fullmatch(raw) is None:
            raise BadRequest(INVALID_ARGUMENT, "a UID is none")
        return raw.decode("ascii")


def read_request(dataset: bytes | bytearray | memoryview, transfer_syntax_uid: str) -> Requested:
    """The transaction and its references. Raises BadRequest for whatever is not a storage commitment request."""
    reader = _Reader(dataset, explicit=transfer_syntax_uid == EXPLICIT_LE)
    position, end = 0, len(reader.data)
    transaction_uid, references = "", None
    while position < end:
        header = reader.header(position, end)
        if header.tag == TRANSACTION_UID:
            transaction_uid = reader.uid(header)
        if header.tag == REFERENCED_SOPS and references is None:
            position, references = _references(reader, header, end)
        else:
            position = reader.after(header, end)
    if not transaction_uid or not references:
        raise BadRequest(INVALID_ARGUMENT, "Transaction UID or Referenced SOP Sequence is missing")
    return Requested(transaction_uid, tuple(references))


def _references(reader: _Reader, sequence: _Header, end: int) -> tuple[int, dict[Reference, None]]:
    """The position after the sequence, and what its items name."""
    found: dict[Reference, None] = {}
    classes: dict[str, str] = {}
    position = sequence.start
    if sequence.length != _UNDEFINED:
        end = sequence.start + sequence.length
    while position < end:
        header = reader.header(position, end)
        if header.tag == _SEQUENCE_END and sequence.length == _UNDEFINED:
            return header.start, found
        if header.tag != _ITEM:
            raise BadRequest(INVALID_ARGUMENT, "something else than an item in Referenced SOP Sequence")
        position, reference = _reference(reader, header, end)
        sop_class = classes.setdefault(reference.sop_class_uid, reference.sop_class_uid)
        found[Reference(sop_class, reference.sop_instance_uid)] = None
        if len(found) > MAX_REFERENCES:
            raise BadRequest(RESOURCE_LIMITATION, f"more than {MAX_REFERENCES} references")
    if sequence.length == _UNDEFINED:
        raise BadRequest(INVALID_ARGUMENT, "Referenced SOP Sequence does not end")
    return end, found


def _reference(reader: _Reader, item: _Header, end: int) -> tuple[int, Reference]:
    position, sop_class, sop_instance = item.start, "", ""
    if item.length != _UNDEFINED:
        end = item.start + item.length
    while position < end:
        header = reader.header(position, end)
        if header.tag == _ITEM_END and item.length == _UNDEFINED:
            end = position = header.start
            break
        if header.tag == SOP_CLASS:
            sop_class = reader.uid(header)
        elif header.tag == SOP_INSTANCE:
            sop_instance = reader.uid(header)
        position = reader.after(header, end)
    if not sop_class or not sop_instance:
        raise BadRequest(INVALID_ARGUMENT, "a reference without SOP class or instance UID")
    return position, Reference(sop_class, sop_instance)


def write_request(transaction_uid: str, references: list[Reference], transfer_syntax_uid: str) -> bytes:
    """An N-ACTION's dataset: for tests and for asking others."""
    explicit = transfer_syntax_uid == EXPLICIT_LE
    items = [_item(_sop(one, explicit)) for one in references]
    return _element(TRANSACTION_UID, b"UI", _padded(transaction_uid), explicit) + _element(
        REFERENCED_SOPS, b"SQ", b"".join(items), explicit
    )


def write_report(transaction_uid: str, verdict: Verdict, transfer_syntax_uid: str) -> bytes:
    """An N-EVENT-REPORT's dataset (PS3.4 table J.3-3): what is committed, and what is not with its reason."""
    explicit = transfer_syntax_uid == EXPLICIT_LE
    parts = [_element(TRANSACTION_UID, b"UI", _padded(transaction_uid), explicit)]
    if verdict.failed:
        failed = (
            _item(_sop(one, explicit) + _element(FAILURE_REASON, b"US", _SHORT.pack(reason), explicit))
            for one, reason in verdict.failed
        )
        parts.append(_element(FAILED_SOPS, b"SQ", b"".join(failed), explicit))
    if verdict.committed:
        items = b"".join(_item(_sop(one, explicit)) for one in verdict.committed)
        parts.append(_element(REFERENCED_SOPS, b"SQ", items, explicit))
    return b"".join(parts)


def _sop(reference: Reference, explicit: bool) -> bytes:
    return _element(SOP_CLASS, b"UI", _padded(reference.sop_class_uid), explicit) + _element(
        SOP_INSTANCE, b"UI", _padded(reference.sop_instance_uid), explicit
    )


def _item(body: bytes) -> bytes:
    return _TAG.pack(0xFFFE, 0xE000, len(body)) + body


def _element(tag: int, vr: bytes, value: bytes, explicit: bool) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if not explicit:
        return _TAG.pack(group, element, len(value)) + value
    head = Struct("<HH").pack(group, element) + vr
    if vr in _LONG_VRS:
        return head + b"\0\0" + _LONG.pack(len(value)) + value
    return head + _SHORT.pack(len(value)) + value


def _padded(uid: str) -> bytes:
    raw = uid.encode("ascii")
    return raw + b"\0" * (len(raw) % 2)
