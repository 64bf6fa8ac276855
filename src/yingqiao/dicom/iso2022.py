"""Character sets by DICOM's names, and text that switches between them with escape sequences (ISO 2022).

Sources: DICOM PS3.3 C.12.1.1.2 (defined terms), PS3.5 6.1.2.5 and annexes H, I, K (code extensions).
"""

from __future__ import annotations

import re

_LATIN = {
    "6": "ascii",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "148": "iso8859_9",
}
_LATIN["203"] = "iso8859_15"
_SCRIPTS = {
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "166": "iso8859_11",
}
_EAST_ASIAN = {"13": "shift_jis", "58": "gb18030", "149": "euc_kr", "87": "iso2022_jp", "159": "iso2022_jp_2"}
_BY_NUMBER = {**_LATIN, **_SCRIPTS, **_EAST_ASIAN, "192": "utf_8"}
_BY_NAME = {"": "ascii", "GB18030": "gb18030", "GBK": "gb18030", "GB2312": "gb18030", "UTF8": "utf_8"}
LATIN_CODECS = frozenset(_LATIN.values())
"""What devices declare by habit, without meaning it: the declarations that most often lie."""

_TERM = re.compile(r"ISO[ _-]*(?:2022[ _-]*)?(?:IR)?[ _-]*(\d{1,3})")

_ESCAPES = {
    b"(B": "ascii",
    b"(J": "shift_jis",
    b")I": "shift_jis",
    b"$B": "iso2022_jp",
    b"$@": "iso2022_jp",
    b"$(D": "iso2022_jp_2",
    b"$)C": "euc_kr",
    b"$)A": "gb18030",
    b"-A": "latin_1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "iso8859_11",
    b"-b": "iso8859_15",
}
_TERM_OF_ESCAPE = {
    b"$B": "ISO 2022 IR 87",
    b"$@": "ISO 2022 IR 87",
    b"$(D": "ISO 2022 IR 159",
    b"$)C": "ISO 2022 IR 149",
    b"$)A": "ISO 2022 IR 58",
    b")I": "ISO 2022 IR 13",
    b"(J": "ISO 2022 IR 13",
}
_ESCAPE = re.compile(
    b"\x1b(" + b"|".join(re.escape(escape) for escape in sorted(_ESCAPES, key=len)[::-1]) + b")"
)
_SEVEN_BIT = frozenset({"iso2022_jp", "iso2022_jp_2"})


def codec_of(term: str) -> str | None:
    """Python's codec for a defined term of (0008,0005), spelled as devices spell it; None when the term is
    unknown.

    GBK and GB 2312 are decoded as GB18030, which contains both.
    """
    name = term.strip().upper()
    match = _TERM.fullmatch(name)
    if match:
        return _BY_NUMBER.get(match[1])
    return _BY_NAME.get(re.sub(r"[ _-]|^ISO[ _-]*2022", "", name))


def has_escapes(raw: bytes) -> bool:
    """Whether the bytes hold an escape sequence DICOM knows."""
    return _ESCAPE.search(raw) is not None


def term_of_escapes(raw: bytes) -> str:
    """The defined term that the first multi-byte escape sequence of the bytes calls for, or ''."""
    for match in _ESCAPE.finditer(raw):
        term = _TERM_OF_ESCAPE.get(match[1])
        if term:
            return term
    return ""


def decode(raw: bytes, initial: str) -> str:
    """Text with escape sequences; `initial` is the codec before the first one. Bad bytes become U+FFFD.

    Sequences written into G1 (Korean, Chinese) end at the delimiters `\\`, `^`, `=` and at line ends, where
    the initial set comes back; Japanese in G0 uses those bytes inside characters: it ends at the next
    sequence only.
    """
    pieces = []
    pos, escape = 0, b""
    for match in [*_ESCAPE.finditer(raw), None]:
        end = match.start() if match else len(raw)
        pieces.append(_decode_run(raw[pos:end], escape, initial))
        if match:
            pos, escape = match.end(), match[1]
    return "".join(pieces)


def _decode_run(run: bytes, escape: bytes, initial: str) -> str:
    codec = _ESCAPES.get(escape, initial)
    if codec in _SEVEN_BIT:
        prefix = b"\x1b" + escape if escape else b""
        return (prefix + run).decode(codec, "replace")
    if not escape or escape.startswith(b"(") or run.isascii():
        return run.decode(codec, "replace")
    cut = re.search(rb"[\\^=\r\n\f]", run)
    if cut is None or codec == initial:
        return run.decode(codec, "replace")
    rest = run[cut.start() :]
    return run[: cut.start()].decode(codec, "replace") + _decode_rest(rest, codec, initial)


def _decode_rest(rest: bytes, codec: str, initial: str) -> str:
    """After a delimiter the initial set is back; writers that forget to switch again are still understood."""
    try:
        return rest.decode(initial)
    except UnicodeDecodeError:
        return rest.decode(codec, "replace")
