"""`yingqiao seal-client`: the seal client of a desk, http://localhost:21051/PDFClient/viewer.html (四(二)4(6))."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click
import msgspec
from starlette.routing import BaseRoute

from yingqiao import logging
from yingqiao.cli.output import Exit, fail
from yingqiao.seal_client.config import Loaded, read_config
from yingqiao.seal_client.errors import ConfigError, StartError
from yingqiao.seal_client.running import Pages, build
from yingqiao.web.pages import asset_routes, page_html


class BuiltPages(Pages):
    """The page as `scripts/ui.sh` built it."""

    def html(self) -> bytes:
        return page_html("seal-client")

    def routes(self) -> list[BaseRoute]:
        return asset_routes()


@click.command("seal-client")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="YINGQIAO_SEAL_CLIENT_CONFIG",
    default="seal-client.toml",
    show_default=True,
    help="签章客户端的配置文件",
)
@click.option("--check", is_flag=True, help="只检查配置与印章钱包，不启动")
def command(path: Path, *, check: bool) -> None:
    """运行签章客户端，直到收到停止信号；只监听本机"""
    try:
        loaded = read_config(path)
    except ConfigError as error:
        fail(str(error), Exit.USE)
    logging.configure("error" if check else loaded.config.log.level)
    if check:
        _check(loaded)
        return
    _run(loaded)


def _run(loaded: Loaded) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        service = build(loaded, BuiltPages())
        port = service.start()
    except StartError as error:
        fail(str(error), Exit.UNAVAILABLE)
    except (OSError, msgspec.DecodeError) as error:
        fail(f"不能使用状态目录 {loaded.state}：{error}", Exit.UNAVAILABLE)
    click.echo(f"影桥签章客户端已就绪：http://localhost:{port}/PDFClient/viewer.html")
    stopping.wait()
    service.close()


def _check(loaded: Loaded) -> None:
    """What an administrator looks at after installing."""
    from yingqiao.seal_client.check import check

    good = True
    for one in check(loaded):
        good = good and one.good
        click.echo(f"{'通过' if one.good else '不通过'}  {one.what}：{one.detail}")
    raise SystemExit(Exit.DONE if good else Exit.NO)
