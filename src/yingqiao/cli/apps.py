"""`yingqiao apps`: the programs that may call the signing services, their secrets and what each may do."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from typing import Any

import click
import msgspec

from yingqiao.cli.journal import record
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, Shape, camel_case, fail, shape_of, show_rows, when
from yingqiao.exchange.callbacks import callback_address
from yingqiao.exchange.fetch import FetchError
from yingqiao.settings import Settings
from yingqiao.signing.applications import ApplicationError, AppSettings, CallbackHost
from yingqiao.signing.hmac_signature import ALGORITHMS
from yingqiao.store.applications import AppRegistry, AppShown

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COLUMNS = {
    "app": "应用",
    "name": "名称",
    "hospital": "医疗机构",
    "state": "状态",
    "algorithms": "HMAC",
    "dsvs": "dsvs 签名",
    "callbacks": "回调主机",
    "created": "登记时间",
}


@click.group()
def command() -> None:
    """签名服务的应用与密钥"""


@command.command()
@click.argument("app_id", metavar="APPID")
@click.option("--secret", help="密钥（secureCode）；- 表示从标准输入读取，以免留在命令历史中")
@click.option("--generate", is_flag=True, help="随机生成密钥并显示一次")
@click.option("--name", default="", help="名称，供人辨认")
@click.option("--hospital", default="", metavar="CODE", help="所属医疗机构代码")
@data_options
def add(
    app_id: str, secret: str | None, generate: bool, name: str, hospital: str, settings: Settings
) -> None:
    """登记一个应用 APPID 及其密钥"""
    chosen = _secret(secret, generate=generate)
    with stores(settings, create=True) as opened:
        known = not hospital or hospital in {one.code for one in opened.hospitals.list()}
        if not known:
            fail(f"没有医疗机构 {hospital}")
        drawn = opened.apps.add(app_id, chosen, name=name, hospital_code=hospital, settings=AppSettings())
    record(settings, "app.add", app_id, hospital=hospital)
    click.echo(f"已登记应用 {app_id}")
    if chosen is None:
        click.echo(f"密钥（只显示这一次）：{drawn}")


@command.command("list")
@shape_options
@data_options
def list_(settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出应用（不含密钥）"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened:
        listed = opened.apps.list()
    rows = [_plain(app) if shape is Shape.JSON else _row(app) for app in listed]
    show_rows(rows, _COLUMNS, shape, empty="还没有登记应用")


@command.command()
@click.argument("app_id", metavar="APPID")
@click.option("--secret", help="新密钥；- 表示从标准输入读取；不写则随机生成并显示一次")
@click.option("--overlap", default="7d", show_default=True, help="旧密钥继续有效的时间，如 12h、7d、0s")
@data_options
def rotate(app_id: str, secret: str | None, overlap: str, settings: Settings) -> None:
    """更换密钥；旧密钥在重叠期内仍被接受"""
    match = re.fullmatch(r"(\d{1,6})([smhd])", overlap)
    if match is None:
        fail(f"时间 {overlap!r} 应写作数字加 s、m、h 或 d，如 7d", Exit.USE)
    chosen = _secret(secret, generate=secret is None)
    with stores(settings) as opened:
        drawn = opened.apps.rotate(app_id, chosen, int(match[1]) * _UNITS[match[2]])
    record(settings, "app.rotate", app_id)
    click.echo(f"应用 {app_id} 已启用新密钥；旧密钥 {overlap} 后失效")
    if chosen is None:
        click.echo(f"新密钥（只显示这一次）：{drawn}")


@command.command()
@click.argument("app_id", metavar="APPID")
@data_options
def disable(app_id: str, settings: Settings) -> None:
    """停用应用：拒绝它的一切请求"""
    with stores(settings) as opened:
        opened.apps.set_disabled(app_id, True)
    record(settings, "app.disable", app_id)
    click.echo(f"已停用应用 {app_id}")


@command.command()
@click.argument("app_id", metavar="APPID")
@data_options
def enable(app_id: str, settings: Settings) -> None:
    """恢复停用的应用"""
    with stores(settings) as opened:
        opened.apps.set_disabled(app_id, False)
    record(settings, "app.enable", app_id)
    click.echo(f"已恢复应用 {app_id}")


@command.command("set")
@click.argument("app_id", metavar="APPID")
@click.option(
    "--hmac", "algorithms", multiple=True, type=click.Choice(list(ALGORITHMS)), help="允许的算法，可多次"
)
@click.option("--dsvs", type=click.Choice(["required", "optional", "off"]), help="dsvs 请求是否须带签名")
@click.option("--callback", "callbacks", multiple=True, metavar="URL", help="允许回调的主机，可多次")
@click.option("--private-callback", "private", multiple=True, metavar="URL", help="同上，允许内网与本机地址")
@click.option("--no-callbacks", is_flag=True, help="不允许任何回调")
@click.option("--max-data", type=int, help="待签数据 data 的上限（Base64 字符数）")
@click.option("--max-description", type=int, help="description 的上限（字符数，至多 4096）")
@click.option("--max-original", type=int, help="时间戳原文 oriData 的上限（字节）")
@data_options
def set_(app_id: str, settings: Settings, **given: Any) -> None:
    """修改应用的设置：没有写到的保持不变"""
    with stores(settings) as opened:
        before = _find(opened.apps, app_id).settings
        try:
            opened.apps.set_settings(app_id, _changed(before, given))
        except (ApplicationError, FetchError, msgspec.ValidationError) as error:
            fail(str(error), Exit.USE)
    record(settings, "app.set", app_id)
    click.echo(f"已修改应用 {app_id} 的设置")


def _changed(before: AppSettings, given: dict[str, Any]) -> AppSettings:
    """Raises ApplicationError, FetchError."""
    names = {
        "max_data": "max_data_bytes",
        "max_description": "max_description",
        "max_original": "max_original_bytes",
    }
    changes: dict[str, Any] = {to: given[name] for name, to in names.items() if given[name] is not None}
    if given["algorithms"]:
        changes["algorithms"] = given["algorithms"]
    if given["dsvs"]:
        changes["dsvs_hmac"] = given["dsvs"]
    hosts = [
        CallbackHost(_host(url), private)
        for private, key in ((False, "callbacks"), (True, "private"))
        for url in given[key]
    ]
    if hosts or given["no_callbacks"]:
        changes["callbacks"] = tuple(hosts)
    return AppSettings.from_json(msgspec.structs.replace(before, **changes).to_json())


def _host(url: str) -> str:
    address = callback_address(url)
    if address.query:
        raise ApplicationError("回调主机应写作 http(s)://主机[:端口][/路径]，不含查询参数")
    return f"{address.origin}{address.path}"


def _secret(text: str | None, *, generate: bool) -> str | None:
    """The secret given, None for one to be drawn."""
    if (text is None) != generate:
        fail("--secret 与 --generate 须选且只选一个", Exit.USE)
    return sys.stdin.readline().strip("\r\n") if text == "-" else text


def _find(apps: AppRegistry, app_id: str) -> AppShown:
    found = next((app for app in apps.list() if app.app_id == app_id), None)
    if found is None:
        fail(f"没有应用 {app_id}")
    return found


def _plain(app: AppShown) -> dict[str, Any]:
    plain = asdict(app) | {"settings": msgspec.to_builtins(app.settings)}
    return dict(camel_case(plain))


def _row(app: AppShown) -> dict[str, Any]:
    return {
        "app": app.app_id,
        "name": app.name,
        "hospital": app.hospital_code,
        "state": "已停用" if app.disabled else "启用",
        "algorithms": "、".join(app.settings.algorithms),
        "dsvs": app.settings.dsvs_hmac,
        "callbacks": "、".join(
            host.address + ("（内网）" if host.private else "") for host in app.settings.callbacks
        ),
        "created": when(app.created_at),
    }
