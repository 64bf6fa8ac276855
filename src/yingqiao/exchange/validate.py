"""A table of the standard, compiled to one Python function per edition, table and profile.

A value already in canonical form costs one comparison; every other value goes to its
field's plan (reading.py),
which normalises it and says what is wrong. All findings of a record come at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from yingqiao.exchange import values as v
from yingqiao.exchange.conditions import Rule, compile_condition, is_deleted
from yingqiao.exchange.crosschecks import checks_of
from yingqiao.exchange.findings import Collector
from yingqiao.exchange.model import Validated
from yingqiao.exchange.names import Names, unknown_text
from yingqiao.exchange.plans import Plan, make_plan
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.reading import settle
from yingqiao.spec import Condition, Edition, Field, Required, Table
from yingqiao.spec.parts import parts_of, target_of

Sift = Callable[[dict[str, Any]], tuple[dict[str, Any], list[tuple[Plan, Any]]]]
Conditional = tuple[Field, Rule, str, str, tuple[str, ...]]
_WAITING = frozenset({"exam-checked"})
"""Conditions that, while they do not hold yet, leave a warning (T20: before that warn)."""


class Validator:
    """Validates records of one table under one profile. Immutable and thread-safe once made."""

    def __init__(self, edition: Edition, table: Table, profile: Profile) -> None:
        self.table = table
        self.names = Names(table)
        self._profile = profile
        keys = {key for i in edition.interfaces.values() if i.request == table.id for key in i.keys}
        self._keys = frozenset(keys)
        self._plans = tuple(_plan(edition, table, f, profile, self._keys) for f in table.fields)
        self._conditions = tuple(_conditional(edition, c, table, profile) for c in _asked(edition, table))
        self._conditional = frozenset(field.name for field, *_ in self._conditions)
        self._check = checks_of(table)
        self.documents = tuple(f for f in table.fields if f.format == "pdf-base64")
        self._sift = _compile(self._plans)

    def __call__(self, record: dict[str, Any]) -> Validated:
        """`record` as JSON gave it -> printed names, canonical values, every finding.
        Never raises on any JSON.
        """
        return self.run(*self.names.settle(record))

    def run(
        self, members: dict[str, Any], unknown: dict[str, Any], renamed: list[tuple[str, str]]
    ) -> Validated:
        """What `names.settle` gave, validated."""
        values, odd = self._sift(members)
        found = Collector(self.table.id, self._profile)
        for plan, value in odd:
            settle(plan, value, values, found)
        self._check(values, found)
        if not self._conditional <= values.keys():
            self._ask_conditions(values, found)
        if renamed:
            _say_renamed(self.table, renamed, found)
        if is_deleted(values):
            found.soften(self._keys)
        return Validated(values, found.all(), unknown)

    def missing_if_known(self, values: dict[str, Any]) -> tuple[str, ...]:
        """Names of 否 fields (有则必填) a record leaves out: for statistics of data quality (T12)."""
        wanted = (p.spec.name for p in self._plans if p.spec.required is Required.IF_KNOWN)
        return tuple(name for name in wanted if name not in values)

    def _ask_conditions(self, values: dict[str, Any], found: Collector) -> None:
        for field, holds, why, otherwise, traps in self._conditions:
            verdict = "" if field.name in values else why if holds(values) else otherwise
            if verdict:
                rule, _, text = verdict.partition(":")
                found.missing(field, rule, text, traps)


_made: dict[tuple[str, str, str, str], tuple[Edition, Validator]] = {}
_MAX_MADE = 4096


def compile_validator(edition: Edition, table_id: str, profile: Profile, part: str = "") -> Validator:
    """The validator of a table; the same one for the same arguments.

    `part`: of a table that describes several objects (`spec.parts`), which one; '' = what is asked of us:
    the request, of a table without one its first. Raises KeyError for an unknown table or part.
    """
    key = (edition.id, table_id, profile.to_json(), part)
    made = _made.get(key)
    if made is None or made[0] is not edition:
        if len(_made) >= _MAX_MADE:
            _made.clear()
        made = _made[key] = (edition, Validator(edition, _part(edition.tables[table_id], part), profile))
    return made[1]


def _part(table: Table, part: str) -> Table:
    """The table with the fields of one part."""
    parts = parts_of(table)
    if not part and part not in parts:
        part = "request" if "request" in parts else next(iter(parts))
    return table if len(parts) == 1 and not part else replace(table, fields=parts[part])


def _asked(edition: Edition, table: Table) -> list[Condition]:
    """Conditions to evaluate; of a pair 二选一 only the one printed 是 reports (T24)."""
    names = {field.name for field in table.fields}
    mine = [c for c in edition.conditions if c.table == table.id and c.field in names]
    return [c for c in mine if not (c.when.startswith("final-without:") and not _printed_yes(c))]


def _printed_yes(condition: Condition) -> bool:
    return condition.printed_required.startswith("是")


def _conditional(edition: Edition, condition: Condition, table: Table, profile: Profile) -> Conditional:
    firm = _printed_yes(condition) or (condition.basis == "printed" and condition.when != "source-physical")
    rule = "conditional" if firm else "suggested"
    if condition.when == "report-signed" and not profile.ca_required:
        rule = "ca"
    otherwise = f"suggested:{condition.text}" if condition.when in _WAITING else ""
    field = table.field(condition.field)
    rule_of = compile_condition(condition.when, _items(edition, field))
    return field, rule_of, f"{rule}:{condition.text}", otherwise, condition.traps


def _items(edition: Edition, field: Field) -> frozenset[str]:
    codes = edition.code_lists[field.code_list].codes if field.code_list else {}
    return frozenset(codes) | {code.name for code in codes.values()}


def _plan(edition: Edition, table: Table, spec: Field, profile: Profile, keys: frozenset[str]) -> Plan:
    required = spec.required is Required.YES and not edition.conditions_of(table.id, spec.name)
    wanted = spec.required is Required.IF_KNOWN and profile.grade(table.id, spec.name, "if_known") is not None
    nested = None
    target = target_of(table, spec)
    if spec.format == "objects" and target is not None:
        nested = compile_validator(edition, target[0], profile, target[1])
    code_list = edition.code_lists.get(spec.code_list)
    return make_plan(spec, code_list, key=spec.name in keys, required=required, wanted=wanted, nested=nested)


def _say_renamed(table: Table, renamed: list[tuple[str, str]], found: Collector) -> None:
    strangers = {sent: None for sent, printed in renamed if not printed}
    for sent, printed in renamed:
        if printed:
            field = table.field(printed)
            problem = f"参数名“{v.shorten(sent)}”按 {printed} 处理"
            found.add(field, "name", problem, f"请使用规范的参数名 {printed}", ("T63",))
    if strangers:
        problem = f"有 {len(strangers)} 个规范中没有的参数：{unknown_text(strangers)}"
        found.add(None, "unknown", problem, "已原样保留；请核对参数名是否写错")


def _compile(plans: tuple[Plan, ...]) -> Sift:
    """Generates `sift(record) -> (canonical values, [(plan, value still to be settled)])`."""
    scope: dict[str, Any] = {f.__name__: f for f in (v.is_datetime, v.is_date, v.is_interval)}
    lines = ["def sift(record):", " get = record.get", " out = {}", " odd = []"]
    for index, plan in enumerate(plans):
        scope[f"p{index}"], scope[f"c{index}"] = plan, plan.codes
        lines += _lines(plan, index)
    source = "\n".join([*lines, " return out, odd"])
    exec(compile(source, "<validator>", "exec"), scope)  # noqa: S102 -- our own table, no outside text but field names
    return scope["sift"]  # type: ignore[no-any-return]


_SHAPES = {
    "age": "v.isdigit() and v.isascii() and len(v) < 4",
    "datetime": "is_datetime(v)",
    "date": "is_date(v)",
    "moment": "(is_date(v) or is_datetime(v))",
    "interval": "is_interval(v)",
    "division": "len(v) in (6, 9, 12) and v[:2] in c{index} and v.isascii() and v.isdigit()",
}


def _lines(plan: Plan, index: int) -> list[str]:
    name = repr(plan.spec.name)
    test, value = _test(plan, index)
    absent = plan.key or plan.required or plan.wanted
    other = " else:" if absent else ' elif v is not None and v != "":'
    return [
        f" v = get({name})",
        f" if {test}:",
        f"  out[{name}] = {value}",
        other,
        f"  odd.append((p{index}, v))",
    ]


def _test(plan: Plan, index: int) -> tuple[str, str]:
    """The comparison that proves a value canonical, and the expression of its canonical value."""
    if plan.kind in ("codes", "names", "list") and plan.codes:
        kinds = "(v.__class__ is int or v.__class__ is str)" if plan.is_integer else "v.__class__ is str"
        return f"{kinds} and v in c{index}", f"c{index}[v]"
    if plan.kind in _SHAPES:
        return f"v.__class__ is str and {_SHAPES[plan.kind].format(index=index)}", "v"
    if plan.kind in ("plain", "list", "document") and not plan.is_integer and plan.pattern is None:
        return _plain_test(plan), "v"
    return "False", "v"


def _plain_test(plan: Plan) -> str:
    limit = plan.max_length
    size = f"0 < len(v) <= {limit}" if limit is not None else "v"
    test = f"v.__class__ is str and {size} and v.strip() is v"
    if plan.key:
        test += " and v.isprintable()"
    if plan.kind == "list":
        test += "".join(
            f" and {s!r} not in v" for s in (*plan.separators, ", ", "， ") if s != plan.spec.separator
        )
    return test
