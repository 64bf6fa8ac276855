"""What a mapping would send, tried on real rows: every finding with its count, columns unused, fields unfilled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.validate import compile_validator
from yingqiao.hospital.mapping.load import unmapped
from yingqiao.hospital.mapping.rules import CODE, TableMapping
from yingqiao.hospital.source import Table
from yingqiao.spec import Required, load_edition


@dataclass(frozen=True, slots=True)
class Counted:
    """One finding, how often, and the first row that has it."""

    finding: Finding
    count: int
    where: str


@dataclass
class Report:
    """The account of one table of one source."""

    table: Table
    mapping: TableMapping
    rows: int = 0
    refused: int = 0
    """Rows the gateway would refuse."""
    sample: dict[str, Any] = field(default_factory=dict)
    """What the first row would send."""
    unused: list[str] = field(default_factory=list)
    """Columns no rule reads."""
    findings: list[Counted] = field(default_factory=list)

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Fields printed 是 that no rule fills: (name, label)."""
        found = unmapped(self.table, self.mapping)
        return [(f.name, f.label) for f in found if f.required is Required.YES]

    @property
    def passed(self) -> bool:
        """Whether there were rows, all of them would be accepted, and every code has a counterpart."""
        uncoded = any(one.finding.rule == CODE for one in self.findings)
        return self.rows > 0 and self.refused == 0 and not uncoded


_ORDER = {Level.REFUSE: 0, Level.WARN: 1, Level.NOTE: 2}
_MAX_FINDINGS = 5000


def check(table: Table, mapping: TableMapping, rows: Iterable[Any], profile: Profile | None = None) -> Report:
    """`rows`: `PreviewRow`s. Validates each as the gateway will, under the default profile unless told."""
    validator = compile_validator(load_edition(), table.value, profile or Profile())
    report = Report(table, mapping)
    counts: dict[tuple[str, str, str], Counted] = {}
    columns: dict[str, None] = {}
    for row in rows:
        report.rows += 1
        columns |= dict.fromkeys(row.columns)
        validated = validator(row.mapped.values)
        found = [*row.mapped.findings, *validated.findings]
        report.refused += any(one.level is Level.REFUSE for one in found)
        report.sample = report.sample or row.mapped.values
        for one in found:
            _count(counts, one, row.where)
    used = {name.partition(".")[0] for name in mapping.columns} | set(mapping.columns)
    report.unused = [name for name in columns if name not in used]
    report.findings = sorted(counts.values(), key=lambda one: (_ORDER[one.finding.level], -one.count))
    return report


def _count(counts: dict[tuple[str, str, str], Counted], finding: Finding, where: str) -> None:
    name = (finding.field, finding.rule, finding.problem)
    known = counts.get(name)
    if known is None and len(counts) >= _MAX_FINDINGS:
        return
    counts[name] = Counted(finding, known.count + 1 if known else 1, known.where if known else where)
