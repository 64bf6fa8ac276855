"""Row 0: is the signature where it says it is, and does it cover all of its revision (1001).

Everything is checked against the file's bytes, at the place the cross-reference table names: never by text search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from pyhanko.pdf_utils.xref import ObjStreamRef

from yingqiao.gm.der import DerError, Node
from yingqiao.signing.seals.pdf import lexer
from yingqiao.signing.seals.pdf.document import Document
from yingqiao.signing.seals.pdf.fields import Found
from yingqiao.signing.seals.pdf.lexer import Entry, LexError
from yingqiao.signing.seals.pdf.model import ENVELOPE, Problem

_INTEGERS = re.compile(rb"\[\s*(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s*\]")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})*+")
_ENDING = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF[\0\t\n\f\r ]{0,4}\Z")


@dataclass(frozen=True, slots=True)
class Envelope:
    """`contents` is DER without its padding where that could be told, `spans` are the bytes signed."""

    problem: Problem | None
    byte_range: tuple[int, ...] = ()
    contents: bytes = b""
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def end(self) -> int:
        """Where what is signed ends."""
        return self.spans[-1][1] if self.spans else 0


class _Wrong(Exception):  # noqa: N818 a finding on its way out
    def __init__(self, code: str, reason: str) -> None:
        self.problem = Problem(ENVELOPE, code, reason)


def examine(document: Document, found: Found) -> Envelope:
    """Row 0 of one signature: the first thing that is wrong, or none."""
    data, contents = document.data, b""
    byte_range: tuple[int, ...] = ()
    try:
        entries = _entries(document, found)
        written = entries.get(b"Contents")
        raw = data[written.start : written.stop] if written else b""
        contents = _trimmed(_octets(raw))
        byte_range = _byte_range(data, entries.get(b"ByteRange"))
        _check_spans(data, byte_range, written, raw)
        _check_der(_octets(raw))
        _check_revision(document, found, byte_range[2] + byte_range[3])
        _check_uses(found)
    except _Wrong as wrong:
        return Envelope(wrong.problem, byte_range, contents)
    a, b, c = byte_range[1:]
    return Envelope(None, byte_range, contents, ((0, a), (b, b + c)))


def _entries(document: Document, found: Found) -> dict[bytes, Entry]:
    """The signature dictionary as it stands in the file."""
    data, holder = document.data, found.ref or found.field.ref
    try:
        if holder is None:
            raise LexError("field without number")
        place = document.reader.xrefs.get_historical_ref(holder, found.revision)
        if isinstance(place, ObjStreamRef):
            raise _Wrong("in-stream", "签名字典放在对象流中，不能确定签名所保护的范围")
        if place is None:
            raise LexError("no place")
        at = lexer.object_body(data, place, holder.idnum)
        if found.ref is None:
            at = next((one.start for one in lexer.dictionary(data, at) if one.key == b"V"), at)
        listed = lexer.dictionary(data, at)
    except LexError as error:
        raise _Wrong("structure", "签名字典的结构不对") from error
    keys = sorted(entry.key for entry in listed)
    for one, next_one in pairwise(keys):
        if one == next_one:
            raise _Wrong("duplicate-key", f"签名字典中 /{one.decode('ascii', 'replace')} 出现两次")
    return {entry.key: entry for entry in listed}


def _byte_range(data: bytes, entry: Entry | None) -> tuple[int, ...]:
    if entry is None:
        raise _Wrong("byte-range", "签名字典没有 /ByteRange")
    found = _INTEGERS.fullmatch(data[entry.start : entry.stop])
    if found is None:
        raise _Wrong("byte-range", "/ByteRange 不是四个整数")
    return tuple(int(found[index]) for index in range(1, 5))


def _check_spans(data: bytes, byte_range: tuple[int, ...], written: Entry | None, raw: bytes) -> None:
    first, a, b, c = byte_range
    if first != 0:
        raise _Wrong("not-from-start", f"签名范围不从文件开头起，而从第 {first} 字节起")
    if b < a:
        raise _Wrong("overlap", "签名范围的两段重叠")
    if b + c > len(data):
        raise _Wrong("beyond-file", "签名范围超出文件")
    if written is None or not raw.startswith(b"<") or raw.startswith(b"<<"):
        raise _Wrong("contents", "签名字典没有十六进制的 /Contents")
    if (a, b) != (written.start, written.stop):
        wider = a <= written.start and b >= written.stop
        reason = (
            "签名范围的间隙比 /Contents 宽，有未受保护的内容"
            if wider
            else "签名范围的间隙不是 /Contents 所在之处"
        )
        raise _Wrong("gap-wide" if wider else "gap-elsewhere", reason)
    if _HEX.fullmatch(raw, 1, len(raw) - 1) is None:
        raise _Wrong("contents", "/Contents 中夹有十六进制以外的内容")


def _octets(raw: bytes) -> bytes:
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", raw)
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())


def _trimmed(octets: bytes) -> bytes:
    """Its first element; all of it when there is none."""
    try:
        return octets[: Node(octets, 0, len(octets), ber=True).stop]
    except DerError:
        return octets


def _check_der(octets: bytes) -> None:
    try:
        stop = Node(octets, 0, len(octets), ber=True).stop
    except DerError as error:
        raise _Wrong("contents-der", f"/Contents 不是签名的编码：{error.reason}") from error
    if octets[stop:].strip(b"\0"):
        raise _Wrong("after-der", "/Contents 中签名之后还有非零的字节")


def _check_revision(document: Document, found: Found, end: int) -> None:
    """The second span ends with its revision: after the %%EOF that belongs to its cross-reference table."""
    xrefs, data = document.reader.xrefs, document.data
    ending = _ENDING.search(data, max(0, end - 64), end)
    expected = xrefs.get_startxref_for_revision(found.revision)
    revisions = range(found.revision + 1)
    tables = [xrefs.get_xref_container_info(number) for number in revisions]
    hybrids = [xrefs.get_xref_data(number).hybrid for number in revisions]
    tables += [hybrid.meta_info for hybrid in hybrids if hybrid is not None]
    if ending is None or int(ending[1]) != expected or any(one.end_location > end for one in tables):
        raise _Wrong("not-to-end", "签名范围没有到该修订的结尾（%%EOF）")


def _check_uses(found: Found) -> None:
    if found.rewritten:
        raise _Wrong("rewritten", "签名字典在签名之后被改写")
    if len(found.names) > 1:
        raise _Wrong("two-fields", f"同一个签名被几个签名域使用：{'、'.join(found.names[:5])}")
