"""HL7 v2 messages: bytes in the character set they name, paths like `PID-5.1`, orders within a message, acknowledgements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import hl7

from yingqiao.hospital.mapping import BEIJING, ConfigError

MAX_PARTS = 200_000
"""Separators of one message; each costs an object when parsed."""
_CHARSETS = {
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "GB18030": "gb18030",
    "GB180302000": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "ASCII": "ascii",
    "88591": "latin-1",
    "BIG5": "big5",
}
_SHORTEST = 8
_CHARSET_FIELD = 17


class Hl7Error(Exception):
    """No HL7 v2 message we understand; the text is Chinese."""


def charset_of(raw: bytes) -> str | None:
    """The codec MSH-18 names, None when it names none or an unknown one."""
    fields = raw.split(b"\r", 1)[0].split(raw[3:4])
    said = fields[_CHARSET_FIELD] if len(fields) > _CHARSET_FIELD else b""
    first = said.split(raw[5:6] or b"~")[0].decode("ascii", "replace")
    return _CHARSETS.get(re.sub(r"[^A-Z0-9]", "", first.upper()))


def decode(raw: bytes, fallback: str) -> tuple[str, str]:
    """The text and its codec: as MSH-18 says, else as agreed, else UTF-8, else GB18030. Raises Hl7Error."""
    said = charset_of(raw)
    # 8859/1 reads any bytes, and so hides the GBK that vendors send under its name
    tries = [said if said != "latin-1" else None, fallback, "utf-8", "gb18030", said]
    for codec in dict.fromkeys(one for one in tries if one):
        try:
            return raw.decode(codec), codec
        except UnicodeDecodeError:
            continue
    raise Hl7Error("字符集无法识别：不是 MSH-18 所写的编码，也不是 UTF-8 或 GB18030")


@dataclass(frozen=True)
class Message:
    """A parsed message."""

    parsed: Any
    charset: str
    control_id: str
    kind: str
    """MSH-9, as in `ORM^O01`."""


def parse(raw: bytes, fallback: str) -> Message:
    """Raises Hl7Error for what cannot be read as a message."""
    if not raw.startswith(b"MSH") or len(raw) < _SHORTEST:
        raise Hl7Error("消息不是以 MSH 开头")
    text, charset = decode(raw, fallback)
    text = re.sub(r"\r\n|\n", "\r", text.strip("\r\n")) + "\r"
    if sum(text.count(one) for one in set(text[3:8]) | {"\r"}) > MAX_PARTS:
        raise Hl7Error("消息的字段太多")
    try:
        parsed = hl7.parse(text)
        header = Row(parsed, [parsed[0]])
        kind = "^".join((header("MSH-9.1") or "", header("MSH-9.2") or ""))
        return Message(parsed, charset, header("MSH-10") or "", kind)
    except Exception as error:
        raise Hl7Error("消息结构无法解析") from error


_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<which>\*|\d{1,4}|(?P<field>\d{1,3})(?:\.(?P<part>\d{1,3}))?=(?P<equals>[^\]]+))\])?"
    r"-(?P<number>\d{1,3})(?:\[(?P<repeat>\*|\d{1,4})\])?(?:\.(?P<component>\d{1,3}))?(?:\.(?P<sub>\d{1,3}))?"
)


@dataclass(frozen=True, slots=True)
class Path:
    """`PID-5.1`, `OBX[2]-5`, `OBX[*]-5`, `OBX[3.1=IMP]-5`, `PID-3[2].1`: all 1-based."""

    segment: str
    which: str
    """'' (the first) | a number | `*` | `=` (those whose `field`.`part` equals `equals`)"""
    field: int
    part: int
    equals: str
    number: int
    repeat: str
    component: int
    sub: int

    @property
    def many(self) -> bool:
        """Whether it gives a list."""
        return self.which in ("*", "=") or self.repeat == "*"


def path_of(text: str) -> Path:
    """Raises ConfigError."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise ConfigError(f"“{text}”不是 HL7 路径；应如 PID-5.1、OBX[2]-5、OBX[*]-5、OBX[3.1=IMP]-5")
    said = found.groupdict()
    which = "=" if said["equals"] is not None else said["which"] or ""
    numbers = {name: int(said[name] or 0) for name in ("field", "part", "number", "component", "sub")}
    if numbers["number"] == 0 or which == "0" or said["repeat"] == "0":
        raise ConfigError(f"“{text}”中的序号从 1 数")
    return Path(
        segment=said["segment"],
        which=which,
        equals=said["equals"] or "",
        repeat=said["repeat"] or "",
        **numbers,
    )


class Row:
    """Some segments of a message, read by paths: what a mapping reads of it."""

    def __init__(self, parsed: Any, segments: Sequence[Any]) -> None:
        self._parsed = parsed
        self._segments = segments

    def __call__(self, path: str) -> Any:
        """The text at `path`, a list where the path gives several, None where there is nothing."""
        wanted = path_of(path)
        found = [self._text(r, wanted) for s in self._chosen(wanted) for r in self._repeats(s, wanted)]
        texts = [text for text in found if text]
        if wanted.many:
            return texts or None
        return texts[0] if texts else None

    def paths(self) -> Iterator[str]:
        """Every field that has a value, `PID-5`, each once."""
        names = {
            f"{s[0]!s}-{number}": None
            for s in self._segments
            for number in range(1, len(s))
            if str(s[number]) and not (str(s[0]) == "MSH" and number <= 2)
        }
        yield from names

    def _chosen(self, path: Path) -> Sequence[Any]:
        named = [s for s in self._segments if str(s[0]) == path.segment]
        if path.which == "*":
            return named
        if path.which == "=":
            return [s for s in named if self._equals(s, path)]
        place = int(path.which or 1) - 1
        return named[place : place + 1]

    def _equals(self, segment: Any, path: Path) -> bool:
        field = _at(segment, path.field)
        first = _at(field, 0) if field is not None else None
        return first is not None and self._piece(first, path.part, 0) == path.equals

    def _repeats(self, segment: Any, path: Path) -> Sequence[Any]:
        field = _at(segment, path.number)
        if field is None:
            return []
        if not isinstance(field, hl7.Field):
            return [field]
        place = int(path.repeat) - 1 if path.repeat not in ("", "*") else 0
        return list(field) if path.repeat == "*" else list(field)[place : place + 1]

    def _text(self, repeat: Any, path: Path) -> str:
        return self._piece(repeat, path.component, path.sub)

    def _piece(self, repeat: Any, component: int, sub: int) -> str:
        if component and isinstance(repeat, hl7.Repetition):
            repeat = _at(repeat, component - 1)
        elif component > 1:
            return ""
        if sub and isinstance(repeat, hl7.Component):
            repeat = _at(repeat, sub - 1)
        elif sub > 1:
            return ""
        return "" if repeat is None else str(self._parsed.unescape(str(repeat)))


def _at(container: Any, place: int) -> Any:
    return container[place] if isinstance(container, list) and place < len(container) else None


def whole(message: Message) -> Row:
    """All of the message as one row."""
    return Row(message.parsed, list(message.parsed))


def orders(message: Message) -> list[Row]:
    """A row for each order: what stands before the first ORC or OBR, and the order's own segments."""
    common: list[Any] = []
    groups: list[list[Any]] = []
    for segment in message.parsed:
        name = str(segment[0])
        begins = name == "ORC" or (
            name == "OBR" and (not groups or any(str(s[0]) == "OBR" for s in groups[-1]))
        )
        if begins:
            groups.append([segment])
        elif groups:
            groups[-1].append(segment)
        else:
            common.append(segment)
    return [Row(message.parsed, [*common, *group]) for group in groups] or [Row(message.parsed, common)]


_MSH_18 = {
    "utf-8": "UNICODE UTF-8",
    "gb18030": "GB 18030-2000",
    "ascii": "",
    "latin-1": "8859/1",
    "big5": "BIG-5",
}
_ESCAPES = str.maketrans(
    {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\", "\r": " ", "\n": " "}
)
_MAX_TEXT = 250


def acknowledge(message: Message | None, code: str, text: str) -> bytes:
    """An ACK message: AA, AE or AR, `text` (MSA-3) in the sender's own character set."""
    charset = message.charset if message else "utf-8"
    header = whole(message) if message else None
    senders = [_plain(header(f"MSH-{n}") if header else "") for n in (5, 6, 3, 4)]
    version = _plain(header("MSH-12.1") if header else "") or "2.4"
    event = _plain(header("MSH-9.2") if header else "")
    kind = f"ACK^{event}" if event else "ACK"
    control = _plain(message.control_id if message else "")
    now = datetime.now(BEIJING).strftime("%Y%m%d%H%M%S%f")
    fields = [
        "MSH",
        "^~\\&",
        *senders,
        now[:14],
        "",
        kind,
        now,
        "P",
        version,
        "",
        "",
        "",
        "",
        "",
        _MSH_18[charset],
    ]
    said = text[:_MAX_TEXT].translate(_ESCAPES)
    return f"{'|'.join(fields)}\rMSA|{code}|{control}|{said}\r".encode(charset, "replace")


def _plain(value: Any) -> str:
    return str(value or "")[:_MAX_TEXT].translate(_ESCAPES)
