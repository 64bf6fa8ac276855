"""A form as data: pages, sheets to import, printed paper and checks all follow from its fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from yingqiao.signing.certificates.identity import clean_id_number, id_number_problem, mobile_problem

IDENTITY_CARD: Final = "居民身份证"
LEAST_MM, MOST_MM = 10, 100
"""Seals in use are of 20 to 58 mm."""
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")


class FieldKind(StrEnum):
    """How a value is entered, checked and printed."""

    TEXT = "text"
    ID_NUMBER = "id-number"
    MOBILE = "mobile"
    PHONE = "phone"
    CREDIT_CODE = "credit-code"
    CHOICE = "choice"
    EMAIL = "email"
    DATE = "date"
    NUMBER = "number"
    """Digits only: accounts."""
    MILLIMETRES = "millimetres"
    """A length in whole millimetres."""
    PICTURE = "picture"
    """A digest of a picture in the object store."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a form. `name` is for programs, `label` is printed."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    most: int = 64
    """Characters."""
    choices: tuple[str, ...] = ()
    hint: str = ""
    inferred: bool = False
    """Not printed in the standard, but needed by its flow (T162)."""
    part: str = ""
    """The heading under which it and what follows it stand."""
    identity_if: str = ""
    """The entry that says which kind of document this number is of: an identity card's is checked as such."""


@dataclass(frozen=True, slots=True)
class Form:
    """`title` as the standard prints it; `annex` its number there; `rules` what is to be observed."""

    id: str
    annex: int
    title: str
    fields: tuple[Field, ...]
    rules: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """What the standard calls the form elsewhere (T161)."""
    declarations: tuple[str, ...] = ()
    """What whoever hands in declares by stamping the printed form."""
    attachments: tuple[str, ...] = ()
    """What is handed in together with it (提交材料)."""

    @property
    def has_pictures(self) -> bool:
        return any(field.kind is FieldKind.PICTURE for field in self.fields)

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one entry."""

    field: str
    label: str
    reason: str


def clean(form: Form, given: Mapping[str, object]) -> dict[str, str]:
    """The form's entries as text: trimmed, identity numbers upper case, nothing that the form does not have."""
    cleaned = {}
    for field in form.fields:
        text = str(given.get(field.name) or "").strip()
        is_identity = field.kind is FieldKind.ID_NUMBER or bool(field.identity_if)
        cleaned[field.name] = clean_id_number(text) if is_identity else text
    return cleaned


def check(form: Form, values: Mapping[str, str]) -> list[Problem]:
    """Every problem of every entry at once, in the form's order. `values` as `clean` makes them."""
    return [
        Problem(field.name, field.label, reason)
        for field in form.fields
        if (reason := _problem(field, values.get(field.name, "")) or _identity_problem(field, values))
    ]


def columns(form: Form) -> list[str]:
    """The head line of a sheet to import: labels, required ones marked as the printed forms do."""
    return [f"{'*' if field.required else ''}{field.label}" for field in form.fields]


def from_row(form: Form, head: Sequence[str], row: Sequence[object]) -> dict[str, str]:
    """One line of an imported sheet as the form's entries; columns are found by their label or name."""
    by_label = {field.label: field.name for field in form.fields} | {
        field.name: field.name for field in form.fields
    }
    given: dict[str, object] = {}
    for label, value in zip(head, row, strict=False):
        name = by_label.get(str(label or "").strip().lstrip("*").strip())
        if name is not None and value is not None:
            given[name] = value
    return clean(form, given)


def _problem(field: Field, text: str) -> str:
    if not text:
        return "必填" if field.required else ""
    if len(text) > field.most:
        return f"至多 {field.most} 个字，实为 {len(text)} 个"
    if any(ord(character) < 32 for character in text):
        return "含有控制字符"
    if field.kind is FieldKind.CHOICE:
        return "" if text in field.choices else f"应为 {'、'.join(field.choices)} 之一"
    judge = _CHECKS.get(field.kind)
    return judge(text) if judge else ""


def _identity_problem(field: Field, values: Mapping[str, str]) -> str:
    """A number of a document: of an identity card it is checked; without the kind of document it says nothing."""
    text = values.get(field.name, "")
    if not field.identity_if or not text:
        return ""
    kind = values.get(field.identity_if, "")
    if not kind:
        return "请先选择证件类型"
    return id_number_problem(text) if kind == IDENTITY_CARD else ""


def _phone_problem(text: str) -> str:
    digits = sum(character.isdigit() for character in text)
    return "" if 7 <= digits <= 15 and set(text) <= set("0123456789+-() ") else "应为电话号码"


def _credit_code_problem(text: str) -> str:
    """GB 32100-2015: 18 places of 31 characters, the last a check."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    if len(text) != 18 or not set(text) <= set(letters):
        return "统一社会信用代码应为 18 位数字与大写字母（不含 I、O、S、V、Z）"
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    total = sum(letters.index(letter) * weight for letter, weight in zip(text[:17], weights, strict=True))
    return "" if letters.index(text[17]) == -total % 31 else "统一社会信用代码的校验位不对"


def _email_problem(text: str) -> str:
    return "" if _EMAIL.fullmatch(text) else "应为电子邮箱地址"


def _date_problem(text: str) -> str:
    try:
        return "" if date.fromisoformat(text).isoformat() == text else "应为 yyyy-MM-dd"
    except ValueError:
        return "应为 yyyy-MM-dd"


def _number_problem(text: str) -> str:
    return "" if text.isascii() and text.isdigit() else "应只含数字"


def _millimetres_problem(text: str) -> str:
    known = text.isascii() and text.isdigit() and len(text) <= 3
    if known and LEAST_MM <= int(text) <= MOST_MM:
        return ""
    return f"应为 {LEAST_MM} 至 {MOST_MM} 的整数（毫米）"


_CHECKS: Mapping[FieldKind, Callable[[str], str]] = {
    FieldKind.ID_NUMBER: id_number_problem,
    FieldKind.MOBILE: mobile_problem,
    FieldKind.PHONE: _phone_problem,
    FieldKind.CREDIT_CODE: _credit_code_problem,
    FieldKind.EMAIL: _email_problem,
    FieldKind.DATE: _date_problem,
    FieldKind.NUMBER: _number_problem,
    FieldKind.MILLIMETRES: _millimetres_problem,
}
