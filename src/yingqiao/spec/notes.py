"""The rows of an edition's README: where the standard is silent or contradicts itself, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yingqiao.spec.model import Edition

_ROW = re.compile(r"^\| ([TABCD]-?\d+) \| (.*) \|$", re.MULTILINE)
_FIELD = re.compile(r"`([^`]+)`")
_FULL_ROW = 4


@dataclass(frozen=True, slots=True)
class Note:
    """One row. Parts B to D name codes and examples rather than fields."""

    id: str
    where: str
    problem: str
    decision: str
    fields: tuple[tuple[str, str], ...]
    """(table, field) pairs the row applies to."""


def notes_of(edition: Edition) -> Mapping[str, Note]:
    """Id -> row of the edition's README.md; empty when the edition was not read from a folder."""
    return read_notes(edition.folder) if edition.folder is not None else {}


def read_notes(folder: Path) -> Mapping[str, Note]:
    """Id -> row of README.md in `folder`. Raises OSError."""
    text = folder.joinpath("README.md").read_text("utf-8")
    return {match[1]: _note(match[1], match[2].split(" | ")) for match in _ROW.finditer(text)}


def _note(note_id: str, cells: list[str]) -> Note:
    where, problem, decision, *rest = [cell.strip() for cell in [*cells, "", ""]]
    fields = _FIELD.findall(rest[0]) if len(cells) == _FULL_ROW and note_id[0] in "TA" else []
    pairs = tuple((table, name) for table, _, name in (field.partition(".") for field in fields))
    return Note(note_id, where, problem, decision, pairs)
