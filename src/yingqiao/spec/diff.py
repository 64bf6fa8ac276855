"""What changed from one edition to another: what a hospital or a vendor must adapt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from yingqiao.spec.model import Edition

_SKIPPED = frozenset({"fields", "codes", "aliases"})
"""Members that are compared one by one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is '' for something added, `after` for something removed."""

    kind: str
    """added | removed | changed"""
    what: str
    """edition | table | alias | field | code-list | code | condition | interface | message"""
    where: str
    attribute: str
    """The attribute that changed; '' when the whole was added or removed."""
    before: str
    after: str


def diff(old: Edition, new: Edition) -> list[Change]:
    """All changes from `old` to `new`, by kind of thing and then in the editions' order."""
    return [
        *_attributes("edition", new.id, _manifest(old), _manifest(new)),
        *_things("table", old.tables, new.tables),
        *_things("alias", _aliases(old), _aliases(new)),
        *_things("field", _fields(old), _fields(new)),
        *_things("code-list", old.code_lists, new.code_lists),
        *_things("code", _codes(old), _codes(new)),
        *_things("condition", _conditions(old), _conditions(new)),
        *_things("interface", old.interfaces, new.interfaces),
        *_things("message", old.messages, new.messages),
    ]


def _manifest(edition: Edition) -> dict[str, str]:
    names = ("id", "title", "issuer", "issued", "in_force_from", "supersedes")
    return {name: getattr(edition, name) for name in names}


def _aliases(edition: Edition) -> dict[str, str]:
    return {f"{t.id}.{a}": target for t in edition.tables.values() for a, target in t.aliases.items()}


def _fields(edition: Edition) -> dict[str, Any]:
    """Keyed by table and name; by group too where a name stands twice (request and response)."""
    found: dict[str, Any] = {}
    for table in edition.tables.values():
        names = [f.name for f in table.fields]
        for field in table.fields:
            group = f"（{field.group}）" if names.count(field.name) > 1 else ""
            found[f"{table.id}.{field.name}{group}"] = field
    return found


def _codes(edition: Edition) -> dict[str, Any]:
    return {f"{lst.id} {c}": code for lst in edition.code_lists.values() for c, code in lst.codes.items()}


def _conditions(edition: Edition) -> dict[str, Any]:
    return {f"{c.table}.{c.field} {c.when}": c for c in edition.conditions}


def _things(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in (key for key in old if key not in new):
        yield Change("removed", what, key, "", _summary(old[key]), "")
    for key, value in new.items():
        if key not in old:
            yield Change("added", what, key, "", "", _summary(value))
        else:
            yield from _attributes(what, key, _members(old[key]), _members(value))


def _attributes(what: str, where: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, ""), new.get(name, "")
        if before != after:
            yield Change("changed", what, where, name, before, after)


def _members(value: object) -> dict[str, str]:
    if not is_dataclass(value):
        return {"text": str(value)}
    found = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in _SKIPPED}
    extra = found.pop("extra", {})
    return {name: _text(member) for name, member in {**found, **extra}.items()}


def _text(value: object) -> str:
    if isinstance(value, tuple | frozenset):
        return " ".join(sorted(map(str, value)) if isinstance(value, frozenset) else map(str, value))
    return "" if value is None else str(value)


def _summary(value: object) -> str:
    """The word that says what an added or removed thing is."""
    if not is_dataclass(value):
        return str(value)
    return next(
        (str(getattr(value, n)) for n in ("label", "title", "text", "name") if getattr(value, n, "")), ""
    )
