"""Time as the signing services use it: moments carry their zone, people read Beijing time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "北京时间")


def moment(ms: int) -> datetime:
    """Unix milliseconds as a moment (UTC)."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def milliseconds(at: datetime) -> int:
    """A moment as Unix milliseconds."""
    return round(at.timestamp() * 1000)


def compact(at: datetime) -> str:
    """`yyyyMMddHHmmss`, Beijing time, as `ext` of getAuthSignResult has it (四(二)4)."""
    return at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
