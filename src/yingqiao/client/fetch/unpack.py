"""Archives opened within bounds: zip, gzip and MIME multipart, as members one at a time.

Whatever the bytes, the end is members or a FetchError; what comes out is bounded by what went in.
"""

from __future__ import annotations

import io
import lzma
import mmap
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from yingqiao.exchange.fetch import FetchError, FileState
from yingqiao.exchange.work import ErrorClass

MAX_ENTRIES = 20_000
MAX_DIRECTORY = 4 << 20
"""Bytes of a zip's table of contents."""
IN_MEMORY = 8 << 20
"""Bytes of a member kept in memory; more go to a temporary file."""
_STEP = 1 << 20
_MAX_PART_HEAD = 16 * 1024
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, RuntimeError),
    *(ValueError, OverflowError, KeyError, IndexError),
)
"""What zipfile raises of bad bytes."""


@dataclass(slots=True)
class Budget:
    """What may still come out of one fetched file."""

    left: int
    entries: int = MAX_ENTRIES
    folder: Path | None = None
    """Where large members are put meanwhile; None: the system's temporary folder."""

    @classmethod
    def of(cls, size: int, folder: Path | None) -> Budget:
        """A hundred times what came, and some for small files of blank images."""
        return cls(100 * size + (256 << 20), folder=folder)

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            refuse("压缩包解开后过大，疑似压缩炸弹")

    def entry(self) -> None:
        self.entries -= 1
        if self.entries < 0:
            refuse(f"压缩包中的文件超过 {MAX_ENTRIES} 个")


def refuse(words: str, error_class: ErrorClass = ErrorClass.POISON) -> NoReturn:
    raise FetchError(error_class, words, state=FileState.UNUSABLE)


class _View(io.RawIOBase):
    """A view as the file zipfile wants; refuses to read a table of contents of unreasonable size at once."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._view)}[whence]
        if start + offset < 0:
            raise zipfile.BadZipFile("negative seek")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, len(self._view) - self._at)
        count = left if size is None or size < 0 else min(size, left)
        if count > MAX_DIRECTORY:
            raise zipfile.BadZipFile("too much at once")
        data = bytes(self._view[self._at : self._at + count])
        self._at += count
        return data


def zip_members(data: memoryview, budget: Budget) -> Iterator[tuple[str, memoryview]]:
    """Names (of no trust: never used as paths) and contents. Raises FetchError."""
    stream = _View(data)
    try:
        with zipfile.ZipFile(stream) as archive:  # it has all that is used
            for info in archive.infolist():
                if not info.is_dir():
                    budget.entry()
                    yield from _zip_member(archive, info, budget)
    except _BROKEN as error:
        raise FetchError(ErrorClass.THEIRS, "zip 压缩包已损坏，或不完整", state=FileState.UNUSABLE) from error


def _zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget
) -> Iterator[tuple[str, memoryview]]:
    if info.flag_bits & 0x41:
        refuse("zip 压缩包有密码，无法打开")
    if info.file_size > budget.left:
        budget.take(info.file_size)
    with archive.open(info) as stream, _gathered(_chunks(stream), budget) as content:
        yield info.filename, content


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := stream.read(_STEP):
            yield chunk
    except OSError as error:  # bzip2's word for bad data; nothing is read from a disk here
        raise zipfile.BadZipFile(str(error)) from error


@contextmanager
def gunzipped(data: memoryview, budget: Budget) -> Iterator[memoryview]:
    """The content of a gzip file. Raises FetchError."""
    with _gathered(_inflated(data), budget) as content:
        yield content


def _inflated(data: memoryview) -> Iterator[bytes]:
    machine = zlib.decompressobj(wbits=31)
    rest: memoryview | bytes = data
    try:
        while not machine.eof:
            piece = machine.decompress(rest, _STEP)
            rest = machine.unconsumed_tail
            if piece:
                yield piece
            elif not rest and not machine.eof:
                refuse("gzip 文件不完整", ErrorClass.THEIRS)
    except zlib.error as error:
        raise FetchError(ErrorClass.THEIRS, "gzip 文件已损坏", state=FileState.UNUSABLE) from error


@contextmanager
def _gathered(chunks: Iterator[bytes], budget: Budget) -> Iterator[memoryview]:
    """Chunks as one view: in memory, or a mapped temporary file, gone with the last view, when they are many."""
    small = bytearray()
    for chunk in chunks:
        budget.take(len(chunk))
        small += chunk
        if len(small) > IN_MEMORY:
            break
    else:
        yield memoryview(small)
        return
    with tempfile.TemporaryFile(dir=budget.folder) as file:
        file.write(small)
        del small
        for chunk in chunks:
            budget.take(len(chunk))
            file.write(chunk)
        file.flush()
        yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def multipart_members(data: memoryview, content_type: str, budget: Budget) -> Iterator[memoryview]:
    """The parts' contents (RFC 2046 5.1). Raises FetchError: no boundary, or cut short after what was
    yielded.
    """
    boundary = re.escape(_boundary(data, content_type))
    start = -1
    for match in re.finditer(rb"(?:\A|\r?\n)--" + boundary + rb"(--)?[ \t]*(?=\r?\n|\Z)", data):
        if start >= 0:
            budget.entry()
            yield _part_content(data[start : match.start()])
        if match[1]:
            return
        start = match.end()
    refuse("multipart 应答不完整", ErrorClass.THEIRS)


def _boundary(data: memoryview, content_type: str) -> bytes:
    match = re.search(r'boundary="?([^";\r\n]{1,200})', content_type, re.IGNORECASE)
    if match:
        return match[1].strip().encode("latin-1", "replace")
    first = re.match(rb"\s*--([^\r\n]{1,200}?)[ \t]*\r?\n", bytes(data[:512]))
    if not first:
        refuse("multipart 应答没有分隔符", ErrorClass.THEIRS)
    return first[1]


def _part_content(part: memoryview) -> memoryview:
    blank = re.search(rb"\r?\n\r?\n", part[:_MAX_PART_HEAD])
    return part[blank.end() :] if blank else part[:0]
