"""`yingqiao work destinations`: whom work goes to, its limits, windows and breaker; pausing all of it at once."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from yingqiao.cli.filters import readable
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, Shape, fail, shape_of, show_rows, when
from yingqiao.exchange.windows import WindowError
from yingqiao.settings import Settings
from yingqiao.store.work import destinations
from yingqiao.store.work.destinations import Destination

_COLUMNS = {
    "name": "目的地",
    "standing": "状况",
    "waiting": "等待",
    "retrying": "待重试",
    "in_hand": "进行中",
    "max_parallel": "并行上限",
    "bytes_per_second": "带宽上限",
    "windows": "时段",
    "failures": "连续失败",
    "last_error": "最近错误",
    "last_error_at": "错误时间",
    "last_success_at": "最近成功",
}


@click.group()
def command() -> None:
    """工作的目的地：限额、时段、熔断，整体暂停"""


@command.command("list")
@click.option("--hospital", help="医疗机构代码")
@click.option("--held/--not-held", default=None, help="只列暂停的，或只列没有暂停的")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True, help="最多列出")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="跳过前面多少条")
@shape_options
@data_options
def list_(
    hospital: str | None,
    held: bool | None,
    limit: int,
    offset: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """列出目的地（件数各数到 10000 为止）"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        found = destinations.list_destinations(connection, hospital, held, limit, offset)
    if shape is Shape.JSON:
        show_rows((msgspec.to_builtins(one) for one in found), _COLUMNS, shape)
    else:
        show_rows([_row(one) for one in found], _COLUMNS, shape)


@command.command("pause")
@click.argument("name")
@click.option("--reason", default="", help="为什么，给后来的人看")
@data_options
def pause_(name: str, reason: str, settings: Settings) -> None:
    """暂停目的地 NAME 的全部工作；医院/* 是一家医院的全部，* 是全部"""
    with stores(settings) as opened, opened.database.write() as connection:
        found = destinations.hold(connection, name, reason)
    _said(found, name, "暂停")


@command.command("resume")
@click.argument("name")
@data_options
def resume_(name: str, settings: Settings) -> None:
    """恢复目的地 NAME，并立即再试（熔断也一并解除）"""
    with stores(settings) as opened, opened.database.write() as connection:
        found = destinations.resume(connection, name)
    _said(found, name, "恢复")


@command.command("set")
@click.argument("name")
@click.option("--parallel", "max_parallel", type=click.IntRange(1, 256), help="同时进行的上限")
@click.option("--bandwidth", "bytes_per_second", type=click.IntRange(0), help="带宽上限（字节/秒），0 = 不限")
@click.option("--windows", help="允许的时段，如 22:00-06:00,周六,周日；空文本 = 不限")
@data_options
def set_(
    name: str,
    max_parallel: int | None,
    bytes_per_second: int | None,
    windows: str | None,
    settings: Settings,
) -> None:
    """设置目的地 NAME 的限额与时段；进行中的工作下次尝试起按新的来"""
    limits: dict[str, Any] = {
        "max_parallel": max_parallel,
        "bytes_per_second": bytes_per_second,
        "windows": windows,
    }
    given = {key: value for key, value in limits.items() if value is not None}
    if not given:
        raise click.UsageError("请给出 --parallel、--bandwidth 或 --windows")
    try:
        with stores(settings) as opened, opened.database.write() as connection:
            found = destinations.set_limits(connection, name, **given)
    except WindowError as error:
        fail(str(error), Exit.USE)
    _said(found, name, "设置")


def _said(found: bool, name: str, word: str) -> None:
    if not found:
        fail(f"没有目的地 {name}；已有的见 yingqiao work destinations list")
    click.echo(f"已{word} {name}")


def _row(one: Destination) -> dict[str, Any]:
    if one.held:
        standing = f"已暂停 {one.held_reason}".strip()
    elif one.failures and one.open_until:
        standing = f"熔断到 {when(one.open_until)}"
    else:
        standing = "正常"
    return readable(one) | {"standing": standing}
