"""`yingqiao reconcile`: days of hospitals: how they stand, closing them, proving them, exporting them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson

from yingqiao.cli.filters import readable
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, Shape, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.exchange.balance import Balance, Entry, content_of
from yingqiao.exchange.reconcile import shown
from yingqiao.exchange.statement import StatementError, day_of
from yingqiao.settings import Settings
from yingqiao.store.balances import (
    balance_of,
    chained_hospitals,
    close_day,
    entries_of_day,
    entries_within,
    list_entries,
    shown_of,
    verify_chain,
)
from yingqiao.store.missing import list_missing
from yingqiao.store.queries.headings import BALANCE_HEADINGS, MISSING_HEADINGS
from yingqiao.web.balance_files import FORMATS, NoFontError, render

_LINES = {"name": "类别", "stated": "医院", "gateway": "平台", "agrees": "一致"}
_hospital = click.option("--hospital", required=True, help="医疗机构代码")


@click.group()
def command() -> None:
    """对账：每日三方平账、结账、核验、导出"""


def _day(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return day_of(value) if value else None
    except StatementError as error:
        raise click.BadParameter("日期应写作 yyyy-MM-dd") from error


_from = click.option("--from", "start", callback=_day, help="起始日 yyyy-MM-dd（含）")
_to = click.option("--to", "end", callback=_day, help="截止日 yyyy-MM-dd（不含）")


@command.command("list")
@click.option("--hospital", help="医疗机构代码")
@_from
@_to
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="最多列出多少条")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="跳过前面多少条")
@shape_options
@data_options
def list_(
    hospital: str | None,
    start: str | None,
    end: str | None,
    limit: int,
    offset: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """列出已结账的日子与补记，最近的在前"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_entries(connection, hospital, start, end, limit=limit, offset=offset)
    rows = [msgspec.to_builtins(one) if shape is Shape.JSON else readable(one) for one in page.items]
    show_rows(rows, BALANCE_HEADINGS, shape, empty="还没有结过账")


@command.command("show")
@click.argument("day", callback=_day)
@_hospital
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(day: str, hospital: str, as_json: bool, settings: Settings) -> None:
    """查看 DAY（yyyy-MM-dd）一天：医院清单与平台台账现在如何，结账与补记"""
    with stores(settings) as opened, opened.database.read() as connection:
        balance = balance_of(connection, hospital, day)
        entries = entries_of_day(connection, hospital, day)
        missing = list_missing(connection, hospital, day, limit=1000).items
    if as_json:
        now = orjson.loads(content_of(balance, b"", 0))
        kept = [
            msgspec.to_builtins(shown_of(entry)) | {"content": orjson.loads(entry.content)}
            for entry in entries
        ]
        show_json({"now": now, "entries": kept, "missing": msgspec.to_builtins(missing)})
        return
    _show_balance(balance)
    if missing:
        click.echo("\n缺少的检查")
        show_rows([readable(one) for one in missing], MISSING_HEADINGS, Shape.TABLE)
    if entries:
        click.echo("\n结账与补记")
        show_rows([readable(shown_of(entry)) for entry in entries], BALANCE_HEADINGS, Shape.TABLE)
        for entry in entries:
            for change in orjson.loads(entry.content)["changes"]:
                click.echo(f"  第 {entry.sequence} 条补记：{change}")


@command.command()
@click.argument("day", callback=_day)
@_hospital
@data_options
def close(day: str, hospital: str, settings: Settings) -> None:
    """结账 DAY；已结账的，有变化则补记，绝不改动原来的条目"""
    with stores(settings) as opened:
        entry = close_day(opened.database, hospital, day)
    if entry is None:
        click.echo(f"{day} 已结账，此后没有变化")
    else:
        one = shown_of(entry)
        click.echo(f"{day} {one.kind_name}：第 {entry.sequence} 条，{one.verdict}，SM3 {one.digest}")


@command.command()
@click.option("--hospital", help="医疗机构代码；不写 = 全部")
@data_options
def verify(hospital: str | None, settings: Settings) -> None:
    """核验摘要链：结过的账是否被改动"""
    bad = 0
    with stores(settings) as opened, opened.database.read() as connection:
        for code in [hospital] if hospital else chained_hospitals(connection):
            count, found = verify_chain(connection, code)
            bad += len(found)
            click.echo(f"{code}：{count} 条，{'没有改动' if not found else '发现改动'}")
            for fault in found:
                click.echo(f"  {fault}")
    if bad:
        sys.exit(Exit.NO)


@command.command()
@click.option("--hospital", help="医疗机构代码；不写 = 全部")
@_from
@_to
@click.option(
    "--format", "shape", type=click.Choice(FORMATS), default="xlsx", show_default=True, help="文件格式"
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="写到哪个文件")
@data_options
def export(
    hospital: str | None, start: str | None, end: str | None, shape: str, out: Path, settings: Settings
) -> None:
    """导出结账与补记（CSV、XLSX，或带图的 PDF），各条附 SM3 摘要"""
    with stores(settings) as opened, opened.database.read() as connection:
        entries: list[Entry] = entries_within(connection, hospital, start, end)
    if not entries:
        fail("这段时间没有结过账")
    try:
        out.write_bytes(render(entries, shape))
    except NoFontError as error:
        fail(str(error), Exit.UNAVAILABLE)
    except OSError as error:
        fail(f"写不了 {out}：{error.strerror}", Exit.USE)
    click.echo(f"已导出 {len(entries)} 条到 {out}")


def _show_balance(balance: Balance) -> None:
    pairs: dict[str, Any] = {
        "医疗机构": balance.hospital_code,
        "日期": balance.day,
        "结论": balance.verdict,
        "医院清单": shown(balance.stated.total) if balance.stated else "未报送",
        "平台台账": shown(balance.gateway.total),
        "上级平台": shown(balance.upper.total) if balance.upper else "（尚未对接）",
        "缺少": len(balance.missing),
        "清单外": balance.unlisted_count,
    }
    show_pairs(pairs)
    rows = [
        {
            "name": line.name,
            "stated": shown(line.said) if line.said else "未报",
            "gateway": shown(line.found),
            "agrees": line.agrees,
        }
        for line in balance.lines
    ]
    if rows:
        show_rows(rows, _LINES, Shape.TABLE)
