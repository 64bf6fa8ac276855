"""Conditions: every rule the edition may name can be evaluated."""

import pytest

from tests.unit.exchange.records import EDITION
from yingqiao.exchange.conditions import UnknownConditionError, compile_condition
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.validate import compile_validator
from yingqiao.spec.rules import CONDITIONS


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_every_rule_of_the_closed_list(name: str):
    parameter = {"codes": ":1,2", "field": ":patAge", "": ""}[CONDITIONS[name].parameter]
    assert compile_condition(name + parameter)({}) in (True, False)


@pytest.mark.parametrize("when", ["", "nonsense", "source", "last-audit:1", "present:"])
def test_an_unknown_rule_is_an_error_of_the_edition(when: str):
    with pytest.raises(UnknownConditionError):
        compile_condition(when)


@pytest.mark.parametrize("table", sorted(EDITION.tables))
def test_every_table_of_the_edition_compiles(table: str):
    compile_validator(EDITION, table, Profile())({})


def test_a_printed_truth():
    """T128."""
    rule = compile_condition("true:verifyCert")
    assert rule({"verifyCert": "1"})
    assert rule({"verifyCert": "true"})
    assert not rule({"verifyCert": "false"})
