"""Values as drivers give them -> text. Times become Beijing time in the standard's form (T55)."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from yingqiao.hospital.mapping.errors import TransformError

BEIJING = timezone(timedelta(hours=8), "UTC+08:00")


def plain(value: Any, zone: tzinfo = BEIJING) -> Any:
    """A scalar as text, None for NULL, bytes as they are, lists item by item, objects as they are.

    `zone`: where a time without a zone was written.
    Raises TransformError for what is no value (not a number, a driver's own object).
    """
    if value is None or isinstance(value, str | bytes | dict):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple):
        return [plain(item, zone) for item in value]
    if isinstance(value, datetime):
        return _moment(value, zone)
    if isinstance(value, date | time | UUID):
        return str(value).partition(".")[0]
    return _number(value)


def _moment(value: datetime, zone: tzinfo) -> str:
    try:
        there = value if value.tzinfo is not None else value.replace(tzinfo=zone)
        return there.astimezone(BEIJING).replace(tzinfo=None).isoformat(" ", "seconds")
    except (OverflowError, ValueError) as error:
        raise TransformError("时间超出范围") from error


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return _int_text(value)
    if isinstance(value, float) and math.isfinite(value):
        return _int_text(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal) and value.is_finite():
        return _decimal_text(value)
    raise TransformError(f"不能转换的值（{type(value).__name__}）")


_MAX_DIGITS = 300


def _int_text(value: int) -> str:
    if value.bit_length() > _MAX_DIGITS * 3:
        raise TransformError("数字太长")
    return str(value)


def _decimal_text(value: Decimal) -> str:
    if abs(value.adjusted()) > _MAX_DIGITS:
        raise TransformError("数字太长")
    if value == value.to_integral_value():
        return str(int(value))
    return f"{value.normalize():f}"
