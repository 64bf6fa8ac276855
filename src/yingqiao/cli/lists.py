"""`yingqiao lists`: images lists (/images/list), how far each is, what became of each address."""

from __future__ import annotations

import time

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from yingqiao.app.stores import Stores
from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, Shape, console, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.exchange.fetch import FileState
from yingqiao.settings import Settings
from yingqiao.store.image_lists import open_again
from yingqiao.store.queries import ListDetail, ListFilter, list_image_lists, show_image_list
from yingqiao.store.queries.headings import LIST_HEADINGS
from yingqiao.store.queries.words import LIST_WORDS, list_filter

_FILES = {
    "url": "地址",
    "state_name": "状态",
    "attempts": "次数",
    "instance_count": "影像",
    "byte_count": "字节",
    "reason": "原因",
}
_WORK = {"id": "任务", "destination": "目的地", "state_name": "状态", "attempt": "次数", "reason": "原因"}
_EXAMS = {"ris_study_id": "检查", "patient_name": "姓名", "by": "关联依据"}
_POLL_S = 0.5
_STEP = 1000


@click.group()
def command() -> None:
    """影像地址列表：下载进度、重试"""


@command.command("list")
@filter_options(LIST_WORDS, list_filter)
@shape_options
@data_options
def list_(
    wanted: ListFilter, limit: int, offset: int, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """列出医院推送的影像地址列表，最新的在前"""
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_image_lists(connection, wanted, limit, offset)
    show_page(page, LIST_HEADINGS, shape_of(as_json, as_csv))


@command.command("show")
@click.argument("number", type=int)
@click.option("--state", type=click.Choice([str(state) for state in FileState]), help="只看该状态的文件")
@click.option("--follow", is_flag=True, help="显示进度，直到没有等待下载的文件")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, state: str | None, follow: bool, as_json: bool, settings: Settings) -> None:
    """查看编号为 NUMBER 的列表：每个地址的下载情况"""
    with stores(settings) as opened:
        if follow:
            _follow(opened, number)
        found = _find(opened, number, FileState(state) if state else None)
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    shown = readable(found.list)
    show_pairs({heading: shown[name] for name, heading in LIST_HEADINGS.items()})
    for title, structs, columns in (
        ("检查", found.exams, _EXAMS),
        ("任务", found.work, _WORK),
        ("文件", found.files, _FILES),
    ):
        if structs:
            console().print(f"\n[bold]{title}[/bold]")
            show_rows([readable(one) for one in structs], columns, Shape.TABLE)


@command.command("retry")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--hospital", help="医疗机构代码：其全部有失败文件的列表")
@data_options
def retry_(numbers: tuple[int, ...], hospital: str | None, settings: Settings) -> None:
    """重新下载列表 NUMBERS 中没有取到的文件；网关运行时在一秒内开始"""
    if bool(numbers) == bool(hospital):
        raise click.UsageError("请给出编号，或写 --hospital 代码")
    with stores(settings) as opened:
        chosen = list(numbers) or _unfinished(opened, hospital or "")
        count = 0
        for number in chosen:
            with opened.database.write() as connection:
                if show_image_list(connection, number, FileState.DONE) is None:
                    fail(f"没有编号为 {number} 的列表")
                count += open_again(connection, number)
        opened.bell.ring()
    click.echo(f"{len(chosen)} 个列表中的 {count} 个文件将重新下载")


def _unfinished(opened: Stores, hospital: str) -> list[int]:
    wanted = ListFilter(hospital_code=hospital, complete=False)
    numbers: list[int] = []
    with opened.database.read() as connection:
        while page := list_image_lists(connection, wanted, _STEP, len(numbers)).items:
            numbers += [one.id for one in page]
    return numbers


def _find(opened: Stores, number: int, state: FileState | None) -> ListDetail:
    with opened.database.read() as connection:
        found = show_image_list(connection, number, state)
    return found or fail(f"没有编号为 {number} 的列表", Exit.NO)


def _follow(opened: Stores, number: int) -> None:
    """Show how it goes until nothing waits."""
    columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task("下载")
        while True:
            found = _find(opened, number, FileState.FAILING).list
            progress.update(task, total=found.file_count, completed=found.done)
            if not found.waiting:
                return
            time.sleep(_POLL_S)
