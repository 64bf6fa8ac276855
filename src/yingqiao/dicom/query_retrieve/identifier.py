"""Query datasets (identifiers): keys to bytes, a peer's bytes to text.

Written small on purpose: PS3.4 C.2.2 needs a flat list of a few text attributes. What is read is tolerated as
far as it makes sense: another syntax than agreed, wrong VRs, sequences (skipped), padding, no level at all.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yingqiao.dicom.charset import arbitrate
from yingqiao.dicom.iso2022 import codec_of
from yingqiao.dicom.query_retrieve.attributes import (
    BY_KEYWORD,
    BY_TAG,
    IDENTIFYING,
    LONGEST,
    Attribute,
    Level,
)
from yingqiao.dicom.query_retrieve.errors import BadQuery

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
Key = str | Sequence[str]
"""A value, '' for universal matching (a return key), or a list of UIDs."""
Keys = Mapping[str, Key]
"""By keyword."""

MAX_ELEMENTS = 4096
MAX_VALUE = 64 * 1024
"""Bytes kept of one value; a list of failed instances is the longest there is."""
_CHARSET = 0x0008_0005
_DEFAULT_CHARSET = "GB18030"
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xI")
_IMPLICIT = struct.Struct("<HHI")
_LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_UNDEFINED = 0xFFFF_FFFF
_UID = re.compile(r"[0-9.]{1,64}")
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_TEXT_VRS = frozenset(("LO", "SH", "PN"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded identifier."""

    texts: Mapping[int, str]
    """By tag; multiple values joined by a backslash, as they came; without padding."""
    oddities: tuple[str, ...] = ()

    def get(self, keyword: str) -> str:
        """The value, '' when it is not there. Raises KeyError for a keyword not in `attributes`."""
        return self.texts.get(BY_KEYWORD[keyword].tag, "")

    def values(self, keyword: str) -> tuple[str, ...]:
        """The values one by one, empty ones left out."""
        return tuple(part for part in (p.strip() for p in self.get(keyword).split("\\")) if part)

    def number(self, keyword: str) -> int | None:
        """A count; None when it is missing or none."""
        text = self.get(keyword).strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def encode_query(
    level: Level, keys: Keys, charset: str, transfer_syntax_uid: str, *, wildcards: bool = False
) -> bytes:
    """The identifier of a C-FIND, C-MOVE or C-GET, little endian.

    `charset` as `Node.charset`. Without one (0008,0005) is sent empty when all is ASCII, so that peers answer
    with theirs; with one it is always declared, for peers that answer with the query's (Orthanc).
    Raises BadQuery: unknown keyword, value too long, not writable in the charset, or with `*`, `?`, `\\` in it
    unless `wildcards`.
    """
    values = {_attribute(keyword): _join(keyword, key) for keyword, key in keys.items()}
    for attribute, value in values.items():
        _check(attribute, value, wildcards=wildcards or attribute.vr in ("UI", "DA", "TM"))
    term = charset or ("" if all(value.isascii() for value in values.values()) else _DEFAULT_CHARSET)
    raws = {attribute: _encode_text(attribute, value, term) for attribute, value in values.items()}
    raws[BY_KEYWORD["SpecificCharacterSet"]] = _declared(term).encode("ascii")
    raws[BY_KEYWORD["QueryRetrieveLevel"]] = level.value.encode("ascii")
    explicit = transfer_syntax_uid != IMPLICIT_LE
    return b"".join(_element(a, raws[a], explicit) for a in sorted(raws, key=lambda a: a.tag))


def require_identifying(keys: Keys) -> None:
    """Raises BadQuery when no identifying key has a value: the PACS would answer with all it has."""
    if not any(_join(keyword, key).strip("*? ") for keyword, key in keys.items() if keyword in IDENTIFYING):
        raise BadQuery("查询条件为空：检查号、检查 UID、患者号等至少要有一项，否则会查出全部检查")


def _attribute(keyword: str) -> Attribute:
    attribute = BY_KEYWORD.get(keyword)
    if attribute is None:
        raise BadQuery(f"不能查询的属性：{keyword}")
    return attribute


def _join(keyword: str, key: Key) -> str:
    if isinstance(key, str):
        return key
    if not key or not all(key):
        raise BadQuery(f"{keyword} 的列表为空，或其中有空值")
    return "\\".join(key)


def _check(attribute: Attribute, value: str, *, wildcards: bool) -> None:
    name = attribute.keyword
    if not wildcards and any(char in value for char in "*?\\"):
        raise BadQuery(f"{name} 的值含有 *、? 或 \\：在 DICOM 查询中它们是通配符或分隔符，会查出别人的检查")
    if _CONTROLS.search(value):
        raise BadQuery(f"{name} 的值含有控制字符")
    if attribute.vr == "UI" and value and not all(_UID.fullmatch(part) for part in value.split("\\")):
        raise BadQuery(f"{name} 的值不是 UID")
    parts = value.split("=") if attribute.vr == "PN" else value.split("\\")
    if max(map(len, parts)) > LONGEST[attribute.vr]:
        raise BadQuery(f"{name} 的值超过 {LONGEST[attribute.vr]} 个字符，PACS 中不会有这样的值")


def _declared(term: str) -> str:
    """What (0008,0005) says: code extensions begin with the default repertoire (PS3.3 C.12.1.1.2)."""
    return "\\ISO 2022 IR 58" if term.endswith("58") else term


def _encode_text(attribute: Attribute, value: str, term: str) -> bytes:
    if value.isascii():
        return value.encode("ascii")
    if attribute.vr not in _TEXT_VRS:
        raise BadQuery(f"{attribute.keyword} 的值只能是 ASCII 字符")
    try:
        if term.endswith("58"):
            return b"".join(map(_escaped, re.split(r"([\\^=])", value)))
        codec = {"GBK": "gbk"}.get(term) or codec_of(term)
        if codec is None:
            raise BadQuery(f"不认识的字符集：{term}")
        return value.encode(codec)
    except UnicodeEncodeError as error:
        raise BadQuery(f"{attribute.keyword} 的值不能用字符集 {term} 书写") from error


def _escaped(run: str) -> bytes:
    """One component in ISO 2022 IR 58: GB 2312 in G1, called anew after each delimiter (PS3.5 annex K)."""
    return run.encode("ascii") if run.isascii() else b"\x1b$)A" + run.encode("gb2312")


def _element(attribute: Attribute, raw: bytes, explicit: bool) -> bytes:
    if len(raw) % 2:
        raw += b"\0" if attribute.vr == "UI" else b" "
    group, element = attribute.tag >> 16, attribute.tag & 0xFFFF
    if explicit:
        if len(raw) > 0xFFFF:
            raise BadQuery(f"{attribute.keyword} 的列表太长")
        return _SHORT.pack(group, element, attribute.vr.encode(), len(raw)) + raw
    return _IMPLICIT.pack(group, element, len(raw)) + raw


def decode_answer(raw: bytes | memoryview, transfer_syntax_uid: str) -> Answer:
    """The known attributes of a peer's identifier as text. Never raises; `oddities` says what was wrong:
    parse-stopped, syntax-lied, and those of `charset.arbitrate`.
    """
    reader = _Reader(bytes(raw), transfer_syntax_uid)
    raws = dict(reader.elements())
    decoded = arbitrate({t: r for t, r in raws.items() if t != _CHARSET}, raws.get(_CHARSET, b""))
    texts = {tag: text.strip(" \0") for tag, text in decoded.values.items()}
    return Answer(texts, (*reader.oddities, *decoded.oddities))


class _Reader:
    """Walks the top level of a small dataset."""

    def __init__(self, data: bytes, transfer_syntax_uid: str) -> None:
        self._data = data
        self.oddities: list[str] = []
        agreed = transfer_syntax_uid != IMPLICIT_LE
        self._explicit = (
            data[4:6].isalpha() and data[4:6].upper().decode("latin-1") in _VRS if data else agreed
        )
        if self._explicit is not agreed:
            self.oddities.append("syntax-lied")

    def elements(self) -> Iterator[tuple[int, bytes]]:
        """Known attributes, the first of each; stops at what makes no sense."""
        position, seen = 0, set()
        try:
            for _ in range(MAX_ELEMENTS):
                if position >= len(self._data):
                    return
                tag, start, length, is_sequence = self._header(position, self._explicit)
                if length == _UNDEFINED:
                    position = self._after_sequence(start, self._explicit and is_sequence)
                    continue
                position = start + length
                if position > len(self._data):
                    break
                if tag in BY_TAG and tag not in seen and not is_sequence:
                    seen.add(tag)
                    yield tag, self._data[start : start + min(length, MAX_VALUE)]
        except struct.error:
            pass
        self.oddities.append("parse-stopped")

    def _header(self, position: int, explicit: bool) -> tuple[int, int, int, bool]:
        """Tag, where the value starts, its length, whether it is a sequence."""
        group, element, length = _IMPLICIT.unpack_from(self._data, position)
        tag = group << 16 | element
        if not explicit or group == 0xFFFE:
            return tag, position + 8, length, False
        vr = self._data[position + 4 : position + 6].upper().decode("latin-1")
        if vr in _LONG_VRS:
            return tag, position + 12, _LONG.unpack_from(self._data, position)[3], vr == "SQ"
        if vr not in _VRS:
            return tag, position + 8, length, False  # written as in the implicit syntax
        return tag, position + 8, _SHORT.unpack_from(self._data, position)[3], False

    def _after_sequence(self, position: int, explicit: bool) -> int:
        """Where the value of undefined length that starts here ends; depth is counted, not recursed."""
        depth = 1
        for _ in range(MAX_ELEMENTS):
            tag, start, length, _is_sequence = self._header(position, explicit)
            position = start
            if tag in (0xFFFE_E00D, 0xFFFE_E0DD):
                depth -= 1
                if depth == 0:
                    return position
            elif length == _UNDEFINED:
                depth += 1
            else:
                position += length
        raise struct.error("a sequence without an end")


_VRS = frozenset((*LONGEST, *_LONG_VRS, "AS", "AT", "DT", "FD", "FL", "LT", "SL", "SS", "ST", "UL", "US"))
