"""What is known of each field before any record comes: how it is read, which codes it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yingqiao.exchange.model import Validated
from yingqiao.exchange.values import fold_term
from yingqiao.spec import CodeList, Field

Nested = Callable[[dict[str, Any]], Validated]
_CODE_LIST_SEPARATORS = "|，,、;； "
_TERM_SEPARATORS = "，,"
_BODY_SEPARATORS = ",，;；|"
_FREE_DATES = frozenset({"sympBegdate", "sympEnddate", "reportPubDate", "STUDYDATE"})
_STUDY_UIDS = frozenset({"studyUid"})
_PATIENT_NAMES = {"体检": "9"}


@dataclass(eq=False)
class Plan:
    """What is known of a field before any record comes."""

    spec: Field
    kind: str
    """plain | codes | names | list | datetime | date | moment | interval | age | division
    | url | urls | objects | document
    """
    key: bool
    required: bool
    wanted: bool
    """A finding is wanted when a 否 field is absent (T12)."""
    codes: Mapping[str, Any] = field(default_factory=dict)
    """Canonical and harmless spellings -> canonical value."""
    open: bool = True
    spellings: Mapping[str, str] = field(default_factory=dict)
    """Other ways to write a code (letters, names, the printed code) -> code."""
    separators: str = ""
    nested: Nested | None = None
    pattern: re.Pattern[str] | None = None

    @property
    def is_integer(self) -> bool:
        return self.spec.type == "integer"

    @property
    def max_length(self) -> int | None:
        """None where the length is generic and the list decides (T38, T70), and in list fields of codes."""
        return None if self.codes else self.spec.max_length


def make_plan(
    spec: Field, code_list: CodeList | None, *, key: bool, required: bool, wanted: bool, nested: Nested | None
) -> Plan:
    """The plan of a field. `required` leaves out what a condition decides."""
    kind = _kind(spec, code_list)
    plan = Plan(spec, kind, key, required, wanted, nested=nested)
    if kind in ("list", "codes") or spec.format == "list":
        plan.separators = _separators(spec, code_list)
    if spec.pattern:
        plan.pattern = re.compile(spec.pattern)
    if code_list is not None and kind == "division":
        plan.codes = {code[:2]: code for code in code_list.codes}
    elif code_list is not None:
        plan.open = code_list.open
        plan.codes, plan.spellings = _code_maps(code_list, plan.is_integer, by_name=kind == "names")
    return plan


def _kind(spec: Field, code_list: CodeList | None) -> str:
    by_format = {"datetime": "datetime", "date": "date", "datetime-interval": "interval", "url": "url"}
    by_format |= {"objects": "objects", "pdf-base64": "document", "list": "list", "urls": "urls"}
    if spec.format in by_format:
        return by_format[spec.format]
    if spec.name in _FREE_DATES:
        return "moment"
    if spec.name in _STUDY_UIDS:
        return "list"
    if code_list is None:
        return "age" if spec.name == "patAge" else "plain"
    if code_list.id == "administrative_division":
        return "division"
    return "names" if spec.label.endswith("名称") else "codes"


def _separators(spec: Field, code_list: CodeList | None) -> str:
    """T37, T38: code lists; T43: technique codes; T50: both commas everywhere else."""
    if spec.format != "list" and spec.name not in _STUDY_UIDS:
        return ""
    if spec.pattern:
        return _BODY_SEPARATORS
    return _CODE_LIST_SEPARATORS if code_list is not None else _TERM_SEPARATORS


def _code_maps(code_list: CodeList, integer: bool, *, by_name: bool) -> tuple[dict[Any, Any], dict[str, str]]:
    if by_name:
        return {c.name: c.name for c in code_list.codes.values()}, {
            fold_term(c.name): c.name for c in code_list.codes.values()
        }
    codes: dict[Any, Any] = {code: int(code) if integer else code for code in code_list.codes}
    if integer:
        codes |= {int(code): int(code) for code in code_list.codes}
    proposed = (c.extra.get("proposed_code") for c in code_list.codes.values())
    codes |= {code: code for code in proposed if code and not integer}
    return codes, _spellings(code_list)


def _spellings(code_list: CodeList) -> dict[str, str]:
    """Other ways to a code: letters (T36), names, the code as printed (part B); an
    ambiguous way leads nowhere.
    """
    ways: dict[str, set[str]] = {}
    for code in code_list.codes.values():
        others = (code.name, code.printed_code, code.extra.get("letter_code", ""), code.code)
        names = (*others, code.name.removesuffix("性") if code_list.id == "sex" else "")
        for way in names:
            if way:
                ways.setdefault(fold_term(way), set()).add(code.code)
    found = {way: codes.pop() for way, codes in ways.items() if len(codes) == 1}
    return found | (_PATIENT_NAMES if code_list.id == "patient_type" else {})
