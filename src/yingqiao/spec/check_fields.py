"""Checks of the field tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from yingqiao.spec.load import read_manifest
from yingqiao.spec.model import Edition, Field, Table
from yingqiao.spec.parts import parts_of, target_of
from yingqiao.spec.problem import Problem
from yingqiao.spec.rules import FORMATS, SEPARATORS, TYPES

LONGEST = 8 * 1024 * 1024
"""No table of the standard prints a longer length (dsvs oriData: 5 MB)."""
_OBJECT_FORMATS = {"object": "object", "objects": "array"}


def _fields(edition: Edition) -> Iterator[tuple[Table, Field, str]]:
    for table in edition.tables.values():
        for field in table.fields:
            yield table, field, f"{table.id}.{field.name}"


def names_unique_and_numbered(edition: Edition) -> Iterator[Problem]:
    for table in edition.tables.values():
        for part, fields in parts_of(table).items():
            where = f"fields/{table.id}.csv" + (f"（{part}）" if part else "")
            for name, times in Counter(f.name.lower().replace("_", "") for f in fields).items():
                if times > 1 or not name:
                    yield Problem("field-names", where, f"字段名 {name!r} 出现 {times} 次")
            if [f.seq for f in fields] != list(range(1, len(fields) + 1)):
                yield Problem("field-names", where, "序号不是从 1 起连续")


def words_known(edition: Edition) -> Iterator[Problem]:
    for _, field, where in _fields(edition):
        if field.type not in TYPES:
            yield Problem("field-words", where, f"未知的类型 {field.type!r}")
        if field.format and field.format not in FORMATS:
            yield Problem("field-words", where, f"未知的格式 {field.format!r}")
            continue
        rule = FORMATS.get(field.format)
        if bool(field.separator) != bool(rule and rule.separated):
            yield Problem("field-words", where, "有多值格式才有分隔符，且必须有")
        if field.separator and field.separator not in SEPARATORS:
            yield Problem("field-words", where, f"未知的分隔符 {field.separator!r}")
        if field.pattern and not (rule and (rule.patterned or rule.separated)):
            yield Problem("field-words", where, "pattern 只用于 pattern 与多值格式")
        if rule and rule.patterned and not field.pattern:
            yield Problem("field-words", where, f"格式 {field.format} 需要 pattern")


def references_resolve(edition: Edition) -> Iterator[Problem]:
    for table, field, where in _fields(edition):
        if field.code_list and field.code_list not in edition.code_lists:
            yield Problem("field-references", where, f"没有代码表 {field.code_list}")
        if _OBJECT_FORMATS.get(field.format, "") not in ("", field.type):
            yield Problem("field-references", where, f"格式 {field.format} 与类型 {field.type} 不符")
        target = target_of(table, field)
        if (field.format in _OBJECT_FORMATS) != (target is not None):
            yield Problem("field-references", where, "object、objects 格式才有 items，且必须有")
        elif target and not _part_exists(edition, *target):
            yield Problem("field-references", where, f"items 指向不存在的 {field.items}")


def _part_exists(edition: Edition, table_id: str, part: str) -> bool:
    table = edition.tables.get(table_id)
    return table is not None and (not part or part in parts_of(table))


def lengths_sane(edition: Edition) -> Iterator[Problem]:
    for table, field, where in _fields(edition):
        if field.max_length is None:
            continue
        if not 0 < field.max_length <= LONGEST:
            yield Problem("field-lengths", where, f"长度 {field.max_length} 不合理")
        if field.type in ("array", "object", "boolean", "date"):
            yield Problem("field-lengths", where, f"类型 {field.type} 不应有长度")
        longest = _longest_code(edition, field)
        if field.max_length < longest and field.name not in table.loose_lengths:
            yield Problem("field-lengths", where, f"长度 {field.max_length} 放不下 {longest} 个字符的代码")
    for table in edition.tables.values():
        for name in sorted(table.loose_lengths - {f.name for f in table.fields if f.max_length is not None}):
            yield Problem("field-lengths", f"{table.id}.{name}", "loose_lengths 所列的不是有长度的字段")


def _longest_code(edition: Edition, field: Field) -> int:
    codes = edition.code_lists.get(field.code_list)
    return max(map(len, codes.codes), default=0) if codes else 0


def patterns_compile(edition: Edition) -> Iterator[Problem]:
    sources = [(where, field.pattern) for _, field, where in _fields(edition)]
    sources += [(f"dictionaries.csv {codes.id}", codes.pattern) for codes in edition.code_lists.values()]
    for where, pattern in sources:
        try:
            re.compile(pattern)
        except re.error as error:
            yield Problem("field-patterns", where, f"正则表达式 {pattern!r} 不可用：{error}")


def aliases_point_to_fields(edition: Edition) -> Iterator[Problem]:
    for table in edition.tables.values():
        names = {f.name for f in table.fields}
        for alias, target in table.aliases.items():
            where = f"{table.id}.{alias}"
            if target and target not in names:
                yield Problem("aliases", where, f"别名指向不存在的字段 {target}")
            if alias in names:
                yield Problem("aliases", where, "别名与字段同名")


def counts_as_promised(edition: Edition) -> Iterator[Problem]:
    if edition.folder is None:
        return
    manifest = read_manifest(edition.folder)
    promised = manifest.get("promised", {})
    for name, entry in manifest["tables"].items():
        table = edition.tables[name]
        yield from _compare(name, {"字段": len(table.fields)}, {"字段": entry.get("fields")})
        yield from _compare(name, _count(f.group for f in table.fields), promised.get("groups", {}).get(name))
        required = _count(f.required.value for f in table.fields)
        yield from _compare(name, required, promised.get("required", {}).get(name))
    extra = {f.name for f in edition.folder.joinpath("fields").iterdir()} - {
        f"{t}.csv" for t in edition.tables
    }
    for name in sorted(extra):
        yield Problem("counts", f"fields/{name}", "manifest.toml 的 tables 中没有这张表")


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values))


def _compare(table: str, found: Mapping[str, int], promised: Mapping[str, int] | None) -> Iterator[Problem]:
    for what in sorted({*found, *promised} if promised is not None else ()):
        have, want = found.get(what, 0), (promised or {}).get(what, 0)
        if have != want:
            yield Problem("counts", f"fields/{table}.csv", f"{what}：标准为 {want}，实有 {have}")
