"""`yingqiao spec`: check, explain, compare and export the standard's data.

EDITION is a shipped id (`shanxi/v2_1`) or a folder laid out like one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, TypeVar

import click
from rich.console import Console
from rich.table import Table as Grid

from yingqiao.spec.load import DEFAULT_EDITION, SpecError, edition_ids, load_edition, read_edition
from yingqiao.spec.model import Edition

T = TypeVar("T")

_as_json = click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
_edition = click.option(
    "--edition", "edition_name", default=DEFAULT_EDITION, show_default=True, help="版本号或文件夹"
)


@click.group(name="spec", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """标准数据：检查、解释、比较、导出。"""


@command.command("list")
@_as_json
def list_editions(as_json: bool) -> None:
    """列出随程序提供的标准版本。"""
    editions = [load_edition(name) for name in edition_ids()]
    if as_json:
        _print_json([_summary(edition) for edition in editions])
        return
    rows = ((e.id, e.title, e.issued, str(len(e.tables)), str(len(e.code_lists))) for e in editions)
    _print_grid(("版本", "名称", "发布", "表", "代码表"), rows)


@command.command("check")
@click.argument("edition", required=False, default=DEFAULT_EDITION)
@_as_json
def check_edition(edition: str, as_json: bool) -> None:
    """证明标准数据完整且自相一致；有问题时退出码为 1。"""
    from yingqiao.spec.check import CHECKS, check

    found = _open(edition)
    problems = check(found)
    if as_json:
        _print_json({"edition": found.id, "checks": len(CHECKS), "problems": [asdict(p) for p in problems]})
    elif problems:
        _print_grid(("检查", "位置", "问题"), ((p.check, p.where, p.text) for p in problems))
    else:
        click.echo(f"{found.id}：{len(CHECKS)} 项检查全部通过（{_counts(found)}）")
    raise SystemExit(1 if problems else 0)


@command.command("show")
@click.argument("table")
@click.argument("name", required=False, default="")
@_edition
@_as_json
def show(table: str, name: str, edition_name: str, as_json: bool) -> None:
    """解释一张表、一个字段，或一张代码表。

    \b
    yingqiao spec show exam
    yingqiao spec show exam patientFrom
    yingqiao spec show code-list sex
    """
    from yingqiao.spec import show as words

    edition = _open(edition_name)
    is_list = table.casefold() == "code-list"
    if is_list and not name:
        _fail_usage(f"请给出代码表的名称，如 sex；全部：{'、'.join(edition.code_lists)}")
    if as_json:
        _print_json(_found(lambda: _facts(edition, table, name)))
        return
    describe = words.describe_code_list if is_list else words.describe
    click.echo(_found(lambda: describe(edition, *([name] if is_list else [table, name]))))


@command.command("diff")
@click.argument("old")
@click.argument("new")
@_as_json
def diff_editions(old: str, new: str, as_json: bool) -> None:
    """比较两个版本；有差异时退出码为 1。"""
    from yingqiao.spec.diff import diff

    changes = diff(_open(old), _open(new))
    if as_json:
        _print_json([asdict(change) for change in changes])
    elif changes:
        rows = ((_KINDS[c.kind], _THINGS[c.what], c.where, c.attribute, c.before, c.after) for c in changes)
        _print_grid(("变化", "对象", "位置", "属性", "原来", "现在"), rows)
    else:
        click.echo("没有差异")
    raise SystemExit(1 if changes else 0)


@command.command("schema")
@click.argument("table")
@_edition
def schema(table: str, edition_name: str) -> None:
    """输出一张表的 JSON Schema（发送时应符合的严格写法）。"""
    from yingqiao.spec.find import find_table
    from yingqiao.spec.schema import json_schema

    edition = _open(edition_name)
    _print_json(json_schema(edition, _found(lambda: find_table(edition, table).id)))


@command.command("openapi")
@_edition
def openapi_document(edition_name: str) -> None:
    """输出前置机所提供接口的 OpenAPI 3.1 文档。"""
    from yingqiao.spec.openapi import openapi

    _print_json(openapi(_open(edition_name)))


@command.command("docs")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_edition
def docs(directory: Path, edition_name: str) -> None:
    """把标准数据写成参考页：每张表一页，代码表合一页。"""
    from yingqiao.spec.pages import pages

    written = pages(_open(edition_name))
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (directory / name).write_text(text, "utf-8")
    click.echo(f"已写入 {len(written)} 页到 {directory}")


_KINDS = {"added": "新增", "removed": "删除", "changed": "修改"}
_THINGS = {
    "edition": "版本",
    "table": "表",
    "alias": "别名",
    "field": "字段",
    "code-list": "代码表",
    "code": "代码",
    "condition": "条件",
    "interface": "接口",
    "message": "消息",
}


def _open(name: str) -> Edition:
    """A shipped edition, or a folder: a name that is a folder on disk wins. Exits 2 when it is neither."""
    try:
        folder = Path(name)
        return read_edition(folder) if (folder / "manifest.toml").is_file() else load_edition(name)
    except SpecError as error:
        _fail_usage(str(error))


def _found(look_up: Callable[[], T]) -> T:
    from yingqiao.spec.find import NotFoundError

    try:
        return look_up()
    except NotFoundError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


def _facts(edition: Edition, table: str, name: str) -> object:
    """What `show --json` prints: the model's own members, so that scripts need not read prose."""
    from yingqiao.spec import facts

    if table.casefold() == "code-list":
        return facts.code_list(edition, name)
    return facts.fields(edition, table, name) if name else facts.table(edition, table)


def _fail_usage(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(2)


def _summary(edition: Edition) -> dict[str, object]:
    names = ("id", "title", "issuer", "issued", "in_force_from", "supersedes")
    return {name: getattr(edition, name) for name in names} | {"tables": list(edition.tables)}


def _counts(edition: Edition) -> str:
    fields = sum(len(table.fields) for table in edition.tables.values())
    codes = sum(len(codes.codes) for codes in edition.code_lists.values())
    return f"{len(edition.tables)} 张表 {fields} 个字段，{len(edition.code_lists)} 张代码表 {codes} 个代码"


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _print_grid(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    grid = Grid(*headings, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(cell.replace("[", "\\[") for cell in row))
    Console(soft_wrap=False).print(grid)
