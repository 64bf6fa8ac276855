"""How values are written, and the other ways hospitals write them. Pure text in, canonical
text out; no findings.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import mul
from typing import Any

DATETIME_LENGTH = 19
DATE_LENGTH = 10
_SEPARATED = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:[.,]\d{1,9})?秒?|分)?)?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(\d\d)?(?:\.\d{1,9})?)?(Z|[+-]\d{4})?", re.ASCII
)
_BEIJING = timedelta(hours=8)
_AGE = re.compile(r"(\d{1,3})\s*(周岁|岁|个月|月|周|天|日|小时|时|Y|M|W|D|H)?", re.ASCII | re.IGNORECASE)
_AGE_UNITS = {
    **dict.fromkeys(("周岁", "岁", "Y"), "Y"),
    **dict.fromkeys(("个月", "月", "M"), "M"),
    **dict.fromkeys(("天", "日", "D"), "D"),
    **dict.fromkeys(("小时", "时", "H"), "H"),
}
_DAYS_IN_A_WEEK = 7
_ID_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_ID_ZEROS = ord("0") * sum(_ID_WEIGHTS)
_ID_CHECK = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_INTERVAL = re.compile(r"\s+/\s+|\s*[~～]\s*|\s*至\s*|\s*—+\s*")


def text_of(value: Any) -> str | None:
    """A scalar as text without surrounding white space: T15 (null is ''), T16 (a number is its text).

    None for what is no scalar.
    """
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None


def shorten(value: Any, limit: int = 40) -> str:
    """The offending value for a finding: short, one line, safe for any JSON value."""
    if isinstance(value, dict):
        return f"对象（{len(value)} 个成员）"
    if isinstance(value, list):
        return f"数组（{len(value)} 项）"
    text = text_of(value) or ""
    shown = "".join(c if c.isprintable() else "�" for c in text[:limit])
    return shown + "…" if len(text) > limit else shown


def is_datetime(text: str) -> bool:
    """Exactly `yyyy-MM-dd HH:mm:ss` and a moment that exists."""
    if len(text) != DATETIME_LENGTH or text[4::3] != "-- ::":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    """Exactly `yyyy-MM-dd` and a day that exists."""
    if len(text) != DATE_LENGTH or text[4::3] != "--":
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_interval(text: str) -> bool:
    """Exactly `yyyy-MM-dd HH:mm:ss / yyyy-MM-dd HH:mm:ss` (T58)."""
    return text[19:22] == " / " and is_datetime(text[:19]) and is_datetime(text[22:])


def read_moment(text: str) -> tuple[datetime, bool] | None:
    """A date or date-time in any tolerated form (T55–T57), as Beijing time, and whether it had a time of day.

    Tolerated: `-`, `/`, `.` or 年月日; `T`; missing seconds; date only; 8, 12 or 14 digits; a
    zone. None otherwise.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _SEPARATED.fullmatch(plain) or _COMPACT.fullmatch(plain)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))  # noqa: DTZ001
        return _to_beijing(moment, zone), hour is not None
    except (ValueError, OverflowError):
        return None


def _to_beijing(moment: datetime, zone: str | None) -> datetime:
    if zone is None:
        return moment
    if zone in ("Z", "z"):
        return moment + _BEIJING
    sign = -1 if zone[0] == "-" else 1
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return moment - sign * timedelta(minutes=minutes) + _BEIJING


def datetime_text(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")


def date_text(moment: datetime) -> str:
    return moment.date().isoformat()


def canonical_datetime(text: str) -> str:
    """`yyyy-MM-dd HH:mm:ss`, or '' when it cannot be read."""
    if is_datetime(text):
        return text
    read = read_moment(text)
    return datetime_text(read[0]) if read else ""


def beijing_text(now_ms: int) -> str:
    """A Unix time in milliseconds as `yyyy-MM-dd HH:mm:ss`, Beijing time."""
    return datetime_text(datetime.fromtimestamp(now_ms // 1000, UTC).replace(tzinfo=None) + _BEIJING)


def split_interval(text: str) -> list[str]:
    """Start and end of an interval, or the one time given (T58)."""
    parts = [part for part in _INTERVAL.split(text) if part]
    if len(parts) == 1 and text.count("/") == 1:
        parts = text.split("/")
    return parts


def split_age(text: str) -> tuple[str, str] | None:
    """`35岁`, `035Y`, `3 个月` -> ('35', 'Y'); a bare number has no unit (T30, T57). Weeks become days."""
    match = _AGE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    number, unit = int(match[1]), (match[2] or "").upper()
    if unit in ("周", "W"):
        return str(number * _DAYS_IN_A_WEEK), "D"
    return str(number), _AGE_UNITS.get(unit, "")


def split_list(text: str, separators: str) -> list[str]:
    """The items of a list split on any of `separators`, trimmed, empty ones dropped."""
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    return [item for item in (part.strip() for part in text.split(separators[0])) if item]


def is_id_number(text: str) -> bool:
    """An 18-digit resident identity number: digits, check digit, a birthday that exists (GB 11643, T34)."""
    if len(text) != 18 or not text.isascii() or not text[:17].isdigit():
        return False
    total = sum(map(mul, _ID_WEIGHTS, text.encode())) - _ID_ZEROS
    if text[17].upper() != _ID_CHECK[total % 11]:
        return False
    return is_date(f"{text[6:10]}-{text[10:12]}-{text[12:14]}")


@lru_cache(maxsize=4096)
def is_credit_code(text: str) -> bool:
    """An 18-character 统一社会信用代码 with its check character (GB 32100, T34)."""
    if len(text) != 18 or any(c not in _CREDIT_ALPHABET for c in text):
        return False
    digits = [_CREDIT_ALPHABET.index(c) for c in text]
    total: int = sum(map(mul, _CREDIT_WEIGHTS, digits))
    return (31 - total % 31) % 31 == digits[17]


def fold_name(name: str) -> str:
    """A member's name as it is compared: without case and `_` (T63)."""
    return name.replace("_", "").lower()


def fold_term(text: str) -> str:
    """A printed term as it is compared: without white space, 膈 as 隔, full width as half
    width (T41, B-06, B-16).
    """
    return "".join(unicodedata.normalize("NFKC", text).split()).replace("膈", "隔").upper()
