"""Seals put into a PDF file by incremental update: what was there stays byte for byte.

One placement is one signature: a signed field with the seal's picture, and for further marks of the same placement
signature widgets that only show it, in the same revision. So earlier signatures stay valid (form filling).
The steps: `prepare` (no key needed, may run in a bounded process), sign its digest, `Prepared.finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import SEEK_SET, BytesIO
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NumberObject,
    StreamObject,
    pdf_date,
    pdf_name,
    pdf_string,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from yingqiao.gm import sm3
from yingqiao.signing.seals.pdf import fields, keywords, pages, picture, placing
from yingqiao.signing.seals.pdf.document import Document, got, opened
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.limits import DEFAULT, Limits
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Mark, Placement

if TYPE_CHECKING:
    from pyhanko.sign.signers.pdf_byterange import PdfByteRangeDigest

PRINTED_AND_LOCKED = 132
_READ_ONLY = 1
_SIGNATURES_EXIST_APPEND_ONLY = 3
_NO_CHANGES = 1
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Names:
    """What the signature dictionary says. Filter and SubFilter of sealed PDFs are in no public standard: settable."""

    filter: str = "Adobe.PPKLite"
    sub_filter: str = "GM.sm2seal"
    name: str = ""
    reason: str = ""
    field: str = "Seal"
    """Fields are called so, with a number that is free."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A revision that lacks only its signature value."""

    base: int
    """Bytes of the file it is appended to."""
    tail: bytes = field(repr=False)
    gap: tuple[int, int]
    """Where /Contents stands in the whole file, its angle brackets included."""
    digest: bytes
    """SM3 of both spans: dataHash."""
    field: str
    page: int
    """From 1: the page of the signed field."""

    @property
    def byte_range(self) -> tuple[int, int, int, int]:
        start, stop = self.gap
        return 0, start, stop, self.base + len(self.tail) - stop

    @property
    def property_info(self) -> str:
        """The range protected, as SES propertyInfo says it (IA5)."""
        return "ByteRange[{} {} {} {}]".format(*self.byte_range)

    @property
    def room(self) -> int:
        """Bytes of signature that fit."""
        start, stop = self.gap
        return (stop - start - 2) // 2

    def finish(self, data: bytes, signature: bytes) -> bytes:
        """The sealed file. Raises PdfError `pdf-reserve` when the signature is longer than the room."""
        if len(data) != self.base:
            raise PdfError("不是准备时的那份文件", code="pdf-place")
        if len(signature) > self.room:
            raise PdfError(f"签章值有 {len(signature)} 字节，只预留了 {self.room} 字节", code="pdf-reserve")
        start = self.gap[0] + 1 - self.base
        digits = signature.hex().encode()
        return b"".join(
            (data, memoryview(self.tail)[:start], digits, memoryview(self.tail)[start + len(digits) :])
        )


Prepare = Callable[..., Prepared]
Sign = Callable[[Prepared], bytes]
"""The SES_Signature over `digest`, with `property_info`."""


def seal_pdf(
    data: bytes,
    placements: Sequence[Placement],
    seal: SealPicture,
    sign: Sign,
    *,
    reserve: int,
    at: datetime,
    names: Names = Names(),
    limits: Limits = DEFAULT,
    preparing: Prepare | None = None,
) -> bytes:
    """The file with a seal for each placement, in their order. Raises PdfError, and whatever `sign` raises.

    `reserve` is the length of a signature made with dummy values; a longer one is signed again with room for it.
    `preparing` may be a face of `prepare` that runs elsewhere.
    """
    for placement in placements:
        data = seal_once(
            data,
            placement,
            seal,
            sign,
            reserve=reserve,
            at=at,
            names=names,
            limits=limits,
            preparing=preparing,
        ).data
    return data


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file with one more seal: `prepared` is its revision, `signature` the SES_Signature in it."""

    data: bytes = field(repr=False)
    prepared: Prepared = field(repr=False)
    signature: bytes = field(repr=False)


def seal_once(
    data: bytes,
    placement: Placement,
    seal: SealPicture,
    sign: Sign,
    *,
    reserve: int,
    at: datetime,
    names: Names = Names(),
    limits: Limits = DEFAULT,
    preparing: Prepare | None = None,
) -> Sealed:
    """As `seal_pdf`, for one placement."""
    for _ in range(_TRIES):
        revision = (preparing or prepare)(
            data, placement, seal, reserve=reserve, at=at, names=names, limits=limits
        )
        signature = sign(revision)
        if len(signature) <= revision.room:
            return Sealed(revision.finish(data, signature), revision, signature)
        reserve = len(signature)
    raise PdfError("签章值的长度每次都不同，无法预留空间", code="pdf-reserve")


def prepared_by(call: Callable[..., Any]) -> Prepare:
    """`prepare` done by `call`, as of a bounded process: `Sandbox.call`."""

    def preparing(*args: Any, **kwargs: Any) -> Prepared:
        made = call(prepare, *args, **kwargs)
        if not isinstance(made, Prepared):
            raise TypeError("not a prepared revision")
        return made

    return preparing


SLACK = 512
"""Bytes beyond the dummy: signature values differ in length, a new time stamp may have a longer serial number."""


def prepare(
    data: bytes,
    placement: Placement,
    seal: SealPicture,
    *,
    reserve: int,
    at: datetime,
    names: Names = Names(),
    limits: Limits = DEFAULT,
) -> Prepared:
    """The revision with one seal, unsigned. `reserve` is in bytes of DER.

    Raises PdfError: encrypted, damaged, too big; locked by a certifying signature; page, place, keyword not to be had.
    """
    picture.check(seal)

    def work(document: Document) -> Prepared:
        _check_unlocked(document, limits)
        marks = resolve(document, placement, seal, limits)
        return _revision(document, marks, seal, reserve + SLACK, at, names)

    return opened(data, limits, work)


def resolve(
    document: Document, placement: Placement, seal: SealPicture, limits: Limits = DEFAULT
) -> list[Mark]:
    """The marks of a placement in this file. Raises PdfError."""
    listed = list(pages.walk(document.reader, limits))
    width, height = seal.width_mm, seal.height_mm
    if isinstance(placement, AtPoint):
        return placing.at_point(placement, listed, width, height)
    if isinstance(placement, AtKeyword):
        found = keywords.find(document.data, placement.text, listed, placement.nth)
        centres = [(one.page, *one.centre_mm) for one in found]
        return [
            placing.around(page, x + placement.dx_mm, y + placement.dy_mm, width, height)
            for page, x, y in centres
        ]
    return placing.paging(placement, listed, width, height)


def _check_unlocked(document: Document, limits: Limits) -> None:
    """An earlier signature that allows no changes, or no more fields, would be broken by ours (12.8.2.2, 12.8.2.4)."""
    latest = document.reader.get_historical_resolver(document.revisions - 1)
    signed = [one.value.get_object() for one in fields.of_revision(latest, limits) if one.value is not None]
    certified = got(got(document.reader.root, "/Perms", {}), "/DocMDP")
    for value in (certified, *signed):
        for reference in got(value, "/Reference", []) if isinstance(value, DictionaryObject) else ():
            parameters = got(reference.get_object(), "/TransformParams", {})
            if got(parameters, "/P") == _NO_CHANGES or got(parameters, "/Action") == "/All":
                raise PdfError("文件已由先前的签名锁定，不允许再改动，不能再加盖印章", code="pdf-locked")


def _revision(
    document: Document, marks: Sequence[Mark], seal: SealPicture, room: int, at: datetime, names: Names
) -> Prepared:
    writer = _Increment(document.reader.stream, prev=document.reader)
    value = _signature(writer, names, at, room)
    image = picture.embed(writer, seal.data)
    form, listed = _form(writer)
    name = _free_name(listed, names.field)
    for number, mark in enumerate(marks):
        own = name if number == 0 else f"{name}-{number + 1}"
        widget = writer.add_object(_widget(writer, mark, seal, image, own))
        if number == 0:
            widget.get_object()[pdf_name("/V")] = value[1]
        else:
            widget.get_object()[pdf_name("/Ff")] = NumberObject(_READ_ONLY)
        listed.append(widget)
        writer.register_annotation(mark.page.ref, widget)
    form[pdf_name("/SigFlags")] = NumberObject(_SIGNATURES_EXIST_APPEND_ONLY)
    writer.update_container(listed)
    writer.update_container(form)
    return _written(document.data, writer, value[0], name, marks[0].page.number)


class _Increment(IncrementalPdfFileWriter):  # type: ignore[misc]  # pyHanko has types, but not for others
    """Writes what is new and nothing else: information and metadata of the document stay as they are."""

    output_version = (1, 4)  # what soft masks need

    def _write_header(self, stream: Any) -> None:
        """The file itself is not copied."""

    def _update_meta(self) -> None:
        """Neither ModDate nor XMP is touched."""


class _Tail(BytesIO):
    """What is appended to a file: positions count from the file's start."""

    def __init__(self, base: int) -> None:
        super().__init__()
        self._base = base

    def tell(self) -> int:
        return self._base + super().tell()

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        return self._base + super().seek(offset - self._base if whence == SEEK_SET else offset, whence)


def _written(data: bytes, writer: _Increment, value: PdfByteRangeDigest, name: str, page: int) -> Prepared:
    tail = _Tail(len(data))
    if not data.endswith((b"\n", b"\r")):
        tail.write(b"\n")
    writer.write(tail)
    start, stop = value.contents.offsets
    value.byte_range.fill_offsets(tail, start, stop, tail.tell())
    content = tail.getvalue()
    own = memoryview(content)
    digest = sm3.digest(data, own[: start - len(data)], own[stop - len(data) :])
    return Prepared(len(data), content, (start, stop), digest, name, page)


def _signature(
    writer: _Increment, names: Names, at: datetime, room: int
) -> tuple[PdfByteRangeDigest, IndirectObject]:
    from pyhanko.sign.signers.pdf_byterange import (
        PdfByteRangeDigest,  # an HTTP client comes with it: only workers load it
    )

    value = PdfByteRangeDigest(bytes_reserved=2 * room)
    more = {"/Name": names.name, "/Reason": names.reason}
    value.update(
        {
            pdf_name("/Type"): pdf_name("/Sig"),
            pdf_name("/Filter"): pdf_name("/" + names.filter),
            pdf_name("/SubFilter"): pdf_name("/" + names.sub_filter),
            pdf_name("/M"): pdf_date(at),
        }
        | {pdf_name(key): pdf_string(text) for key, text in more.items() if text}
    )
    return value, writer.add_object(value)


def _form(writer: _Increment) -> tuple[DictionaryObject, ArrayObject]:
    """The document's form and its fields, made where there are none."""
    form = got(writer.root, "/AcroForm")
    if not isinstance(form, DictionaryObject):
        form = DictionaryObject({pdf_name("/Fields"): ArrayObject()})
        writer.root[pdf_name("/AcroForm")] = writer.add_object(form)
        writer.update_root()
    listed = got(form, "/Fields")
    if not isinstance(listed, ArrayObject):
        form[pdf_name("/Fields")] = listed = ArrayObject()
    return form, listed


def _free_name(listed: ArrayObject, stem: str) -> str:
    taken = {str(got(one.get_object(), "/T", "")) for one in list(listed)}
    number = 1
    while any(name == f"{stem}{number}" or name.startswith(f"{stem}{number}-") for name in taken):
        number += 1
    return f"{stem}{number}"


def _widget(
    writer: _Increment, mark: Mark, seal: SealPicture, image: IndirectObject, name: str
) -> DictionaryObject:
    rect = mark.page.rect(mark.x_mm, mark.y_mm, mark.part.width, mark.part.height)
    look = writer.add_object(_appearance(mark, seal, image))
    page = mark.page.ref
    return DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Widget"),
            pdf_name("/FT"): pdf_name("/Sig"),
            pdf_name("/T"): pdf_string(name),
            pdf_name("/F"): NumberObject(PRINTED_AND_LOCKED),
            pdf_name("/P"): IndirectObject(page.idnum, page.generation, writer),
            pdf_name("/Rect"): _numbers(*rect),
            pdf_name("/AP"): DictionaryObject({pdf_name("/N"): look}),
        }
    )


def _appearance(mark: Mark, seal: SealPicture, image: IndirectObject) -> StreamObject:
    """The whole picture under a bounding box that shows the part; turned so that it is upright on a turned page."""
    scale, part = mark.page.per_mm, mark.part
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[mark.page.rotation]
    described = {
        pdf_name("/Type"): pdf_name("/XObject"),
        pdf_name("/Subtype"): pdf_name("/Form"),
        pdf_name("/FormType"): NumberObject(1),
        pdf_name("/BBox"): _numbers(
            *(scale * edge for edge in (part.left, part.bottom, part.right, part.top))
        ),
        pdf_name("/Matrix"): _numbers(cosine, sine, -sine, cosine, 0, 0),
        pdf_name("/Resources"): DictionaryObject(
            {pdf_name("/XObject"): DictionaryObject({pdf_name("/Seal"): image})}
        ),
    }
    drawn = f"q {seal.width_mm * scale:.4f} 0 0 {seal.height_mm * scale:.4f} 0 0 cm /Seal Do Q"
    return StreamObject(described, stream_data=drawn.encode())


def _numbers(*values: float) -> ArrayObject:
    return ArrayObject(FloatObject(f"{value:.4f}") for value in values)
