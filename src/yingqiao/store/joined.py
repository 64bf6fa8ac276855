"""Rows of several tables joined: each table's columns under its own prefix, read as if the table stood alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import FromClause, Label, Row


def labelled(table: FromClause, prefix: str) -> list[Label[Any]]:
    """All its columns, `<prefix>_<name>`."""
    return [column.label(f"{prefix}_{column.name}") for column in table.c]


class Part:
    """One table's columns of a joined row, by their own names."""

    __slots__ = ("_prefix", "_row")

    def __init__(self, row: Row[Any], prefix: str) -> None:
        self._row = row
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"{self._prefix}_{name}")
