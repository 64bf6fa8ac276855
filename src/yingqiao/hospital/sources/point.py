"""A change cursor: how it is compared, gone back from, and written into positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from yingqiao.exchange.values import read_moment
from yingqiao.hospital.mapping import ConfigError

_LAYOUTS = {14: "%Y%m%d%H%M%S", 8: "%Y%m%d", 10: "%Y-%m-%d", 19: "%Y-%m-%d %H:%M:%S"}


@dataclass(frozen=True, slots=True)
class Point:
    """Where a row stands in a view's order: its cursor and its key, as the driver gave them."""

    cursor: Any
    key: Any


def back(cursor: Any, overlap: float) -> Any:
    """The cursor `overlap` earlier: seconds of a time, units of a number. None when it cannot be told: from the start."""
    try:
        if isinstance(cursor, datetime | date):
            return cursor - timedelta(seconds=overlap)
        if isinstance(cursor, int | float | Decimal):
            return cursor - int(overlap)
        return _text_back(cursor, overlap) if isinstance(cursor, str) else None
    except OverflowError:
        return None


def _text_back(cursor: str, overlap: float) -> str | None:
    read = read_moment(cursor)
    return None if read is None else like(cursor, read[0] - timedelta(seconds=overlap))


def like(cursor: str, moment: datetime) -> str | None:
    """A moment written as `cursor` is, so that texts compare as times do; None for a layout that does not sort."""
    whole = cursor.partition(".")[0]
    layout = _LAYOUTS.get(len(whole))
    if layout is None or ("-" in layout) != (whole[4:5] == "-"):
        return None
    return moment.strftime(layout).replace(" ", "T" if whole[10:11] == "T" else " ")


def is_ahead(cursor: Any, now: datetime | None) -> bool:
    """Whether a row is dated after the database's own `now` (aware): it must not carry the mark with it."""
    if now is None:
        return False
    if isinstance(cursor, datetime):
        return cursor > (now if cursor.tzinfo is not None else now.replace(tzinfo=None))
    if isinstance(cursor, date):
        return cursor > now.date()
    text = like(cursor, now) if isinstance(cursor, str) else None
    return text is not None and isinstance(cursor, str) and cursor.partition(".")[0] > text


def position_of(mark: Any, number: str) -> str:
    """The position of a record: the mark reached with it, and what tells it from every other record."""
    return orjson.dumps([*_tag(mark), number]).decode()


def mark_of(position: str) -> Any:
    """The mark in what `position_of` wrote; None when no mark was reached. Raises ConfigError for anything else."""
    try:
        tag, text, _ = orjson.loads(position)
        return _READERS[tag](text)
    except (ValueError, TypeError, KeyError, InvalidOperation) as error:
        raise ConfigError("记下的读取位置不是本数据源的") from error


_READERS: dict[str, Any] = {
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "i": int,
    "f": float,
    "n": Decimal,
    "b": bytes.fromhex,
    "s": str,
    "-": lambda _: None,
}


def _tag(value: Any) -> tuple[str, str]:
    if value is None:
        return "-", ""
    if isinstance(value, datetime | date):
        return ("t" if isinstance(value, datetime) else "d"), value.isoformat()
    if isinstance(value, bytes):
        return "b", value.hex()
    for kind, tag in ((int, "i"), (float, "f"), (Decimal, "n")):
        if isinstance(value, kind):
            return tag, repr(value) if kind is not Decimal else str(value)
    return "s", str(value)
