"""`yingqiao exams`: what was received, what is missing, who must act; one exam's timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, console, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.exchange.clock import clock
from yingqiao.settings import Settings
from yingqiao.spec.load import load_edition
from yingqiao.store.queries import ORDERS, ExamDetail, ExamFilter, StudyImages, list_exams, show_exam
from yingqiao.store.queries.headings import EXAM_HEADINGS
from yingqiao.store.queries.words import EXAM_WORDS, exam_filter

_TABLE = [
    "hospital_code",
    "ris_study_id",
    "patient_name",
    "modality",
    "item_name",
    "exam_time",
    "state_name",
    "waiting_for_name",
    "waiting_on_name",
    "waiting_since",
    "image_count",
    "image_expected",
    "images_state_name",
    "report_count",
]
_FACTS = [
    "hospital_code",
    "ris_study_id",
    "patient_name",
    "sex",
    "age",
    "patient_id",
    "his_patient_id",
    "accession_numbers",
    "modality",
    "item_name",
    "is_emergency",
    "exam_time",
    "state_name",
    "waiting_for_name",
    "waiting_on_name",
    "waiting_since",
    "image_count",
    "image_expected",
    "images_state_name",
    "deleted",
    "last_change_time",
    "first_received_at",
    "updated_at",
]
_REPORTS = {
    "record_num": "报告",
    "state_name": "状态",
    "report_doctor": "报告医生",
    "confirm_doctor": "审核医生",
    "confirm_time": "审核时间",
    "signed": "CA 签名",
}
_STUDIES = {
    "study_uid": "Study UID",
    "modalities": "类别",
    "series_count": "序列",
    "instance_count": "影像",
    "image_expected": "应有",
    "images_state_name": "齐否",
    "rule_name": "关联依据",
    "finding_names": "提示",
}
_TOLD = {
    "study_uid": "Study UID",
    "expected": "应有",
    "source_name": "来源",
    "origin": "告知方",
    "told_at": "告知时间",
    "believed": "采信",
}
_GAPS = {
    "study_uid": "Study UID",
    "series_uid": "Series UID（空 = 未分序列）",
    "expected": "应有",
    "present": "现有",
    "missing": "缺",
}
_CANDIDATES = {
    "study_uid": "Study UID",
    "patient_name": "姓名",
    "study_date": "日期",
    "instance_count": "影像",
    "reason": "原因",
}
_FINDINGS = {"level": "级别", "field": "字段", "label": "名称", "problem": "问题", "mend": "如何修正"}


@click.group()
def command() -> None:
    """检查：列表与时间线"""


@command.command("list")
@filter_options(EXAM_WORDS, exam_filter)
@click.option("--order", type=click.Choice(list(ORDERS)), default="received", show_default=True, help="排序")
@shape_options
@data_options
def list_(
    wanted: ExamFilter,
    limit: int,
    offset: int,
    order: str,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """列出检查：收到了什么，还缺什么，该谁处理"""
    shape = shape_of(as_json, as_csv)
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_exams(
            connection, wanted, limit, offset, order, stable_after=settings.completeness.stable_ms
        )
    columns = EXAM_HEADINGS if shape is Shape.CSV else {name: EXAM_HEADINGS[name] for name in _TABLE}
    show_page(page, columns, shape)


@command.command("show")
@click.argument("hospital")
@click.argument("ris_study_id", metavar="RISSTUDYID")
@click.option("--values", is_flag=True, help="也显示记录的全部字段（含患者信息）")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出（含全部字段）")
@data_options
def show_(hospital: str, ris_study_id: str, values: bool, as_json: bool, settings: Settings) -> None:
    """查看医疗机构 HOSPITAL 的一次检查 RISSTUDYID 的来龙去脉"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = show_exam(connection, hospital, ris_study_id, stable_after=settings.completeness.stable_ms)
    if found is None:
        fail(
            f"医疗机构 {hospital} 没有检查 {ris_study_id}；"
            f"是否被拒收：yingqiao submissions list --hospital {hospital} --exam {ris_study_id}"
        )
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    _show(found)
    if values:
        _heading("记录内容")
        show_values(found.values, settings.exchange.edition, "exam")


def _show(found: ExamDetail) -> None:
    exam = readable(found.exam)
    show_pairs({EXAM_HEADINGS[name]: exam[name] for name in _FACTS if exam[name] not in ("", None, ())})
    parts: tuple[tuple[str, Any, dict[str, str]], ...] = (
        ("报告", found.reports, _REPORTS),
        ("影像", found.studies, _STUDIES),
        ("可能的影像（未关联）", found.candidates, _CANDIDATES),
    )
    for title, structs, columns in parts:
        if structs:
            _heading(title)
            show_rows([readable(one) for one in structs], columns, Shape.TABLE)
    show_images(found.images)
    if found.findings:
        _heading("当前版本的校验提示")
        show_rows(found.findings, _FINDINGS, Shape.TABLE)
    _heading("时间线")
    for event in found.timeline:
        click.echo(f"{clock(event.at)}  {event.text}")


def show_images(studies: Sequence[StudyImages]) -> None:
    """By whose word how many images a study has, and which series lack what; nothing where nobody told."""
    told = [readable(one) | {"study_uid": s.study_uid} for s in studies for one in s.told]
    gaps = [readable(one) | {"study_uid": s.study_uid} for s in studies for one in s.gaps]
    if told:
        _heading("应有影像数")
        show_rows(told, _TOLD, Shape.TABLE)
    if gaps:
        _heading("缺少的影像")
        show_rows(gaps, _GAPS, Shape.TABLE)


def _heading(title: str) -> None:
    click.echo()
    console().print(f"[bold]{title}[/bold]")


def show_values(values: dict[str, Any], edition: str, table: str) -> None:
    """A record, each member with the standard's name for it."""
    labels = {field.name.lower(): field.label for field in load_edition(edition).tables[table].fields}
    show_pairs(
        {f"{labels.get(n.lower(), '')} {n}".strip(): v for n, v in values.items() if v not in ("", None)}
    )
