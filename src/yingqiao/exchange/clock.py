"""Beijing time, as the standard writes it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


def clock(ms: int) -> str:
    """Unix milliseconds as `yyyy-MM-dd HH:mm:ss`, Beijing time."""
    return datetime.fromtimestamp(ms / 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def beijing_ms(text: str) -> int | None:
    """`yyyy-MM-dd HH:mm:ss` Beijing time as Unix milliseconds; None when it is something else."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000)
    except ValueError:
        return None


def day_bounds(day: str) -> tuple[int, int]:
    """Unix ms of the beginning of `yyyy-MM-dd`, Beijing time, and of the next day. Raises ValueError."""
    start = datetime.fromisoformat(day).replace(tzinfo=BEIJING)
    return int(start.timestamp() * 1000), int((start + timedelta(days=1)).timestamp() * 1000)


def day_of_ms(ms: int) -> str:
    """`yyyy-MM-dd`, Beijing time."""
    return clock(ms)[:10]
