"""What later revisions did to a signed document: pyHanko's difference policy decides, and ours on overlays (1011)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, ModificationLevel
from pyhanko.sign.diff_analysis.policy_api import DiffResult, SuspiciousModification

from yingqiao.signing.seals.pdf import fields, pages
from yingqiao.signing.seals.pdf.document import Document, Manner, got, hostile
from yingqiao.signing.seals.pdf.errors import PdfError, damaged
from yingqiao.signing.seals.pdf.fields import Field
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.model import CHANGED, Problem

_MOST_NAMED = 12
_MOST_FOLLOWED, _DEEPEST = 2_000, 4
_BLANK = b"\0\t\n\f\r "
_PAGE_PARTS = {
    "/Contents": "内容",
    "/Resources": "资源（图像、字体）",
    "/Rotate": "旋转方向",
    "/CropBox": "裁剪框",
    "/MediaBox": "页面尺寸",
}
_ROOT_PARTS = {
    "/Pages": "页面树",
    "/OpenAction": "打开时的动作",
    "/AA": "自动动作",
    "/Names": "名称树（脚本、附件）",
    "/OCProperties": "图层",
    "/Perms": "权限",
}


def judge(
    document: Document, revision: int, end: int, signed: frozenset[int], limits: Limits
) -> tuple[Problem | None, tuple[str, ...]]:
    """What came after a signature of `revision` that ends at byte `end`, and Chinese names of it.

    `signed` are the revisions that some signature covers to their end.
    """
    later = range(revision + 1, document.revisions)
    if not later:
        return _appended(document.data, end), ()
    with hostile():
        _check_syntax(document, later)
        reader = document.reader
        old = reader.get_historical_resolver(revision)
        new = reader.get_historical_resolver(document.revisions - 1)
        overlays = list(_overlays(document, later, signed, limits))
        try:
            result: Any = DEFAULT_DIFF_POLICY.review_file(reader, revision)
        except SuspiciousModification as error:
            result = error
        changes = tuple(_unique(_named(document, old, new, revision, limits)))
    if overlays:
        return Problem(
            CHANGED, "overlay", f"签章之后增加了未签名的可见内容：{'、'.join(overlays[:3])}"
        ), changes
    if isinstance(result, DiffResult) and result.modification_level <= ModificationLevel.FORM_FILLING:
        return None, changes
    what = "；".join(changes[:5]) or "对象被改写"
    return Problem(CHANGED, "modified", f"签章之后文件被修改：{what}"), changes


def judged(
    document: Document, revision: int, end: int, signed: frozenset[int], limits: Limits
) -> tuple[Problem | None, tuple[str, ...]]:
    """As `judge`; what cannot be compared counts as modified."""
    try:
        return judge(document, revision, end, signed, limits)
    except PdfError as error:
        return Problem(CHANGED, "modified", f"签章之后的修订无法比较，视为被修改（{error.reason}）"), ()


def _check_syntax(document: Document, later: range) -> None:
    """Of a file read loosely, later revisions are still held to the letter: of a key that stands twice pyHanko sees
    the first, viewers the second. Raises PdfError, and what pyHanko raises.
    """
    if document.manner is Manner.LOOSE_TABLES:
        raise damaged("交叉引用表不合规范")
    reader = document.reader
    if document.manner is Manner.STRICT:
        return
    reader.strict = True
    try:
        for number in later:
            for ref in reader.xrefs.explicit_refs_in_revision(number):
                if reader.xrefs.get_historical_ref(ref, number) is not None:
                    reader.get_object(ref, revision=number)
    finally:
        reader.strict = False


def _appended(data: bytes, end: int) -> Problem | None:
    """After the last revision nothing may stand: a reader that repairs files would take it for content."""
    if data[end:].strip(_BLANK):
        return Problem(CHANGED, "appended", "签章之后文件末尾附加了不属于任何修订的内容")
    return None


def _overlays(document: Document, later: range, signed: frozenset[int], limits: Limits) -> Iterator[str]:
    """Signature widgets that show something, of revisions that nobody signed: they may cover anything."""
    for number in later:
        if number in signed:
            continue
        resolvers = (document.reader.get_historical_resolver(one) for one in (number - 1, number))
        before, after = (_visible(fields.of_revision(one, limits)) for one in resolvers)
        yield from (f"签名域 {name}" for name in sorted(after - before))


def _visible(listed: list[Field]) -> set[str]:
    return {one.name for one in listed if one.visible}


def _unique(names: Iterator[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        found.setdefault(name)
        if len(found) >= _MOST_NAMED:
            break
    return list(found)


def _named(
    document: Document, old: HistoricalResolver, new: HistoricalResolver, revision: int, limits: Limits
) -> Iterator[str]:
    """Names of what differs, what matters most first."""
    touched = {
        (ref.idnum, ref.generation)
        for number in range(revision + 1, document.revisions)
        for ref in document.reader.xrefs.explicit_refs_in_revision(number)
    }
    before = {one.name: one for one in fields.of_revision(old, limits)}
    after = {one.name: one for one in fields.of_revision(new, limits)}
    for name in before:
        if name not in after:
            yield f"签名域 {name} 被移除"
    yield from _pages(old, new, touched, set(_widget_refs(after)), limits)
    for key, words in _ROOT_PARTS.items():
        if key != "/Pages" and not _same(old.root, new.root, key, touched):
            yield f"{words}被改动"
    yield from (f"增加签名域 {name}" for name in after if name not in before)
    for name, one in after.items():
        if name in before and before[name].value is None and one.value is not None:
            yield f"签署已有的签名域 {name}"


def _widget_refs(listed: dict[str, Field]) -> Iterator[tuple[int, int]]:
    for one in listed.values():
        yield from ((ref.idnum, ref.generation) for ref, _ in one.widgets if ref is not None)


def _pages(
    old: HistoricalResolver,
    new: HistoricalResolver,
    touched: set[tuple[int, int]],
    widgets: set[tuple[int, int]],
    limits: Limits,
) -> Iterator[str]:
    before, after = list(pages.walk(old, limits)), list(pages.walk(new, limits))
    if len(before) != len(after):
        yield f"页数由 {len(before)} 变为 {len(after)}"
    for first, second in zip(before, after, strict=False):
        if first.ref != second.ref:
            yield f"第 {first.number} 页被替换"
            continue
        one, two = old(first.ref), new(second.ref)
        for key, words in _PAGE_PARTS.items():
            if not _same(one, two, key, touched):
                yield f"第 {first.number} 页的{words}被改动"
        yield from (f"第 {first.number} 页{words}" for words in _annotations(one, two, touched, widgets))


def _annotations(
    one: DictionaryObject, two: DictionaryObject, touched: set[tuple[int, int]], widgets: set[tuple[int, int]]
) -> Iterator[str]:
    before, after = (_refs(got(node, "/Annots")) for node in (one, two))
    for ref, pointer in after.items():
        if ref in widgets:
            continue
        if ref not in before:
            yield f"增加了批注（{_subtype(pointer)}）"
        elif ref in touched:
            yield f"的批注（{_subtype(pointer)}）被改动"
    if any(ref not in after for ref in before):
        yield "的批注被移除"


def _refs(annotations: Any) -> dict[tuple[int, int], Any]:
    if not isinstance(annotations, ArrayObject):
        return {}
    return {(one.idnum, one.generation): one for one in annotations if isinstance(one, IndirectObject)}


def _subtype(pointer: Any) -> str:
    subtype = got(pointer.get_object(), "/Subtype")
    return re.sub(r"[^\w]", "", str(subtype))[:20] or "未知类型"


def _same(one: Any, two: Any, key: str, touched: set[tuple[int, int]]) -> bool:
    """Whether the value is written alike and none of the objects below it was written again."""
    return repr(one.get(key)) == repr(two.get(key)) and not touched & _pointers(two.get(key))


def _pointers(value: Any) -> set[tuple[int, int]]:
    """The objects a value refers to, a few references down, not upwards in the page tree."""
    found: set[tuple[int, int]] = set()
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting and len(found) < _MOST_FOLLOWED:
        one, deep = waiting.pop()
        if isinstance(one, IndirectObject):
            ref = one.idnum, one.generation
            if ref not in found and deep < _DEEPEST:
                found.add(ref)
                waiting.append((one.get_object(), deep + 1))
        elif isinstance(one, DictionaryObject):
            waiting += [(item, deep) for name, item in one.items() if name not in ("/Parent", "/P")]
        elif isinstance(one, list):
            waiting += [(item, deep) for item in list(one)]
    return found
