"""`yingqiao hospitals`: who may send, with which keys, judged how strictly."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from yingqiao.cli.hosts import hosts
from yingqiao.cli.options import data_options, shape_options, stores
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
from yingqiao.cli.query_services import queries, set_query, unset_query
from yingqiao.exchange.profile import Profile, ProfileError
from yingqiao.settings import Settings
from yingqiao.store.hospitals import HospitalRegistry, HospitalShown, KeyShown
from yingqiao.store.sources import add_source, list_sources, remove_source

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.group()
def command() -> None:
    """医疗机构与密钥"""


@command.command()
@click.argument("code")
@click.option("--name", required=True, help="机构名称")
@click.option("--sm4-key", "sm4_key", required=True, help="SM4 密钥，32 位十六进制；- 表示从标准输入读取")
@data_options
def add(code: str, name: str, sm4_key: str, settings: Settings) -> None:
    """登记一家医疗机构 CODE（统一社会信用代码）及其 SM4 密钥"""
    with stores(settings, create=True) as opened:
        shown = opened.hospitals.add(code, name, _key_text(sm4_key))
    click.echo(f"已登记医疗机构 {code}（{name}），密钥校验值 {shown.check_value}")


@command.command("list")
@shape_options
@data_options
def list_(settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出医疗机构"""
    columns = {"code": "代码", "name": "名称", "state": "状态", "keys": "密钥校验值", "created": "登记时间"}
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened:
        listed = opened.hospitals.list()
    rows = [_plain(hospital) if shape is Shape.JSON else _row(hospital) for hospital in listed]
    show_rows(rows, columns, shape, empty="还没有登记医疗机构")


@command.command()
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(code: str, settings: Settings, as_json: bool) -> None:
    """查看一家医疗机构：密钥（只见校验值）、分级配置、影像来源"""
    with stores(settings) as opened:
        hospital = _find(opened.hospitals, code)
        with opened.database.read() as connection:
            sources = [s for s in list_sources(connection) if s.hospital_code == code]
    if as_json:
        show_json(_plain(hospital) | {"dicomSources": [camel_case(asdict(source)) for source in sources]})
        return
    show_pairs(
        {
            "代码": hospital.code,
            "名称": hospital.name,
            "状态": _state(hospital),
            "登记时间": when(hospital.created_at),
            "密钥": "；".join(map(_key_line, hospital.keys)),
            "分级配置": hospital.profile,
            "影像来源": "；".join(f"#{s.id} {s.ae_title} @ {s.network}" for s in sources) or "（无）",
        }
    )


@command.command("rotate-key")
@click.argument("code")
@click.option(
    "--sm4-key", "sm4_key", help="新密钥，32 位十六进制；- 从标准输入读取；不写则随机生成并显示一次"
)
@click.option("--overlap", default="7d", show_default=True, help="旧密钥继续有效的时间，如 12h、7d、0s")
@data_options
def rotate_key(code: str, sm4_key: str | None, overlap: str, settings: Settings) -> None:
    """更换密钥；旧密钥在重叠期内仍被接受"""
    seconds = _seconds(overlap)
    with stores(settings) as opened:
        key, shown = opened.hospitals.rotate_key(code, _key_text(sm4_key) if sm4_key else None, seconds)
    click.echo(f"医疗机构 {code} 已启用新密钥，校验值 {shown.check_value}；旧密钥 {overlap} 后失效")
    if sm4_key is None:
        click.echo(f"新密钥（只显示这一次）：{key}")


@command.command()
@click.argument("code")
@data_options
def disable(code: str, settings: Settings) -> None:
    """停用：其请求一律拒收（仍留存）"""
    with stores(settings) as opened:
        opened.hospitals.disable(code)
    click.echo(f"医疗机构 {code} 已停用")


@command.command()
@click.argument("code")
@data_options
def enable(code: str, settings: Settings) -> None:
    """恢复启用"""
    with stores(settings) as opened:
        opened.hospitals.enable(code)
    click.echo(f"医疗机构 {code} 已启用")


@command.group()
def profile() -> None:
    """分级配置：哪些问题拒收、警告或提示"""


@profile.command("get")
@click.argument("code")
@data_options
def profile_get(code: str, settings: Settings) -> None:
    """输出分级配置（JSON）"""
    with stores(settings) as opened:
        click.echo(_find(opened.hospitals, code).profile)


@profile.command("set")
@click.argument("code")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, exists=True, dir_okay=False))
@data_options
def profile_set(code: str, file: Path, settings: Settings) -> None:
    """以 JSON 文件 FILE（- 为标准输入）替换分级配置"""
    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    try:
        wanted = Profile.from_json(text)
    except ProfileError as error:
        fail(f"分级配置不对：{error}", Exit.USE)
    with stores(settings) as opened:
        opened.hospitals.set_profile(code, wanted)
    click.echo(f"医疗机构 {code} 的分级配置已更新，1 秒内对新请求生效")


@command.group()
def dicom() -> None:
    """影像来源：哪个 AE、哪个网段代表哪家医院"""


@dicom.command("add")
@click.argument("code")
@click.option("--aet", default="*", show_default=True, help="发送方 AE 标题；* = 任意")
@click.option("--network", default="*", show_default=True, help="CIDR 网段或地址；* = 任意")
@data_options
def dicom_add(code: str, aet: str, network: str, settings: Settings) -> None:
    """登记一个影像来源"""
    with stores(settings) as opened:
        source = add_source(opened.database, code, aet, network)
    click.echo(f"已登记影像来源 #{source.id}：{source.ae_title} @ {source.network} → {code}")


@dicom.command("list")
@shape_options
@data_options
def dicom_list(settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出影像来源"""
    columns = {"id": "编号", "hospitalCode": "医疗机构", "aeTitle": "AE 标题", "network": "网段"}
    with stores(settings) as opened, opened.database.read() as connection:
        rows = [camel_case(asdict(source)) for source in list_sources(connection)]
    show_rows(rows, columns, shape_of(as_json, as_csv), empty="没有登记影像来源：任何发送方都被接受")


@dicom.command("remove")
@click.argument("number", type=int)
@data_options
def dicom_remove(number: int, settings: Settings) -> None:
    """删除编号为 NUMBER 的影像来源"""
    with stores(settings) as opened:
        if not remove_source(opened.database, number):
            fail(f"没有编号为 {number} 的影像来源")
    click.echo(f"已删除影像来源 #{number}")


command.add_command(hosts)
for _registered in (set_query, unset_query, queries):
    command.add_command(_registered)


def _find(registry: HospitalRegistry, code: str) -> HospitalShown:
    found = next((hospital for hospital in registry.list() if hospital.code == code), None)
    return found or fail(f"没有医疗机构 {code}")


def _row(hospital: HospitalShown) -> dict[str, Any]:
    return {
        "code": hospital.code,
        "name": hospital.name,
        "state": _state(hospital),
        "keys": "；".join(map(_key_line, hospital.keys)),
        "created": when(hospital.created_at),
    }


def _plain(hospital: HospitalShown) -> dict[str, Any]:
    return {**camel_case(asdict(hospital)), "profile": orjson.loads(hospital.profile)}


def _state(hospital: HospitalShown) -> str:
    return "停用" if hospital.disabled else "启用"


def _key_line(key: KeyShown) -> str:
    if key.retires_at is None:
        return f"{key.check_value} 现用"
    gone = key.retires_at <= time.time() * 1000
    return f"{key.check_value} {'已失效' if gone else '有效至'} {when(key.retires_at)}"


def _key_text(given: str) -> str:
    return sys.stdin.readline().strip() if given == "-" else given


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if match is None:
        fail(f"时间 {text!r} 应写作数字加 s、m、h 或 d，如 7d", Exit.USE)
    return int(match[1]) * _UNITS[match[2]]
