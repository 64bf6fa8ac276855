"""Collects what is found in one record and weighs it by the hospital's profile."""

from __future__ import annotations

from dataclasses import replace

from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import FIRM, Profile
from yingqiao.spec import Field

MAX_FINDINGS = 500
"""More than a record of the standard can have; beyond it they are counted only."""


class Collector:
    """All findings of one record of `table`."""

    __slots__ = ("_profile", "_table", "found", "hidden")

    def __init__(self, table: str, profile: Profile) -> None:
        self._table = table
        self._profile = profile
        self.found: list[Finding] = []
        self.hidden = 0

    def add(
        self, field: Field | None, rule: str, problem: str, mend: str, traps: tuple[str, ...] = ()
    ) -> None:
        """One finding at `field` (None: the whole record), unless the profile keeps it silent."""
        name, label = (field.name, field.label) if field is not None else ("", "")
        level = Level.REFUSE if rule in FIRM else self._profile.grade(self._table, name, rule)
        if level is None:
            return
        if len(self.found) >= MAX_FINDINGS:
            self.hidden += 1
            return
        self.found.append(Finding(name, label, rule, level, problem, mend, traps))

    def missing(
        self, field: Field, rule: str = "required", why: str = "该字段必填", traps: tuple[str, ...] = ()
    ) -> None:
        self.add(field, rule, f"{why}，但未填写", f"请填写{field.label}", traps)

    def extend(self, findings: tuple[Finding, ...], prefix: str) -> None:
        """Findings of a part of the record, their fields dotted under `prefix`."""
        for finding in findings:
            if len(self.found) >= MAX_FINDINGS:
                self.hidden += 1
            else:
                self.found.append(replace(finding, field=f"{prefix}.{finding.field}".rstrip(".")))

    def soften(self, keys: frozenset[str]) -> None:
        """A deletion needs its keys only (T60): other missing fields no longer refuse."""
        self.found = [
            replace(finding, level=Level.WARN)
            if finding.level is Level.REFUSE and finding.rule in _ABSENT and finding.field not in keys
            else finding
            for finding in self.found
        ]

    def all(self) -> tuple[Finding, ...]:
        if self.hidden:
            level = self._profile.grade(self._table, "", "more") or Level.NOTE
            problem = f"另有 {self.hidden} 项问题未逐一列出"
            return (*self.found, Finding("", "", "more", level, problem, "请先修正已列出的问题"))
        return tuple(self.found)


_ABSENT = frozenset({"required", "conditional"})
