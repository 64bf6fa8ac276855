"""Options and error handling that commands share: where the data is, what shape to show it in."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from yingqiao import logging
from yingqiao.app.folder import StartError
from yingqiao.cli.output import Exit, fail
from yingqiao.settings import Settings, SettingsError, read_settings
from yingqiao.signing.private_keys import DeviceError
from yingqiao.store.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from yingqiao.app.stores import Stores

_F = TypeVar("_F", bound=Callable[..., Any])

_DATA = (
    click.option("--data", metavar="DIR", help="数据目录（或环境变量 YINGQIAO_DATA）"),
    click.option("--database", metavar="URL", help="数据库 URL；不写 = 数据目录所记的数据库"),
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="YINGQIAO_CONFIG",
        help="配置文件（TOML）",
    ),
)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def data_options(function: _F) -> _F:
    """Adds --data, --database, --config; the command receives `settings` in their place."""

    @functools.wraps(function)
    def wrapped(
        *args: Any, data: str | None, database: str | None, config: Path | None, **kwargs: Any
    ) -> Any:
        kwargs["settings"] = settings_from(config, {"data": data, "database": database})
        return function(*args, **kwargs)

    for option in reversed(_DATA):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def shape_options(function: _F) -> _F:
    """Adds --json and --csv as `as_json` and `as_csv`."""
    function = click.option("--csv", "as_csv", is_flag=True, help="以 CSV 输出")(function)
    return click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")(function)


def bandwidth_of(text: str) -> int:
    """Bytes a second of `512k`, `20M`, `0` (no limit), or a Chinese error and exit code 2."""
    found = re.fullmatch(r"(\d{1,12})([KMG]?)", text.strip().upper())
    if found is None:
        fail(f"带宽 {text!r} 应为每秒字节数，可加 K、M、G，如 10M", Exit.USE)
    return int(found[1]) * _UNITS[found[2]]


def settings_from(config: Path | None, flags: dict[str, Any]) -> Settings:
    """The settings of this command, or a Chinese error and exit code 2."""
    try:
        return read_settings(config=config, environ=os.environ, flags=flags)
    except SettingsError as error:
        fail(str(error), Exit.USE)


@contextmanager
def stores(settings: Settings, *, create: bool = False) -> Iterator[Stores]:
    """The stores of the settings; errors of theirs become Chinese lines and exit codes."""
    from yingqiao.app.stores import open_stores  # the connector's commands have none, and start twice as fast

    logging.configure("warning")
    try:
        with open_stores(settings, create=create) as opened:
            yield opened
    except StartError as error:
        fail(str(error), Exit.UNAVAILABLE if error.unavailable else Exit.USE)
    except StoreUnavailable as error:
        fail(f"数据库暂时不可用（{type(error).__name__}），请稍后重试", Exit.UNAVAILABLE)
    except StoreError as error:
        fail(str(error), Exit.NO)
    except DeviceError as error:
        fail(f"{error.reason}（{error.detail}）", Exit.UNAVAILABLE)
