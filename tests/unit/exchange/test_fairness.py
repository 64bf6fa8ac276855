"""Who is next (issue 3: fairness between hospitals and limits per host; 急诊 first)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.fairness import Line, Turns, choose


def line(hospital: str, name: str, ids: range, priority: int = 5, slots: int = 4, in_hand: int = 0) -> Line:
    return Line(f"{hospital}/{name}", hospital, slots, in_hand, [(priority, number) for number in ids])


def test_hospitals_take_turns_whatever_waits() -> None:
    lines = [line("A", "x", range(100), slots=100), line("B", "y", range(1000, 1002))]
    chosen = choose(lines, 4, {}, 8, Turns())
    assert sorted(chosen) == [0, 1, 1000, 1001]


def test_with_one_place_hospitals_take_turns_from_one_choice_to_the_next() -> None:
    turns = Turns()
    got = []
    for step in range(6):
        lines = [line("A", "x", range(step, 100)), line("B", "y", range(1000 + step, 1100))]
        got += choose(lines, 1, {}, 8, turns)
    assert sum(number >= 1000 for number in got) == 3


def test_an_emergency_goes_before_all() -> None:
    lines = [line("A", "x", range(10)), line("B", "y", range(900, 901), priority=0)]
    assert choose(lines, 1, {"B": 5}, 8, Turns()) == [900]


def test_destinations_of_a_hospital_take_turns() -> None:
    lines = [line("A", "x", range(10)), line("A", "y", range(100, 110))]
    assert sorted(choose(lines, 4, {}, 8, Turns())) == [0, 1, 100, 101]


LINES = st.lists(
    st.builds(
        lambda hospital, name, priorities, slots, in_hand: Line(
            f"{hospital}/{name}",
            hospital,
            slots,
            in_hand,
            sorted((p, int(name) * 100 + i) for i, p in enumerate(priorities)),
        ),
        st.sampled_from("ABC"),
        st.integers(0, 50).map(str),
        st.lists(st.sampled_from([0, 1, 5, 9]), max_size=6),
        st.integers(0, 4),
        st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda each: each.destination.partition("/")[2],
)


@given(lines=LINES, room=st.integers(0, 20), cap=st.integers(1, 6), busy=st.integers(0, 4))
def test_no_limit_is_passed_and_nothing_is_left_idle(
    lines: list[Line], room: int, cap: int, busy: int
) -> None:
    owner = {number: each for each in lines for _, number in each.head}
    chosen = choose(lines, room, {"A": busy}, cap, Turns())
    assert len(chosen) == len(set(chosen)) <= room
    loads = {"A": busy}
    for number in chosen:
        loads[owner[number].hospital_code] = loads.get(owner[number].hospital_code, 0) + 1
    assert all(n <= max(cap, busy) for n in loads.values())
    for each in lines:
        taken = [number for number in chosen if owner[number] is each]
        assert taken == [number for _, number in each.head][: len(taken)]
        assert len(taken) <= each.slots
        blocked = len(taken) >= min(each.slots, len(each.head)) or loads.get(each.hospital_code, 0) >= cap
        assert len(chosen) == room or blocked
