"""Finds tables, fields and code lists by names as people type them, and suggests the near ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from yingqiao.spec.model import CodeList, Edition, Field, Table


class NotFoundError(LookupError):
    """No such name; `suggestions` are the near ones, best first."""

    def __init__(self, what: str, name: str, suggestions: list[str]) -> None:
        hint = f"。是否指：{'、'.join(suggestions)}" if suggestions else ""
        super().__init__(f"没有{what} {name}{hint}")
        self.suggestions = suggestions


def find_table(edition: Edition, name: str) -> Table:
    """The table by id or Chinese title, in any case, with - for _. Raises NotFoundError."""
    for table in edition.tables.values():
        if _key(name) in (_key(table.id), _key(table.title)):
            return table
    raise NotFoundError("表", name, near(name, edition.tables))


def find_fields(table: Table, name: str) -> list[Field]:
    """The fields of that name, alias or label; request and response may share one. Raises NotFoundError."""
    aliases = {_key(alias): target for alias, target in table.aliases.items() if target}
    wanted = _key(aliases.get(_key(name), name))
    found = [f for f in table.fields if _key(f.name) == wanted] or [
        f for f in table.fields if _key(f.label) == wanted
    ]
    if not found:
        raise NotFoundError(
            f"{table.title}（{table.id}）的字段", name, near(name, (f.name for f in table.fields))
        )
    return found


def find_code_list(edition: Edition, name: str) -> CodeList:
    """The code list by id, Chinese title or section (`六(十三)`). Raises NotFoundError."""
    for codes in edition.code_lists.values():
        if _key(name) in (_key(codes.id), _key(codes.title), codes.section):
            return codes
    raise NotFoundError("代码表", name, near(name, edition.code_lists))


def near(name: str, names: Iterable[str]) -> list[str]:
    """Up to three of `names` that look like `name`."""
    by_key = {_key(candidate): candidate for candidate in names}
    close = get_close_matches(_key(name), by_key, n=3, cutoff=0.6)
    inside = [key for key in by_key if len(_key(name)) > 2 and _key(name) in key and key not in close]
    return [by_key[key] for key in [*close, *inside][:3]]


def _key(name: str) -> str:
    return name.strip().casefold().replace("_", "").replace("-", "")
