"""Which character set a dataset really uses. Chinese devices often declare one and write another.

The declaration stands unless the bytes contradict it: GB18030 or UTF-8 under Latin-1, under each other, or
under nothing at all is recognised. The whole header is judged together, so that one odd name is carried by
the ordinary words around it. Text is decoded **before** anybody splits it at `\\` or `^`: 126 GB18030
characters end in byte 5C and 126 in 5E.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from yingqiao.dicom import iso2022

_PAD = b" \0"
_ESCAPE = b"\x1b"
_UTF8, _GB, _LATIN1 = "utf_8", "gb18030", "latin_1"
_TERMS = {_UTF8: "ISO_IR 192", _GB: "GB18030", _LATIN1: "ISO_IR 100"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text by tag, the declared and the used defined term of (0008,0005), and oddities (stable ids)."""

    values: dict[int, str]
    declared: str
    used: str
    oddities: tuple[str, ...] = ()


def arbitrate(raws: Mapping[int, bytes], declared_raw: bytes = b"") -> Decoded:
    """Decodes the text values of one dataset. Never raises; what nothing can decode becomes U+FFFD.

    Oddities: charset-unknown (no such defined term), charset-missing (none declared, text not ASCII),
    charset-lied (the bytes contradict the declaration), charset-mixed (no single set fits all values),
    charset-broken (some bytes fit none), charset-truncated (a value ends inside a character).
    """
    declared = declared_raw.decode("ascii", "replace").replace("\0", "").strip()
    joined = b"\n".join(raws.values())
    if joined.isascii() and _ESCAPE not in joined:
        plain = {tag: raw.decode("ascii") for tag, raw in raws.items()}
        return Decoded(plain, declared, declared, () if _codecs(declared)[0] else ("charset-unknown",))
    return _Arbitration(raws, declared, joined).decide()


@cache
def _codecs(declared: str) -> tuple[tuple[str, ...], bool]:
    """Codecs of the declared terms in order, without unknown ones, and whether any term was unknown."""
    found = [iso2022.codec_of(term) for term in declared.split("\\")[:8]]
    return tuple(codec for codec in found if codec), None in found


class _Arbitration:
    def __init__(self, raws: Mapping[int, bytes], declared: str, joined: bytes) -> None:
        self.raws = {tag: raw.rstrip(_PAD) for tag, raw in raws.items()}
        self.declared = declared
        self.joined = joined
        self.codecs, unknown = _codecs(declared)
        self.oddities = ["charset-unknown"] if unknown else []

    def decide(self) -> Decoded:
        if iso2022.has_escapes(self.joined):
            return self._by_escapes()
        texts = tuple(raw for raw in self.raws.values() if not raw.isascii())
        decide = _decide_again if len(self.joined) <= _CACHED_SIZE else _decide
        stated, used = decide(texts, self.codecs)
        if used is None:
            return self._value_by_value(stated)
        if used == stated:
            return self._answer(used, self.declared)
        self._note("charset-lied" if self.declared else "charset-missing")
        return self._answer(used, _TERMS.get(used, used))

    def _by_escapes(self) -> Decoded:
        initial = self.codecs[0] if self.codecs else "ascii"
        values = {tag: iso2022.decode(raw, initial) for tag, raw in self.raws.items()}
        if any("\ufffd" in value for value in values.values()):
            self._note("charset-broken")
        term = iso2022.term_of_escapes(self.joined)
        if not term or iso2022.codec_of(term) in self.codecs:
            return Decoded(values, self.declared, self.declared, tuple(self.oddities))
        self._note("charset-lied" if self.declared else "charset-missing")
        return Decoded(values, self.declared, term, tuple(self.oddities))

    def _value_by_value(self, stated: str | None) -> Decoded:
        """No set fits all values: each is judged alone, with the declaration as its last resort."""
        chosen = {tag: self._alone(raw, stated) for tag, raw in self.raws.items() if not raw.isascii()}
        used = max(chosen.values(), key=list(chosen.values()).count)
        self._note("charset-mixed" if len(set(chosen.values())) > 1 else "charset-broken")
        expected = used in self.codecs
        if not expected:
            self._note("charset-lied" if self.declared else "charset-missing")
        values = {tag: self._decode(raw, chosen.get(tag, "ascii")) for tag, raw in self.raws.items()}
        return Decoded(
            values, self.declared, self.declared if expected else _TERMS.get(used, used), tuple(self.oddities)
        )

    def _alone(self, raw: bytes, stated: str | None) -> str:
        fitting = next((codec for codec in self.codecs if _fits(raw, codec)), stated)
        last = self.codecs[0] if self.codecs and self.codecs[0] != "ascii" else _GB
        return _truth([raw], fitting) or last

    def _answer(self, codec: str, term: str) -> Decoded:
        values = {tag: self._decode(raw, codec) for tag, raw in self.raws.items()}
        return Decoded(values, self.declared, term, tuple(self.oddities))

    def _decode(self, raw: bytes, codec: str) -> str:
        if raw.isascii():
            return raw.decode("ascii")
        decoder = getincrementaldecoder(codec)("replace")
        text = decoder.decode(raw)
        if decoder.getstate()[0]:
            self._note("charset-truncated")
        if "\ufffd" in text:
            self._note("charset-broken")
        return text

    def _note(self, oddity: str) -> None:
        if oddity not in self.oddities:
            self.oddities.append(oddity)


def _decide(texts: tuple[bytes, ...], codecs: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The declared codec that fits every value (None: none does), and the one the values are written in."""
    stated = next((codec for codec in codecs if all(_fits(text, codec) for text in texts)), None)
    return stated, _truth(texts, stated)


_decide_again = lru_cache(maxsize=512)(_decide)
"""The instances of a series carry the same texts: only the first costs a judgement."""
_CACHED_SIZE = 2048


def _truth(texts: Sequence[bytes], stated: str | None) -> str | None:
    """The codec the bytes are written in. `stated` is the declared codec when it fits; None as answer: no
    single one fits."""
    utf8 = all(_fits(text, _UTF8) for text in texts)
    gb = all(_fits(text, _GB) for text in texts)
    if not utf8 and gb and len(texts) > 1 and any(_surely_utf8(text) for text in texts):
        return None
    whole = b"\n".join(texts)
    if stated == _GB:
        return _UTF8 if utf8 and _utf8_not_gb(whole) else _GB
    if utf8:
        return _GB if gb and _gb_not_utf8(whole) else _UTF8
    if stated is None or stated in iso2022.LATIN_CODECS:
        if gb and (_looks_chinese(whole) or (stated is None and _no_latin(whole))):
            return _GB
        return stated or (_LATIN1 if _looks_latin(whole) else None)
    if stated == "shift_jis" and gb and _odd_japanese(whole):
        return _GB
    return stated


def _fits(raw: bytes, codec: str) -> bool:
    """Decodable, except perhaps for a last character cut off by a length limit (which must not be the only
    one)."""
    decoder = getincrementaldecoder(codec)()
    try:
        text = decoder.decode(raw)
    except UnicodeDecodeError:
        return False
    if codec not in (_UTF8, _GB) and _C1.search(text):
        return False
    return not decoder.getstate()[0] or not text.isascii()


_C1 = re.compile("[\x80-\x9f]")
_LATIN_BESIDE = re.compile("[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]|[A-Z][^\x00-\x7f][A-Z]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")


@cache
def _gb2312_level_1() -> frozenset[str]:
    """The 3,755 hanzi of everyday writing (GB/T 2312 rows 16-55)."""
    cells = bytes(byte for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF) for byte in (row, cell))
    return frozenset(cells.decode("gb2312", "ignore"))


@cache
def _gb2312_level_2() -> frozenset[str]:
    cells = bytes(byte for row in range(0xD8, 0xF8) for cell in range(0xA1, 0xFF) for byte in (row, cell))
    return frozenset(cells.decode("gb2312", "ignore"))


def _weigh(char: str) -> int:
    """How much one non-ASCII character speaks for Chinese text written in GB18030 under a Latin
    declaration."""
    if char in _gb2312_level_1():
        return 3
    if char in _gb2312_level_2():
        return 1
    if "\u3001" <= char <= "\u3011" or "\uff01" <= char <= "\uff5e":
        return 1
    raw = char.encode(_GB)
    return 1 if len(raw) == 4 or any(0x80 <= byte <= 0x9F for byte in raw) else -2  # C1 bytes: never Latin-1


def _looks_chinese(raw: bytes) -> bool:
    """Whether GB18030 explains the bytes better than a Latin alphabet: no hanzi stuck to lower-case
    letters."""
    text = raw.decode(_GB, "ignore")
    weight = sum(_weigh(char) for char in text if char > "\x7f")
    return weight - 4 * len(_LATIN_BESIDE.findall(text)) > 0


def _no_latin(raw: bytes) -> bool:
    return not _looks_latin(raw)


def _looks_latin(raw: bytes) -> bool:
    """Accented letters stand alone or in pairs among ASCII letters, and no C1 control occurs."""
    runs = _HIGH_RUN.findall(raw)
    return not re.search(rb"[\x80-\x9f]", raw) and sum(len(run) for run in runs) <= 2 * len(runs)


def _surely_utf8(raw: bytes) -> bool:
    return len(raw) >= 6 and _fits(raw, _UTF8) and _utf8_not_gb(raw)


def _utf8_not_gb(raw: bytes) -> bool:
    """Valid in both, declared GB18030: UTF-8 when it reads as hanzi and GB18030 reads as rare ones."""
    utf8 = [char for char in raw.decode(_UTF8, "ignore") if char > "\x7f"]
    gb = [char for char in raw.decode(_GB, "ignore") if char > "\x7f"]
    common = _gb2312_level_1()
    if not any(char in common for char in utf8):
        return False
    return sum(char in common for char in utf8) * len(gb) > sum(char in common for char in gb) * len(utf8)


_SCRIPT_STARTS = (0x80, 0x250, 0x370, 0x400, 0x530, 0x590, 0x600, 0x700, 0x800)


def _gb_not_utf8(raw: bytes) -> bool:
    """Valid in both: GB18030 only when UTF-8 gives two-byte letters of mixed alphabets and GB18030 everyday
    hanzi.

    (The name 王 is no UTF-8, but two or three hanzi with bytes C2-DF 80-BF are.)
    """
    utf8 = raw.decode(_UTF8, "ignore")
    if any(char >= "\u0800" for char in utf8) or _LATIN_BESIDE.search(utf8):
        return False
    common = _gb2312_level_1()
    if not all(char in common for char in raw.decode(_GB, "ignore") if char > "\x7f"):
        return False
    return len({bisect_right(_SCRIPT_STARTS, ord(char)) for char in utf8 if char > "\x7f"}) > 1


def _odd_japanese(raw: bytes) -> bool:
    """Half-width katakana mixed with kanji: what GB18030 looks like when read as Shift JIS."""
    text = raw.decode("shift_jis", "ignore")
    return bool(re.search("[\uff61-\uff9f]", text) and re.search("[\u4e00-\u9fff]", text)) and _looks_chinese(
        raw
    )
