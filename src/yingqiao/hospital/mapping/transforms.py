"""The closed list of transforms a mapping may name. Each says what it does, and shows it: the examples are tests.

A transform of texts given a list does every item; a missing value (None) passes by all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from yingqiao.hospital.mapping import convert as c
from yingqiao.hospital.mapping.errors import ConfigError, nearest

Function = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument in TOML."""

    name: str
    kind: type | tuple[type, ...]
    words: str
    optional: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Transform:
    """One entry of the list."""

    words: str
    """Chinese: what it does, and what it cannot."""
    make: Callable[..., Function]
    """Arguments -> the function. Raises ConfigError for arguments that make no sense together."""
    examples: Sequence[tuple[tuple[Any, ...], Any, Any]]
    """(arguments, value, result)."""
    parameters: tuple[Parameter, ...] = ()
    takes: str = "text"
    """text (bytes are decoded first) | bytes | list | any"""
    gives: str = "text"
    """text | list | any"""


def _text(name: str, words: str, *, optional: bool = False, many: bool = False) -> Parameter:
    return Parameter(name, str, words, optional, many)


def _count(name: str, words: str, *, optional: bool = False) -> Parameter:
    return Parameter(name, int, words, optional)


_GBK = "张三".encode("gb18030")
_FORMAT = _text("格式", "由 yyyy MM dd HH mm ss 与其他字符组成")

TRANSFORMS: Final[Mapping[str, Transform]] = {
    "trim": Transform("去掉首尾空白（含全角空格与不可见字符）", lambda: c.trim, [((), " 张三　", "张三")]),
    "collapse-spaces": Transform(
        "连续空白并为一个空格", lambda: c.collapse_spaces, [((), "胸部  CT", "胸部 CT")]
    ),
    "clean": Transform("去掉控制字符（换行、制表符保留）", lambda: c.clean, [((), "肺\x00炎\x0b", "肺炎")]),
    "lines": Transform(
        "统一换行为 \\n，去掉每行行尾空白", lambda: c.lines, [((), "所见 \r\n双肺清晰\r", "所见\n双肺清晰")]
    ),
    "half-width": Transform(
        "全角字母、数字、标点转半角（中文标点 。、 不变）",
        lambda: c.half_width,
        [((), "ＣＴ１２３　（Ａ）", "CT123 (A)")],
    ),
    "upper": Transform("转大写", lambda: str.upper, [((), "ct", "CT")]),
    "lower": Transform("转小写", lambda: str.lower, [((), "CT", "ct")]),
    "empty-to-null": Transform(
        "空文本，以及列出的占位写法，视为没有值",
        c.empty_to_null,
        [((), "  ", None), (("无", "-"), "无", None), (("无",), "有", "有")],
        (_text("占位", "视为没有值的写法，可多个", optional=True, many=True),),
    ),
    "prefix": Transform(
        "在前面加文本", c.prefix, [(("CT",), "001", "CT001")], (_text("文本", "要加的文本"),)
    ),
    "suffix": Transform("在后面加文本", c.suffix, [(("岁",), "35", "35岁")], (_text("文本", "要加的文本"),)),
    "strip-prefix": Transform(
        "去掉开头的文本，没有则不变",
        c.strip_prefix,
        [(("P",), "P001", "001")],
        (_text("文本", "要去掉的文本"),),
    ),
    "substring": Transform(
        "取一段：从第几个字符（从 1 数），共几个",
        c.substring,
        [((1, 3), "ABCDE", "ABC"), ((3,), "ABCDE", "CDE")],
        (_count("从", "从 1 数"), _count("个数", "省略则到末尾", optional=True)),
    ),
    "pad-left": Transform(
        "左侧补到指定长度",
        c.pad_left,
        [((6, "0"), "123", "000123")],
        (_count("长度", "1 至 255"), _text("字符", "一个字符")),
    ),
    "replace": Transform(
        "替换文本",
        c.replace,
        [(("、", "，"), "胸、腹", "胸，腹")],
        (_text("原", "原文本"), _text("新", "新文本")),
    ),
    "map": Transform(
        "按对照表换写法，表中没有的不变（要换成标准代码并统计未对照的值，请用 codes）",
        c.mapped,
        [(({"DX": "DR"},), "DX", "DR"), (({"DX": "DR"},), "CT", "CT")],
        (Parameter("对照", dict, "{ 原 = 新, … }"),),
    ),
    "split": Transform(
        "按分隔符拆为列表，空项去掉",
        c.split,
        [((",",), "胸, 腹,", ["胸", "腹"])],
        (_text("分隔符", "一个或多个字符"),),
        gives="list",
    ),
    "join": Transform(
        "列表连为文本，没有值的项去掉",
        c.join,
        [(("，",), ["胸", None, "腹"], "胸，腹")],
        (_text("分隔符", "可为空"),),
        takes="list",
    ),
    "first": Transform(
        "列表中第一个有值的项", lambda: c.first, [((), [None, "", "A", "B"], "A")], takes="list"
    ),
    "item": Transform(
        "列表的第几项（从 1 数），没有则为空",
        c.item,
        [((2,), ["张三", "ZHANG"], "ZHANG")],
        (_count("第几", "从 1 数"),),
        takes="list",
    ),
    "unique": Transform(
        "列表去掉重复项，次序不变",
        lambda: c.unique,
        [((), ["A", "B", "A"], ["A", "B"])],
        takes="list",
        gives="list",
    ),
    "date-in": Transform(
        "按格式读日期时间，写成 yyyy-MM-dd HH:mm:ss",
        c.date_in,
        [(("dd/MM/yyyy HH:mm",), "05/03/2026 14:20", "2026-03-05 14:20:00")],
        (_FORMAT,),
    ),
    "date-out": Transform(
        "日期时间按格式写出", c.date_out, [(("yyyy-MM-dd",), "2026-03-05 14:20:00", "2026-03-05")], (_FORMAT,)
    ),
    "datetime": Transform(
        "常见写法的日期时间（8、12、14 位数字，/ . 年月日，T，时区）写成 yyyy-MM-dd HH:mm:ss",
        lambda: c.datetime_,
        [((), "20260305142000", "2026-03-05 14:20:00"), ((), "2026年3月5日", "2026-03-05 00:00:00")],
    ),
    "date": Transform(
        "常见写法的日期写成 yyyy-MM-dd", lambda: c.date_, [((), "2026/3/5 14:20", "2026-03-05")]
    ),
    "unix-seconds": Transform(
        "Unix 秒写成北京时间", lambda: c.unix_seconds, [((), "1772691600", "2026-03-05 14:20:00")]
    ),
    "unix-millis": Transform(
        "Unix 毫秒写成北京时间", lambda: c.unix_millis, [((), "1772691600000", "2026-03-05 14:20:00")]
    ),
    "utc-to-beijing": Transform(
        "按 UTC 存的时间转为北京时间",
        lambda: c.utc_to_beijing,
        [((), "2026-03-05 06:20:00", "2026-03-05 14:20:00")],
    ),
    "sex": Transform(
        "性别的常见写法转为标准代码：男、M、male 为 1，女、F、female 为 2，未知、U 为 0，其他、O 为 9",
        lambda: c.sex,
        [((), "男", "1"), ((), "F", "2"), ((), "男性", "1")],
    ),
    "age": Transform(
        "年龄的数字（岁、月、天、小时；周折为天）",
        lambda: c.age,
        [((), "35岁", "35"), ((), "042M", "42"), ((), "2周", "14")],
    ),
    "age-unit": Transform(
        "年龄的单位 Y M D H，没有写单位的按岁",
        lambda: c.age_unit,
        [((), "35岁", "Y"), ((), "042M", "M"), ((), "2周", "D")],
    ),
    "age-text": Transform(
        "年龄的文字写法", lambda: c.age_text, [((), "035Y", "35岁"), ((), "3M", "3月"), ((), "20D", "20天")]
    ),
    "age-at": Transform(
        "由两列（出生日期、当时）算实足年龄：满 1 岁用岁，满 1 月用月，否则用天",
        lambda: c.age_at,
        [((), ["1990-05-01", "2026-03-05 14:20:00"], "35Y"), ((), ["2026-01-01", "2026-03-05"], "2M")],
        takes="list",
    ),
    "number": Transform(
        "取数值，去掉千分位与货币、单位，按小数位数四舍五入",
        c.number,
        [((2,), "￥1,234.5元", "1234.50"), ((0,), "12.5", "13")],
        (_count("小数位", "0 至 6"),),
    ),
    "yes-no": Transform(
        "是/否的常见写法转为 1/0：是、有、Y、T、true、1；否、无、N、F、false、0",
        lambda: c.yes_no,
        [((), "是", "1"), ((), "N", "0"), ((), "true", "1")],
    ),
    "gbk-repair": Transform(
        "修复被当作 latin1（cp1252）或原样字节读出的 GBK 文本；本来正确的不变",
        lambda: c.gbk_repair,
        [((), _GBK.decode("latin-1"), "张三"), ((), _GBK, "张三"), ((), "张三", "张三")],
        takes="any",
    ),
    "decode": Transform(
        "字节按字符集读为文本：utf-8、gb18030、gbk、big5、utf-16-le、latin-1",
        c.decode,
        [(("gb18030",), _GBK, "张三")],
        (_text("字符集", "见左"),),
        takes="bytes",
    ),
    "base64": Transform(
        "字节（如 PDF）写成 Base64", lambda: c.base64_, [((), b"%PDF", "JVBERg==")], takes="bytes"
    ),
    "json": Transform(
        "文本按 JSON 读出（结算信息等数组）",
        lambda: c.json_,
        [((), '[{"a":1}]', [{"a": 1}])],
        takes="any",
        gives="any",
    ),
}


def make_transform(name: str, arguments: Sequence[Any]) -> tuple[Transform, Function]:
    """The transform `name` with its arguments checked. Raises ConfigError."""
    transform = TRANSFORMS.get(name)
    if transform is None:
        raise ConfigError(f"没有转换 {name}{nearest(name, TRANSFORMS)}")
    _check(name, transform.parameters, arguments)
    try:
        return transform, transform.make(*arguments)
    except ConfigError as error:
        raise ConfigError(f"转换 {name}：{error.reason}") from error


def _check(name: str, parameters: Sequence[Parameter], arguments: Sequence[Any]) -> None:
    least = sum(not p.optional for p in parameters)
    most = len(parameters) if not any(p.many for p in parameters) else 1000
    if not least <= len(arguments) <= most:
        wanted = "、".join(p.name for p in parameters) or "无"
        raise ConfigError(f"转换 {name} 的参数应为：{wanted}；给了 {len(arguments)} 个")
    for index, argument in enumerate(arguments):
        parameter = parameters[min(index, len(parameters) - 1)]
        if not isinstance(argument, parameter.kind) or isinstance(argument, bool):
            raise ConfigError(f"转换 {name} 的参数“{parameter.name}”类型不对")
