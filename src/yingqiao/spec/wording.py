"""Chinese words for what the tables say in codes: types, required, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from yingqiao.spec.model import Condition, Edition, Field, Required, Table
from yingqiao.spec.rules import FORMATS, SEPARATORS, split_when, words_of

TYPE_WORDS: Final[Mapping[str, str]] = {
    "string": "字符串",
    "text": "文本",
    "integer": "整数",
    "array": "数组",
    "object": "对象",
    "boolean": "布尔",
    "date": "日期",
}
REQUIRED_WORDS: Final[Mapping[Required, str]] = {
    Required.YES: "必填",
    Required.IF_KNOWN: "有则必填",
    Required.CONDITIONAL: "条件必填",
    Required.UNSTATED: "标准未写",
}
BASIS_WORDS: Final[Mapping[str, str]] = {"printed": "标准备注", "inferred": "本版推断"}
STATUS_WORDS: Final[Mapping[str, str]] = {
    "ok": "",
    "corrected": "印刷有误，已更正",
    "unverified": "未核实",
    "suspect": "可疑",
}


def required_words(edition: Edition, table: Table, field: Field) -> str:
    """`必填`, `有则必填`, or the printed conditions in words."""
    printed = [c for c in edition.conditions_of(table.id, field.name) if c.basis == "printed"]
    if not printed:
        return REQUIRED_WORDS[field.required]
    return "；".join(condition_words(edition, table, c) + "必填" for c in printed)


def condition_words(edition: Edition, table: Table, condition: Condition) -> str:
    """A condition in Chinese: fields by label, codes by name (`患者来源为门诊（1）、急诊（2）时`)."""
    name, _ = split_when(condition.when)
    codes = edition.code_lists[table.field("patientFrom").code_list].codes if name == "source" else {}
    labels = {f.name: f"“{f.label}”（{f.name}）" if f.label else f" {f.name} " for f in table.fields}

    def word(parameter: str) -> str:
        return (
            f"{codes[parameter].name}（{parameter}）"
            if parameter in codes
            else labels.get(parameter, parameter)
        )

    return words_of(condition.when, word)


def format_words(field: Field) -> str:
    """The format to send in Chinese, with separator and pattern; '' when the standard has none."""
    parts = [FORMATS[field.format].words] if field.format else []
    if field.separator:
        parts.append(f"以{SEPARATORS.get(field.separator, field.separator)}“{field.separator}”分隔")
    if field.pattern:
        parts.append(f"正则表达式 {field.pattern}")
    if field.format_note:
        parts.append(field.format_note)
    return "，".join(parts)


def length_words(table: Table, field: Field) -> str:
    """The printed length, and whether it is enforced; '' when none is printed."""
    if field.max_length is None:
        return ""
    return (
        f"{field.max_length}（放不下应有的内容，不执行）"
        if field.name in table.loose_lengths
        else str(field.max_length)
    )
