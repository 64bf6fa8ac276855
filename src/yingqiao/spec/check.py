"""Proves that an edition's folder says one thing: every reference resolves, every promised count holds.

Each check is a small generator of problems; `check` runs them all. Shape errors that keep a folder from
loading at all (a missing column, an unknown `required`) are `load.SpecError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from yingqiao.spec import check_codes, check_fields, check_folder, check_rules
from yingqiao.spec.model import Edition
from yingqiao.spec.problem import Problem

__all__ = ["CHECKS", "Check", "Problem", "check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One property of an edition, and the function that yields where it does not hold."""

    name: str
    words: str
    """The property, Chinese."""
    run: Callable[[Edition], Iterator[Problem]]


CHECKS: tuple[Check, ...] = (
    Check("field-names", "字段名唯一，序号连续", check_fields.names_unique_and_numbered),
    Check("field-words", "字段的类型、格式、分隔符都在封闭的名单内", check_fields.words_known),
    Check("field-references", "字段引用的代码表与对象表都存在", check_fields.references_resolve),
    Check("field-lengths", "长度合理，放得下代码表的代码", check_fields.lengths_sane),
    Check("field-patterns", "正则表达式可用", check_fields.patterns_compile),
    Check("aliases", "别名指向字段，且不与字段同名", check_fields.aliases_point_to_fields),
    Check("counts", "字段、分组、必填的数目与标准一致", check_fields.counts_as_promised),
    Check("conditions", "条件引用的表、字段、规则、代码都存在", check_rules.conditions_resolve),
    Check("condition-counts", "印刷与推断的条件数目与标准一致", check_rules.condition_counts),
    Check("messages", "消息齐全，占位符与程序一致", check_rules.messages_complete),
    Check("interfaces", "接口引用的表与键存在，路径唯一", check_rules.interfaces_resolve),
    Check("code-lists", "字典齐全，名称唯一，状态已知", check_codes.lists_whole),
    Check("code-patterns", "代码符合本表的写法", check_codes.codes_match_pattern),
    Check("code-repairs", "更正过的代码与印刷不同且有说明", check_codes.repairs_explained),
    Check("code-counts", "更正、未核实、可疑的数目与说明一致", check_codes.status_counts),
    Check("code-composition", "复合代码与各列一致，组内连续", check_codes.composed_codes_agree),
    Check("code-use", "每个行内代码表都有字段引用", check_codes.inline_lists_used),
    Check("traps", "字段引用的编号在 README.md 中有说明，且相互一致", check_folder.traps_explained),
    Check("examples", "示例可读，成员都是表中的字段", check_folder.examples_fit),
    Check("text", "文件为 UTF-8、无 BOM、换行为 LF、单元格无首尾空白", check_folder.text_clean),
)


def check(edition: Edition) -> list[Problem]:
    """Every problem of the edition, in the order of CHECKS; empty when it is whole."""
    return [problem for one in CHECKS for problem in one.run(edition)]
