"""Tables that describe several objects: request, response and what is nested in them (T59, T102, T144, T159)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.exchange.records import EDITION
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.validate import Validator, compile_validator
from yingqiao.spec.parts import parts_of


def part(table: str, name: str = "") -> Validator:
    return compile_validator(EDITION, table, Profile(), name)


@pytest.mark.parametrize("table", EDITION.tables)
def test_every_part_of_every_table_compiles(table: str) -> None:
    """Items that name a group of the same table (`#group`) are parts, not tables."""
    for name in ("", *parts_of(EDITION.tables[table])):
        part(table, name)({})


def test_a_table_stands_for_its_request() -> None:
    names = {field.name for field in part("reconciliation").table.fields}
    assert names == {field.name for field in parts_of(EDITION.tables["reconciliation"])["request"]}


@pytest.mark.parametrize(
    ("table", "name", "member"),
    [
        ("reconciliation", "request", "examInfo"),
        ("series_get_response", "response", "content"),
        ("sef_verify_seal", "response.fileVerifyInfo", "signInfoList"),
    ],
)
def test_nested_rows_are_validated_by_their_part(table: str, name: str, member: str) -> None:
    """T59: findings of a row are dotted, and name the row."""
    (field,) = (f for f in EDITION.tables[table].fields if f.name == member)
    inner = parts_of(EDITION.tables[table])[field.items[1:]]
    row: dict[str, Any] = {f.name: {"no": "scalar"} for f in inner}
    found = part(table, name)({member: [row, row]})
    fields = {finding.field for finding in found.findings}
    assert any(f.startswith(f"{member}[0].") for f in fields)
    assert any(f.startswith(f"{member}[1].") for f in fields)


def test_an_unknown_part_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        part("reconciliation", "nothing")
