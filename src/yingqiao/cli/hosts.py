"""`yingqiao hospitals hosts`: where a hospital's addresses may lead, and with which credentials."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from yingqiao.app.fetch_test import Tested, try_address
from yingqiao.cli.options import bandwidth_of, data_options, shape_options, stores
from yingqiao.cli.output import Exit, camel_case, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.exchange.fetch import (
    PORTS,
    AllowedHost,
    Credentials,
    FetchError,
    HostOptions,
    OptionsError,
    parse_address,
)
from yingqiao.exchange.work import LineLimits
from yingqiao.settings import Settings

PASSWORD_ENV = "YINGQIAO_HOST_PASSWORD"  # noqa: S105 the name of a variable
_COLUMNS = {
    "id": "编号",
    "hospitalCode": "医疗机构",
    "address": "地址",
    "private": "内网",
    "pathEncoding": "路径编码",
    "credentials": "凭据",
    "maxParallel": "并发",
    "bytesPerSecond": "限速",
    "windows": "时间窗",
}


@click.group("hosts")
def hosts() -> None:
    """允许下载的主机：影像地址与报告 pdf_path 可以指向哪里"""


@hosts.command("add")
@click.argument("code")
@click.argument("address")
@click.option("--user", default="", help="用户名；S3 为 Access Key")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, allow_dash=True, exists=True, dir_okay=False),
    help=f"密码（S3 为 Secret Key）所在文件，- 为标准输入；不写则取环境变量 {PASSWORD_ENV} 或提示输入",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="HTTP Bearer 令牌或 S3 会话令牌所在文件",
)
@click.option("--private", is_flag=True, help="允许内网与本机地址")
@click.option(
    "--path-encoding",
    type=click.Choice(["utf-8", "gb18030"]),
    default="utf-8",
    show_default=True,
    help="路径中汉字的编码；老的 FTP 服务多为 gb18030",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="同时下载的列表数，每个至多 8 个连接",
)
@click.option("--bandwidth", default="0", show_default=True, help="每秒字节数上限，如 512k、20m；0 = 不限")
@click.option("--window", "windows", multiple=True, help="允许的时段 HH:MM-HH:MM（北京时间），可多次")
@click.option("--region", default="", help="S3 区域")
@click.option("--endpoint", default="", help="S3 服务地址 https://主机[:端口]；不写 = 亚马逊")
@click.option("--style", type=click.Choice(["path", "virtual"]), help="S3 桶名放在路径还是主机名中")
@click.option("--share", default="", help="文件共享名；该共享挂载在地址所写的目录")
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="只信任该文件（PEM）中的 CA 证书",
)
@click.option("--pin", default="", help="TLS 公钥的 SHA-256：只信任它")
@click.option("--explicit-tls/--implicit-tls", "explicit_tls", default=None, help="FTPS 的方式")
@click.option("--host-key", "host_keys", multiple=True, help="SFTP 主机公钥指纹 SHA256:…，可多次")
@click.option("--trust-first", is_flag=True, help="SFTP：信任第一次见到的主机公钥，并记住它")
@click.option("--private-key", default="", help="SFTP 私钥文件路径；此时密码是它的口令")
@data_options
def add(code: str, address: str, settings: Settings, private: bool, path_encoding: str, **given: Any) -> None:
    """登记机构 CODE 的地址可以指向 ADDRESS：协议://主机[:端口][/目录]

    主机可以是网段（10.1.0.0/16）；S3 写 s3://桶[/前缀]；本地挂载的共享写 file:///目录 或 file://服务器/目录。
    """
    try:
        host = _host(address, private, path_encoding, given)
        limits = LineLimits(given["parallel"], bandwidth_of(given["bandwidth"]), ",".join(given["windows"]))
        with stores(settings) as opened:
            registered = opened.fetch_hosts.add(code, host, limits)
            opened.bell.ring()
    except (OptionsError, FetchError, ValueError) as error:
        fail(str(error), Exit.USE)
    click.echo(f"已登记 #{registered.id}：{code} 的地址可以指向 {host.display}")
    if registered.reopened:
        click.echo(f"此前因未登记而未下载的 {registered.reopened} 个地址将开始下载")


@hosts.command("list")
@click.argument("code", required=False)
@shape_options
@data_options
def list_(code: str | None, settings: Settings, as_json: bool, as_csv: bool) -> None:
    """列出允许下载的主机（机构 CODE 的，或全部）"""
    with stores(settings) as opened:
        rows = [camel_case(asdict(host)) for host in opened.fetch_hosts.list(code)]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="没有登记允许下载的主机")


@hosts.command("remove")
@click.argument("number", type=int)
@data_options
def remove(number: int, settings: Settings) -> None:
    """删除编号为 NUMBER 的主机；此后指向它的地址不再下载"""
    with stores(settings) as opened:
        if not opened.fetch_hosts.remove(number):
            fail(f"没有编号为 {number} 的主机")
    click.echo(f"已删除主机 #{number}")


@hosts.command("test")
@click.argument("code")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def test(code: str, address: str, as_json: bool, settings: Settings) -> None:
    """以机构 CODE 登记的主机试取 ADDRESS（一个文件的完整地址），说明是什么、问题在哪一侧；什么都不保存"""
    with stores(settings) as opened:
        tested = try_address(opened, code, address)
    _show(tested, as_json)
    if not tested.ok:
        raise SystemExit(Exit.NO)


def _show(tested: Tested, as_json: bool) -> None:
    if as_json:
        show_json(camel_case(asdict(tested)))
        return
    show_pairs(
        {
            "地址": tested.address,
            "登记": tested.host or "（无）",
            "结果": "可以下载" if tested.ok else "不能下载",
            "内容": tested.kind,
            "字节": tested.size if tested.ok else "",
            "影像": tested.instances if tested.ok else "",
            "用时": f"{tested.seconds:.2f} 秒",
            "说明": tested.reason,
        }
    )


def _host(text: str, private: bool, path_encoding: str, given: dict[str, Any]) -> AllowedHost:
    """What was typed as a host to register. Raises OptionsError, FetchError, ValueError."""
    scheme, host, port, root = _parts(text)
    options = HostOptions(
        ca=given["ca"].read_text("utf-8") if given["ca"] else "",
        pin=given["pin"],
        explicit_tls=given["explicit_tls"],
        host_keys=given["host_keys"],
        host_key_first_use=given["trust_first"],
        region=given["region"],
        endpoint=given["endpoint"],
        style=given["style"] or "",
        share=given["share"],
    )
    credentials = Credentials(
        user=given["user"],
        password=_password(given),
        token=_line_of(given["token_file"]) if given["token_file"] else "",
        private_key=given["private_key"],
    )
    return AllowedHost(
        scheme=scheme,
        host=host,
        port=port,
        root=root,
        private=private,
        path_encoding=path_encoding,
        options=options,
        credentials=credentials,
    )


def _parts(text: str) -> tuple[str, str, int, str]:
    """scheme, host, port (0 = the scheme's own), root. Raises FetchError, ValueError."""
    if match := re.fullmatch(r"([a-z0-9]+)://([0-9a-fA-F:.]+/\d{1,3})(?::(\d{1,5}))?(/.*)?", text.strip()):
        return match[1], match[2], int(match[3] or 0), match[4] or "/"
    if match := re.fullmatch(r"file://([^/]*)(/.*)", text.strip()):
        return "file", match[1].lower(), 0, match[2]
    bare = text.strip().rstrip("/")
    if bare.count("/") < 2 or "@" in bare.split("/")[2]:
        raise ValueError("应写作 协议://主机[:端口][/目录]，用户名与密码另给")
    address = parse_address(f"{bare}/x")
    port = 0 if address.port == PORTS[address.scheme] else address.port
    return address.scheme, address.host, port, address.path.removesuffix("/x") or "/"


def _password(given: dict[str, Any]) -> str:
    """From a file, the environment or the terminal: never from the command line, where others see it."""
    if given["password_file"] is not None:
        return _line_of(given["password_file"])
    if PASSWORD_ENV in os.environ:
        return os.environ[PASSWORD_ENV]
    if given["user"] and not given["private_key"]:
        return str(click.prompt("密码", hide_input=True, default="", show_default=False))
    return ""


def _line_of(path: Path) -> str:
    text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    return text.strip("\r\n")
