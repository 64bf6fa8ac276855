"""Values as hospitals write them (T30, T34, T55–T58)."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange import values as v

WANTED = "2025-12-31 08:05:00"


@pytest.mark.parametrize(
    "text",
    [
        "2025-12-31 08:05:00",
        "2025-12-31T08:05:00",
        "2025/12/31 08:05:00",
        "2025-12-31 08:05",
        "2025/12/31 8:5",
        "20251231080500",
        "202512310805",
        "20251231 080500",
        "2025-12-31 08:05:00.123",
        "2025-12-31T00:05:00Z",
        "2025-12-31T08:05:00+08:00",
        "2025年12月31日 08时05分00秒",
        "２０２５－１２－３１ ０８：０５：００",
    ],
)
def test_t55_a_moment_in_any_tolerated_form(text: str):
    """T55, T56."""
    assert v.canonical_datetime(text) == WANTED


@pytest.mark.parametrize("text", ["2025-12-31", "20251231", "2025/12/31", "2025.12.31"])
def test_t57_a_day_is_a_moment(text: str):
    """T55, T57."""
    assert v.canonical_datetime(text) == "2025-12-31 00:00:00"


@pytest.mark.parametrize(
    "text", ["", "2025-02-30 00:00:00", "2025-13-01", "昨天", "08:05:00", "2025-W01-1 10:00:00", "9" * 99]
)
def test_t55_what_is_no_moment_is_not_read(text: str):
    """T55, T56."""
    assert v.canonical_datetime(text) == ""


@given(st.text())
def test_dates_never_raise(text: str):
    assert v.is_datetime(text) in (True, False)
    assert v.is_date(text) in (True, False)
    assert v.is_interval(text) in (True, False)
    assert v.canonical_datetime(text) == "" or v.is_datetime(v.canonical_datetime(text))


@given(st.datetimes(datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9998-12-31")))
def test_canonical_dates_are_recognised(moment: datetime):
    text = v.datetime_text(moment)
    assert v.is_datetime(text)
    assert v.canonical_datetime(moment.strftime("%Y%m%d%H%M%S").zfill(14)) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2025-12-31 08:00:00 / 2025-12-31 09:00:00", 2),
        ("2025-12-31 08:00:00~2025-12-31 09:00:00", 2),
        ("2025-12-31 08:00:00/2025-12-31 09:00:00", 2),
        ("2025-12-31 08:00:00 至 2025-12-31 09:00:00", 2),
        ("2025-12-31 08:00:00", 1),
        ("2025/12/31 08:00:00", 1),
    ],
)
def test_t58_an_interval_or_a_single_time(text: str, parts: int):
    """T58."""
    assert len(v.split_interval(text)) == parts
    assert all(v.canonical_datetime(part.strip()) for part in v.split_interval(text))


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("35岁", ("35", "Y")),
        ("035Y", ("35", "Y")),
        ("3 个月", ("3", "M")),
        ("10天", ("10", "D")),
        ("5小时", ("5", "H")),
        ("２周", ("14", "D")),
        ("35", ("35", "")),
        ("三岁", None),
        ("", None),
    ],
)
def test_t30_ages(text: str, age: tuple[str, str] | None):
    """T30, T57."""
    assert v.split_age(text) == age


@pytest.mark.parametrize("text", ["140105199001010032", "11010519491231002X", "11010519491231002x"])
def test_t34_id_numbers(text: str):
    """T34."""
    assert v.is_id_number(text)


@pytest.mark.parametrize(
    "text", ["140105199001010033", "14010519900101003", "140105199013010032", "１" * 18, ""]
)
def test_t34_wrong_id_numbers(text: str):
    """T34."""
    assert not v.is_id_number(text)


def test_t34_credit_codes():
    """T34: the example of GB 32100, and one with a wrong check character."""
    assert v.is_credit_code("91350100M000100Y43")
    assert not v.is_credit_code("91350100M000100Y44")
    assert not v.is_credit_code("TestHospital")


@given(st.text())
def test_check_digits_and_ages_never_raise(text: str):
    v.is_id_number(text)
    v.is_credit_code(text)
    v.split_age(text)
    v.split_interval(text)
    v.fold_term(text)


def test_b16_terms_compare_without_white_space_and_with_one_spelling_of_the_diaphragm():
    """T41, B-06, B-16."""
    assert v.fold_term("纵 膈CT 平扫") == v.fold_term("纵隔ct平扫")
