"""The objects a table describes: one for most; request, response and nested ones for interface tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from yingqiao.spec.model import Field, Table

_HEADINGS_ONLY = ""


def parts_of(table: Table) -> Mapping[str, tuple[Field, ...]]:
    """Part -> its fields. A table whose groups are only headings (五(一), 五(二)) is one part, named ''."""
    if not _split_by_group(table):
        return {_HEADINGS_ONLY: table.fields}
    return {
        group: tuple(f for f in table.fields if f.group == group)
        for group in dict.fromkeys(f.group for f in table.fields)
    }


def target_of(table: Table, field: Field) -> tuple[str, str] | None:
    """The (table id, part) an object field's members follow, or None."""
    if not field.items:
        return None
    return (table.id, field.items[1:]) if field.items.startswith("#") else (field.items, "")


def _split_by_group(table: Table) -> bool:
    repeated = max(Counter(f.name for f in table.fields).values(), default=0) > 1
    wire_parts = any(
        f.group.split(".")[0] in {"request", "response", "envelope", "header"} for f in table.fields
    )
    return repeated or wire_parts
