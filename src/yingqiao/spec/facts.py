"""The standard as plain JSON-ready values, for `spec show --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from yingqiao.spec.find import find_code_list, find_fields, find_table
from yingqiao.spec.model import Edition, Field, Table
from yingqiao.spec.notes import notes_of
from yingqiao.spec.show import users_of
from yingqiao.spec.wording import condition_words


def table(edition: Edition, name: str) -> dict[str, Any]:
    """A table with its fields. Raises find.NotFoundError."""
    found = find_table(edition, name)
    return {
        "id": found.id,
        "title": found.title,
        "clause": found.clause,
        "aliases": dict(found.aliases),
        "fields": [asdict(f) for f in found.fields],
    }


def fields(edition: Edition, table_name: str, name: str) -> list[dict[str, Any]]:
    """The fields of that name with their conditions and notes. Raises find.NotFoundError."""
    found = find_table(edition, table_name)
    return [_field(edition, found, one) for one in find_fields(found, name)]


def code_list(edition: Edition, name: str) -> dict[str, Any]:
    """A code list with its codes and the fields that use it. Raises find.NotFoundError."""
    found = find_code_list(edition, name)
    return {
        "id": found.id,
        "title": found.title,
        "section": found.section,
        "standard": found.standard,
        "open": found.open,
        "match": found.match,
        "used_by": [f"{table_id}.{field}" for table_id, field in users_of(edition, found)],
        "codes": [
            {
                name: getattr(code, name)
                for name in ("code", "name", "printed_code", "printed_name", "status", "note")
            }
            | dict(code.extra)
            for code in found.codes.values()
        ],
    }


def _field(edition: Edition, found: Table, field: Field) -> dict[str, Any]:
    notes = notes_of(edition)
    return {
        "table": found.id,
        **asdict(field),
        "conditions": [
            {"when": c.when, "basis": c.basis, "text": condition_words(edition, found, c)}
            for c in edition.conditions_of(found.id, field.name)
        ],
        "notes": [
            {"id": trap, "problem": notes[trap].problem, "decision": notes[trap].decision}
            for trap in field.traps
            if trap in notes
        ],
    }
