"""JSON Schema 2020-12 of the tables, in the strict form: what a sender should send.

The gateway accepts far more: numbers as strings, other date forms, overlong values, aliases, other letter
case (the T rows of the edition's README). A schema cannot say "accepted with a warning", so it says what
never earns one. Conditions are told in `x-yingqiao-conditions`; `exchange` evaluates them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from yingqiao.spec.model import CodeList, Edition, Field, Required, Table
from yingqiao.spec.parts import parts_of, target_of
from yingqiao.spec.wording import condition_words, format_words

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
LOCAL: Final = "#/$defs/"
_TYPES: Final[Mapping[str, str]] = {"text": "string", "date": "string"}
_DATE = r"\d{4}-\d{2}-\d{2}"
_DATETIME = _DATE + r" \d{2}:\d{2}:\d{2}"
_PATTERNS: Final[Mapping[str, str]] = {
    "date": f"^{_DATE}$",
    "datetime": f"^{_DATETIME}$",
    "datetime-interval": f"^{_DATETIME}( / {_DATETIME})?$",
    "url": "^https?://",
}
_STRICT_NOTE = "发送时应符合的严格写法；接收更宽，见标准数据的读法。"


def json_schema(edition: Edition, table_id: str) -> Schema:
    """The strict schema of a table. Interface tables hold their parts in `$defs`; the request is the root.

    Raises KeyError for an unknown table.
    """
    table = edition.tables[table_id]
    names = list(_reachable(edition, table_id))
    definitions = {
        name: part for other in names for name, part in definitions_of(edition, other, LOCAL).items()
    }
    parts = parts_of(table)
    root = definition_name(table_id, "request" if "request" in parts else next(iter(parts)))
    return {
        "$schema": DIALECT,
        "$id": f"urn:yingqiao:{edition.id.replace('/', ':')}:{table_id}",
        "title": table.title,
        "description": f"{edition.title} {table.clause} {table.title}。{_STRICT_NOTE}",
        "x-yingqiao-form": "strict",
        "$ref": LOCAL + root,
        "$defs": definitions,
    }


def definitions_of(edition: Edition, table_id: str, prefix: str) -> dict[str, Schema]:
    """Definition name -> schema of each part of a table; references to other parts begin with `prefix`."""
    table = edition.tables[table_id]
    return {
        definition_name(table_id, part): _object(edition, table, part, fields, prefix)
        for part, fields in parts_of(table).items()
    }


def definition_name(table_id: str, part: str) -> str:
    """`exam`; `reconciliation.request.examInfo` for a part of a table. Fit for an OpenAPI component."""
    return (
        re.sub(r"[^A-Za-z0-9._-]+", "_", f"{table_id}.{part}".replace("[]", "")).strip("._")
        if part
        else table_id
    )


def _reachable(edition: Edition, table_id: str, seen: tuple[str, ...] = ()) -> Iterator[str]:
    yield table_id
    for field in edition.tables[table_id].fields:
        target = target_of(edition.tables[table_id], field)
        if target and target[0] not in (*seen, table_id):
            yield from _reachable(edition, target[0], (*seen, table_id))


def _object(edition: Edition, table: Table, part: str, fields: tuple[Field, ...], prefix: str) -> Schema:
    schema: Schema = {
        "type": "object",
        "title": f"{table.title} {part}".strip(),
        "properties": {field.name: _property(edition, table, field, prefix) for field in fields},
        "required": [field.name for field in fields if _always(edition, table, field)],
        "additionalProperties": False,
    }
    if table.aliases:
        schema["x-yingqiao-aliases"] = dict(table.aliases)
    return schema


def _always(edition: Edition, table: Table, field: Field) -> bool:
    """Required whatever the other values: 是 without a condition of ours that narrows it."""
    return field.required is Required.YES and not edition.conditions_of(table.id, field.name)


def _property(edition: Edition, table: Table, field: Field, prefix: str) -> Schema:
    schema = {**_value(edition, table, field, prefix), **_texts(edition, field)}
    conditions = edition.conditions_of(table.id, field.name)
    if conditions:
        schema["x-yingqiao-conditions"] = [
            {"when": c.when, "basis": c.basis, "text": condition_words(edition, table, c)} for c in conditions
        ]
    if field.traps:
        schema["x-yingqiao-traps"] = list(field.traps)
    return schema


def _texts(edition: Edition, field: Field) -> Schema:
    parts = [field.note, format_words(field)]
    schema: Schema = {"title": field.label or field.name, "x-yingqiao-required": field.required.value}
    if any(parts):
        schema["description"] = "。".join(part for part in parts if part)
    if field.source:
        schema["x-yingqiao-source"] = field.source
    codes = edition.code_lists.get(field.code_list)
    if codes is not None:
        schema["x-yingqiao-code-list"] = {"id": codes.id, "title": codes.title, "section": codes.section}
    return schema


def _value(edition: Edition, table: Table, field: Field, prefix: str) -> Schema:
    target = target_of(table, field)
    reference: Schema = (
        {"$ref": prefix + definition_name(*target)} if target else {"type": "string", "minLength": 1}
    )
    if field.format == "urls":
        reference["pattern"] = "^(https?|ftps?|s3)://"
    if field.type == "array":
        return {"type": "array", "items": reference}
    if field.type == "object":
        return dict(reference) if target else {"type": "object"}
    schema: Schema = {"type": _TYPES.get(field.type, field.type)}
    codes = edition.code_lists.get(field.code_list)
    if codes is not None and _enumerable(codes, field):
        schema.update(_enumeration(codes, field))
    elif schema["type"] == "string":
        schema.update(_string(table, field))
    return schema


def _enumerable(codes: CodeList, field: Field) -> bool:
    return codes.match == "exact" and not codes.open and not field.separator


def _enumeration(codes: CodeList, field: Field) -> Schema:
    values = [int(code) if field.type == "integer" else code for code in codes.codes]
    return {"enum": values, "x-yingqiao-names": {code.code: code.name for code in codes.codes.values()}}


def _string(table: Table, field: Field) -> Schema:
    schema: Schema = {"minLength": 1}
    if field.max_length is not None:
        loose = field.name in table.loose_lengths
        schema["x-yingqiao-printed-length" if loose else "maxLength"] = field.max_length
    pattern = _pattern(field)
    if pattern:
        schema["pattern"] = pattern
    if field.format in ("base64", "pdf-base64"):
        schema["contentEncoding"] = "base64"
    if field.format == "pdf-base64":
        schema["contentMediaType"] = "application/pdf"
    return schema


def _pattern(field: Field) -> str:
    if field.format == "list" and field.pattern:
        return f"^(?:{field.pattern})(?:{re.escape(field.separator)}(?:{field.pattern}))*$"
    return f"^(?:{field.pattern})$" if field.pattern else _PATTERNS.get(field.format, "")
