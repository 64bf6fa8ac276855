"""How commands show what they found: a table for people (CJK widths right), JSON or CSV for programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, NoReturn

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yingqiao.exchange.spreadsheet import disarmed

BEIJING = timezone(timedelta(hours=8), "UTC+08:00")


class Exit:
    """Exit codes, as in docs/reference/cli.md."""

    DONE = 0
    NO = 1
    USE = 2
    UNAVAILABLE = 3


class Shape(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def shape_of(as_json: bool, as_csv: bool) -> Shape:
    """The shape two flags ask for. Raises click.UsageError for both."""
    if as_json and as_csv:
        raise click.UsageError("--json 与 --csv 只能选一个")
    return Shape.JSON if as_json else Shape.CSV if as_csv else Shape.TABLE


def show_rows(
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str],
    shape: Shape,
    *,
    empty: str = "没有符合条件的记录",
) -> None:
    """Rows as a table or CSV of `columns` (member -> Chinese heading), or all members as a JSON array."""
    listed = list(rows)
    if shape is Shape.JSON:
        show_json(listed)
    elif shape is Shape.CSV:
        stream_csv(listed, columns)
    elif not listed:
        click.echo(empty)
    else:
        _print_table(listed, columns)


def stream_csv(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """The same as CSV only, each row as it comes: any number of them. Texts are disarmed for spreadsheets."""
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns.values())
    writer.writerows([_csv_cell(row.get(name)) for name in columns] for row in rows)


def show_pairs(pairs: Mapping[str, Any], *, title: str = "") -> None:
    """One thing: heading and value a line."""
    table = Table(title=title or None, show_header=False, box=None, pad_edge=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, Text(_cell(value)))
    console().print(table)


def show_json(value: object) -> None:
    """`value` as indented JSON; dataclasses become objects, bytes hex."""
    click.echo(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2))


def camel_case(value: Any) -> Any:
    """The same with member names as the API writes them: created_at -> createdAt, at every depth."""
    if isinstance(value, Mapping):
        return {_camel(name): camel_case(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [camel_case(item) for item in value]
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def console() -> Console:
    """Where tables go: as wide as the terminal; piped, as wide as it takes."""
    wide = None if sys.stdout.isatty() else 400
    return Console(width=wide, highlight=False, soft_wrap=False)


def when(unix_ms: int | None) -> str:
    """Unix milliseconds as Beijing time to the second, '' for None."""
    if unix_ms is None:
        return ""
    return datetime.fromtimestamp(unix_ms / 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def fail(message: str, code: int = Exit.NO) -> NoReturn:
    """Say why in Chinese on standard error and leave with `code`."""
    click.echo(f"错误：{message}", err=True)
    sys.exit(code)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, (list, tuple)):
        return "，".join(_cell(item) for item in value)
    return str(value)


def _csv_cell(value: object) -> str:
    text = _cell(value)
    return text if isinstance(value, int | float) else disarmed(text)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
