"""`yingqiao query`: asks a hospital's /exam/get, /report/get, /series/get, and compares with the gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import msgspec

from yingqiao.app.work import comparing, mender
from yingqiao.cli.filters import readable
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, Shape, fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.client.errors import ClientError
from yingqiao.exchange.query import KIND_NAMES, STATE_NAMES, Kind, State
from yingqiao.exchange.statement import StatementError, day_of
from yingqiao.exchange.work import NewWork, Priority
from yingqiao.settings import Settings
from yingqiao.store.differences import (
    DifferenceFilter,
    list_comparisons,
    list_differences,
    open_ids,
    set_state,
    show_difference,
)
from yingqiao.store.queries.headings import DIFFERENCE_HEADINGS
from yingqiao.store.query_services import get_service
from yingqiao.store.reconciliation import now_ms
from yingqiao.store.work import ledger as work_ledger
from yingqiao.tasks.comparing import COMPARE, Asked, QueryError, payload_of

_FOUND = {"kind": "差异", "key": "标识", "words": "内容"}
_RUNS = {
    "id": "编号",
    "hospital_code": "医疗机构",
    "subject": "对象",
    "start": "起",
    "end": "止",
    "compared": "已比对",
    "differing": "有差异",
    "began_at": "开始",
    "ended_at": "结束",
    "reason": "原因",
}
_MEND_AT_ONCE = 10_000


@click.group()
def command() -> None:
    """向医院查询并比对：缺检查、缺报告、内容不一致、缺影像序列"""


def _comparing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--hospital", required=True, help="医疗机构代码"),
            click.option(
                "--from", "start", required=True, help="起始 yyyy-MM-dd 或 'yyyy-MM-dd HH:mm:ss'（含）"
            ),
            click.option("--to", "end", required=True, help="截止（不含）；只写日期时含当天之前"),
            click.option("--exam", default="", help="只比对这个 risStudyId"),
            click.option("--apply", "apply_id", default="", help="申请单编号"),
            click.option("--mend", is_flag=True, help="缺少或不一致的，直接按医院的记录补收"),
            click.option("--background", is_flag=True, help="交给网关在后台进行"),
            click.option("--json", "as_json", is_flag=True, help="以 JSON 输出"),
        )
    ):
        function = option(function)
    return data_options(function)


@command.command()
@click.option("--patient", "patient_id", default="", help="影像号")
@_comparing_options
def exams(settings: Settings, **given: Any) -> None:
    """比对检查（/exam/get）"""
    _compare(settings, "exams", given)


@command.command()
@click.option("--report", "report_id", default="", help="recordNum")
@_comparing_options
def reports(settings: Settings, **given: Any) -> None:
    """比对报告（/report/get）"""
    _compare(settings, "reports", given)


@command.command("series")
@click.option("--study", "study_uid", default="", help="Study Instance UID")
@click.option("--accession", default="", help="检查号，可用逗号分隔多个")
@_comparing_options
def series_(settings: Settings, **given: Any) -> None:
    """比对影像序列（/series/get）"""
    _compare(settings, "series", given)


@command.command()
@click.option("--hospital", help="医疗机构代码")
@click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), help="差异的种类")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="状态")
@click.option("--key", help="risStudyId、recordNum 或 Series UID")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="最多列出多少条")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="跳过前面多少条")
@shape_options
@data_options
def differences(
    hospital: str | None,
    kind: str | None,
    state: str | None,
    key: str | None,
    limit: int,
    offset: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """列出发现的差异，最新的在前"""
    shape = shape_of(as_json, as_csv)
    wanted = DifferenceFilter(hospital, kind, state, key)
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_differences(connection, wanted, limit, offset)
    rows = [msgspec.to_builtins(one) if shape is Shape.JSON else readable(one) for one in page.items]
    show_rows(rows, DIFFERENCE_HEADINGS, shape, empty="没有差异")


@command.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, as_json: bool, settings: Settings) -> None:
    """查看编号为 NUMBER 的差异：逐字段，及医院的记录"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = show_difference(connection, number)
    if found is None:
        fail(f"没有编号为 {number} 的差异")
    one, fields, record = found
    if as_json:
        show_json(msgspec.to_builtins(one) | {"fields": msgspec.to_builtins(fields), "record": record})
        return
    shown = readable(one)
    show_pairs({heading: shown[name] for name, heading in DIFFERENCE_HEADINGS.items() if name != "words"})
    show_rows(
        [msgspec.to_builtins(field) for field in fields],
        {"label": "字段", "name": "名称", "ours": "网关", "theirs": "医院"},
        Shape.TABLE,
        empty="",
    )


@command.command()
@click.argument("numbers", type=int, nargs=-1)
@click.option("--hospital", help="医疗机构代码：其全部待处理的差异")
@data_options
def mend(numbers: tuple[int, ...], hospital: str | None, settings: Settings) -> None:
    """按医院的记录补收差异 NUMBERS；影像则按地址下载或从 PACS 调取"""
    if bool(numbers) == bool(hospital):
        raise click.UsageError("请给出编号，或写 --hospital 代码")
    counts: dict[State, int] = {}
    with stores(settings) as opened:
        chosen = list(numbers)
        if hospital:
            with opened.database.read() as connection:
                chosen = open_ids(connection, DifferenceFilter(hospital), _MEND_AT_ONCE)
        mending = mender(settings, opened)
        for number in chosen:
            state = mending.mend(number)
            counts[state] = counts.get(state, 0) + 1
    click.echo(
        "；".join(f"{STATE_NAMES[state]} {count}" for state, count in counts.items()) or "没有待处理的差异"
    )
    if counts.get(State.FAILED):
        raise SystemExit(Exit.NO)


@command.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.option("--reason", default="", help="为什么不处理")
@data_options
def ignore(numbers: tuple[int, ...], reason: str, settings: Settings) -> None:
    """标记差异 NUMBERS 为不处理"""
    with stores(settings) as opened, opened.database.write() as connection:
        for number in numbers:
            if not set_state(connection, number, State.IGNORED, reason, None, now_ms()):
                fail(f"没有编号为 {number} 的差异")
    click.echo(f"{len(numbers)} 项差异不再处理")


@command.command()
@click.option("--hospital", help="医疗机构代码")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="最多列出多少条")
@shape_options
@data_options
def runs(hospital: str | None, limit: int, as_json: bool, as_csv: bool, settings: Settings) -> None:
    """列出做过的比对，最新的在前"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_comparisons(connection, hospital, limit)
    rows = [msgspec.to_builtins(one) if shape is Shape.JSON else readable(one) for one in page.items]
    show_rows(rows, _RUNS, shape, empty="还没有比对过")


def _compare(settings: Settings, subject: str, given: dict[str, Any]) -> None:
    background, as_json = given.pop("background"), given.pop("as_json")
    asked = Asked(
        hospital_code=given.pop("hospital"),
        subject=subject,
        start=_moment(given.pop("start")),
        end=_moment(given.pop("end")),
        **given,
    )
    with stores(settings) as opened:
        if background:
            _ask(opened.database, asked)
            return
        try:
            result = comparing(settings, opened).run(asked)
        except (QueryError, ClientError) as error:
            fail(str(error), Exit.UNAVAILABLE)
    found = [{"kind": KIND_NAMES[one.kind], "key": one.key, "words": one.words} for one in result.differences]
    if as_json:
        show_json(
            {"compared": result.compared, "differing": result.differing, "mended": result.mended}
            | {"nameless": result.nameless, "differences": msgspec.to_builtins(result.differences)}
        )
        return
    show_rows(found, _FOUND, Shape.TABLE, empty="没有差异")
    more = f"，{result.nameless} 条没有标识" if result.nameless else ""
    mended = f"，补收 {result.mended}" if asked.mend else ""
    click.echo(f"比对 {result.compared} 条，差异 {result.differing}{mended}{more}（{when(now_ms())}）")


def _ask(database: Any, asked: Asked) -> None:
    with database.read() as connection:
        service = get_service(connection, asked.hospital_code)
    if service is None:
        fail(f"医疗机构 {asked.hospital_code} 没有登记查询接口（hospitals set-query）")
    key = f"{asked.hospital_code}/{asked.start}~{asked.end}/{asked.subject}/{asked.named()}"
    work = NewWork(
        COMPARE, key, asked.hospital_code, service.destination, Priority.MANUAL, json.dumps(payload_of(asked))
    )
    with database.write() as connection:
        work_ledger.add(connection, [work])
    click.echo("已交给网关；进度见 `yingqiao work list` 与 `yingqiao query runs`")


def _moment(text: str) -> str:
    """A day as its beginning."""
    try:
        return f"{day_of(text)} 00:00:00" if len(text.strip()) <= 10 else text.strip()
    except StatementError as error:
        raise click.UsageError("时间应写作 yyyy-MM-dd 或 'yyyy-MM-dd HH:mm:ss'") from error
