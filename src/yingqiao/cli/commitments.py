"""`yingqiao commitments`: storage commitment requests, how they were judged, whether it was told."""

from __future__ import annotations

import click
import msgspec

from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.settings import Settings
from yingqiao.store.queries import CommitmentFilter, list_commitments, show_commitment
from yingqiao.store.queries.headings import COMMITMENT_HEADINGS
from yingqiao.store.queries.words import COMMITMENT_WORDS, commitment_filter

_FAILURES = {
    "sop_instance_uid": "SOP Instance UID",
    "sop_class_uid": "SOP Class UID",
    "reason_name": "原因",
}


@click.group()
def command() -> None:
    """存储承诺：请求、判定与送达"""


@command.command("list")
@filter_options(COMMITMENT_WORDS, commitment_filter)
@shape_options
@data_options
def list_(
    wanted: CommitmentFilter, limit: int, offset: int, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """列出存储承诺请求；--told false 为结果尚未送达的"""
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_commitments(connection, wanted, limit, offset)
    show_page(page, COMMITMENT_HEADINGS, shape_of(as_json, as_csv))


@command.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, as_json: bool, settings: Settings) -> None:
    """查看第 NUMBER 号请求：按现在保存的影像判定，逐个列出未承诺的实例"""
    with stores(settings) as opened, opened.database.read() as connection:
        landing = opened.folder.landing
        found = show_commitment(connection, number, lambda segment: (landing / segment).is_file())
    if found is None:
        fail(f"没有第 {number} 号存储承诺请求")
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    shown = readable(found.commitment)
    show_pairs({heading: shown[name] for name, heading in COMMITMENT_HEADINGS.items()})
    click.echo(f"\n按现在保存的影像：承诺 {found.committed_count} 个，不能承诺 {found.failure_count} 个")
    if found.failures:
        show_rows([readable(one) for one in found.failures], _FAILURES, Shape.TABLE)
