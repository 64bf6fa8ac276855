"""The connector's commands under `yingqiao hospital`: run, check, status, backfill, reconcile, worklist."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from yingqiao import logging
from yingqiao.cli.options import shape_options
from yingqiao.cli.output import Exit, fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.client import ClientError
from yingqiao.hospital.backfill import today
from yingqiao.hospital.check import check
from yingqiao.hospital.config import Loaded, read_config
from yingqiao.hospital.errors import ConfigError, ConnectorError
from yingqiao.hospital.reconcile import yesterday
from yingqiao.hospital.service import Connector, Parts, bounds_of, open_parts
from yingqiao.hospital.source import SourceUnavailableError
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.spool import days, worklist
from yingqiao.hospital.spool.status import Status, status
from yingqiao.hospital.spool.store import Spool, open_spool
from yingqiao.store.errors import StoreError

_F = TypeVar("_F", bound=Callable[..., Any])
_PRESSURE = {"fine": "正常", "warning": "将满", "full": "已满"}
_KINDS = {"exam": "检查", "report": "报告", "images": "影像序列"}


def config_option(function: _F) -> _F:
    """Adds --config; the command receives `loaded`."""

    @click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="YINGQIAO_HOSPITAL_CONFIG",
        default="hospital.toml",
        show_default=True,
        help="连接器的配置文件",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, path: Path, **kwargs: Any) -> Any:
        with _in_words():
            return function(*args, loaded=read_config(path), **kwargs)

    return wrapped  # type: ignore[return-value]


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        fail(str(error), Exit.USE)
    except (ConnectorError, StoreError, SourceUnavailableError, ClientError) as error:
        fail(str(error), Exit.UNAVAILABLE)


@contextmanager
def _spool(loaded: Loaded) -> Iterator[Spool]:
    spool = open_spool(loaded.spool_folder, bounds_of(loaded.config), create=False)
    try:
        yield spool
    finally:
        spool.close()


@contextmanager
def _parts(loaded: Loaded) -> Iterator[Parts]:
    parts = open_parts(loaded, open_source)
    try:
        yield parts
    finally:
        parts.spool.close()


@click.command()
@config_option
def run(loaded: Loaded) -> None:
    """运行连接器：读取来源、暂存、发送到网关，直到收到停止信号"""
    logging.configure(loaded.config.log.level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    connector = Connector(loaded, open_source)
    try:
        connector.start()
        click.echo("影桥医院连接器已就绪", err=True)
        stopping.wait()
    finally:
        connector.stop()


@click.command("check")
@config_option
def check_(loaded: Loaded) -> None:
    """上线前检查：磁盘、网关与密钥、时钟、来源、PACS"""
    logging.configure("error")
    good = True
    with _parts(loaded) as parts:
        for one in check(parts):
            good = good and one.good
            click.echo(f"{'通过' if one.good else '不通过'}  {one.what}：{one.detail}")
    raise SystemExit(Exit.DONE if good else Exit.NO)


@click.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
def status_(loaded: Loaded, as_json: bool) -> None:
    """暂存、来源位置、延迟、告警、补传进度"""
    with _spool(loaded) as spool:
        found = status(spool)
    if as_json:
        show_json(found)
        return
    show_pairs(_overview(found))
    for alarm in _said(found).get("alarms", ()):
        click.echo(f"告警：{alarm}")
    show_rows(
        [
            {"source": p.source, "kind": _KINDS[p.kind], "read": when(p.read_at), "position": p.position}
            for p in found.positions
        ],
        {"source": "来源", "kind": "表", "read": "最近读到", "position": "位置"},
        shape_of(False, False),
        empty="还没有读到任何记录",
    )


def _said(found: Status) -> dict[str, Any]:
    said, _ = found.said.get("service", ({}, 0))
    return dict(said)


def _overview(found: Status) -> dict[str, Any]:
    said, at = found.said.get("service", (None, None))
    pairs = {
        "服务": f"最近报告 {when(at)}" if said else "还没有运行过",
        "记录": "，".join(f"{_KINDS[kind]} {count}" for kind, count in found.records.items()) or "无",
        "已送达": "，".join(f"{_KINDS[kind]} {count}" for kind, count in found.sent.items()) or "无",
        "待发送": f"实时 {found.waiting_live}，补传 {found.waiting_backfill}，其中重试 {found.retrying}",
        "最早等待": when(found.oldest_waiting),
        "工作单": f"网关拒收 {found.refused}，来源问题 {found.troubles}",
        "影像": "，".join(f"{state} {count}" for state, count in found.images.items()) or "无",
        "暂存": f"{found.used_bytes / 2**20:.1f} MiB / {found.most_bytes / 2**20:.0f} MiB"
        f"（{_PRESSURE[found.pressure]}）",
    }
    if found.backfill is not None:
        pairs["补传"] = _progress(found.backfill)
    if found.reconciliations:
        last = found.reconciliations[0]
        pairs["最近对账"] = f"{last.day}：缺 {len(last.missing)}，重发 {last.resent}"
        if last.message:
            pairs["对账须处理"] = last.message
    return pairs


def _progress(one: days.Progress) -> str:
    left = "" if one.seconds_left is None else f"，约还需 {one.seconds_left / 60:.0f} 分钟"
    return f"{one.first} 至 {one.last}：{one.done}/{one.planned} 天，读 {one.records} 条{left}"


_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@config_option
@click.option("--from", "first", type=_DAY, required=True, help="从哪一天")
@click.option("--to", "last", type=_DAY, help="到哪一天（含）[默认今天]")
def backfill(loaded: Loaded, first: datetime, last: datetime | None) -> None:
    """安排补传：由运行中的连接器按天读取并慢速发送，可随时停止和继续"""
    until: date = last.date() if last else today()
    if first.date() > until:
        fail("--from 晚于 --to", Exit.USE)
    with _parts(loaded) as parts:
        names = [source.name for source in parts.sources]
        if not names:
            fail("没有可以再次读取的来源：监听类来源（HL7）须由发送方重发", Exit.NO)
        count = days.plan(parts.spool, names, days.days(first.date(), until))
        click.echo(f"已安排，共有 {count} 天待读；进度见 yingqiao hospital status")


@click.command()
@config_option
@click.argument("day", type=_DAY, required=False)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
def reconcile(loaded: Loaded, day: datetime | None, as_json: bool) -> None:
    """对一天的账（默认昨天）：统计、上报，把网关缺的重新排队发送"""
    logging.configure("warning")
    with _parts(loaded) as parts:
        done = parts.reconciler().reconcile(f"{day:%Y-%m-%d}" if day else yesterday())
    if as_json:
        show_json(done)
        return
    for one in done.totals:
        images = "" if one["images"] is None else f"，影像 {one['images']}"
        click.echo(f"{one['modality'] or '（无类别）'}：检查 {one['exams']}，报告 {one['reports']}{images}")
    click.echo(
        f"{done.day}：网关缺 {len(done.missing)}，已重新排队 {done.resent} 条，本院也没有 {len(done.unknown)}"
    )
    if done.message:
        click.echo(done.message)


@click.group("worklist")
def worklist_() -> None:
    """工作单：网关拒收的记录与来源中不能成为记录的行"""


@worklist_.command("list")
@config_option
@click.option("--kind", type=click.Choice(tuple(_KINDS)), help="只看一类")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1_000_000))
@shape_options
def list_(loaded: Loaded, kind: str | None, limit: int, as_json: bool, as_csv: bool) -> None:
    """列出，最早的在前；--csv 供导出"""
    with _spool(loaded) as spool:
        found = worklist.items(spool, kind=kind or "", limit=limit)
    rows = [
        {
            "what": "网关拒收" if one.what == "refused" else "来源问题",
            "kind": _KINDS[one.kind],
            "key": one.key,
            "source": one.source,
            "at": when(one.at),
            "reason": one.reason,
        }
        for one in found
    ]
    columns = {"what": "类别", "kind": "表", "key": "标识", "source": "来源", "at": "时间", "reason": "原因"}
    show_rows(rows, columns, shape_of(as_json, as_csv), empty="没有待处理的记录")


@worklist_.command()
@config_option
@click.argument("kind", type=click.Choice(tuple(_KINDS)))
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出，含所发送的内容")
def show(loaded: Loaded, kind: str, key: str, as_json: bool) -> None:
    """一条被拒收的记录：网关的全部意见"""
    with _spool(loaded) as spool:
        found = worklist.show(spool, kind, key)
    if found is None:
        fail(f"工作单里没有{_KINDS[kind]} {key}", Exit.NO)
    if as_json:
        show_json(found)
        return
    show_pairs(
        {"标识": key, "来源": found.item.source, "拒收于": when(found.item.at), "原因": found.item.reason}
    )
    columns = {"label": "项目", "field": "字段", "problem": "问题", "mend": "如何修正", "level": "程度"}
    show_rows(found.findings, columns, shape_of(False, False), empty="网关没有逐项意见")


@worklist_.command()
@config_option
@click.argument("kind", type=click.Choice(tuple(_KINDS)), required=False)
@click.argument("key", required=False)
@click.option("--all", "everything", is_flag=True, help="全部重发")
def resend(loaded: Loaded, kind: str | None, key: str | None, everything: bool) -> None:
    """原样重发被拒收的记录（来源修正后会自动重发，不必用它）"""
    if everything == bool(key):
        raise click.UsageError("请写 KIND KEY，或用 --all")
    with _spool(loaded) as spool:
        count = worklist.resend_refused(spool, None if everything else [(kind or "", key or "")])
    if not count:
        fail("没有这样的被拒收记录", Exit.NO)
    click.echo(f"已排队重发 {count} 条")


@worklist_.command()
@config_option
@click.argument("kind", type=click.Choice(("exam", "report")))
@click.argument("place")
def done(loaded: Loaded, kind: str, place: str) -> None:
    """把一个来源问题标为已处理"""
    with _spool(loaded) as spool:
        if not worklist.drop_trouble(spool, kind, place):
            fail(f"没有这样的来源问题：{place}", Exit.NO)


COMMANDS: dict[str, click.Command] = {
    str(one.name): one for one in (run, check_, status_, backfill, reconcile, worklist_)
}
