"""Windows of the week, as people write them (issue 3: time windows per source). Beijing time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.windows import WindowError, parse_windows

BEIJING = timezone(timedelta(hours=8))
MINUTE = 60_000


def at(day: int, hour: int, minute: int = 0) -> int:
    """Unix ms on 2026-11-(23 + day): day 0 is a Monday."""
    return int(
        (datetime(2026, 11, 23, hour, minute, tzinfo=BEIJING) + timedelta(days=day)).timestamp() * 1000
    )


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "22:00-06:00",
            [at(0, 22), at(0, 23, 59), at(1, 5, 59), at(6, 22), at(7, 3)],
            [at(0, 6), at(0, 21, 59)],
        ),
        ("周六,周日 00:00-24:00", [at(5, 0), at(6, 23, 59)], [at(4, 23, 59), at(7, 0)]),
        ("sat", [at(5, 0), at(5, 23, 59)], [at(6, 0), at(4, 12)]),
        ("周一-周五 20:00-07:00", [at(4, 20), at(5, 6, 59), at(0, 21)], [at(5, 7), at(5, 21), at(0, 5)]),
        ("周日 22:00-02:00", [at(6, 23), at(7, 1, 59)], [at(7, 2), at(0, 22)]),
        ("工作日 12:00-13:00；周末", [at(2, 12, 30), at(5, 3), at(6, 3)], [at(2, 13), at(0, 11, 59)]),
        ("周五至周一", [at(4, 0), at(5, 5), at(6, 5), at(0, 5)], [at(1, 0), at(3, 23)]),
        ("12：00 ～ 13：30", [at(3, 12), at(3, 13, 29)], [at(3, 13, 30)]),
        ("", [at(0, 0), at(3, 12)], []),
    ],
)
def test_open_when_written(text: str, inside: list[int], outside: list[int]) -> None:
    windows = parse_windows(text)
    assert [windows.is_open(moment) for moment in inside] == [True] * len(inside)
    assert [windows.is_open(moment) for moment in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    "text", ["25:00-26:00", "8-9", "周八", "08:00-08:00", "24:00-06:00", "06:60-07:00", "晚上"]
)
def test_what_cannot_be_read_is_said_in_chinese(text: str) -> None:
    with pytest.raises(WindowError, match="时段"):
        parse_windows(text)


def test_opens_at_the_next_edge() -> None:
    windows = parse_windows("22:00-06:00")
    assert windows.opens_at(at(0, 12)) == at(0, 22)
    assert windows.opens_at(at(0, 23)) == at(0, 23)
    assert parse_windows("周六").opens_at(at(6, 1)) == at(12, 0)


DAYS = ["", "周一 ", "周三,周日 ", "工作日 ", "周五-周一 "]
TIMES = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda pair: pair[0] != pair[1])


@given(
    spans=st.lists(st.tuples(st.sampled_from(DAYS), TIMES), min_size=1, max_size=3),
    now=st.integers(0, 2**42),
)
def test_opens_at_is_the_first_open_moment(spans: list[tuple[str, tuple[int, int]]], now: int) -> None:
    text = ";".join(f"{d}{s // 60:02}:{s % 60:02}-{e // 60:02}:{e % 60:02}" for d, (s, e) in spans)
    windows = parse_windows(text)
    opens = windows.opens_at(now)
    assert opens >= now
    assert windows.is_open(opens)
    assert opens == now or not windows.is_open(opens - 1)
    assert opens - now <= 7 * 24 * 60 * MINUTE
