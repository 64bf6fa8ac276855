"""Every signature of a file, found through the fields of every revision: removed ones and unknown SubFilters too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, Reference
from pyhanko.pdf_utils.misc import PdfError as PyhankoError
from pyhanko.pdf_utils.reader import HistoricalResolver

from yingqiao.signing.seals.pdf.document import Document, got
from yingqiao.signing.seals.pdf.errors import too_big
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.pages import box_of

_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Field:
    """A signature field of one revision."""

    name: str
    ref: Reference | None
    node: DictionaryObject
    value: IndirectObject | DictionaryObject | None
    """Its signature dictionary, by reference or (rare) direct."""
    widgets: tuple[tuple[Reference | None, DictionaryObject], ...]

    @property
    def visible(self) -> bool:
        return any(_area(node) > 0 for _, node in self.widgets)


@dataclass(slots=True)
class Found:
    """One signature dictionary and the fields that ever pointed to it."""

    ref: Reference | None
    revision: int
    """Where its dictionary was written last, as far as it was in use."""
    field: Field
    names: list[str]
    last_seen: int
    rewritten: bool = False
    node: DictionaryObject | None = None


def of_revision(resolver: HistoricalResolver, limits: Limits) -> list[Field]:
    """The signature fields of one revision, signed and unsigned, in the order of the form."""
    try:
        root = resolver.root
    except (KeyError, PyhankoError):  # the first table of a linearized file knows no catalog
        return []
    form = got(root, "/AcroForm")
    fields = got(form, "/Fields") if isinstance(form, DictionaryObject) else None
    return list(_walk(fields, limits)) if isinstance(fields, ArrayObject) else []


def _walk(fields: Any, limits: Limits) -> Iterator[Field]:
    waiting: list[tuple[Any, str, Any, Any, int]] = [
        (one, "", None, None, 0) for one in reversed(list(fields))
    ]
    seen: set[Reference] = set()
    met = 0
    while waiting:
        pointer, prefix, kind, value, depth = waiting.pop()
        met += 1
        if met > limits.fields or depth > _DEEPEST:
            raise too_big(f"表单域超过 {limits.fields} 个或嵌套过深")
        ref = pointer.reference if isinstance(pointer, IndirectObject) else None
        if ref is not None:
            if ref in seen:
                continue
            seen.add(ref)
        node = pointer.get_object()
        if not isinstance(node, DictionaryObject):
            continue
        name = _joined(prefix, node)
        kind, value = got(node, "/FT", kind), _raw(node, "/V", value)
        kids = [(kid, _node(kid)) for kid in _list(node, "/Kids")]
        if any("/T" in kid for _, kid in kids):
            waiting.extend((kid, name, kind, value, depth + 1) for kid, _ in reversed(kids))
        elif kind == "/Sig":
            yield Field(name, ref, node, _signature(value), _widgets(pointer, node, kids))


def collect(document: Document, limits: Limits) -> list[Found]:
    """All signatures in the order of signing. Raises PdfError above the limit."""
    known: dict[Any, Found] = {}
    xrefs = document.reader.xrefs
    for revision in range(document.revisions):
        resolver = document.reader.get_historical_resolver(revision)
        for each in of_revision(resolver, limits):
            if each.value is None:
                continue
            direct = not isinstance(each.value, IndirectObject)
            key = ("direct", each.name) if direct else each.value.reference.idnum
            written = revision if direct else _written(xrefs, each.value.reference, revision)
            found = known.get(key)
            if found is None:
                ref = None if direct else each.value.reference
                found = known[key] = Found(ref, written, each, [each.name], revision)
                found.node = each.value.get_object()
            elif written != found.revision and not direct:
                _again(found, each, written)
            if each.name not in found.names:
                found.names.append(each.name)
            found.last_seen = revision
        if len(known) > limits.signatures:
            raise too_big(f"签名超过 {limits.signatures} 个")
    return sorted(known.values(), key=lambda one: (one.revision, one.ref.idnum if one.ref else 0))


def _again(found: Found, each: Field, written: int) -> None:
    """Its dictionary was written once more: filled in if it was empty before, else changed after signing."""
    if found.node is not None and not {"/Contents", "/ByteRange"} & set(found.node):
        found.node, found.revision, found.field = each.value.get_object(), written, each  # type: ignore[union-attr]
    else:
        found.rewritten = True


def _written(xrefs: Any, ref: Reference, revision: int) -> int:
    """The last revision up to this one that wrote the object."""
    for number in range(revision, -1, -1):
        if (ref.idnum, ref.generation) in xrefs.get_xref_data(number).explicit_refs_in_revision:
            return number
        hybrid = xrefs.get_xref_data(number).hybrid
        if hybrid and (ref.idnum, ref.generation) in hybrid.xref_data.explicit_refs_in_revision:
            return number
    return revision


def _joined(prefix: str, node: DictionaryObject) -> str:
    own = got(node, "/T")
    text = str(own) if own is not None else ""
    return f"{prefix}.{text}" if prefix and text else prefix or text


def _raw(node: DictionaryObject, key: str, otherwise: Any) -> Any:
    return node.raw_get(key) if key in node else otherwise


def _list(node: DictionaryObject, key: str) -> list[Any]:
    value = got(node, key)
    return list(value) if isinstance(value, ArrayObject) else []


def _node(pointer: Any) -> dict[Any, Any]:
    node = pointer.get_object()
    return node if isinstance(node, DictionaryObject) else {}


def _signature(value: Any) -> Any:
    """A reference to, or directly, a dictionary; None for null and for what no signature is."""
    if value is None or not isinstance(value.get_object(), DictionaryObject):
        return None
    return value


def _widgets(
    pointer: Any, node: DictionaryObject, kids: list[tuple[Any, Any]]
) -> tuple[tuple[Reference | None, DictionaryObject], ...]:
    if not kids:
        return ((_reference(pointer), node),)
    return tuple((_reference(kid), found) for kid, found in kids if isinstance(found, DictionaryObject))


def _reference(pointer: Any) -> Reference | None:
    return pointer.reference if isinstance(pointer, IndirectObject) else None


def _area(node: DictionaryObject) -> float:
    rect = box_of(got(node, "/Rect"))
    return (rect[2] - rect[0]) * (rect[3] - rect[1]) if rect else 0.0
