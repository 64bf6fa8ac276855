"""`yingqiao pacs`: the hospitals' Q/R nodes: registered, tested, asked, pulled from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from yingqiao.cli.options import bandwidth_of, data_options, shape_options, stores
from yingqiao.cli.output import (
    Exit,
    Shape,
    camel_case,
    fail,
    shape_of,
    show_json,
    show_pairs,
    show_rows,
    when,
)
from yingqiao.cli.pacs_asks import find_command, pull_command, test_command
from yingqiao.exchange.pacs import (
    CHARSETS,
    NewPacsNode,
    PacsError,
    PacsOptions,
    RetrieveBy,
    parse_address,
)
from yingqiao.exchange.work import LineLimits
from yingqiao.settings import Settings
from yingqiao.store.pacs import (
    PacsNode,
    add_node,
    get_node,
    list_nodes,
    plain_node,
    remove_node,
    set_disabled,
)

_WAYS = {
    RetrieveBy.AUTO: "自动（先 C-MOVE，不行改用 C-GET）",
    RetrieveBy.MOVE: "C-MOVE",
    RetrieveBy.GET: "C-GET",
}


@click.group()
def command() -> None:
    """PACS 节点：登记、检测、查询、调取影像"""


@command.command()
@click.argument("hospital")
@click.argument("name")
@click.argument("address", metavar="AET@HOST:PORT")
@click.option("--calling-aet", default="", metavar="AET", help="本机对此 PACS 用的 AE 标题；不写 = 本机的")
@click.option(
    "--retrieve",
    type=click.Choice([str(way) for way in RetrieveBy]),
    default="auto",
    show_default=True,
    help="调取方式",
)
@click.option(
    "--charset",
    type=click.Choice([c for c in CHARSETS if c]),
    help="查询条件中的中文所用字符集；不写 = GB18030",
)
@click.option("--parallel", type=click.IntRange(1, 32), default=2, show_default=True, help="同时的关联数上限")
@click.option("--bandwidth", default="0", metavar="BYTES", help="每秒字节数上限，可写 10M；0 = 不限")
@click.option(
    "--window", "windows", default="", metavar="WHEN", help="只在此时段调取，如 22:00-06:00；不写 = 随时"
)
@click.option("--tls", is_flag=True, help="用 TLS")
@click.option("--tls-ca", metavar="FILE", help="签发 PACS 证书的 CA（PEM）；不写 = 系统的")
@click.option("--tls-certificate", metavar="FILE", help="本机证书（PEM），PACS 要求时")
@click.option("--tls-key", metavar="FILE", help="本机私钥（PEM）")
@click.option("--tls-any-name", is_flag=True, help="不核对证书中的主机名")
@data_options
def add(
    hospital: str,
    name: str,
    address: str,
    calling_aet: str,
    retrieve: str,
    charset: str | None,
    parallel: int,
    bandwidth: str,
    windows: str,
    settings: Settings,
    **tls: Any,
) -> None:
    """登记医疗机构 HOSPITAL 的 PACS 节点，取名 NAME；其 AE 与地址同时成为该院的影像来源"""
    try:
        wanted = NewPacsNode(
            hospital,
            name,
            parse_address(address),
            calling_aet,
            RetrieveBy(retrieve),
            charset or "",
            _options(**tls),
            LineLimits(parallel, bandwidth_of(bandwidth), windows),
        )
    except PacsError as error:
        fail(str(error), Exit.USE)
    with stores(settings) as opened:
        node = add_node(opened.database, wanted)
    click.echo(f"已登记 PACS 节点 {node.name}：{node.address} → {hospital}")
    click.echo(f"检测各环节：yingqiao pacs test {hospital} {name}")


def _options(
    tls: bool, tls_ca: str | None, tls_certificate: str | None, tls_key: str | None, tls_any_name: bool
) -> PacsOptions:
    given = {"tls_ca": tls_ca, "tls_certificate": tls_certificate, "tls_key": tls_key}
    files = {name: str(Path(file).absolute()) for name, file in given.items() if file}
    for file in files.values():
        if not Path(file).is_file():
            fail(f"没有文件 {file}", Exit.USE)
    return PacsOptions(tls=tls or bool(files) or tls_any_name, tls_any_name=tls_any_name, **files)


@command.command("list")
@click.option("--hospital", default="", metavar="CODE", help="只看一家医疗机构")
@shape_options
@data_options
def list_(hospital: str, settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出 PACS 节点"""
    columns = {
        "hospitalCode": "医疗机构",
        "name": "节点",
        "address": "地址",
        "retrieveBy": "方式",
        "parallel": "并行",
        "windows": "时段",
        "state": "状态",
    }
    with stores(settings) as opened, opened.database.read() as connection:
        nodes = list_nodes(connection, hospital)
    shape = shape_of(as_json, as_csv)
    plain = [camel_case(plain_node(node)) for node in nodes]
    rows = plain if shape is Shape.JSON else [row | {"state": _state(row)} for row in plain]
    show_rows(rows, columns, shape, empty="还没有登记 PACS 节点")


@command.command()
@click.argument("hospital")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(hospital: str, name: str, as_json: bool, settings: Settings) -> None:
    """查看一个 PACS 节点"""
    with stores(settings) as opened, opened.database.read() as connection:
        node = get_node(connection, hospital, name)
    if as_json:
        show_json(camel_case(plain_node(node)))
    else:
        show_pairs(_pairs(node))


def _pairs(node: PacsNode) -> dict[str, Any]:
    learned = "（已知不能 C-MOVE，用 C-GET）" if node.options.learned == "get" else ""
    options = node.options
    names = [options.tls_ca, options.tls_certificate, "不核对主机名" if options.tls_any_name else ""]
    return {
        "医疗机构": node.hospital_code,
        "节点": node.name,
        "地址": str(node.address),
        "本机 AE 标题": node.calling_aet or "（设置 dicom.listen 中的）",
        "调取方式": _WAYS[node.retrieve_by] + learned,
        "查询字符集": node.charset or "GB18030",
        "并行关联": node.limits.parallel,
        "带宽上限": f"{node.limits.bytes_per_second} 字节/秒" if node.limits.bytes_per_second else "不限",
        "时段": node.limits.windows or "随时",
        "TLS": "；".join(filter(None, ["是", *names])) if options.tls else "否",
        "状态": "停用" if node.disabled else "启用",
        "任务队列": node.destination,
        "登记时间": when(node.created_at),
    }


def _state(row: dict[str, Any]) -> str:
    return "停用" if row["disabled"] else "启用"


@command.command()
@click.argument("hospital")
@click.argument("name")
@data_options
def remove(hospital: str, name: str, settings: Settings) -> None:
    """删除节点；尚未完成的调取随之取消，已到的影像不受影响"""
    with stores(settings) as opened:
        cancelled = remove_node(opened.database, hospital, name)
    click.echo(f"已删除 PACS 节点 {name}" + (f"，取消了 {cancelled} 项调取" if cancelled else ""))


@command.command()
@click.argument("hospital")
@click.argument("name")
@data_options
def disable(hospital: str, name: str, settings: Settings) -> None:
    """停用：不再为新报告调取，已排队的调取暂停，其影像也不再接收"""
    with stores(settings) as opened:
        set_disabled(opened.database, hospital, name, disabled=True)
    click.echo(f"PACS 节点 {name} 已停用")


@command.command()
@click.argument("hospital")
@click.argument("name")
@data_options
def enable(hospital: str, name: str, settings: Settings) -> None:
    """恢复启用"""
    with stores(settings) as opened:
        set_disabled(opened.database, hospital, name, disabled=False)
    click.echo(f"PACS 节点 {name} 已启用")


for _asking in (find_command, pull_command, test_command):
    command.add_command(_asking)
