"""The standard in Chinese words: a field, a table, a code list. Facts first as pairs, then as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from yingqiao.spec.find import find_code_list, find_fields, find_table
from yingqiao.spec.model import Code, CodeList, Edition, Field, Required, Table
from yingqiao.spec.notes import notes_of
from yingqiao.spec.parts import target_of
from yingqiao.spec.wording import (
    BASIS_WORDS,
    STATUS_WORDS,
    TYPE_WORDS,
    condition_words,
    format_words,
    length_words,
    required_words,
)

SHORT_LIST = 15
"""Code lists up to this length are shown whole with the field."""

Fact = tuple[str, str]


def describe(edition: Edition, table: str, field: str = "") -> str:
    """A table, or one field of it, in Chinese. Raises find.NotFoundError."""
    found = find_table(edition, table)
    if not field:
        return _lines(found.title + f"（{found.id}）", table_facts(edition, found))
    shown = (
        _lines(f"{found.title}（{found.id}） {one.name}", field_facts(edition, found, one))
        for one in find_fields(found, field)
    )
    return "\n\n".join(shown)


def describe_code_list(edition: Edition, name: str) -> str:
    """A code list with all its values, in Chinese. Raises find.NotFoundError."""
    codes = find_code_list(edition, name)
    facts = [
        *code_list_facts(edition, codes),
        ("代码", "\n".join(code_words(c) for c in codes.codes.values())),
    ]
    return _lines(f"{codes.title}（{codes.id}）", facts)


def field_facts(edition: Edition, table: Table, field: Field) -> list[Fact]:
    """(heading, text) pairs of a field; headings without content are left out."""
    facts = [
        ("名称", field.label),
        ("分类", f"{field.group} 第 {field.seq} 项"),
        ("类型", TYPE_WORDS[field.type]),
        ("必填", required_words(edition, table, field)),
        *_inferred(edition, table, field),
        ("代码表", "\n".join(_code_lines(edition, field))),
        ("格式", format_words(field)),
        ("内容", _items_words(edition, table, field)),
        ("长度", length_words(table, field)),
        ("备注", field.note),
        ("来源", field.source),
        ("别名", "、".join(alias for alias, target in table.aliases.items() if target == field.name)),
        ("读法", "\n".join(_note_lines(edition, field))),
    ]
    return [(heading, text) for heading, text in facts if text]


def table_facts(edition: Edition, table: Table) -> list[Fact]:
    """(heading, text) pairs of a table: where it stands, who uses it, its fields by group."""
    users = [i for i in edition.interfaces.values() if table.id in (i.request, i.response)]
    groups = Counter(f.group for f in table.fields)
    listing = [
        f"{f.seq}. {f.name} {f.label} {required_words(edition, table, f)}".replace("  ", " ")
        for f in table.fields
    ]
    facts = [
        ("条款", table.clause),
        ("接口", "\n".join(f"{i.title} {i.method} {i.path}（{i.clause}）" for i in users)),
        ("字段数", str(len(table.fields))),
        ("分类", "、".join(f"{group} {number}" for group, number in groups.items())),
        ("字段", "\n".join(listing)),
    ]
    return [(heading, text) for heading, text in facts if text]


def code_list_facts(edition: Edition, codes: CodeList) -> list[Fact]:
    """(heading, text) pairs of a code list, its values aside."""
    doubts = Counter(c.status for c in codes.codes.values() if c.status != "ok")
    facts = [
        ("条款", codes.section),
        ("标准", codes.standard),
        ("项数", str(len(codes.codes)) + ("，另可有其他值（等）" if codes.open else "")),
        ("用于", "、".join(f"{t}.{f}" for t, f in users_of(edition, codes)) or "没有字段引用"),
        ("说明", "、".join(f"{STATUS_WORDS[status]} {number} 项" for status, number in doubts.items())),
    ]
    return [(heading, text) for heading, text in facts if text]


def users_of(edition: Edition, codes: CodeList) -> list[tuple[str, str]]:
    """The (table, field) pairs whose values come from the list."""
    return [(t.id, f.name) for t in edition.tables.values() for f in t.fields if f.code_list == codes.id]


def code_words(code: Code) -> str:
    """`25 水族（印刷有误，已更正，印刷为 5，丢失十位，GB/T 3304 为 25）`."""
    remarks = [STATUS_WORDS[code.status]] if code.status != "ok" else []
    if code.printed_code != code.code:
        remarks.append(f"印刷为 {code.printed_code}")
    if code.extra.get("proposed_code"):
        remarks.append(f"可能是 {code.extra['proposed_code']}")
    if code.note:
        remarks.append(code.note)
    return f"{code.code} {code.name}" + (f"（{'，'.join(remarks)}）" if remarks else "")


def _inferred(edition: Edition, table: Table, field: Field) -> Iterator[Fact]:
    for condition in edition.conditions_of(table.id, field.name):
        if condition.basis == "inferred":
            traps = f"（{'、'.join(condition.traps)}）" if condition.traps else ""
            words = condition_words(edition, table, condition)
            text = f"只在{words}才要求" if field.required is Required.YES else f"{words}应填"
            yield BASIS_WORDS["inferred"], text + traps


def _code_lines(edition: Edition, field: Field) -> Iterator[str]:
    codes = edition.code_lists.get(field.code_list)
    if codes is None:
        return
    where = f"{codes.section} " if codes.section else ""
    yield f"{where}{codes.title}（{codes.id}），{len(codes.codes)} 项" + (
        "，另可有其他值（等）" if codes.open else ""
    )
    if len(codes.codes) <= SHORT_LIST:
        yield from (code_words(code) for code in codes.codes.values())
    else:
        first = "、".join(code_words(code) for code in list(codes.codes.values())[:3])
        yield f"{first}……"
        yield f"全部列出：yingqiao spec show code-list {codes.id}"


def _items_words(edition: Edition, table: Table, field: Field) -> str:
    target = target_of(table, field)
    if target is None:
        return ""
    table_id, part = target
    return f"见同一张表的 {part}" if part else f"见 {edition.tables[table_id].title}（{table_id}）"


def _note_lines(edition: Edition, field: Field) -> Iterator[str]:
    notes = notes_of(edition) if field.traps else {}
    for trap in field.traps:
        note = notes.get(trap)
        yield f"{trap} {note.problem}。本版：{note.decision}" if note else trap


def _lines(title: str, facts: list[Fact]) -> str:
    indent = "\n" + " " * 8
    return "\n".join([title, *(f"  {heading}：{text.replace(chr(10), indent)}" for heading, text in facts)])
