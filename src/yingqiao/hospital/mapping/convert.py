"""What the transforms do. Pure; a value that cannot be read raises TransformError, nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import partial
from typing import Any

import orjson

from yingqiao.exchange.values import date_text, datetime_text, read_moment
from yingqiao.hospital.mapping.errors import ConfigError, TransformError

_CONTROLS = {n: None for n in (*range(32), *range(127, 160), 0xFEFF) if chr(n) not in "\n\r\t"}
_BLANKS = " \t\r\n\v\f\x00\u3000\u00a0\ufeff"
_WIDE = {0xFF01 + n: 0x21 + n for n in range(94)} | {0x3000: 0x20}
_MAX_TEXT = 255


def trim(text: str) -> str:
    return text.strip(_BLANKS)


def collapse_spaces(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def clean(text: str) -> str:
    return text.translate(_CONTROLS)


def lines(text: str) -> str:
    return "\n".join(
        line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ).strip("\n")


def half_width(text: str) -> str:
    return text.translate(_WIDE)


def empty_to_null(*placeholders: str) -> Callable[[str], str | None]:
    nothing = frozenset(trim(p).casefold() for p in placeholders) | {""}
    return lambda text: None if trim(text).casefold() in nothing else text


def prefix(before: str) -> Callable[[str], str]:
    return lambda text: before + text


def suffix(after: str) -> Callable[[str], str]:
    return lambda text: text + after


def strip_prefix(before: str) -> Callable[[str], str]:
    return lambda text: text.removeprefix(before)


def substring(start: int, count: int | None = None) -> Callable[[str], str]:
    if start < 1 or (count is not None and count < 1):
        raise ConfigError("位置从 1 数，个数至少为 1")
    end = None if count is None else start - 1 + count
    return lambda text: text[start - 1 : end]


def pad_left(width: int, fill: str) -> Callable[[str], str]:
    if not 1 <= width <= _MAX_TEXT or len(fill) != 1:
        raise ConfigError(f"长度为 1 至 {_MAX_TEXT}，只补一个字符")
    return lambda text: text.rjust(width, fill)


def replace(old: str, new: str) -> Callable[[str], str]:
    if not old:
        raise ConfigError("原文本不能为空")
    return lambda text: text.replace(old, new)


def mapped(pairs: Mapping[str, Any]) -> Callable[[str], str]:
    if not all(isinstance(value, str) for value in pairs.values()):
        raise ConfigError("对照表的值应为文本")
    table: dict[str, str] = {key.strip(): value for key, value in pairs.items()}
    return lambda text: table.get(text.strip(), text)


def split(separator: str) -> Callable[[str], list[str]]:
    if not separator:
        raise ConfigError("分隔符不能为空")
    return lambda text: [part for piece in text.split(separator) if (part := trim(piece))]


def join(separator: str) -> Callable[[Sequence[Any]], str | None]:
    return partial(_join, separator)


def _join(separator: str, items: Sequence[Any]) -> str | None:
    texts = [_item_text(item) for item in items if item not in (None, "")]
    return separator.join(texts) if texts else None


def _item_text(item: Any) -> str:
    if not isinstance(item, str):
        raise TransformError("列表的项不是文本")
    return item


def first(items: Sequence[Any]) -> Any:
    return next((item for item in items if item not in (None, "")), None)


def item(number: int) -> Callable[[Sequence[Any]], Any]:
    if number < 1:
        raise ConfigError("从 1 数")
    return lambda items: items[number - 1] if len(items) >= number else None


def unique(items: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    seen: set[str] = set()
    for one in items:
        if (name := repr(one)) not in seen:
            seen.add(name)
            found.append(one)
    return found


_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def _directives(pattern: str) -> str:
    """`yyyy-MM-dd` -> `%Y-%m-%d`. Raises ConfigError."""
    found = re.sub(r"yyyy|MM|dd|HH|mm|ss", lambda m: _LETTERS[m[0]], pattern.replace("%", "%%"))
    if re.search(r"[A-SU-Za-z]", re.sub(r"%[YmdHMS]", "", found)) or "%Y" not in found:
        raise ConfigError("格式由 yyyy MM dd HH mm ss 与其他字符组成，至少有 yyyy")
    if any(found.count(directive) > 1 for directive in _LETTERS.values()):
        raise ConfigError("格式中同一部分出现了两次")
    return found


def date_in(pattern: str) -> Callable[[str], str]:
    return partial(_date_in, _directives(pattern))


def _date_in(directives: str, text: str) -> str:
    try:
        return datetime_text(datetime.strptime(trim(text), directives))  # noqa: DTZ007 -- wall time
    except (ValueError, OverflowError) as error:
        raise TransformError("日期不符合所给格式") from error


def date_out(pattern: str) -> Callable[[str], str]:
    directives = _directives(pattern)
    return lambda text: _moment(text).strftime(directives)


def _moment(text: str) -> datetime:
    read = read_moment(trim(text))
    if read is None:
        raise TransformError("不是可识别的日期时间")
    return read[0]


def datetime_(text: str) -> str:
    return datetime_text(_moment(text))


def date_(text: str) -> str:
    return date_text(_moment(text))


def unix_seconds(text: str) -> str:
    try:
        there = datetime.fromtimestamp(float(trim(text)), UTC) + timedelta(hours=8)
    except (ValueError, OverflowError, OSError) as error:
        raise TransformError("不是 Unix 时间") from error
    return datetime_text(there.replace(tzinfo=None))


def unix_millis(text: str) -> str:
    try:
        seconds = float(trim(text)) / 1000
    except (ValueError, OverflowError) as error:
        raise TransformError("不是 Unix 时间") from error
    return unix_seconds(repr(seconds))


def utc_to_beijing(text: str) -> str:
    try:
        return datetime_text(_moment(text) + timedelta(hours=8))
    except OverflowError as error:
        raise TransformError("时间超出范围") from error


_SEXES = {
    "1": ("男", "男性", "m", "male", "man", "1"),
    "2": ("女", "女性", "f", "female", "woman", "2"),
    "0": ("未知", "不详", "未知的性别", "u", "unknown", "0"),
    "9": ("其他", "其它", "未说明", "未说明的性别", "o", "other", "9"),
}
_SEX = {written: code for code, ways in _SEXES.items() for written in ways}


def sex(text: str) -> str:
    code = _SEX.get(half_width(trim(text)).casefold())
    if code is None:
        raise TransformError("不是可识别的性别")
    return code


_AGE = re.compile(r"0*(\d{1,3})\s*(周岁|岁|个月|月|周|天|日|小时|时|y|m|w|d|h)?", re.ASCII | re.IGNORECASE)
_UNITS = {
    "周岁": "Y",
    "岁": "Y",
    "个月": "M",
    "月": "M",
    "周": "W",
    "天": "D",
    "日": "D",
    "小时": "H",
    "时": "H",
}
_UNIT_WORDS = {"Y": "岁", "M": "月", "D": "天", "H": "小时"}


def _age_parts(text: str) -> tuple[int, str]:
    match = _AGE.match(half_width(trim(text)))
    if match is None:
        raise TransformError("不是可识别的年龄")
    unit = match[2] or "Y"
    unit = _UNITS.get(unit, unit.upper())
    return (int(match[1]) * 7, "D") if unit == "W" else (int(match[1]), unit)


def age(text: str) -> str:
    return str(_age_parts(text)[0])


def age_unit(text: str) -> str:
    return _age_parts(text)[1]


def age_text(text: str) -> str:
    number_, unit = _age_parts(text)
    return f"{number_}{_UNIT_WORDS[unit]}"


def age_at(items: Sequence[Any]) -> str | None:
    """[birth, then] -> `35Y`, `2M`, `20D`."""
    if len(items) != 2 or not all(isinstance(one, str) and trim(one) for one in items):
        return None
    born, then = (_moment(one) for one in items)
    months = (then.year - born.year) * 12 + then.month - born.month - (then.day < born.day)
    if then < born:
        raise TransformError("出生日期在当时之后")
    if months >= 12:
        return f"{months // 12}Y"
    return f"{months}M" if months else f"{(then - born).days}D"


_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


def number(places: int) -> Callable[[str], str]:
    if not 0 <= places <= 6:
        raise ConfigError("小数位为 0 至 6")
    return partial(_number, Decimal(1).scaleb(-places))


def _number(step: Decimal, text: str) -> str:
    match = _NUMBER.search(half_width(text).replace(",", ""))
    if match is None:
        raise TransformError("没有数值")
    try:
        return f"{Decimal(match[0]).quantize(step, ROUND_HALF_UP):f}"
    except InvalidOperation as error:
        raise TransformError("数值太长") from error


_YES = frozenset({"是", "有", "y", "yes", "t", "true", "1", "√"})
_NO = frozenset({"否", "无", "n", "no", "f", "false", "0", "×"})


def yes_no(text: str) -> str:
    said = half_width(trim(text)).casefold()
    if said in _YES:
        return "1"
    if said in _NO:
        return "0"
    raise TransformError("不是可识别的是/否")


def gbk_repair(value: Any) -> Any:
    """What a driver with the wrong client character set made of GBK bytes, put right."""
    if isinstance(value, list):
        return [gbk_repair(one) for one in value]
    if isinstance(value, bytes):
        return _decoded(value, "gb18030")
    if (
        not isinstance(value, str)
        or value.isascii()
        or any(ord(ch) > 0xFF and ch not in _CP1252 for ch in value)
    ):
        return value
    return _decoded(b"".join(_CP1252.get(ch) or bytes([ord(ch)]) for ch in value), "gb18030")


def _cp1252() -> dict[str, bytes]:
    pairs = ((bytes([n]).decode("cp1252", "ignore"), bytes([n])) for n in range(0x80, 0xA0))
    return {text: raw for text, raw in pairs if text}


_CP1252 = _cp1252()
_CHARSETS = ("utf-8", "gb18030", "gbk", "big5", "utf-16-le", "latin-1")


def decode(charset: str) -> Callable[[bytes], str]:
    if charset not in _CHARSETS:
        raise ConfigError(f"字符集只能是 {'、'.join(_CHARSETS)}")
    return lambda raw: _decoded(raw, charset)


def _decoded(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        raise TransformError(f"字节不是 {charset} 文本") from error


def base64_(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def json_(value: Any) -> Any:
    """What JSON text says; what a driver has read already stays."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise TransformError("不是合法的 JSON") from error
