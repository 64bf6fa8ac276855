"""`yingqiao serve`: the gateway."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import click

from yingqiao.cli.loading import loading
from yingqiao.cli.options import settings_from
from yingqiao.cli.output import Exit, Shape, fail, show_json, show_rows
from yingqiao.settings import Settings, describe, show


@click.command()
@click.option("--data", metavar="DIR", help="数据目录（或环境变量 YINGQIAO_DATA）")
@click.option("--http", "http", metavar="HOST:PORT", help="HTTP 监听地址 [默认 0.0.0.0:8080]")
@click.option(
    "--dicom", metavar="AET@HOST:PORT", help="DICOM 监听 [默认 YINGQIAO@0.0.0.0:11112]；写 off 则不接收"
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="YINGQIAO_CONFIG",
    help="配置文件（TOML）",
)
@click.option("--database", metavar="URL", help="postgresql://… ；不写 = 数据目录中的 SQLite")
@click.option("--workers", type=int, help="HTTP 进程数（大于 1 须用 PostgreSQL）")
@click.option("--admin", metavar="HOST:PORT", help="/api 与 /metrics 另用的地址")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="日志级别")
@click.option("--show-settings", is_flag=True, help="显示生效的设置（不显示密钥）后退出")
@click.option("--json", "as_json", is_flag=True, help="与 --show-settings 同用：以 JSON 输出")
def command(
    data: str | None,
    http: str | None,
    dicom: str | None,
    config: Path | None,
    database: str | None,
    workers: int | None,
    admin: str | None,
    log_level: str | None,
    show_settings: bool,
    as_json: bool,
) -> None:
    """启动网关：HTTP 与 DICOM 接收、索引、关联、只读接口"""
    flags: dict[str, Any] = {
        "data": data,
        "http.listen": http,
        "dicom.listen": "" if dicom == "off" else dicom,
        "database": database,
        "http.workers": workers,
        "http.admin_listen": admin,
        "log.level": log_level,
    }
    settings = settings_from(config, flags)
    if show_settings:
        _show(settings, as_json=as_json)
    else:
        _run(settings)


def _run(settings: Settings) -> None:
    signal.signal(signal.SIGTERM, _leave)  # until the gateway serves: then it stops in its own way
    from yingqiao.app.folder import StartError, prepare_workers  # loaded late: commands start fast

    try:
        prepare_workers(settings)
        with loading():
            from yingqiao.app.gateway import (
                run_gateway,
            )  # after prepare_workers: metrics are set up when loaded

        run_gateway(settings, _announce)
    except StartError as error:
        fail(str(error), Exit.USE if not error.unavailable else Exit.UNAVAILABLE)


def _leave(_number: int, _frame: object) -> None:
    """SIGTERM while starting: what is open is closed on the way out, and the code says that all is well."""
    sys.exit(Exit.DONE)


def _announce(http: str, dicom: str) -> None:
    click.echo(f"影桥网关已就绪：HTTP {http}" + (f"，DICOM {dicom}" if dicom else "（不接收 DICOM）"))


def _show(settings: Settings, *, as_json: bool) -> None:
    values = show(settings)
    if as_json:
        show_json(values)
        return
    helps = {setting.key: setting.help for setting in describe()}
    rows = [{"key": key, "value": value, "help": helps[key]} for key, value in values.items()]
    show_rows(rows, {"key": "设置", "value": "值", "help": "说明"}, Shape.TABLE)
