"""A PDF file opened through its cross-reference tables, all revisions of it, within limits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any, TypeVar

from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.misc import PdfError as PyhankoError
from pyhanko.pdf_utils.reader import PdfFileReader

from yingqiao.signing.seals.pdf.errors import PdfError, damaged, too_big
from yingqiao.signing.seals.pdf.limits import DEFAULT, MIB, Limits

_T = TypeVar("_T")
_log = logging.getLogger("pyhanko")
_log.addHandler(logging.NullHandler())
_log.propagate = False  # it quotes what it reads, and reports are patients'


class Manner(StrEnum):
    """How a file's syntax could be read."""

    STRICT = "strict"
    LOOSE_OBJECTS = "loose-objects"
    """Its tables are right; some object is not."""
    LOOSE_TABLES = "loose-tables"


@dataclass(frozen=True, slots=True)
class Document:
    """The file with its reader."""

    data: bytes
    reader: PdfFileReader
    manner: Manner = Manner.STRICT

    @property
    def revisions(self) -> int:
        return int(self.reader.xrefs.total_revisions)

    def ends(self) -> list[int]:
        """Where the table of each revision begins, as the file says: near the revision's end."""
        return [self.reader.xrefs.get_startxref_for_revision(one) for one in range(self.revisions)]


def opened(data: bytes, limits: Limits, work: Callable[[Document], _T]) -> _T:
    """`work` done on the file read strictly, and when that fails as viewers read.

    Raises PdfError: encrypted, damaged, too big, and what `work` raises.
    """
    manner = Manner.LOOSE_TABLES
    try:
        document = open_document(data, limits)
        manner = Manner.LOOSE_OBJECTS
        with hostile():
            return work(document)
    except PdfError as error:
        if error.code != "pdf-damaged":
            raise
    document = open_document(data, limits, manner)
    with hostile():
        return work(document)


def open_document(data: bytes, limits: Limits = DEFAULT, manner: Manner = Manner.STRICT) -> Document:
    """Raises PdfError: encrypted, damaged, too big."""
    if len(data) > limits.bytes:
        raise too_big(f"{len(data) / MIB:.1f} MiB，上限 {limits.bytes // MIB} MiB")
    if not data.startswith(b"%PDF-"):
        raise damaged("文件头之前有其他内容" if b"%PDF-" in data[:1024] else "不是 PDF 文件")
    document = Document(data, _read(data, limits, strict=manner is Manner.STRICT), manner)
    if document.revisions > limits.revisions:
        raise too_big(f"{document.revisions} 个修订，上限 {limits.revisions}")
    return document


def _read(data: bytes, limits: Limits, *, strict: bool) -> PdfFileReader:
    budget = DocumentDecodeBudget(base_allowance=limits.decoded, max_ratio=10)
    with hostile():
        reader = PdfFileReader(
            BytesIO(data), strict=strict, decode_limits=DecodeLimits(document_budget=budget)
        )
        if "/Encrypt" in reader.trailer:
            raise PdfError("PDF 已加密，不能加盖或验证印章", code="pdf-encrypted")
        assert isinstance(reader.root, dict)  # noqa: S101 becomes `damaged`
        return reader


def got(node: Any, key: str, default: Any = None) -> Any:
    """The value under `key`, references followed; `default` for a missing key and for null."""
    try:
        return node[key]
    except KeyError:
        return default


@contextmanager
def hostile() -> Iterator[None]:
    """Around whatever walks a file's objects: all that may be raised on odd bytes becomes PdfError."""
    try:
        yield
    except (PdfError, MemoryError):
        raise
    except PdfDecodeLimitError as error:
        raise too_big("压缩的内容展开后过大") from error
    except RecursionError as error:
        raise damaged("嵌套过深") from error
    except PyhankoError as error:
        raise damaged(_words(error)) from error
    except Exception as error:
        raise damaged(f"对象的结构不对（{type(error).__name__}）") from error


def _words(error: Exception) -> str:
    """pyHanko's own words, short, without what is quoted from the file."""
    text = str(error).split("\n")[0]
    for begin, words in _KNOWN.items():
        if text.startswith(begin):
            return words
    return "交叉引用表或对象不完整"


_KNOWN = {
    "EOF marker not found": "没有 %%EOF 结尾",
    "startxref not found": "没有 startxref",
    "Illegal PDF header": "文件头不对",
    "startxref loop": "交叉引用表成环",
    "Could not find xref table": "找不到交叉引用表",
    "Circular reference in page tree": "页面树成环",
    "Page not found": "页面树不完整",
    "Page index out of range": "没有这一页",
    "Multiple definitions in dictionary": "同一字典中有重复的键",
}
