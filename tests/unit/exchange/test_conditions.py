"""The closed list of `spec.rules` and what this program evaluates are one list."""

import pytest

from yingqiao.exchange.conditions import UnknownConditionError, compile_condition
from yingqiao.spec import load_edition
from yingqiao.spec.rules import CONDITIONS


def test_every_condition_of_the_edition_can_be_evaluated() -> None:
    for condition in load_edition().conditions:
        assert compile_condition(condition.when)({}) in (True, False)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_name_of_the_closed_list_is_known(name: str) -> None:
    parameter = {"": "", "codes": ":1,2", "field": ":patAge"}[CONDITIONS[name].parameter]
    assert compile_condition(name + parameter)({}) in (True, False)


def test_another_name_is_refused() -> None:
    with pytest.raises(UnknownConditionError):
        compile_condition("full-moon")


def test_a_certificate_is_needed_to_verify_one() -> None:
    """四(二)4(5): verifyCert 为 true 时必须传入证书; sent as boolean or as text (T128)."""
    rule = compile_condition("true:verifyCert")
    assert [rule({"verifyCert": value}) for value in (True, "true", False, "false")] == [
        True,
        True,
        False,
        False,
    ]
    assert not rule({})
