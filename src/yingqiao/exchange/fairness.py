"""Who is next: the best waiting work of each line, chosen so that no hospital and no destination starves. Pure.

The lowest priority number first (急诊 before all); among equals the hospital with the least in hand, then the
one served longest ago; within it the destination with the least in hand, then the one served longest ago;
within that the oldest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Line:
    """The waiting work of one destination that may be begun now: at most `slots` of it."""

    destination: str
    hospital_code: str
    slots: int
    in_hand: int
    head: Sequence[tuple[int, int]]
    """(priority, id), the best first."""
    taken: int = 0

    @property
    def is_over(self) -> bool:
        return self.taken >= min(self.slots, len(self.head))


@dataclass(slots=True)
class Turns:
    """Who was served when; kept from one choice to the next."""

    count: int = 0
    of: dict[str, int] = field(default_factory=dict)

    def serve(self, *names: str) -> None:
        self.count += 1
        self.of.update(dict.fromkeys(names, self.count))


def choose(
    lines: Sequence[Line], room: int, in_hand: Mapping[str, int], per_hospital: int, turns: Turns
) -> list[int]:
    """The ids to begin, best first: at most `room`, and at most `per_hospital` in hand for any hospital.

    `in_hand`: hospital -> how much of its work is in hand already.
    """
    load = dict(in_hand)
    chosen: list[int] = []
    while len(chosen) < room:
        able = [line for line in lines if not line.is_over and load.get(line.hospital_code, 0) < per_hospital]
        if not able:
            break
        line = min(able, key=lambda each: _rank(each, load, turns))
        chosen.append(line.head[line.taken][1])
        line.taken += 1
        load[line.hospital_code] = load.get(line.hospital_code, 0) + 1
        turns.serve(line.hospital_code, line.destination)
    return chosen


def _rank(line: Line, load: Mapping[str, int], turns: Turns) -> tuple[int, ...]:
    priority, number = line.head[line.taken]
    hospital, destination = line.hospital_code, line.destination
    return (
        priority,
        load.get(hospital, 0),
        turns.of.get(hospital, 0),
        line.in_hand + line.taken,
        turns.of.get(destination, 0),
        number,
    )
