"""`yingqiao work`: what the gateway does in the background, pausing it, and replaying what died."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import msgspec

from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, console, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.cli.work_destinations import command as destinations_command
from yingqiao.exchange.clock import clock
from yingqiao.exchange.work import Priority
from yingqiao.settings import Settings
from yingqiao.store.database import Database
from yingqiao.store.queries.headings import WORK_HEADINGS
from yingqiao.store.queries.words import WORK_WORDS, priority_of, work_filter
from yingqiao.store.work import destinations
from yingqiao.store.work.actions import ACTION_NAMES, Action, Order, act, act_on_all
from yingqiao.store.work.queries import WorkDetail, WorkFilter, WorkSummary, list_work, show_work

_F = TypeVar("_F", bound=Callable[..., Any])
_COLUMNS = {
    "id": "编号",
    "kind": "种类",
    "key": "关于",
    "destination": "目的地",
    "priority_name": "优先级",
    "state_name": "状态",
    "progress": "进度",
    "attempt": "尝试",
    "due_at": "下次可做",
    "reason": "原因",
}


@click.group()
def command() -> None:
    """后台工作：查看、暂停、重放"""


command.add_command(destinations_command, "destinations")


@command.command("list")
@filter_options(WORK_WORDS, work_filter)
@shape_options
@data_options
def list_(
    wanted: WorkFilter, limit: int, offset: int, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """列出后台工作，最新的在前"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_work(connection, wanted, limit, offset)
    if shape is Shape.TABLE:
        show_rows([_row(item) for item in page.items], _COLUMNS, shape)
    else:
        show_page(page, WORK_HEADINGS, shape)


@command.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, as_json: bool, settings: Settings) -> None:
    """查看编号为 NUMBER 的工作：进度、原因、在等什么"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = show_work(connection, number, time.time_ns() // 10**6)
    if found is None:
        fail(f"没有编号为 {number} 的工作")
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    _show(found)


def _show(found: WorkDetail) -> None:
    row = _row(found.work)
    pairs = {heading: row[name] for name, heading in WORK_HEADINGS.items()}
    pairs |= {"进度": row["progress"], "在等": found.waits_for, "执行进程": found.executor}
    if found.again:
        pairs["又被提出"] = "做完后再做一遍"
    show_pairs({name: value for name, value in pairs.items() if value not in ("", None)})
    if found.payload:
        console().print("\n[bold]内容[/bold]")
        show_pairs(found.payload)


def _row(item: WorkSummary) -> dict[str, Any]:
    done, total, size = item.progress_done, item.progress_total, item.progress_bytes
    steps = f"{done}/{total}" if total else str(done or "")
    return readable(item) | {"progress": f"{steps} {size / 1024**2:.1f} MiB" if size else steps}


def _acting(function: _F) -> _F:
    """Adds NUMBERS, the filters, --all, --yes; the command receives them and `database`."""

    @functools.wraps(function)
    def wrapped(*args: Any, settings: Settings, **kwargs: Any) -> Any:
        with stores(settings) as opened:
            return function(*args, database=opened.database, **kwargs)

    decorated: Any = data_options(wrapped)
    decorated = click.option("--yes", is_flag=True, help="不再询问")(decorated)
    decorated = click.option("--all", "everything", is_flag=True, help="不加筛选，全部工作")(decorated)
    decorated = filter_options(WORK_WORDS, work_filter, paging=False)(decorated)
    return click.argument("numbers", type=int, nargs=-1)(decorated)  # type: ignore[no-any-return]


Target = Mapping[str, Any]


@command.command("retry")
@_acting
def retry_(**target: Any) -> None:
    """死信与已取消的重新做一轮，待重试的立即再试：按编号 NUMBERS，或按筛选条件"""
    _do(Order(Action.RETRY), target)


@command.command("pause")
@_acting
def pause_(**target: Any) -> None:
    """暂停：按编号 NUMBERS，或按筛选条件；只给 --hospital 或 --destination 时连以后的一起暂停"""
    line = _line(target)
    if line:
        _hold(target, line, held=True)
    else:
        _do(Order(Action.PAUSE), target)


@command.command("resume")
@_acting
def resume_(**target: Any) -> None:
    """恢复：按编号 NUMBERS，或按筛选条件；只给 --hospital 或 --destination 时恢复整个目的地"""
    line = _line(target)
    if line:
        _hold(target, line, held=False)
    else:
        _do(Order(Action.RESUME), target)


@command.command("cancel")
@_acting
def cancel_(**target: Any) -> None:
    """取消：按编号 NUMBERS，或按筛选条件；进行中的几秒内停下"""
    _do(Order(Action.CANCEL), target)


@command.command("priority")
@click.option(
    "--to",
    "level",
    required=True,
    type=click.Choice([one.name.lower() for one in Priority]),
    help="新的优先级：急诊、人工、一般、补录",
)
@_acting
def priority_(level: str, **target: Any) -> None:
    """调整优先级：按编号 NUMBERS，或按筛选条件"""
    _do(Order(Action.PRIORITY, priority_of(level)), target)


def _line(target: Target) -> str:
    """The one row that stands for all of it, when a whole hospital, a whole destination or everything is meant."""
    wanted: WorkFilter = target["wanted"]
    if target["numbers"]:
        return ""
    if wanted.is_empty:
        return destinations.EVERYTHING if target["everything"] else ""
    if wanted == WorkFilter(hospital_code=wanted.hospital_code):
        return destinations.everything_of(str(wanted.hospital_code))
    return str(wanted.destination) if wanted == WorkFilter(destination=wanted.destination) else ""


def _hold(target: Target, line: str, *, held: bool) -> None:
    with target["database"].write() as connection:
        act_on = destinations.hold if held else destinations.resume
        found = act_on(connection, line)
    if not found:
        fail(f"没有目的地 {line}" if held else f"{line} 没有暂停过")
    click.echo(f"已{'暂停' if held else '恢复'} {line} 的全部工作{'，以后提出的也暂停' if held else ''}")


def _do(order: Order, target: Target) -> None:
    word = ACTION_NAMES[order.action]
    numbers, wanted = target["numbers"], target["wanted"]
    if bool(numbers) == (not wanted.is_empty or target["everything"]):
        raise click.UsageError("请给出编号，或给出筛选条件（全部工作写 --all），二者只选其一")
    if numbers:
        _do_these(target["database"], order, numbers, word)
        return
    if not target["yes"]:
        click.confirm(f"对符合条件的全部工作{word}？", abort=True, err=True)
    done = act_on_all(target["database"], order, wanted, _told(word))
    click.echo(f"已{word} {done} 件")


def _do_these(database: Database, order: Order, numbers: tuple[int, ...], word: str) -> None:
    with database.write() as connection:
        changed = act(connection, order, numbers)
    left = sorted(set(numbers) - set(changed))
    if changed:
        click.echo(f"已{word} {len(changed)} 件")
    if left:
        fail(f"没有{word}（不存在，或状态不适用）：{'、'.join(map(str, left))}")


def _told(word: str) -> Callable[[int], None]:
    """Says now and then how far it is."""
    last = time.monotonic()

    def told(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > 2:
            last = time.monotonic()
            click.echo(f"{clock(time.time_ns() // 10**6)}  已{word} {done} 件 …", err=True)

    return told
