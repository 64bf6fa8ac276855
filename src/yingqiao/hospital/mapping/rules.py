"""A mapping at work: a row of the hospital's becomes the members of one of the standard's tables. Never raises on any row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.values import shorten
from yingqiao.hospital.mapping.convert import trim
from yingqiao.hospital.mapping.errors import TransformError
from yingqiao.hospital.mapping.plain import BEIJING, plain
from yingqiao.hospital.mapping.transforms import Function, Transform
from yingqiao.spec import Field

Row = Callable[[str], Any]
"""What a row has under a column's name; None for nothing."""

CODE = "mapping-code"
"""Rule of the finding: a value without a counterpart in the code mapping."""
VALUE = "mapping-value"
"""Rule of the finding: a transform could not read the value; the value goes as it is."""
BYTES = "mapping-bytes"
"""Rule of the finding: bytes that are no text in any agreed character set; the record cannot go."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The hospital's codes -> the standard's."""

    pairs: Mapping[str, str]
    default: str | None = None

    def of(self, value: str) -> str | None:
        """The standard's code, the default, or None."""
        return self.pairs.get(trim(value), self.default)


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field of the standard is filled."""

    spec: Field
    read: Callable[[Row], Any]
    columns: tuple[str, ...]
    steps: tuple[tuple[str, Transform, Function], ...] = ()
    codes: Codes | None = None
    default: str | None = None
    objects: tuple[Rule, ...] = ()
    """For arrays of objects: the members of the one object."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a row."""

    values: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> str:
        """Why the record cannot go at all, or ''."""
        return "；".join(f"{f.field}（{f.label}）{f.problem}" for f in self.findings if f.rule == BYTES)


@dataclass(frozen=True, slots=True)
class TableMapping:
    """All rules of one table of one source."""

    rules: tuple[Rule, ...]
    key_field: str
    zone: tzinfo = BEIJING
    columns: tuple[str, ...] = field(init=False)
    """Every column named, each once, in order."""

    def __post_init__(self) -> None:
        named = (column for rule in flat(self.rules) for column in rule.columns)
        object.__setattr__(self, "columns", tuple(dict.fromkeys(named)))

    def apply(self, row: Row) -> Mapped:
        """The members the row has, canonical enough to be validated, and what was found on the way."""
        found: list[Finding] = []
        values: dict[str, Any] = {}
        for rule in self.rules:
            value = (
                _objects(rule, row, self.zone, found) if rule.objects else _value(rule, row, self.zone, found)
            )
            if value is not None:
                values[rule.spec.name] = value
        return Mapped(values, tuple(found))

    def column_of(self, name: str) -> str | None:
        """The column a field is taken from unchanged, so that the source can be asked by it; None when changed."""
        for rule in self.rules:
            if rule.spec.name == name and len(rule.columns) == 1 and not rule.codes:
                harmless = all(step in ("trim", "empty-to-null", "gbk-repair") for step, *_ in rule.steps)
                return rule.columns[0] if harmless else None
        return None


def flat(rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules and those of the objects within."""
    for rule in rules:
        yield rule
        yield from rule.objects


def _objects(rule: Rule, row: Row, zone: tzinfo, found: list[Finding]) -> list[dict[str, Any]] | None:
    members = {one.spec.name: _value(one, row, zone, found) for one in rule.objects}
    taken = {one.spec.name for one in rule.objects if one.columns}
    known = {name: value for name, value in members.items() if value is not None}
    # constants alone are no settlement: the row has none
    return [known] if known and (not taken or taken & known.keys()) else None


def _value(rule: Rule, row: Row, zone: tzinfo, found: list[Finding]) -> Any:
    value = _read(rule, row, zone, found)
    for name, transform, function in rule.steps:
        if value is None:
            break
        try:
            value = _step(transform, function, value)
        except TransformError as error:
            found.append(_unread(rule, f"转换 {name}：{error}", value))
            break
    if rule.codes is not None and value is not None:
        value = _coded(rule, rule.codes, value, found)
    settled = _settle(rule, value, found)
    return _typed(rule.spec, rule.default) if settled is None and rule.default is not None else settled


def _read(rule: Rule, row: Row, zone: tzinfo, found: list[Finding]) -> Any:
    try:
        return plain(rule.read(row), zone)
    except TransformError as error:
        found.append(_unread(rule, str(error), None))
        return None


def _step(transform: Transform, function: Function, value: Any) -> Any:
    if transform.takes == "any":
        return function(value)
    if transform.takes == "list":
        return function(value if isinstance(value, list) else [value])
    if isinstance(value, list):
        return [None if item is None else _step(transform, function, item) for item in value]
    if transform.takes == "bytes":
        if not isinstance(value, bytes):
            raise TransformError("值不是字节")
        return function(value)
    return function(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise TransformError("字节不是 UTF-8 文本，请先用 gbk-repair 或 decode") from error
    if not isinstance(value, str):
        raise TransformError("值不是文本")
    return value


def _coded(rule: Rule, codes: Codes, value: Any, found: list[Finding]) -> Any:
    if isinstance(value, list):
        given = (_coded(rule, codes, item, found) for item in value if item is not None)
        return [code for code in given if code is not None]
    try:
        text = _text(value)
    except TransformError:
        return value
    if not trim(text):
        return None
    if trim(text) not in codes.pairs:
        found.append(_uncoded(rule, codes, text))
    return codes.of(text)


def _settle(rule: Rule, value: Any, found: list[Finding]) -> Any:
    """The value as JSON has it; None for nothing."""
    if isinstance(value, list | dict) and rule.spec.type in ("array", "object"):
        return value or None
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str) and item]
        value = rule.spec.separator.join(texts) if len(texts) == len([v for v in value if v]) else value
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            found.append(
                _finding(
                    rule, BYTES, Level.REFUSE, "字节不是 UTF-8 文本", "在映射中用 gbk-repair 或 decode 转换"
                )
            )
            return None
    if value is None or isinstance(value, str):
        return _typed(rule.spec, value)
    found.append(_unread(rule, "结果不是文本", value))
    return None


_MAX_INTEGER_DIGITS = 15


def _typed(spec: Field, value: str | None) -> Any:
    if not value:
        return None
    if spec.type == "integer" and value.isascii() and value.isdigit() and len(value) <= _MAX_INTEGER_DIGITS:
        return int(value)
    # a lone surrogate could not be sent as UTF-8
    return value.encode("utf-8", "replace").decode() if not value.isascii() else value


def _finding(rule: Rule, name: str, level: Level, problem: str, mend: str) -> Finding:
    return Finding(rule.spec.name, rule.spec.label, name, level, problem, mend)


def _unread(rule: Rule, why: str, value: Any) -> Finding:
    shown = "" if value is None or isinstance(value, bytes) else f"，值“{shorten(value)}”"
    return _finding(rule, VALUE, Level.WARN, f"{why}{shown}", "请核对源数据或映射中的转换")


def _uncoded(rule: Rule, codes: Codes, text: str) -> Finding:
    went = f"按默认值 {codes.default}" if codes.default is not None else "没有上传"
    problem = f"院内代码“{shorten(text)}”没有对照，{went}"
    return _finding(rule, CODE, Level.WARN, problem, "请在该字段的 codes 中补上对照")


@dataclass
class Tally:
    """How often each thing was found: (table, field, rule, problem) -> count. Bounded."""

    counts: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    beyond: int = 0
    """Found after the bound was reached, and not among what is listed."""
    most: int = 10_000

    def add(self, table: str, findings: Sequence[Finding]) -> None:
        for one in findings:
            name = (table, one.field, one.rule, one.problem)
            if name in self.counts or len(self.counts) < self.most:
                self.counts[name] = self.counts.get(name, 0) + 1
            else:
                self.beyond += 1
