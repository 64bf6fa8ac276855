"""The bytes of a landing file: one segment header, then records at multiples of 4,096.

A record is a 512-byte header, then the Part 10 file (file meta, dataset). Its header carries everything the
index needs beside
the dataset, so the index can be rebuilt from these files alone. It repeats the segment's random nonce and
its own offset: bytes
inside a dataset cannot pose as a record. The SHA-256 of the dataset tells a whole record from a torn one.
"""

from __future__ import annotations

import hashlib
import mmap
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from yingqiao.exchange.model import Arrival, Place

ALIGNMENT = 4096
"""No block that holds an acknowledged byte is ever written again."""
HEADER_SIZE = 512
NONCE_SIZE = 16
MAX_TEXT = 64
_SEGMENT = struct.Struct("<8s16sQ")
_SEGMENT_MAGIC = b"YQSEG\x00\x00\x01"
_RECORD = struct.Struct("<8s16sQQIQ32s")
_RECORD_MAGIC = b"YQREC\x00\x00\x01"
_CRC = struct.Struct("<I")


class LandingFormatError(Exception):
    """The file is no landing file, or its header did not survive."""


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record found in a landing file."""

    place: Place
    arrival: Arrival
    dataset: memoryview


def aligned(offset: int) -> int:
    """The next multiple of ALIGNMENT."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def record_start(place: Place) -> int:
    """Where the record that holds `place` begins in its file."""
    return place.offset - HEADER_SIZE


def record_end(place: Place) -> int:
    """Where the next record may begin."""
    return aligned(place.offset + place.length)


def new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_SIZE)


def encode_segment_header(nonce: bytes, created_at: int) -> bytes:
    """The first ALIGNMENT bytes of a landing file."""
    return _SEGMENT.pack(_SEGMENT_MAGIC, nonce, created_at).ljust(ALIGNMENT, b"\0")


def encode_record_header(nonce: bytes, arrival: Arrival, place: Place) -> bytes:
    """HEADER_SIZE bytes. Raises ValueError when a text is longer than MAX_TEXT bytes."""
    fixed = _RECORD.pack(
        _RECORD_MAGIC,
        nonce,
        record_start(place),
        place.length,
        place.dataset_offset,
        arrival.received_at,
        place.digest,
    )
    shared = _encode_shared(
        arrival.calling_aet,
        arrival.called_aet,
        arrival.peer,
        arrival.transfer_syntax_uid,
        arrival.sop_class_uid,
    )
    body = fixed + shared + _encode_text(arrival.sop_instance_uid)
    return (body + _CRC.pack(zlib.crc32(body))).ljust(HEADER_SIZE, b"\0")


@lru_cache(maxsize=512)
def _encode_shared(*texts: str) -> bytes:
    """What the instances of an association have in common."""
    return b"".join(map(_encode_text, texts))


def _encode_text(text: str) -> bytes:
    raw = text.encode("latin-1", "replace")
    if len(raw) > MAX_TEXT:
        raise ValueError(f"a text of {len(raw)} bytes, at most {MAX_TEXT} fit")
    return bytes((len(raw),)) + raw


def decode_record_header(raw: bytes, segment: str, nonce: bytes) -> tuple[Place, Arrival] | None:
    """What the header in `raw` (HEADER_SIZE bytes) says, or None when it is not one, whole, of this
    segment.
    """
    if len(raw) < HEADER_SIZE or not raw.startswith(_RECORD_MAGIC + nonce):
        return None
    _, _, start, length, dataset_offset, received_at, digest = _RECORD.unpack_from(raw)
    texts, position = [], _RECORD.size
    for _ in range(6):
        size = raw[position]
        texts.append(raw[position + 1 : position + 1 + size].decode("latin-1"))
        position += 1 + size
        if position > HEADER_SIZE - _CRC.size:
            return None
    if _CRC.unpack_from(raw, position)[0] != zlib.crc32(raw[:position]):
        return None
    return Place(segment, start + HEADER_SIZE, length, dataset_offset, digest), Arrival(received_at, *texts)


def scan_file(path: Path, from_offset: int = 0) -> Iterator[Record]:
    """The whole records of a landing file that start at or after `from_offset`, in order; torn ones and
    holes are skipped.

    A record's `dataset` is a view of the mapped file, valid until the next step of the iterator.
    Raises LandingFormatError when the file's header is not readable, OSError when the file is not.
    """
    with path.open("rb") as stream:
        if path.stat().st_size < ALIGNMENT:
            raise LandingFormatError(f"{path.name}: no segment header")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            nonce = _read_nonce(mapped, path.name)
            yield from _records(mapped, path.name, nonce, max(aligned(from_offset), ALIGNMENT))


def _read_nonce(mapped: mmap.mmap, name: str) -> bytes:
    magic, nonce, _ = _SEGMENT.unpack_from(mapped)
    if magic != _SEGMENT_MAGIC:
        raise LandingFormatError(f"{name}: not a landing file")
    return bytes(nonce)


def _records(mapped: mmap.mmap, name: str, nonce: bytes, position: int) -> Iterator[Record]:
    while (position := mapped.find(_RECORD_MAGIC + nonce, position)) >= 0:
        record = _record_at(mapped, name, nonce, position)
        if record is None:
            position += 1
            continue
        try:
            yield record
        finally:
            record.dataset.release()
        position = record_end(record.place)


def _record_at(mapped: mmap.mmap, name: str, nonce: bytes, start: int) -> Record | None:
    header = decode_record_header(mapped[start : start + HEADER_SIZE], name, nonce)
    if header is None:
        return None
    place, arrival = header
    end = place.offset + place.length
    if record_start(place) != start or end > len(mapped) or place.dataset_offset > place.length:
        return None
    with memoryview(mapped) as whole:
        dataset = whole[place.offset + place.dataset_offset : end]
    if hashlib.sha256(dataset).digest() != place.digest:
        dataset.release()
        return None
    return Record(place, arrival, dataset)
