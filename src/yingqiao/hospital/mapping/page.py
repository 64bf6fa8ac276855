"""`python -m yingqiao.hospital.mapping.page > docs/reference/mapping.md`: the reference page of mappings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from yingqiao.hospital.mapping.transforms import TRANSFORMS, Transform

_HEAD = """# 字段映射

本页由 `python -m yingqiao.hospital.mapping.page` 生成，请勿手改。怎样接入见[接入数据源](../howto/connector-sources.md)。

`[source.exam.fields]` 与 `[source.report.fields]` 里，左边是标准的字段名（五(一)、五(二)），右边说它从哪里来：

| 写法 | 含义 |
|---|---|
| `patName = "xm"` | 列 `xm`；JSON 用点号取下级（`patient.name`），HL7 用路径（`PID-5.1`） |
| `{ column = "xm", transform = ["trim"] }` | 列，再依次转换 |
| `{ columns = ["a", "b"], transform = ["first"] }` | 几列组成列表 |
| `{ value = "1" }` | 固定值 |
| `{ template = "{begin} / {end}" }` | 由几列拼成；全部为空则没有值；花括号本身写 `{{`、`}}` |
| `{ objects = { setId = "jsid", … } }` | 对象数组（setInfoList）：由一行的几列组成一个对象；所取的列全空则没有 |
| `codes = { 男 = "1", 女 = "2" }` | 院内代码换成标准代码；也可写 `[source.codes.名字]` 的名字 |
| `default = "0"` | 没有值、或代码没有对照时用它 |

次序：读列 → `transform` 依次 → `codes` → `default`。结果为空的字段不上传（有则必填）。列表型字段的列表自动按标准的分隔符连接，
整数型字段的数字文本自动成为整数，数据库的日期时间自动写成北京时间 `yyyy-MM-dd HH:mm:ss`。

载入时检查：字段名、列表与文本是否相接、参数、以及对照后的代码是否在标准的代码表里；错误写明数据源、表、字段，并提示最接近的名字。
运行时：代码没有对照且没有默认值，该字段不上传；转换读不懂的值，照原样上传；两者都成为问题并计数。
没有唯一标识、或字节不是任何约定编码的文本，整行成为“问题行”，不会悄悄丢掉。

## 转换

清单是封闭的。对列表使用文本转换时逐项进行；没有值时一律跳过。

| 名字 | 参数 | 作用 | 例 |
|---|---|---|---|
"""


def page() -> str:
    """The page, Markdown."""
    return _HEAD + "\n".join(_row(name, transform) for name, transform in TRANSFORMS.items()) + "\n"


def _row(name: str, transform: Transform) -> str:
    parameters = "；".join(
        f"{p.name}（{p.words}{'，可省略' if p.optional else ''}）" for p in transform.parameters
    )
    return f"| `{name}` | {_cell(parameters)} | {_cell(transform.words)} | {'<br>'.join(_examples(name, transform))} |"


def _examples(name: str, transform: Transform) -> Iterator[str]:
    for arguments, value, result in transform.examples:
        written = _written([name, *arguments]) if arguments else _written(name)
        yield f"`{_cell(written)}`：{_value(value)} → {_value(result)}"


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_written(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str:
    if value is None:
        return "没有值"
    if isinstance(value, bytes):
        return f"字节 `{value.hex(' ')}`"
    return f"`{_cell(json.dumps(value, ensure_ascii=False)).replace(chr(0), '')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    click.echo(page(), nl=False)
