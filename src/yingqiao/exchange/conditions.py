"""When a conditional field is required: the rules the edition's conditions name, evaluated
over normalised values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yingqiao.spec.rules import split_when

Values = Mapping[str, Any]
Rule = Callable[[Values], bool]

CHECKED_FROM = 4
"""examStatus from which the examination has taken place (T20)."""
_WRITTEN = frozenset({1, 2, 3, 4})
_AUDITED = frozenset({2, 3})
_EXAMINED_CHECK = frozenset({2, 3, 4})
_WRITTEN_CHECK = frozenset({3, 4})
_AUDITED_CHECK = frozenset({4})
_OTHER = 9
_TRUE = ("1", "true", "True", 1)


class UnknownConditionError(ValueError):
    """The edition names a condition this program cannot evaluate."""


def compile_condition(when: str, items: frozenset[str] = frozenset()) -> Rule:
    """The rule `name` or `name:parameters`; `items` are codes and names of the field's list.

    Raises UnknownConditionError.
    """
    name, parameter = split_when(when)
    if name == "mutual-item":
        return _mutual_item(items)
    if name in _PLAIN and not parameter:
        return _PLAIN[name]
    if name in _WITH_PARAMETER and parameter:
        return _WITH_PARAMETER[name](parameter)
    raise UnknownConditionError(when)


def is_checked(values: Values) -> bool:
    """检查已完成 (T20); where the status is not sent, a checkFinishTime says so."""
    status = values.get("examStatus")
    return status >= CHECKED_FROM if isinstance(status, int) else "checkFinishTime" in values


def is_written(values: Values) -> bool:
    """报告已书写 (T21): by reportStatus, where that is missing by checkStatus."""
    return _by_status(values, _WRITTEN, _WRITTEN_CHECK)


def is_audited(values: Values) -> bool:
    """报告已审核 (T21)."""
    return _by_status(values, _AUDITED, _AUDITED_CHECK)


def is_deleted(values: Values) -> bool:
    """Marked as deleted by the hospital (T60)."""
    return values.get("disableFlag") == 1 or values.get("checkStatus") == 5


def _by_status(values: Values, by_report: frozenset[int], by_check: frozenset[int]) -> bool:
    status = values.get("reportStatus")
    return status in by_report if isinstance(status, int) else values.get("checkStatus") in by_check


def _exam_finished(values: Values) -> bool:
    status = values.get("checkStatus")
    return status in _EXAMINED_CHECK if isinstance(status, int) else is_written(values)


def _mutual_item(items: frozenset[str]) -> Rule:
    """One of the pair is of the list, so the other has to be there too (T41)."""
    return lambda values: values.get("examItemCode") in items or values.get("examItemName") in items


def _source_physical(values: Values) -> bool:
    """The code list has no 体检, it travels as 9 其他 (T27); another number says it is none."""
    return values.get("patientFrom") == _OTHER and not ("outPatientId" in values or "inPatientId" in values)


def _source(parameter: str) -> Rule:
    codes = frozenset(int(code) for code in parameter.split(","))
    return lambda values: values.get("patientFrom") in codes


def _final_without(parameter: str) -> Rule:
    return lambda values: parameter not in values and is_audited(values)


def _without(parameter: str) -> Rule:
    return lambda values: parameter not in values


def _present(parameter: str) -> Rule:
    return lambda values: parameter in values


def _true(parameter: str) -> Rule:
    return lambda values: values.get(parameter) in _TRUE


_PLAIN: Mapping[str, Rule] = {
    "source-physical": _source_physical,
    "exam-finished": _exam_finished,
    "last-audit": lambda values: values.get("isLastAudit") == 1,
    "report-written": is_written,
    "report-audited": is_audited,
    "report-signed": is_audited,
    "exam-checked": is_checked,
}
_WITH_PARAMETER: Mapping[str, Callable[[str], Rule]] = {
    "source": _source,
    "final-without": _final_without,
    "without": _without,
    "present": _present,
    "true": _true,
}
