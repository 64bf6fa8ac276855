"""`yingqiao receipt`: proof of custody of what was accepted, and whether it still is what came."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from yingqiao.cli.options import data_options, stores
from yingqiao.cli.output import Exit, fail, show_json, show_pairs, when
from yingqiao.exchange.receipt import Receipt
from yingqiao.settings import Settings
from yingqiao.store.landing import LandingReader
from yingqiao.store.receipts import (
    Checked,
    instance_receipts,
    record_receipts,
    submission_receipt,
    verify_instance,
    verify_submission,
)

_WHICH = (
    click.argument("number", type=int, required=False),
    click.option("--hospital", default="", help="医疗机构代码（与 --exam 或 --report 同用）"),
    click.option("--exam", default="", help="risStudyId：其每一版"),
    click.option("--report", default="", help="recordNum：其每一版"),
    click.option("--instance", default="", help="SOP Instance UID：其每一份内容"),
    click.option("--json", "as_json", is_flag=True, help="以 JSON 输出"),
)


@click.group()
def command() -> None:
    """收讫凭证：何时、从谁、收到什么，是否原样"""


def _which(function: Any) -> Any:
    for option in reversed(_WHICH):
        function = option(function)
    return data_options(function)


@command.command("show")
@_which
def show_(settings: Settings, as_json: bool, **which: Any) -> None:
    """查看提交 NUMBER、检查、报告或影像实例的凭证"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = _find(connection, **which)
    if as_json:
        show_json([msgspec.to_builtins(one) for one in found])
        return
    for one in found:
        show_pairs(_pairs(one))
        click.echo("")


@command.command()
@_which
def verify(settings: Settings, as_json: bool, **which: Any) -> None:
    """由现在保存的内容重新计算，与收到时和结账时比对"""
    with stores(settings) as opened, opened.database.read() as connection:
        landing = LandingReader(opened.folder.landing)
        checked = [
            verify_instance(connection, landing, one)
            if one.sop_uid
            else verify_submission(connection, opened.objects, one.id)
            for one in _find(connection, **which)
        ]
    shown = [one for one in checked if one is not None]
    if as_json:
        show_json([_plain(one) for one in shown])
    else:
        for one in shown:
            _say(one)
    if any(one.faults for one in shown):
        sys.exit(Exit.NO)


def _find(
    connection: Any, number: int | None, hospital: str, exam: str, report: str, instance: str
) -> list[Receipt]:
    given = [bool(value) for value in (number, exam, report, instance)]
    if sum(given) != 1:
        raise click.UsageError("请给出其一：提交编号、--exam、--report 或 --instance")
    if (exam or report) and not hospital:
        raise click.UsageError("--exam 与 --report 须同时写 --hospital")
    if number:
        one = submission_receipt(connection, number)
        found = [one] if one is not None else []
    elif instance:
        found = instance_receipts(connection, instance)
    else:
        found = record_receipts(connection, hospital, exam, report)
    return found or fail("没有这样的已接收内容")


def _pairs(one: Receipt) -> dict[str, Any]:
    return {
        "凭证": f"{one.kind} {one.id}",
        "医疗机构": one.hospital_code,
        "接口": one.interface,
        "检查": one.ris_study_id,
        "报告": one.record_num,
        "影像实例": one.sop_uid,
        "收到时间": when(one.received_at),
        "来源": one.sender,
        "标准版本": one.edition,
        "SHA-256（收到时）": one.sha256,
        "SM3（保存的内容）": one.sm3,
        "内嵌文档": list(one.documents),
    }


def _plain(one: Checked) -> dict[str, Any]:
    return {
        "receipt": msgspec.to_builtins(one.receipt),
        "entry": one.entry,
        "intact": not one.faults,
        "faults": list(one.faults),
    }


def _say(one: Checked) -> None:
    receipt = one.receipt
    where = f"，已记入{one.entry}" if one.entry else "，当日尚未结账"
    click.echo(f"{receipt.kind} {receipt.id}：{'原样' if not one.faults else '不符'}{where}")
    for fault in one.faults:
        click.echo(f"  {fault}")
