"""Members' names as hospitals write them -> as the standard prints them (T25, T62, T63)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yingqiao.exchange.values import fold_name, shorten
from yingqiao.spec import Table


class Names:
    """The names of one table; matched without case and `_`, exact names win."""

    def __init__(self, table: Table) -> None:
        self.printed = frozenset(f.name for f in table.fields)
        self._folded = {fold_name(f.name): f.name for f in table.fields}
        self._folded |= {fold_name(alias): target for alias, target in table.aliases.items()}

    def settle(self, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]:
        """(members under printed names, members no table knows, pairs sent -> printed that differ).

        The record itself comes back when all its names are printed ones.
        """
        if self.printed.issuperset(record):
            return record, {}, []
        known: dict[str, Any] = {name: value for name, value in record.items() if name in self.printed}
        unknown: dict[str, Any] = {}
        renamed: list[tuple[str, str]] = []
        for name, value in record.items():
            if name in self.printed:
                continue
            target = self._folded.get(fold_name(name))
            if target == "":
                unknown[name] = value
            elif target is None or _filled(known.get(target)):
                unknown[name] = value
                renamed.append((name, ""))
            else:
                known[target] = value
                renamed.append((name, target))
        return known, unknown, renamed


def _filled(value: Any) -> bool:
    return value is not None and value != ""


def unknown_text(unknown: Mapping[str, Any]) -> str:
    """The first names, for a finding."""
    shown = [shorten(name, 30) for name in list(unknown)[:10]]
    return "、".join(shown) + ("…" if len(unknown) > len(shown) else "")
