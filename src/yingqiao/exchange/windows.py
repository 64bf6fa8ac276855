"""When a destination may be used: windows of the week, as people write them. Beijing time. Pure.

`22:00-06:00` every day, over midnight · `周六,周日 00:00-24:00` · `sat` the whole day · `工作日 20:00-07:00`.
Several are joined by a comma; the days before a time hold for that time only. Empty text = always.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_MINUTE_MS = 60_000
_DAY = 24 * 60
_WEEK_MS = 7 * _DAY * _MINUTE_MS
_BEIJING_MS = 8 * 3_600_000
_MONDAY_MS = 3 * _DAY * _MINUTE_MS
"""1970-01-01 was a Thursday."""

_NAMES = (
    ("周一", "星期一", "礼拜一", "mon", "monday"),
    ("周二", "星期二", "礼拜二", "tue", "tuesday"),
    ("周三", "星期三", "礼拜三", "wed", "wednesday"),
    ("周四", "星期四", "礼拜四", "thu", "thursday"),
    ("周五", "星期五", "礼拜五", "fri", "friday"),
    ("周六", "星期六", "礼拜六", "sat", "saturday"),
    ("周日", "周天", "星期日", "星期天", "礼拜天", "sun", "sunday"),
)
_DAYS = {name: day for day, names in enumerate(_NAMES) for name in names}
_GROUPS = {
    "工作日": range(5),
    "周末": range(5, 7),
    "每天": range(7),
    "weekdays": range(5),
    "weekend": range(5, 7),
    "daily": range(7),
}
_TIME = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)
_EVERY_DAY = tuple(range(7))


class WindowError(ValueError):
    """Windows were written in a way that cannot be read; the message is Chinese and names the part."""


@dataclass(frozen=True, slots=True)
class Windows:
    """`spans`: (first minute of the week, last minute excluded); a span may run over the end of the week."""

    spans: tuple[tuple[int, int], ...] = ()

    def is_open(self, now_ms: int) -> bool:
        at = _of_week(now_ms)
        return not self.spans or any(_since(start, at) < _length(start, end) for start, end in self.spans)

    def opens_at(self, now_ms: int) -> int:
        """Unix ms from which it is open; `now_ms` when it is."""
        if self.is_open(now_ms):
            return now_ms
        at = _of_week(now_ms)
        return now_ms + min((start * _MINUTE_MS - at) % _WEEK_MS for start, _ in self.spans)


def _of_week(now_ms: int) -> int:
    return (now_ms + _BEIJING_MS + _MONDAY_MS) % _WEEK_MS


def _since(start: int, at: int) -> int:
    return (at - start * _MINUTE_MS) % _WEEK_MS


def _length(start: int, end: int) -> int:
    return (end - start) * _MINUTE_MS


@lru_cache(maxsize=1024)
def parse_windows(text: str) -> Windows:
    """The windows a text names. Raises WindowError."""
    spans: list[tuple[int, int]] = []
    days: list[int] = []
    for part in _parts(text):
        time = _TIME.fullmatch(part)
        if time is None:
            days += _days(part)
            continue
        start, end = _minutes(part, time[1], time[2]), _minutes(part, time[3], time[4])
        if start in (end, _DAY):
            raise WindowError(f"时段 {part} 没有长度；全天写 00:00-24:00")
        spans += [
            (day * _DAY + start, day * _DAY + (end if end > start else end + _DAY))
            for day in days or _EVERY_DAY
        ]
        days = []
    spans += [(day * _DAY, (day + 1) * _DAY) for day in days]
    return Windows(tuple(sorted(set(spans))))


def _parts(text: str) -> list[str]:
    plain = text.strip().lower().replace("：", ":")
    plain = re.sub(r"\s*[~～—–至到]\s*|\s*-\s*", "-", plain)
    return [part for part in re.split(r"[\s,，;；、]+", plain) if part]


def _days(part: str) -> list[int]:
    if part in _GROUPS:
        return list(_GROUPS[part])
    first, dash, last = part.partition("-")
    if first not in _DAYS or (dash and last not in _DAYS):
        raise WindowError(
            f"时段 {part!r} 看不懂：应写作 22:00-06:00、周六 00:00-24:00 或 周一-周五 20:00-07:00"
        )
    start = _DAYS[first]
    count = (_DAYS[last] - start) % 7 + 1 if dash else 1
    return [(start + step) % 7 for step in range(count)]


def _minutes(part: str, hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _DAY:
        raise WindowError(f"时段 {part} 的时刻不对：应在 00:00 与 24:00 之间")
    return total
