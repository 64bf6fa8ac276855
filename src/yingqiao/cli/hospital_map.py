"""`yingqiao hospital map`: the mapping of a hospital's own columns, tried on real rows before anything is sent."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from yingqiao.cli.output import Exit, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.hospital.mapping import ConfigError
from yingqiao.hospital.mapping.check import Report, check
from yingqiao.hospital.source import SourceUnavailableError, Table
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.database import DatabaseSource
from yingqiao.hospital.sources.folder import FolderSource
from yingqiao.hospital.sources.guess import first_mapping
from yingqiao.hospital.sources.hl7 import Hl7Listener
from yingqiao.hospital.sources.hl7_message import Hl7Error

_COLUMNS = {
    "source": "数据源",
    "table": "表",
    "level": "级别",
    "field": "字段",
    "label": "名称",
    "count": "行数",
    "problem": "问题",
    "mend": "怎样修正",
    "where": "首见于",
}
_SHOWN = 120
_LEVELS = {"refuse": "拒收", "warn": "警告", "note": "提示"}


@click.group("map")
def command() -> None:
    """字段映射：试运行、生成初稿"""


@command.command("check")
@click.option(
    "--config",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="hospital.toml",
)
@click.option(
    "--rows", default=100, show_default=True, type=click.IntRange(1, 100_000), help="每张表试多少行"
)
@click.option("--table", type=click.Choice([t.value for t in Table]), help="只试一张表")
@click.option("--source", "only", help="只试一个数据源")
@click.option(
    "--sample",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="HL7 样例消息文件，可多个",
)
@click.option("--json", "as_json", is_flag=True)
@click.option("--csv", "as_csv", is_flag=True)
def check_command(
    config: Path,
    rows: int,
    table: str | None,
    only: str | None,
    sample: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
) -> None:
    """在真实数据上试运行映射：会上传什么、每一项问题、没有对照的代码；什么都不发送"""
    shape = shape_of(as_json, as_csv)
    reports: list[tuple[str, Report]] = []
    try:
        for source in _sources(config, only):
            reports += [(source.name, one) for one in _reports(source, rows, table, sample)]
    except ConfigError as error:
        fail(f"{config}：{error}", Exit.USE)
    except (SourceUnavailableError, Hl7Error, OSError) as error:
        fail(str(error), Exit.UNAVAILABLE)
    if as_json:
        show_json([_plain(name, report) for name, report in reports])
    elif as_csv:
        show_rows([row for name, report in reports for row in _findings(name, report)], _COLUMNS, shape)
    else:
        for name, report in reports:
            _show(name, report)
    if not reports or not all(report.passed for _, report in reports):
        raise SystemExit(Exit.NO)


@command.command("init")
@click.option("--url", required=True, help="数据库地址（SQLAlchemy），如 postgresql://用户:密码@主机/库")
@click.option("--view", required=True, help="视图或表名")
@click.option("--schema", help="所在模式")
@click.option(
    "--table",
    default="exam",
    show_default=True,
    type=click.Choice([t.value for t in Table]),
    help="标准的哪张表",
)
def init(url: str, view: str, schema: str | None, table: str) -> None:
    """按列名猜测，写出映射初稿（TOML，到标准输出）；逐项核对后再用"""
    try:
        click.echo(first_mapping(url, view, schema, Table(table)), nl=False)
    except ConfigError as error:
        fail(str(error), Exit.USE)
    except SourceUnavailableError as error:
        fail(str(error), Exit.UNAVAILABLE)


Known = DatabaseSource | FolderSource | Hl7Listener


def _sources(config: Path, only: str | None) -> Iterator[Known]:
    try:
        said: Mapping[str, Any] = tomllib.loads(config.read_text("utf-8"))
    except OSError as error:
        raise ConfigError("不能读取这个文件") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"不是合法的 TOML：{error}") from error
    tables = said.get("source", [])
    if not isinstance(tables, list) or not tables:
        raise ConfigError("没有 [[source]]")
    for table in tables:
        if only is None or table.get("name") == only:
            source = open_source(table, config.parent)
            if isinstance(source, Known):
                yield source


def _reports(source: Known, rows: int, only: str | None, samples: tuple[Path, ...]) -> Iterator[Report]:
    try:
        for table in source.tables:
            if only in (None, table.value):
                shown = (
                    source.preview(table, rows, samples)
                    if isinstance(source, Hl7Listener)
                    else source.preview(table, rows)
                )
                yield check(table, source.mapping(table), shown)
    finally:
        source.close()


def _findings(name: str, report: Report) -> list[dict[str, Any]]:
    return [
        {
            "source": name,
            "table": report.table.value,
            "level": _LEVELS[one.finding.level.value],
            "rule": one.finding.rule,
            "field": one.finding.field,
            "label": one.finding.label,
            "count": one.count,
            "problem": one.finding.problem,
            "mend": one.finding.mend,
            "where": one.where,
        }
        for one in report.findings
    ]


def _plain(name: str, report: Report) -> dict[str, Any]:
    return {
        "source": name,
        "table": report.table.value,
        "passed": report.passed,
        "rows": report.rows,
        "refused": report.refused,
        "sample": report.sample,
        "unused_columns": report.unused,
        "unmapped_required": [field for field, _ in report.missing],
        "findings": _findings(name, report),
    }


def _show(name: str, report: Report) -> None:
    click.echo(
        f"数据源 {name}，{report.table.value}：试了 {report.rows} 行，其中 {report.refused} 行会被拒收"
    )
    if report.sample:
        shown = {field: _short(value) for field, value in report.sample.items()}
        show_pairs(shown, title="第一行会上传：")
    if report.missing:
        click.echo(
            "必填而没有映射的字段：" + "、".join(f"{field}（{label}）" for field, label in report.missing)
        )
    if report.unused:
        click.echo("没有用到的列：" + "、".join(report.unused))
    columns = {key: heading for key, heading in _COLUMNS.items() if key not in ("source", "table")}
    show_rows(_findings(name, report), columns, shape_of(False, False), empty="没有发现问题")
    click.echo("通过" if report.passed else "未通过")


def _short(value: Any) -> Any:
    """A document in Base64 would push everything else off the screen."""
    if not isinstance(value, str) or len(value) <= _SHOWN:
        return value
    return f"{value[:_SHOWN]}……（共 {len(value)} 个字符）"


COMMANDS: dict[str, click.Command] = {"map": command}
