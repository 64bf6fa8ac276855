"""`yingqiao submissions`: every request that was received, why it was refused, and judging it again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
import msgspec
from msgspec import structs

from yingqiao.app.replay import Replayed, replay
from yingqiao.app.stores import Stores
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import (
    BEIJING,
    Exit,
    Shape,
    console,
    fail,
    shape_of,
    show_json,
    show_pairs,
    show_rows,
    stream_csv,
    when,
)
from yingqiao.exchange.model import Outcome
from yingqiao.settings import Settings
from yingqiao.store.kept import refused_ids
from yingqiao.store.queries import (
    Range,
    SubmissionFilter,
    SubmissionSummary,
    list_submissions,
    show_submission,
)
from yingqiao.store.queries.common import LIMIT_AT_MOST

_COLUMNS = {
    "id": "编号",
    "received": "接收时间",
    "hospitalCode": "医疗机构",
    "interface": "接口",
    "result": "结果",
    "examKey": "检查",
    "reportKey": "报告",
    "findingCount": "问题",
    "message": "应答",
}
_OUTCOMES = {"accepted": "接受", "refused": "拒收"}
_SHOWN, _STEP = 50, 1000
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@click.group()
def command() -> None:
    """收到的每一次提交：查看、重放"""


@command.command("list")
@click.option("--outcome", type=click.Choice(["accepted", "refused"]), help="结果")
@click.option("--hospital", help="医疗机构代码")
@click.option("--interface", help="接口，如 exam-sync")
@click.option("--exam", "exam_key", metavar="RISSTUDYID", help="检查唯一标识 risStudyId")
@click.option("--report", "report_key", metavar="RECORDNUM", help="报告唯一标识 recordNum")
@click.option("--replay-of", type=int, help="重放自哪次提交")
@click.option("--since", help="自何时起：2h、3d 或 2026-11-20[ 08:00:00]（北京时间）")
@click.option("--until", help="到何时止，写法同上")
@click.option(
    "--limit",
    type=click.IntRange(1, LIMIT_AT_MOST),
    help="最多列出多少条；不写：--csv 列出全部，否则 50",
)
@click.option("--offset", type=click.IntRange(0), default=0, help="跳过前面多少条")
@shape_options
@data_options
def list_(
    settings: Settings,
    outcome: str | None,
    hospital: str | None,
    interface: str | None,
    exam_key: str | None,
    report_key: str | None,
    replay_of: int | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    offset: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """列出提交，最新的在前；--csv 逐页写出全部，多少条都可以"""
    shape = shape_of(as_json, as_csv)
    wanted = SubmissionFilter(
        hospital_code=hospital,
        interface=interface,
        outcome=Outcome(outcome) if outcome else None,
        exam_key=exam_key,
        report_key=report_key,
        replay_of=replay_of,
        received=_range(since, until),
    )
    if shape is Shape.CSV and limit is None:
        with stores(settings) as opened:
            stream_csv((_row(item, shape) for item in _all(opened, wanted, offset)), _COLUMNS)
        return
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_submissions(connection, wanted, limit or _SHOWN, offset)
    show_rows([_row(item, shape) for item in page.items], _COLUMNS, shape)


def _all(opened: Stores, wanted: SubmissionFilter, offset: int) -> Iterator[SubmissionSummary]:
    """Every one that fits, newest first, page by page: what arrives meanwhile moves none."""
    before: int | None = None
    while True:
        with opened.database.read() as connection:
            page = list_submissions(connection, structs.replace(wanted, before=before), _STEP, offset)
        yield from page.items
        if len(page.items) < _STEP:
            return
        before, offset = page.items[-1].id, 0


@command.command("show")
@click.argument("number", type=int)
@click.option("--body", is_flag=True, help="也显示留存的内容（含患者信息）")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, body: bool, as_json: bool, settings: Settings) -> None:
    """查看编号为 NUMBER 的提交及全部校验结果"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = show_submission(connection, number)
    if found is None:
        fail(f"没有编号为 {number} 的提交")
    if as_json:
        plain = msgspec.to_builtins(found)
        show_json(plain if body else {k: v for k, v in plain.items() if k not in ("values", "body")})
        return
    row = _row(found.submission, Shape.TABLE)
    pairs = {heading: row.get(name) for name, heading in _COLUMNS.items()}
    show_pairs(
        pairs | {"来源": found.submission.peer, "标准版本": found.submission.edition, "摘要": found.digest}
    )
    if found.findings:
        columns = {"level": "级别", "field": "字段", "label": "名称", "problem": "问题", "mend": "如何修正"}
        console().print()
        show_rows(found.findings, columns, Shape.TABLE)
    if body:
        click.echo(f"\n{found.body}")


@command.command("replay")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all-refused", is_flag=True, help="重放 --hospital 全部尚未成功的拒收")
@click.option("--hospital", help="医疗机构代码")
@shape_options
@data_options
def replay_(
    numbers: tuple[int, ...],
    all_refused: bool,
    hospital: str | None,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """以现在的密钥与分级配置重新处理提交 NUMBERS；网关运行时也可使用"""
    if all_refused == bool(numbers) or all_refused != bool(hospital):
        raise click.UsageError("请给出编号，或写 --all-refused --hospital 代码")
    with stores(settings) as opened:
        ids = list(numbers) or _refused(opened, hospital or "")
        done = list(replay(settings, opened, ids))
    _report(done, shape_of(as_json, as_csv))
    if any(result.code != 1 for result in done):
        raise SystemExit(Exit.NO)


def _refused(opened: Stores, hospital: str) -> list[int]:
    with opened.database.read() as connection:
        return refused_ids(connection, hospital)


def _report(done: list[Replayed], shape: Shape) -> None:
    columns = {"replay_of": "原提交", "submission": "新提交", "result": "结果", "message": "应答"}
    rows = [asdict(one) | {"result": "接受" if one.code == 1 else "拒收"} for one in done]
    show_rows(rows, columns, shape, empty="没有需要重放的提交")


def _row(item: SubmissionSummary, shape: Shape) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(item)
    if shape is Shape.JSON:
        return plain
    return plain | {"received": when(item.received_at), "result": _OUTCOMES.get(item.outcome, item.outcome)}


def _range(since: str | None, until: str | None) -> Range | None:
    if since is None and until is None:
        return None
    return Range(_moment(since), _moment(until))


def _moment(text: str | None) -> int | None:
    """Unix ms of `2h` ago or of a Beijing date and time."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+)([mhd])", text.strip())
    if ago:
        return int((time.time() - int(ago[1]) * _UNITS[ago[2]]) * 1000)
    try:
        return int(datetime.fromisoformat(text.strip()).replace(tzinfo=BEIJING).timestamp() * 1000)
    except ValueError:
        fail(f"时间 {text!r} 应写作 2h、3d 或 2026-11-20 08:00:00", Exit.USE)
