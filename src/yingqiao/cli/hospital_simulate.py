"""`yingqiao hospital simulate` and `demo`: a simulated hospital, and the demonstration made with it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from yingqiao.cli import hospital_site
from yingqiao.cli import hospital_tables as tables
from yingqiao.client import ClientError
from yingqiao.hospital import demo as stage
from yingqiao.hospital.simulate.day import make_day
from yingqiao.hospital.simulate.dicom_sender import DicomNode, DicomUnreachableError
from yingqiao.hospital.simulate.people import credit_code
from yingqiao.hospital.simulate.plan import Day, Kind
from yingqiao.hospital.simulate.push import Pusher, Sent, push_day
from yingqiao.hospital.simulate.site import SitePlan
from yingqiao.hospital.simulate.visits import Place
from yingqiao.hospital.simulate.web import ImageServer

_T = TypeVar("_T")
BEIJING = timezone(timedelta(hours=8))
DEMO_CODE = credit_code("12149900000000001")
DEMO_KEY = "0123456789abcdeffedcba9876543210"
MAX_EXAMS = 200
_KIND_NAMES = {Kind.EXAM: "检查", Kind.REPORT: "报告", Kind.MERGED: "合并上传", Kind.IMAGES: "影像"}


class _Node(click.ParamType["DicomNode"]):
    name = "AET@HOST:PORT"

    def convert(
        self, value: str | DicomNode, param: click.Parameter | None, ctx: click.Context | None
    ) -> DicomNode:
        if isinstance(value, DicomNode):
            return value
        try:
            return DicomNode.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--gateway", metavar="URL", help="网关的 HTTP 地址")
@click.option("--dicom", type=_Node(), help="网关的 DICOM 地址")
@click.option("--code", required=True, help="医疗机构代码（统一社会信用代码），推送时须已在网关登记")
@click.option("--sm4-key", metavar="HEX", help="SM4 密钥，32 位十六进制")
@click.option("--exams", default=40, show_default=True, type=click.IntRange(1, 20_000), help="检查人次")
@click.option("--seed", default=1, show_default=True, help="同一种子、日期和机构得到同样的一天")
@click.option("--date", "date_", type=click.DateTime(["%Y-%m-%d"]), help="模拟哪一天 [默认昨天]")
@click.option(
    "--ris",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="不推送，而在 DIR 里造一家医院（RIS 视图、应当到达的清单、hospital.toml），供连接器读取",
)
@click.option(
    "--images-to", type=_Node(), help="--ris：影像发往哪里（连接器，或 Orthanc 等 PACS）；不写则不发"
)
@click.option(
    "--faults", default=0.02, show_default=True, type=click.FloatRange(0, 1), help="--ris：出错的比例"
)
@click.option(
    "--images", default=4, show_default=True, type=click.IntRange(1), help="--ris：一次检查最多几个影像"
)
@click.option("--pixels", default=0, type=click.IntRange(0, 2048), help="--ris：影像的边长；0 = 按设备")
@click.option(
    "--seconds",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="--ris：一天压缩成多少秒；0 = 一次写完",
)
def simulate(
    gateway: str | None,
    dicom: DicomNode | None,
    code: str,
    sm4_key: str | None,
    exams: int,
    seed: int,
    date_: datetime | None,
    folder: Path | None,
    images_to: DicomNode | None,
    faults: float,
    images: int,
    pixels: int,
    seconds: float,
) -> None:
    """模拟一家医院的一天：向网关推送检查、报告和影像，其中有各种常见错误；或造一家医院供连接器读取"""
    if folder is not None:
        place, day = Place(code, "影桥模拟医院"), _when(date_).date()
        hospital_site.live(
            folder,
            SitePlan(place, day, exams, faulty=faults, images=images, pixels=pixels, seed=seed),
            seconds=seconds,
            images_to=images_to,
            gateway=gateway,
            key=sm4_key,
            dicom=dicom,
        )
        return
    if gateway is None or dicom is None or sm4_key is None:
        raise click.UsageError("推送需要 --gateway、--dicom 与 --sm4-key；或用 --ris DIR 造一家医院")
    console = Console(highlight=False)
    pushed = _day(code, exams, seed, date_)
    node, key = dicom, sm4_key
    sent = _guarded(lambda: _push(pushed, gateway, node, key, console))
    console.print(tables.sent_table(sent))
    if not tables.print_unplanned(console, sent):
        raise SystemExit(1)


@click.command()
@click.option(
    "--data", default="demo-data", show_default=True, type=click.Path(path_type=Path), help="演示数据目录"
)
@click.option("--exams", default=40, show_default=True, type=click.IntRange(1, MAX_EXAMS), help="检查人次")
@click.option("--seed", default=1, show_default=True)
@click.option("--keep", is_flag=True, help="结束后让网关继续运行")
def demo(data: Path, exams: int, seed: int, keep: bool) -> None:
    """演示：启动网关，模拟医院推送一天的数据，再对账"""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that the gateway is stopped on the way out
    console = Console(highlight=False)
    try:
        agreed = _guarded(lambda: _demo(data, _day(DEMO_CODE, exams, seed, None), keep, console))
    except stage.DemoError as error:
        raise click.ClickException(str(error)) from error
    if not agreed:
        raise SystemExit(1)


def _day(code: str, exams: int, seed: int, date_: datetime | None) -> Day:
    return make_day(code, exams=exams, seed=seed, day=_when(date_).date())


def _when(date_: datetime | None) -> datetime:
    return date_ or datetime.now(BEIJING) - timedelta(days=1)


def _guarded(action: Callable[[], _T]) -> _T:
    """Peers that fail end the command with exit code 3."""
    try:
        return action()
    except (ClientError, DicomUnreachableError) as error:
        click.echo(f"错误：{error}", err=True)
        raise SystemExit(3) from error


def _push(
    day: Day, gateway: str, dicom: DicomNode, key: str, console: Console, web: ImageServer | None = None
) -> list[Sent]:
    pusher = Pusher(gateway, dicom, day.hospital_code, key, web)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("推送", total=len(day.steps), now="")

            def seen(one: Sent) -> None:
                now = f"{one.step.at:%H:%M} {_KIND_NAMES[one.step.kind]}"
                progress.update(task, advance=1, now=now)

            return push_day(day, pusher, seen)
    finally:
        pusher.close()


def _demo(data: Path, day: Day, keep: bool, console: Console) -> bool:
    stage.fresh_folder(data)
    console.rule("影桥演示")
    console.print(f"1. 启动网关（数据目录 {data}）…")
    with ImageServer() as web, stage.gateway(data, keep=keep) as running:
        console.print(
            f"   HTTP {running.url}   DICOM {running.dicom.ae_title}@127.0.0.1:{running.dicom.port}"
        )
        console.print(
            f"2. 登记医疗机构 {day.hospital_name}（{day.hospital_code}）及其 SM4 密钥、影像来源与地址"
        )
        stage.register(running, day, DEMO_KEY, web.url)
        console.print(f"3. 模拟 {day.date} 的 {len(day.cases)} 人次检查，其中的故意之错：{tables.flaws(day)}")
        sent = _push(day, running.url, running.dicom, DEMO_KEY, console, web)
        console.print("4. 等待索引与关联，从网关自己的列表读出结果")
        account, compared = stage.settle(running, day)
        console.print(*tables.result_tables(account), sep="\n")
        planned = tables.print_unplanned(console, sent)
        agreed = tables.print_comparison(console, compared)
        console.print(tables.further(running, day, keep=keep), soft_wrap=True)
    return planned and agreed


COMMANDS: dict[str, click.Command] = {"simulate": simulate, "demo": demo}
