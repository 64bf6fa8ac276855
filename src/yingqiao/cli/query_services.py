"""`yingqiao hospitals set-query` and so on: where a hospital's query services are (四(二)3, T100)."""

from __future__ import annotations

from dataclasses import asdict

import click

from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, camel_case, fail, shape_of, show_rows
from yingqiao.settings import Settings
from yingqiao.store.query_services import (
    MAX_DAYS,
    QueryService,
    list_services,
    remove_service,
    set_service,
)

_COLUMNS = {
    "hospital_code": "医疗机构",
    "url": "地址",
    "sm4": "SM4",
    "private": "允许内网",
    "nightly": "每夜",
    "days": "天数",
    "mend": "自动补收",
}


@click.command("set-query")
@click.argument("code")
@click.argument("url")
@click.option(
    "--sm4/--plain", "sm4", default=False, help="用信封与该院 SM4 密钥，或明文 JSON（默认，与医院约定）"
)
@click.option("--private", is_flag=True, help="允许内网、本机地址")
@click.option("--nightly", default="", metavar="HH:MM", help="每夜比对的时间（北京时间）；不写 = 不自动比对")
@click.option(
    "--days", type=click.IntRange(1, MAX_DAYS), default=2, show_default=True, help="每夜比对之前几天"
)
@click.option("--mend/--no-mend", default=True, help="每夜比对发现的差异自动补收（默认）")
@data_options
def set_query(
    code: str, url: str, sm4: bool, private: bool, nightly: str, days: int, mend: bool, settings: Settings
) -> None:
    """登记医院 CODE 的查询接口地址 URL（/exam/get 等之前的部分）；再次登记即修改"""
    wanted = QueryService(code, url, sm4, private, nightly, days, mend)
    with stores(settings) as opened, opened.database.write() as connection:
        made = set_service(connection, wanted)
    night = f"，每夜 {made.nightly} 比对前 {made.days} 天" if made.nightly else ""
    click.echo(f"医疗机构 {code} 的查询接口：{made.url}（{'SM4' if made.sm4 else '明文'}）{night}")


@click.command("unset-query")
@click.argument("code")
@data_options
def unset_query(code: str, settings: Settings) -> None:
    """取消医院 CODE 的查询接口；已发现的差异保留"""
    with stores(settings) as opened, opened.database.write() as connection:
        if not remove_service(connection, code):
            fail(f"医疗机构 {code} 没有登记查询接口")
    click.echo(f"医疗机构 {code} 的查询接口已取消")


@click.command("queries")
@shape_options
@data_options
def queries(settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出各医院的查询接口"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        rows = [asdict(one) for one in list_services(connection)]
    shown = [camel_case(row) for row in rows] if shape is Shape.JSON else rows
    show_rows(shown, _COLUMNS, shape, empty="还没有登记查询接口")
