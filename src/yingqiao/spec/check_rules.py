"""Checks of conditions, messages and interfaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from string import Formatter

from yingqiao.spec.load import read_manifest, read_rows
from yingqiao.spec.model import Condition, Edition, Interface, Required, Table
from yingqiao.spec.parts import parts_of
from yingqiao.spec.problem import Problem
from yingqiao.spec.rules import (
    BASES,
    CONDITIONS,
    ENVELOPES,
    MESSAGE_CATEGORIES,
    MESSAGES,
    METHODS,
    SERVED_BY,
    split_when,
)


def conditions_resolve(edition: Edition) -> Iterator[Problem]:
    for condition in edition.conditions:
        where = f"conditions.csv {condition.table}.{condition.field}"
        table = edition.tables.get(condition.table)
        if table is None or condition.field not in {f.name for f in table.fields}:
            yield Problem("conditions", where, "没有这个字段")
            continue
        for text in _faults(edition, table, condition):
            yield Problem("conditions", where, text)
    yield from _conditional_fields_have_conditions(edition)


def _faults(edition: Edition, table: Table, condition: Condition) -> Iterator[str]:
    name, parameter = split_when(condition.when)
    rule = CONDITIONS.get(name)
    if condition.basis not in BASES:
        yield f"未知的 basis {condition.basis!r}"
    if condition.printed_required[:1] not in ("是", "否"):
        yield f"printed_required 应为是或否：{condition.printed_required!r}"
    if not condition.text:
        yield "缺少中文说明"
    if rule is None:
        yield f"未知的规则 {name!r}"
        return
    names = {f.name for f in table.fields}
    yield from (f"规则要看的字段 {read} 不在表中" for read in rule.reads if read not in names)
    if bool(parameter) != bool(rule.parameter):
        yield f"规则 {name} 的参数 {parameter!r} 不对"
    elif rule.parameter == "field" and parameter not in names:
        yield f"参数 {parameter} 不是表中的字段"
    elif rule.parameter == "codes" and rule.reads[0] in names:
        codes = edition.code_lists.get(table.field(rule.reads[0]).code_list)
        unknown = [code for code in parameter.split(",") if codes is None or code not in codes.codes]
        yield from (f"参数 {code} 不是 {rule.reads[0]} 的代码" for code in unknown)


def _conditional_fields_have_conditions(edition: Edition) -> Iterator[Problem]:
    printed = {(c.table, c.field) for c in edition.conditions if c.basis == "printed"}
    conditional = {
        (t.id, f.name)
        for t in edition.tables.values()
        for f in t.fields
        if f.required is Required.CONDITIONAL
    }
    for table, field in sorted(printed ^ conditional):
        yield Problem("conditions", f"{table}.{field}", "required 为 conditional 与印刷的条件不一致")


def condition_counts(edition: Edition) -> Iterator[Problem]:
    if edition.folder is None:
        return
    promised = read_manifest(edition.folder).get("promised", {})
    found = Counter(c.basis for c in edition.conditions)
    for basis in sorted(BASES):
        want = promised.get(f"conditions_{basis}", found[basis])
        if found[basis] != want:
            yield Problem("condition-counts", "conditions.csv", f"{basis}：应为 {want}，实有 {found[basis]}")


def messages_complete(edition: Edition) -> Iterator[Problem]:
    for name in sorted(MESSAGES.keys() - edition.messages.keys()):
        yield Problem("messages", f"messages.csv {name}", "缺少这条消息")
    for name, text in edition.messages.items():
        where = f"messages.csv {name}"
        if not text:
            yield Problem("messages", where, "没有文字")
        if name not in MESSAGES:
            yield Problem("messages", where, "程序不用这条消息")
            continue
        try:
            places = {place for _, place, _, _ in Formatter().parse(text) if place is not None}
        except ValueError as error:
            yield Problem("messages", where, f"占位符写法不对：{error}")
            continue
        if places != set(MESSAGES[name]):
            yield Problem("messages", where, f"占位符应为 {sorted(MESSAGES[name])}，实为 {sorted(places)}")
    yield from _message_categories(edition)


def _message_categories(edition: Edition) -> Iterator[Problem]:
    rows = read_rows(edition.folder, "messages.csv") if edition.folder is not None else []
    for name, times in Counter(row["id"] for row in rows).items():
        if times > 1:
            yield Problem("messages", f"messages.csv {name}", f"出现 {times} 次")
    for row in rows:
        if row.get("category") not in MESSAGE_CATEGORIES:
            yield Problem("messages", f"messages.csv {row['id']}", f"未知的类别 {row.get('category')!r}")


def interfaces_resolve(edition: Edition) -> Iterator[Problem]:
    paths = Counter(
        (i.method, i.served_by, path) for i in edition.interfaces.values() for path in (i.path, *i.aliases)
    )
    for (_, _, path), times in paths.items():
        if times > 1:
            yield Problem("interfaces", f"interfaces.toml {path}", f"路径出现 {times} 次")
    for interface in edition.interfaces.values():
        where = f"interfaces.toml {interface.id}"
        for text in _interface_faults(edition, interface):
            yield Problem("interfaces", where, text)


def _interface_faults(edition: Edition, interface: Interface) -> Iterator[str]:
    if interface.method not in METHODS:
        yield f"未知的方法 {interface.method!r}"
    if interface.served_by not in SERVED_BY:
        yield f"未知的 served_by {interface.served_by!r}"
    if interface.envelope not in ENVELOPES:
        yield f"未知的 envelope {interface.envelope!r}"
    if interface.method != "DICOM" and not interface.path.startswith("/"):
        yield f"路径 {interface.path!r} 应以 / 开头"
    if not interface.clause:
        yield "缺少条款"
    for table in (interface.request, interface.response):
        if table and table not in edition.tables:
            yield f"没有表 {table}"
    for key in interface.keys:
        if not _key_exists(edition, interface.request, key):
            yield f"键 {key} 不是请求的字段"


def _key_exists(edition: Edition, table_id: str, key: str) -> bool:
    """`key` may be dotted: patient.risStudyId is risStudyId of the table that patient follows."""
    table = edition.tables.get(table_id)
    if table is None:
        return False
    head, _, rest = key.partition(".")
    found = [f for fields in parts_of(table).values() for f in fields if f.name == head]
    return bool(found) and (not rest or _key_exists(edition, found[0].items, rest))
