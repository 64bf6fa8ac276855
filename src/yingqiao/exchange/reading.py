"""How a value is read that is not already in canonical form.

The compiled validator (validate.py) settles canonical values itself; whatever else arrives comes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from yingqiao.exchange import addresses
from yingqiao.exchange import values as v
from yingqiao.exchange.findings import Collector
from yingqiao.exchange.plans import Plan

MAX_ITEMS = 500
"""Items of a list or rows of a nested table that are looked at."""
_MAX_DIGITS = 10
"""An integer of the standard is a code or a count; longer ones do not fit a database column."""
_SHOWN_CODES = 15
_PROVINCE = re.compile(r"\d{6}(\d{3}){0,2}", re.ASCII)
Reader = Callable[[Plan, str, Collector], Any]


def settle(plan: Plan, value: Any, out: dict[str, Any], found: Collector) -> None:
    """Read `value` (None = absent) into `out` under the printed name, reporting what is wrong with it."""
    if plan.kind == "objects":
        text: Any = _read_objects(plan, value, found)
    elif plan.kind == "urls":
        text = addresses.read(plan.spec, value, found)
    elif isinstance(value, list) and plan.separators:
        text = _read_text(plan, _joined(value, plan.spec.separator), found)
    else:
        text = _read_text(plan, value, found)
    if text is None or text in ("", ()):
        _absent(plan, found)
    else:
        out[plan.spec.name] = text


def _absent(plan: Plan, found: Collector) -> None:
    if plan.key:
        found.missing(plan.spec, "key", "缺少它无法识别该记录", plan.spec.traps)
    elif plan.required:
        found.missing(plan.spec)
    elif plan.wanted:
        found.missing(plan.spec, "if_known", "该字段有则必填", ("T12",))


def _joined(items: list[Any], separator: str) -> str | None:
    texts = [v.text_of(item) for item in items[:MAX_ITEMS]]
    return None if None in texts else (separator or ",").join(text for text in texts if text)


def _read_text(plan: Plan, value: Any, found: Collector) -> Any:
    text = v.text_of(value)
    if text is None:
        found.add(
            plan.spec,
            "type",
            f"应为文本或数字，收到了{v.shorten(value)}",
            f"请按{plan.spec.label}填写单个值",
            ("T16",),
        )
        return None
    if not text:
        return None
    return _READERS[plan.kind](plan, text, found)


def _check_length(plan: Plan, text: str, found: Collector) -> None:
    limit = plan.max_length
    if limit is None or len(text) <= limit:
        return
    if plan.key:
        found.add(
            plan.spec, "key", f"长度 {len(text)}，超过 {limit}，无法作为标识", "请发送完整且不超长的标识"
        )
        return
    found.add(
        plan.spec,
        "length",
        f"长度 {len(text)}，超过规定的 {limit}：{v.shorten(text)}",
        f"请缩短到 {limit} 个字符以内",
        plan.spec.traps,
    )


def _plain(plan: Plan, text: str, found: Collector) -> Any:
    _check_length(plan, text, found)
    if plan.key and not text.isprintable():
        found.add(plan.spec, "key", f"标识“{v.shorten(text)}”含有不可见字符", "请去掉换行、制表等控制字符")
    if plan.pattern is not None and not plan.pattern.fullmatch(text):
        found.add(plan.spec, "pattern", f"“{v.shorten(text)}”不符合格式 {plan.spec.pattern}", "请核对该编码")
    if plan.is_integer:
        return _whole(plan, text, found)
    return text


def _whole(plan: Plan, text: str, found: Collector) -> Any:
    if text.removeprefix("-").isdigit() and text.isascii() and len(text) < _MAX_DIGITS:
        return int(text)
    found.add(plan.spec, "type", f"应为整数，收到了“{v.shorten(text)}”", "请填写整数", ("T16",))
    return None


def _document(_plan: Plan, text: str, _found: Collector) -> Any:
    return text


def _codes(plan: Plan, text: str, found: Collector) -> Any:
    value = read_code(plan, text, found)
    if value is None and plan.is_integer and text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS:
        return int(text)
    return text if value is None else value


def read_code(plan: Plan, text: str, found: Collector) -> Any:
    """One code in canonical form, or None when no spelling of the list fits (reported,
    unless the list is open).
    """
    if text in plan.codes:
        return plan.codes[text]
    padded = _pad(plan, text)
    if padded:
        _say_padded(plan, text, padded, found)
        return plan.codes[padded]
    code = plan.spellings.get(v.fold_term(text))
    if code is not None:
        rule = "code_list" if plan.spec.code_list in ("ethnic", "patient_type") else "coded"
        problem = f"“{v.shorten(text)}”已按代码 {code} 处理"
        found.add(plan.spec, rule, problem, f"请发送代码 {code}", plan.spec.traps)
        return plan.codes[code]
    if not plan.open:
        problem = f"“{v.shorten(text)}”不在{plan.spec.label}的值域中"
        found.add(plan.spec, "code_list", problem, _range(plan), plan.spec.traps)
    return None


def _range(plan: Plan) -> str:
    codes = [c for c in plan.codes if isinstance(c, str)]
    if len(codes) <= _SHOWN_CODES:
        return f"请使用值域代码：{'、'.join(codes)}"
    return f"请使用值域代码（共 {len(codes)} 个，如 {codes[0]}）"


def _pad(plan: Plan, text: str) -> str:
    """The code meant by a number that lost or gained a leading zero (T31, T36), or ''."""
    if not (text.isdigit() and text.isascii()):
        return ""
    tries = ("0" + text, text.lstrip("0") or "0")
    return next((t for t in tries if t in plan.codes), "")


def _say_padded(plan: Plan, text: str, code: str, found: Collector) -> None:
    if plan.spec.code_list == "id_type":
        problem = f"“{text}”按两位代码 {code} 处理；一位数字有歧义"
        found.add(plan.spec, "code_list", problem, f"请发送两位代码 {code}", ("T31",))
    else:
        found.add(plan.spec, "coded", f"“{text}”按代码 {code} 处理", f"请发送代码 {code}", ("T36",))


def _names(plan: Plan, text: str, found: Collector) -> Any:
    if text in plan.codes:
        return text
    name = plan.spellings.get(v.fold_term(text))
    if name is not None:
        return name
    problem = f"“{v.shorten(text)}”不在目录中"
    found.add(
        plan.spec,
        "code_list",
        problem,
        "目录内的项目请使用目录名称；目录外的项目可以保留本院名称",
        plan.spec.traps,
    )
    _check_length(plan, text, found)
    return text


def _list(plan: Plan, text: str, found: Collector) -> Any:
    items = v.split_list(text, plan.separators)
    if plan.codes:
        read = [read_code(plan, item, found) or item for item in items[:MAX_ITEMS]]
        items = [*dict.fromkeys(str(item) for item in read)]
    separator = plan.spec.separator or ","
    canonical = separator.join(items)
    if canonical != text and not plan.codes:
        used = f"“{separator}”"
        found.add(plan.spec, "format", f"多个值之间的分隔符已统一为{used}", f"请用{used}分隔多个值", ("T50",))
    if not plan.codes:
        _check_length(plan, canonical, found)
    return canonical


def _datetime(plan: Plan, text: str, found: Collector) -> Any:
    return _moment(plan, text, found, "yyyy-MM-dd HH:mm:ss", v.datetime_text)


def _date(plan: Plan, text: str, found: Collector) -> Any:
    return _moment(plan, text, found, "yyyy-MM-dd", v.date_text)


def _free(plan: Plan, text: str, found: Collector) -> Any:
    read = v.read_moment(text)
    if read is None:
        return _unreadable(plan, text, "yyyy-MM-dd", found)
    return v.datetime_text(read[0]) if read[1] else v.date_text(read[0])


def _moment(plan: Plan, text: str, found: Collector, wanted: str, write: Callable[[Any], str]) -> Any:
    read = v.read_moment(text)
    if read is None:
        return _unreadable(plan, text, wanted, found)
    canonical = write(read[0])
    if canonical != text:
        found.add(
            plan.spec, "format", f"“{v.shorten(text)}”按 {canonical} 处理", f"请按 {wanted} 填写", ("T55",)
        )
    return canonical


def _unreadable(plan: Plan, text: str, wanted: str, found: Collector) -> Any:
    found.add(plan.spec, "date", f"“{v.shorten(text)}”不是有效的日期时间", f"请按 {wanted} 填写", ("T55",))
    return text


def _interval(plan: Plan, text: str, found: Collector) -> Any:
    parts = v.split_interval(text)
    moments = [v.canonical_datetime(part.strip()) for part in parts]
    if len(parts) > 2 or not moments or not all(moments):
        return _unreadable(plan, text, "开始时间 / 结束时间", found)
    return " / ".join(moments)


def _age(plan: Plan, text: str, found: Collector) -> Any:
    """Kept as sent; `crosschecks` splits number and unit, which takes two fields (T30)."""
    if v.split_age(text) is None:
        found.add(
            plan.spec, "age", f"“{v.shorten(text)}”不是年龄", "请填写数字，单位填写在 ageUnit", ("T30",)
        )
    _check_length(plan, text, found)
    return text


def _division(plan: Plan, text: str, found: Collector) -> Any:
    """Six, nine or twelve digits that begin with a known province (T35)."""
    if not (_PROVINCE.fullmatch(text) and text[:2] in plan.codes):
        problem = f"“{v.shorten(text)}”不是行政区划代码"
        found.add(
            plan.spec, "code_list", problem, "请填写 6、9 或 12 位的行政区划代码，前两位为省级代码", ("T35",)
        )
    return text


def _url(plan: Plan, text: str, found: Collector) -> Any:
    if not text.lower().startswith(("http://", "https://")):
        found.add(
            plan.spec,
            "url",
            f"“{v.shorten(text)}”不是 http(s) 地址",
            "请填写前置机可以访问的 http 地址",
            ("T24",),
        )
    _check_length(plan, text, found)
    return text


def _read_objects(plan: Plan, value: Any, found: Collector) -> Any:
    """Rows of a nested table, each validated; findings are dotted `field[i].member` (T59)."""
    rows = [value] if isinstance(value, dict) else value
    if rows is None or rows in ("", []):
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        found.add(
            plan.spec, "type", f"应为对象数组，收到了{v.shorten(value)}", "请发送 JSON 数组", plan.spec.traps
        )
        return None
    if plan.nested is None:
        return rows
    settled = []
    for index, row in enumerate(rows[:MAX_ITEMS]):
        validated = plan.nested(row)
        if validated.findings:
            found.extend(validated.findings, f"{plan.spec.name}[{index}]")
        settled.append(validated.values)
    if len(rows) > MAX_ITEMS:
        found.add(plan.spec, "length", f"共 {len(rows)} 项，只校验了前 {MAX_ITEMS} 项", "请核对是否重复发送")
    return settled


_READERS: Mapping[str, Reader] = {
    "plain": _plain,
    "document": _document,
    "codes": _codes,
    "names": _names,
    "list": _list,
    "datetime": _datetime,
    "date": _date,
    "moment": _free,
    "interval": _interval,
    "age": _age,
    "division": _division,
    "url": _url,
    "objects": _plain,
    "urls": _plain,
}
