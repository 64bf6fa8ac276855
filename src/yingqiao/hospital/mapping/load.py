"""A mapping read from TOML and checked against the standard: names, types, codes. Everything wrong is said at load."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from types import MappingProxyType
from typing import Any

from yingqiao.hospital.mapping.errors import ConfigError, nearest
from yingqiao.hospital.mapping.plain import BEIJING, plain
from yingqiao.hospital.mapping.rules import Codes, Row, Rule, TableMapping, flat
from yingqiao.hospital.mapping.transforms import make_transform
from yingqiao.hospital.source import Table
from yingqiao.spec import CodeList, Edition, Field, load_edition

KEY_FIELDS: Mapping[Table, str] = MappingProxyType({Table.EXAM: "risStudyId", Table.REPORT: "recordNum"})
_WAYS = ("column", "columns", "value", "template", "objects")
_MEMBERS = (*_WAYS, "transform", "codes", "default")
NamedCodes = Mapping[str, Mapping[str, Any]]
CheckColumn = Callable[[str], None]
"""Says with a ConfigError that a column's name cannot be one (an HL7 path)."""


def load_mapping(
    table: Table,
    fields: Any,
    named_codes: NamedCodes | None = None,
    *,
    zone: tzinfo = BEIJING,
    check_column: CheckColumn | None = None,
    edition: Edition | None = None,
) -> TableMapping:
    """`fields`: standard field -> how it is filled. Raises ConfigError naming the field."""
    edition = edition or load_edition()
    if not isinstance(fields, Mapping) or not fields:
        raise ConfigError("缺少 fields：标准字段 = 列名")
    rules = _rules(edition, table.value, fields, named_codes or {})
    mapping = TableMapping(rules, KEY_FIELDS[table], zone)
    if mapping.key_field not in fields:
        raise ConfigError(f"必须有 {mapping.key_field}（{table.value} 的唯一标识）", "fields")
    for rule in flat(mapping.rules) if check_column else ():
        for column in rule.columns:
            _within(rule.spec.name, check_column, column)
    return mapping


def _within(name: str, check: CheckColumn | None, column: str) -> None:
    try:
        if check is not None:
            check(column)
    except ConfigError as error:
        raise error.within(name) from error


def _rules(edition: Edition, table: str, fields: Mapping[str, Any], named: NamedCodes) -> tuple[Rule, ...]:
    known = {field.name: field for field in edition.tables[table].fields}
    rules = []
    for name, said in fields.items():
        if name not in known:
            raise ConfigError(f"标准的 {table} 表没有字段 {name}{nearest(name, known)}")
        try:
            rules.append(_rule(edition, known[name], said, named))
        except ConfigError as error:
            raise error.within(name) from error
    return tuple(rules)


def _rule(edition: Edition, spec: Field, said: Any, named: NamedCodes) -> Rule:
    if isinstance(said, str):
        said = {"column": said}
    if not isinstance(said, Mapping):
        raise ConfigError("应为列名，或 { column = …, transform = […] } 这样的表")
    for member in said:
        if member not in _MEMBERS:
            raise ConfigError(f"不认识 {member}{nearest(member, _MEMBERS)}")
    ways = [way for way in _WAYS if way in said]
    if len(ways) != 1:
        raise ConfigError(f"{'、'.join(_WAYS)} 必须且只能有一个")
    if ways == ["objects"]:
        return _objects_rule(edition, spec, said, named)
    read, columns, kind = _reader(ways[0], said[ways[0]])
    steps, kind = _steps(said.get("transform", []), kind)
    codes = _codes(edition, spec, said["codes"], named, said.get("default")) if "codes" in said else None
    _check_kind(spec, kind)
    default = None if "default" not in said else _scalar("default", said["default"])
    if default is not None:
        _check_code(edition.code_lists.get(spec.code_list), default, "default")
    if ways == ["value"] and codes is None and not steps:
        _check_code(edition.code_lists.get(spec.code_list), str(plain(said["value"])), "value")
    return Rule(spec, read, columns, steps, codes, default)


def _objects_rule(edition: Edition, spec: Field, said: Mapping[str, Any], named: NamedCodes) -> Rule:
    if spec.format != "objects":
        raise ConfigError("objects 只用于对象数组的字段（如 setInfoList）")
    if len(said) > 1 or not isinstance(said["objects"], Mapping) or not said["objects"]:
        raise ConfigError("objects 应为 { 成员 = 列名, … }，不与其他写法同用")
    rules = _rules(edition, spec.items, said["objects"], named)
    return Rule(spec, lambda _row: None, (), objects=rules)


def _reader(way: str, said: Any) -> tuple[Callable[[Row], Any], tuple[str, ...], str]:
    """How the value is read, from which columns, and of which kind it is (text | list | any)."""
    if way == "value":
        constant = _scalar("value", said)
        return (lambda _row: constant), (), "text"
    if way == "columns":
        if not isinstance(said, list) or not said or not all(isinstance(one, str) and one for one in said):
            raise ConfigError("columns 应为列名的数组")
        columns = tuple(said)
        return (lambda row: [row(one) for one in columns]), columns, "list"
    if not isinstance(said, str) or not said:
        raise ConfigError(f"{way} 应为非空文本")
    if way == "template":
        return _template(said)
    return (lambda row: row(said)), (said,), "any"


def _template(text: str) -> tuple[Callable[[Row], Any], tuple[str, ...], str]:
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ConfigError("template 的花括号不配对；花括号本身写作 {{ 或 }}") from error
    if any(name == "" or form or how for _, name, form, how in pieces if name is not None):
        raise ConfigError("template 的花括号里只写列名")
    columns = tuple(dict.fromkeys(name for _, name, *_ in pieces if name is not None))
    if not columns:
        raise ConfigError("template 中没有列；固定值请用 value")

    def read(row: Row) -> str | None:
        found = {name: _filled(plain(row(name))) for name in columns}
        if not any(found.values()):
            return None
        return "".join(literal + (found[name] if name is not None else "") for literal, name, *_ in pieces)

    return read, columns, "text"


def _filled(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.strip() if isinstance(value, str) else ""


def _scalar(member: str, said: Any) -> str:
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        raise ConfigError(f"{member} 应为文本或数字")
    return str(plain(said))


def _steps(said: Any, kind: str) -> tuple[tuple[Any, ...], str]:
    if not isinstance(said, list):
        raise ConfigError('transform 应为数组，如 ["trim", ["prefix", "CT"]]')
    steps = []
    for one in said:
        name, arguments = (one, []) if isinstance(one, str) else _named_step(one)
        transform, function = make_transform(name, arguments)
        if transform.takes == "list" and kind == "text":
            raise ConfigError(f"转换 {name} 要一个列表，它前面得到的是文本；请先 split 或用 columns")
        if transform.takes == "bytes" and kind not in ("any", "list"):
            raise ConfigError(f"转换 {name} 要字节，它前面得到的是文本")
        kind = _kind_after(kind, transform.takes, transform.gives, name)
        steps.append((name, transform, function))
    return tuple(steps), kind


def _named_step(one: Any) -> tuple[str, list[Any]]:
    if not isinstance(one, list) or not one or not isinstance(one[0], str):
        raise ConfigError('transform 的每一项是名字，或 ["名字", 参数…]')
    return one[0], one[1:]


def _kind_after(kind: str, takes: str, gives: str, name: str) -> str:
    if takes == "any" and name == "gbk-repair":
        return "list" if kind == "list" else "text"
    if takes in ("text", "bytes") and kind == "list":
        return "list"  # item by item
    return gives


def _check_kind(spec: Field, kind: str) -> None:
    if kind == "list" and spec.type != "array" and not spec.separator:
        raise ConfigError("结果是列表，而该字段只有一个值；请加 join、first 或 item")
    if kind == "text" and spec.type in ("array", "object"):
        raise ConfigError("该字段是数组；请用 objects，或 JSON 列加转换 json")


def _codes(edition: Edition, spec: Field, said: Any, named: NamedCodes, default: Any) -> Codes:
    if isinstance(said, str):
        if said not in named:
            raise ConfigError(f"没有名为 {said} 的代码对照 [source.codes.{said}]{nearest(said, named)}")
        said = named[said]
    if not isinstance(said, Mapping) or not said:
        raise ConfigError("codes 应为 { 院内代码 = 标准代码, … }，或 [source.codes.名字] 的名字")
    pairs = {own.strip(): _scalar(f"codes 的 {own}", code) for own, code in said.items()}
    for own, code in pairs.items():
        _check_code(edition.code_lists.get(spec.code_list), code, f"codes 的 {own}")
    return Codes(MappingProxyType(pairs), None if default is None else _scalar("default", default))


_SHOWN = 20


def _check_code(known: CodeList | None, code: str, where: str) -> None:
    """Only lists that are whole can refuse (T35, T41, T43)."""
    if known is None or known.open or known.match != "exact" or not code:
        return
    allowed = _allowed(known)
    if code in allowed:
        return
    listed = "、".join(f"{c.code} {c.name}" for c in list(known.codes.values())[:_SHOWN])
    raise ConfigError(f"{where} = {code} 不在标准的{known.title}中；可用：{listed}")


def _allowed(known: CodeList) -> set[str]:
    return set(known.codes) | {code.name for code in known.codes.values()}


def unmapped(table: Table, mapping: TableMapping, edition: Edition | None = None) -> Iterable[Field]:
    """The standard's fields no rule fills, in the standard's order."""
    mapped = {rule.spec.name for rule in mapping.rules}
    return [f for f in (edition or load_edition()).tables[table.value].fields if f.name not in mapped]
