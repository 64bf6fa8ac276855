"""How strictly one hospital's records are judged: data, kept with the hospital, changed without a release.

A grade is refuse, warn, note or off. The most specific one wins: `table.field:rule`,
`table.field`, `table:rule`,
`rule`. In JSON: `{"grades": {"length": "note", "exam.mtuRecMark": "off", "report.CAData:ca": "refuse"},
"ca_required": true, "group": ["…"], "window_seconds": 600, "window": "warn",
"verification": {"revocation-missing": "warn"}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import orjson

from yingqiao.exchange.model import Level
from yingqiao.signing.verification.policy import DEFAULT as VERIFICATION
from yingqiao.signing.verification.policy import Policy, PolicyError

OFF = "off"
Grade = Level | None
"""None = not reported at all."""

RULES: Mapping[str, Grade] = MappingProxyType(
    {
        "key": Level.REFUSE,  # the record could not be identified without it
        "hospital": Level.REFUSE,  # the record says it is another hospital's (T17)
        "required": Level.REFUSE,  # 是, in the state the record is in (三(六)6, T20, T21)
        "conditional": Level.REFUSE,  # the remark's condition holds
        "suggested": Level.WARN,  # should be there by our reading of the standard, not by its letter
        "if_known": None,  # 否 = 有则必填 (T12): only when the hospital wants to see it
        "pdf": Level.REFUSE,  # an embedded document that is none (T74)
        "type": Level.WARN,
        "length": Level.WARN,
        "code_list": Level.WARN,
        "pattern": Level.WARN,
        "date": Level.WARN,
        "number": Level.WARN,  # check digits (T34)
        "age": Level.WARN,  # T30
        "url": Level.WARN,
        "addresses": Level.REFUSE,  # an images list without addresses, or with too many (T94)
        "url-host": Level.WARN,  # an address that is not fetched: its host is not registered (T94)
        "conflict": Level.WARN,  # two fields that contradict each other (T39, T40, T52, T61, T73)
        "ca": Level.WARN,  # CA fields while the hospital has no CA yet (T65)
        "signature": Level.WARN,  # the report's signature: refuse = verified before the answer
        "seal": Level.WARN,  # the seals on the report's PDF: refuse = verified before the answer
        "unsealed": Level.NOTE,  # a report's PDF without a seal
        "single": Level.WARN,  # a list of one record (T18)
        "timestamp": Level.WARN,  # T03
        "old-key": Level.NOTE,
        "encoding": Level.NOTE,  # a byte order mark (T06)
        "coded": Level.NOTE,  # a code written in another way: padded, by letters, by name (T31, T36)
        "format": Level.NOTE,  # a date or list written in another way (T50, T55)
        "name": Level.NOTE,  # a member's name spelt in another way (T62, T63)
        "unknown": Level.NOTE,  # members no table knows
        "more": Level.NOTE,  # findings beyond the number reported
    }
)

FIRM = frozenset({"key", "hospital", "addresses"})
"""Rules no profile can soften; `group` is the way to allow other hospitals' codes."""

FIELDS: Mapping[str, Grade] = MappingProxyType(
    {
        "exam.billgDrCode:length": None,  # T47
        "exam.mtuRecMark:length": None,  # T42
        "exam.setInfoList:required": Level.WARN,  # T59
        "settlement:required": Level.WARN,  # T59
    }
)


class ProfileError(ValueError):
    """A profile says something it may not; the text names the member, in Chinese."""


@dataclass(frozen=True)
class Profile:
    grades: Mapping[str, Grade] = field(default_factory=dict)
    """rule | table.field | table.field:rule | table:rule -> grade; beside the defaults above."""
    ca_required: bool = False
    """The hospital has joined the CA: its signature fields are required in audited reports (T65)."""
    group: frozenset[str] = frozenset()
    """Other hospitalCodes its records may carry inside (T17)."""
    window_seconds: int = 600
    """How far the envelope's timestamp may be from now (T03)."""
    window: str = "warn"
    """What happens outside the window: refuse | warn | off."""
    verification: Policy = VERIFICATION
    """By what its reports' signatures are judged."""

    def __hash__(self) -> int:
        return hash(self.to_json())

    def grade(self, table: str, name: str, rule: str) -> Grade:
        """How a finding of `rule` at `table.name` weighs; None = keep silent."""
        keys = (f"{table}.{name}:{rule}", f"{table}.{name}", f"{table}:{rule}")
        for key in keys:
            if key in self.grades:
                return self.grades[key]
        for key in keys:
            if key in FIELDS:
                return FIELDS[key]
        return self.grades.get(rule, RULES.get(rule, Level.WARN))

    @cached_property
    def _json(self) -> str:
        shown: dict[str, Any] = {}
        if self.grades:
            shown["grades"] = {k: OFF if v is None else v.value for k, v in sorted(self.grades.items())}
        if self.group:
            shown["group"] = sorted(self.group)
        for name in ("ca_required", "window_seconds", "window"):
            if getattr(self, name) != getattr(DEFAULT, name):
                shown[name] = getattr(self, name)
        if verification := self.verification.shown():
            shown["verification"] = verification
        return orjson.dumps(shown).decode()

    def to_json(self) -> str:
        """What `from_json` reads; only what differs from the default profile."""
        return self._json

    @staticmethod
    def from_json(text: str | bytes) -> Profile:
        """The profile of a hospital; '' and '{}' are the default one. Raises ProfileError."""
        try:
            said = orjson.loads(text) if text.strip() else {}
        except orjson.JSONDecodeError as error:
            raise ProfileError("不是合法的 JSON") from error
        if not isinstance(said, dict):
            raise ProfileError("应为 JSON 对象")
        unknown = said.keys() - _READERS.keys()
        if unknown:
            raise ProfileError(f"不认识的成员：{'、'.join(sorted(unknown))}")
        given: dict[str, Any] = {name: _READERS[name](value) for name, value in said.items()}
        return Profile(**given)


def _grades(value: Any) -> Mapping[str, Grade]:
    if not isinstance(value, dict):
        raise ProfileError("grades 应为对象")
    return MappingProxyType({name: _grade(name, grade) for name, grade in value.items()})


def _grade(name: str, value: Any) -> Grade:
    rule = name.partition(":")[2] or ("" if "." in name else name)
    if rule and rule not in RULES:
        raise ProfileError(f"grades.{name}：没有规则 {rule}")
    if rule in FIRM:
        raise ProfileError(f"grades.{name}：规则 {rule} 不可调整")
    if value == OFF:
        return None
    try:
        return Level(value)
    except ValueError as error:
        raise ProfileError(f"grades.{name} 应为 refuse、warn、note 或 off") from error


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ProfileError("ca_required 应为 true 或 false")
    return value


def _group(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise ProfileError("group 应为医疗机构代码的数组")
    return frozenset(value)


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ProfileError("window_seconds 应为不小于 0 的整数")
    return value


def _window(value: Any) -> str:
    if value not in ("refuse", "warn", OFF):
        raise ProfileError("window 应为 refuse、warn 或 off")
    return str(value)


def _verification(value: Any) -> Policy:
    if not isinstance(value, dict):
        raise ProfileError("verification 应为对象")
    try:
        return Policy.of(value)
    except PolicyError as error:
        raise ProfileError(f"verification：{error}") from error


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "grades": _grades,
    "ca_required": _flag,
    "group": _group,
    "window_seconds": _seconds,
    "window": _window,
    "verification": _verification,
}
DEFAULT = Profile()
