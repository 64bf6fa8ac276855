"""What a fetched file holds: DICOM instances, out of whatever users put them in, bounded whatever the bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from struct import unpack_from

from yingqiao.client.fetch.unpack import Budget, gunzipped, multipart_members, refuse, zip_members
from yingqiao.client.fetch.walk import DEFLATED, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, uid, walk
from yingqiao.exchange.fetch import KIND_NAMES, FetchError, FileState, Kind, sniff
from yingqiao.exchange.work import ErrorClass

DICOMDIR = "1.2.840.10008.1.3.10"
MAX_NESTED = 1
"""Archives inside the archive that was fetched."""
_MAX_META = 64
_MAX_META_VALUE = 64 * 1024
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_PREAMBLE = bytes(128) + b"DICM"
_ERROR_PAGES = (Kind.HTML, Kind.JSON)
_INSTANCES = (Kind.DICOM, Kind.META, Kind.DATASET)
_HOLDERS = (Kind.ZIP, Kind.GZIP, Kind.MULTIPART)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. Let go of it before asking for the next: views of large members hold their files."""

    prefix: memoryview
    """Preamble and file meta information as they came; empty when there were none: the keeper makes them."""
    dataset: memoryview
    """As it came, byte for byte."""
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    name: str = ""
    """Of the archive's member; for people, never a path."""


def instances(data: memoryview, content_type: str = "", *, folder: Path | None = None) -> Iterator[Instance]:
    """The instances in a fetched file; `folder` is for large members of archives meanwhile.

    Raises FetchError with state UNUSABLE when it holds none, and after the good ones when some members are
    broken: THEIRS when the other side may send it better another time, POISON when these bytes never will do.
    """
    yield from _held(data, content_type, Budget.of(len(data), folder), MAX_NESTED + 1)


def is_instance(data: memoryview, content_type: str = "") -> bool:
    """Whether a fetched file can be one instance and nothing else."""
    return sniff(data[:512], content_type) in _INSTANCES


def _held(data: memoryview, content_type: str, budget: Budget, depth: int) -> Iterator[Instance]:
    kind = sniff(data[:512], content_type)
    if kind in _INSTANCES:
        yield _instance(data, kind)
    elif kind in _HOLDERS and depth > 0:
        yield from _members(_OPENERS[kind](data, content_type, budget), budget, depth)
    else:
        _no_image(kind)


def _no_image(kind: Kind) -> None:
    if kind is Kind.EMPTY:
        refuse("文件是空的", ErrorClass.THEIRS)
    if kind in _ERROR_PAGES:
        refuse(f"返回的是{KIND_NAMES[kind]}，不是影像", ErrorClass.THEIRS)
    if kind in _HOLDERS:
        refuse("压缩包套了太多层")
    refuse(f"返回的是{KIND_NAMES[kind]}，不是影像" if kind is not Kind.OTHER else "不是 DICOM 影像")


def _members(members: Iterator[tuple[str, memoryview]], budget: Budget, depth: int) -> Iterator[Instance]:
    """Instances of an archive's members. What is no image is passed over, what is a broken one is told."""
    good, broken = 0, list[FetchError]()
    for name, content in members:
        kind = sniff(content[:512])
        if kind not in (*_INSTANCES, *_HOLDERS):
            continue
        try:
            for instance in _held(content, "", budget, depth - 1):
                good += 1
                yield instance if instance.name else replace(instance, name=name)
        except FetchError as error:
            if not isinstance(error, NotAnImageError):
                broken.append(error)
    if broken:
        refuse(f"其中 {len(broken)} 个文件无法使用：{broken[0].reason}", broken[0].error_class)
    if not good:
        refuse("压缩包或应答里没有影像", ErrorClass.THEIRS)


class NotAnImageError(FetchError):
    """DICOM, but nothing that is kept: a DICOMDIR."""


def _from_gzip(data: memoryview, _content_type: str, budget: Budget) -> Iterator[tuple[str, memoryview]]:
    with gunzipped(data, budget) as content:
        yield "", content


def _from_zip(data: memoryview, _content_type: str, budget: Budget) -> Iterator[tuple[str, memoryview]]:
    return zip_members(data, budget)


def _from_multipart(data: memoryview, content_type: str, budget: Budget) -> Iterator[tuple[str, memoryview]]:
    return (("", part) for part in multipart_members(data, content_type, budget))


_OPENERS: dict[Kind, Callable[[memoryview, str, Budget], Iterator[tuple[str, memoryview]]]] = {
    Kind.ZIP: _from_zip,
    Kind.GZIP: _from_gzip,
    Kind.MULTIPART: _from_multipart,
}


@dataclass(frozen=True, slots=True)
class _Meta:
    end: int
    syntax: str
    sop_class: str
    sop_instance: str


def _instance(data: memoryview, kind: Kind) -> Instance:
    meta, start = _read_meta(data, kind)
    dataset = data[meta.end :]
    syntax = meta.syntax or _guess(dataset)
    if meta.sop_class == DICOMDIR:
        raise NotAnImageError(ErrorClass.THEIRS, "这是 DICOMDIR 目录文件，不是影像", state=FileState.UNUSABLE)
    walked = walk(dataset, syntax)
    if syntax in DEFLATED and not (meta.sop_class and meta.sop_instance):
        walked = walk(_first_inflated(dataset), EXPLICIT_LE)
    sop_class = walked.sop_class_uid or meta.sop_class
    sop_instance = walked.sop_instance_uid or meta.sop_instance
    if not (sop_class and sop_instance):
        refuse("不是 DICOM 影像" if kind is Kind.DATASET else "影像没有 SOP 类或 SOP 实例 UID")
    if walked.short:
        refuse("影像不完整：文件在数据中间结束", ErrorClass.THEIRS)
    prefix: memoryview = data[: meta.end]
    if start == 0 and meta.end:
        prefix = memoryview(_PREAMBLE + bytes(prefix))
    elif kind is Kind.META and meta.end:
        prefix = memoryview(bytes(128) + bytes(prefix))
    return Instance(prefix, dataset, syntax, sop_class, sop_instance)


def _read_meta(data: memoryview, kind: Kind) -> tuple[_Meta, int]:
    """The file meta information and where it starts. Its group length is not believed: some lie."""
    start = {Kind.DICOM: 132, Kind.META: 4 if bytes(data[:4]) == b"DICM" else 0}.get(kind, 0)
    if kind is Kind.DATASET:
        return _Meta(0, "", "", ""), 0
    found: dict[int, str] = {}
    pos = start
    for _ in range(_MAX_META):
        if pos + 8 > len(data) or bytes(data[pos : pos + 2]) != b"\2\0":
            break
        element, vr, length = unpack_from("<H2sH", data, pos + 2)
        value = pos + 8
        if vr in _LONG_VRS:
            if pos + 12 > len(data):
                break
            length = unpack_from("<L", data, pos + 8)[0]
            value = pos + 12
        if length > _MAX_META_VALUE or value + length > len(data):
            refuse("DICOM 文件头已损坏", ErrorClass.THEIRS)
        found[element] = uid(data[value : value + length]) if element in (2, 3, 0x10) else ""
        pos = value + length
    if pos >= len(data):
        refuse("只有 DICOM 文件头，没有数据", ErrorClass.THEIRS)
    return _Meta(pos, *(found.get(element, "") for element in (0x10, 2, 3))), start


def _guess(dataset: memoryview) -> str:
    """The syntax of a dataset nothing is said of: as its first element is written."""
    head = bytes(dataset[:8])
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    if explicit and head[:1] == b"\0" and head[1:2] != b"\0":
        return EXPLICIT_BE
    return EXPLICIT_LE if explicit else IMPLICIT_LE


def _first_inflated(dataset: memoryview) -> memoryview:
    try:
        return memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(dataset, 64 * 1024))
    except zlib.error:
        return memoryview(b"")
