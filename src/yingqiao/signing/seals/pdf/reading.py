"""The signatures of a PDF file, all of them, examined: row 0, what came after, how they look. Bytes in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyhanko.pdf_utils.generic import DictionaryObject, parse_pdf_date
from pyhanko.pdf_utils.misc import PdfError as PyhankoError

from yingqiao.signing.seals.pdf import appearance as looks
from yingqiao.signing.seals.pdf import changes, envelope, fields, kinds, pages
from yingqiao.signing.seals.pdf.digests import Digests
from yingqiao.signing.seals.pdf.document import Document, Manner, got, opened
from yingqiao.signing.seals.pdf.envelope import Envelope
from yingqiao.signing.seals.pdf.fields import Field, Found
from yingqiao.signing.seals.pdf.limits import DEFAULT, Limits
from yingqiao.signing.seals.pdf.model import Appearance, Kind, PdfSignature, Problem, SealedPdf
from yingqiao.signing.seals.pdf.pages import Box, box_of

_LONGEST_TEXT = 500
_HIDDEN = 2 | 32
"""Flags of an annotation: Hidden, NoView."""
_STANDARD_SUB_FILTERS = {
    "GM.sm2seal": Kind.SES,
    "GM.sm2cms.detached": Kind.GM0010,
    "adbe.pkcs7.detached": None,
    "ETSI.CAdES.detached": None,
    "ETSI.RFC3161": Kind.TIMESTAMP,
}


def read(data: bytes, limits: Limits = DEFAULT, *, appearances: bool = True) -> SealedPdf:
    """All signatures in the order of signing. Raises PdfError: encrypted, damaged, above a limit.

    A file without signatures gives an empty tuple. Nothing cryptographic is judged but the digests computed.
    """
    return opened(data, limits, lambda document: _read(document, limits, appearances))


def _read(document: Document, limits: Limits, appearances: bool) -> SealedPdf:
    with Digests(document.data, document.ends()) as digests:
        read, envelopes = _examined(document, limits, appearances)
        each = digests.of(envelopes)
    signatures = (replace(one, digests=own) for one, own in zip(read.signatures, each, strict=True))
    return replace(read, signatures=tuple(signatures))


def _examined(document: Document, limits: Limits, appearances: bool) -> tuple[SealedPdf, list[Envelope]]:
    """Everything but the digests."""
    found = fields.collect(document, limits)
    places = _places(document, found, limits)
    envelopes = [envelope.examine(document, one) for one in found]
    found_kinds = [kinds.sniff(env.contents) for env in envelopes]
    signed = frozenset(
        one.revision
        for one, env, kind in zip(found, envelopes, found_kinds, strict=True)
        if env.problem is None and kind is not Kind.UNKNOWN
    )
    context = _Context(document, places, signed, limits, appearances)
    signatures = tuple(
        _signature(context, index, *parts)
        for index, parts in enumerate(zip(found, envelopes, found_kinds, strict=True))
    )
    count = _page_count(document, limits, places)
    read = SealedPdf(count, len(document.data), document.revisions, signatures, _troubles(document))
    return read, envelopes


@dataclass(frozen=True, slots=True)
class _Context:
    """What is the same for all signatures of a file."""

    document: Document
    places: Mapping[Any, int]
    signed: frozenset[int]
    """Revisions that a signature covers to their end."""
    limits: Limits
    appearances: bool


def _signature(context: _Context, index: int, found: Found, env: Envelope, kind: Kind) -> PdfSignature:
    document, node = context.document, found.node if found.node is not None else DictionaryObject()
    problem: Problem | None = None
    named: tuple[str, ...] = ()
    if env.problem is None:
        problem, named = changes.judged(document, found.revision, env.end, context.signed, context.limits)
    look = looks.look(found.field, env.contents) if context.appearances and kind is Kind.SES else None
    page, rect = _place(found.field, context.places)
    sub_filter = _name(node, "/SubFilter")
    return PdfSignature(
        index,
        found.field.name,
        page,
        rect,
        _name(node, "/Filter"),
        sub_filter,
        env.byte_range,
        env.contents,
        kind,
        found.revision,
        env.problem,
        problem,
        named,
        tuple(_warnings(context, found, kind, sub_filter, page, look)),
        look,
        _moment(node),
        _text(node, "/Name"),
        _text(node, "/Reason"),
    )


def _warnings(
    context: _Context, found: Found, kind: Kind, sub_filter: str, page: int | None, look: Appearance | None
) -> list[str]:
    said: list[str] = []
    if found.last_seen < context.document.revisions - 1:
        said.append("签名域已在后来的修订中移除，据历史修订查出")
    if page is None:
        said.append("没有页面显示这个签名")
    elif all(_hidden(node) for _, node in found.field.widgets):
        said.append("签名域设为不在屏幕上显示，页面上看不到印章")
    if look is not None and look.same is False:
        said.append("页面上显示的图样与印章图片不同")
    if context.appearances and kind is Kind.SES and look is None and page is not None:
        said.append("无法绘出页面上的图样，未与印章图片比较")
    hinted = _STANDARD_SUB_FILTERS.get(sub_filter)
    if hinted is not None and kind not in (hinted, Kind.UNKNOWN):
        said.append(f"SubFilter 为 {sub_filter}，与内容的形式不符")
    return said


def _hidden(widget: DictionaryObject) -> bool:
    flags = got(widget, "/F", 0)
    return isinstance(flags, int) and bool(flags & _HIDDEN)


def _troubles(document: Document) -> tuple[str, ...]:
    return ("文件结构不完全符合 PDF 规范，按宽松方式读取",) if document.manner is not Manner.STRICT else ()


def _places(document: Document, found: Sequence[Found], limits: Limits) -> dict[Any, int]:
    """Number of the page, from 1, of each object that a page lists as an annotation; only when someone asks."""
    wanted = {ref.idnum for one in found for ref, _ in one.field.widgets if ref is not None}
    places: dict[Any, int] = {}
    if not wanted:
        return places
    for number in sorted({one.revision for one in found} | {document.revisions - 1}, reverse=True):
        resolver = document.reader.get_historical_resolver(number)
        for page in pages.walk(resolver, limits):
            for pointer in got(resolver(page.ref), "/Annots") or ():
                idnum = getattr(pointer, "idnum", None)
                if idnum in wanted:
                    places.setdefault(idnum, page.number)
        if wanted <= places.keys():
            break
    return places


def _page_count(document: Document, limits: Limits, places: Mapping[Any, int]) -> int:
    """As the page tree says, no less than what was seen of it."""
    stated = got(got(document.reader.root, "/Pages", {}), "/Count", 0)
    count = int(stated) if isinstance(stated, int) else 0
    if 0 < count <= limits.pages:
        return max(count, *places.values(), 0)
    return sum(1 for _ in pages.walk(document.reader, limits))


def _place(field: Field, places: Mapping[Any, int]) -> tuple[int | None, Box | None]:
    """The first page that shows a widget of the field, and where."""
    shown = [
        (places[ref.idnum], box_of(got(node, "/Rect")))
        for ref, node in field.widgets
        if ref is not None and ref.idnum in places
    ]
    if not shown:
        return None, None
    return min(shown, key=lambda one: one[0])


def _name(node: DictionaryObject, key: str) -> str:
    value = got(node, key)
    return str(value).removeprefix("/")[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _text(node: DictionaryObject, key: str) -> str:
    value = got(node, key)
    return str(value)[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _moment(node: DictionaryObject) -> datetime | None:
    try:
        moment: datetime = parse_pdf_date(got(node, "/M"), strict=False)
    except (PyhankoError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return moment
