"""Where the values of a dictionary are in the file's bytes (ISO 32000-1, 7.2 and 7.3). Bounded, without recursion."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPACE = re.compile(rb"(?:[\0\t\n\f\r ]|%[^\r\n]*)*+")
_HEADER = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")
_TOKEN = re.compile(rb"<<|>>|[\[\]]|<[^<>]*+>|\(|/[^\0\t\n\f\r ()<>\[\]{}/%]*+|[^\0\t\n\f\r ()<>\[\]{}/%]++")
_REFERENCE = re.compile(rb"\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+R(?=[\0\t\n\f\r ()<>\[\]{}/%]|$)")
_STRING = re.compile(rb"[^()\\]*+")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_MOST_ENTRIES = 1_000
_MOST_TOKENS = 100_000


class LexError(ValueError):
    """Not the syntax it should be; the text is for programmers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a dictionary with the place of its value: data[start:stop]."""

    key: bytes
    start: int
    stop: int


def object_body(data: bytes, at: int, number: int) -> int:
    """Where the value of the indirect object begins whose header is at `at`. Raises LexError for another number."""
    at = _skip(data, at)
    found = _HEADER.match(data, at)
    if found is None or int(found[1]) != number:
        raise LexError(f"object {number} is not at {at}")
    return _skip(data, found.end())


def dictionary(data: bytes, at: int) -> list[Entry]:
    """The entries, doubled ones too, of the dictionary that begins at `at`. Raises LexError."""
    if data[at : at + 2] != b"<<":
        raise LexError(f"no dictionary at {at}")
    at = _skip(data, at + 2)
    entries: list[Entry] = []
    while data[at : at + 2] != b">>":
        key, after = _token(data, at)
        if not key.startswith(b"/") or len(entries) >= _MOST_ENTRIES:
            raise LexError(f"no key at {at}")
        start = _skip(data, after)
        stop = value_end(data, start)
        entries.append(Entry(_name(key), start, stop))
        at = _skip(data, stop)
    return entries


def value_end(data: bytes, at: int) -> int:
    """Where the value that begins at `at` ends. Raises LexError."""
    depth = 0
    for _ in range(_MOST_TOKENS):
        token, at = _token(data, at)
        if token in (b"<<", b"["):
            depth += 1
        elif token in (b">>", b"]"):
            depth -= 1
            if depth < 0:
                raise LexError(f"closed but not opened at {at}")
        if depth == 0:
            return at
        at = _skip(data, at)
    raise LexError("too many tokens")


def _token(data: bytes, at: int) -> tuple[bytes, int]:
    """The token at `at`, of a string only its parenthesis, and where it ends. Raises LexError."""
    reference = _REFERENCE.match(data, at)
    if reference is not None:
        return reference[0], reference.end()
    found = _TOKEN.match(data, at)
    if found is None:
        raise LexError(f"no token at {at}")
    if found[0] == b"(":
        return found[0], _string_end(data, found.end())
    return found[0], found.end()


def _string_end(data: bytes, at: int) -> int:
    depth = 1
    while depth:
        found = _STRING.match(data, at)
        at = found.end() if found else at
        character = data[at : at + 1]
        if not character:
            raise LexError("string without end")
        depth += {b"(": 1, b")": -1}.get(character, 0)
        at += 2 if character == b"\\" else 1
    return at


def _skip(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return found.end() if found else at


def _name(token: bytes) -> bytes:
    """Without its solidus, escapes undone (7.3.5)."""
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), token[1:])
