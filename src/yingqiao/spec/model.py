"""The shape of one edition of the standard. Everything is frozen; an edition never changes after loading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Required(StrEnum):
    """The 必填 column. 否 means 有则必填: to be sent when the hospital has the value (三(六)6, T12)."""

    YES = "yes"
    IF_KNOWN = "if_known"
    CONDITIONAL = "conditional"
    UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a field table, as the standard prints it (after the repairs of the edition's README)."""

    seq: int
    group: str
    name: str
    """The wire name, exactly as printed, odd spelling included (T62, T63)."""
    label: str
    """数据元名称, Chinese."""
    source: str
    """数据元标识符: the national standard or circular the row cites, or empty."""
    type: str
    """string | text | integer | array | object | boolean | date"""
    max_length: int | None
    required: Required
    code_list: str
    """Id of a code list of the edition (shared or inline), or empty."""
    format: str
    """A name from `rules.FORMATS`, or empty."""
    separator: str
    """For list formats: the separator the field's remark names, used when sending; empty otherwise."""
    pattern: str
    """A regular expression the value (or each list item) must match as a whole, or empty."""
    items: str
    """For objects and arrays of objects: the table they follow, `#group` for a group of the same table."""
    note: str
    """备注, as printed."""
    traps: tuple[str, ...]
    """Ids of the edition's README rows that apply to this field (T…, A-…)."""
    format_note: str
    """A format the closed list has no name for, in words."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a field is required: printed in a remark, or inferred by us. `when` names a rule of `rules`."""

    table: str
    field: str
    printed_required: str
    when: str
    """A name from `rules.CONDITIONS`; parameters after a colon."""
    basis: str
    """printed | inferred"""
    text: str
    """The condition in Chinese, for people."""
    traps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    id: str
    title: str
    fields: tuple[Field, ...]
    aliases: Mapping[str, str]
    """Accepted wire names beside the printed ones -> the printed name (T25, T62); '' = stored, no effect."""
    clause: str = ""
    loose_lengths: frozenset[str] = frozenset()
    """Fields whose printed length cannot hold what the field is for (T38, T42, T51, T64): never enforced."""

    def field(self, name: str) -> Field:
        """The field printed as `name`. Raises KeyError."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Code:
    code: str
    name: str
    printed_code: str
    printed_name: str
    status: str
    """ok | corrected | unverified | suspect: how sure the transcription is of the code."""
    note: str
    extra: Mapping[str, str]
    """Further columns of the list (letter_code, modality, region, description …)."""


@dataclass(frozen=True, slots=True)
class CodeList:
    id: str
    title: str
    section: str
    standard: str
    open: bool
    """True when the standard ends the list with 等: other values are accepted."""
    codes: Mapping[str, Code]
    pattern: str = ""
    """A regular expression every code matches as a whole, unless its status is unverified."""
    match: str = "exact"
    """exact: a value is one of the codes · prefix: its first two characters are those of a code (T35) ·
    partial: other values occur rightly, the list does not cover everything (T41) or is unverified (T43)."""
    inline: bool = False
    """Printed in a field's remark rather than in chapter 六."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of the standard."""

    id: str
    title: str
    method: str
    path: str
    served_by: str
    """gateway | hospital | platform"""
    envelope: str
    """main | content | coss | plain | query | dicom | url"""
    request: str
    """Table id of the (decrypted) request object, or empty."""
    response: str
    clause: str
    keys: tuple[str, ...]
    """Fields that identify the record for insert-or-update, in order of trust."""
    aliases: tuple[str, ...]
    """Further paths accepted (T14)."""
    note: str


@dataclass(frozen=True, slots=True)
class Edition:
    id: str
    """province/version, as in `shanxi/v2_1`."""
    title: str
    issuer: str
    issued: str
    in_force_from: str
    supersedes: str
    tables: Mapping[str, Table]
    code_lists: Mapping[str, CodeList]
    conditions: tuple[Condition, ...]
    interfaces: Mapping[str, Interface]
    messages: Mapping[str, str]
    """Message id -> Chinese template with {field}-style places: all texts the gateway answers with."""
    folder: Path | None = None
    """Where it was read from: README.md, examples and the promised counts lie there."""

    def conditions_of(self, table: str, field: str) -> tuple[Condition, ...]:
        return tuple(c for c in self.conditions if c.table == table and c.field == field)
