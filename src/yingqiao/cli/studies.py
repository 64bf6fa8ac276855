"""`yingqiao studies`: images received, orphans among them; one study with series and instances."""

from __future__ import annotations

import click
import msgspec

from yingqiao.cli.exams import show_images
from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.settings import Settings
from yingqiao.store.queries import StudyDetail, StudyFilter, list_studies, show_study
from yingqiao.store.queries.headings import STUDY_HEADINGS
from yingqiao.store.queries.words import STUDY_WORDS, study_filter

_EXAMS = {
    "hospital_code": "医疗机构",
    "ris_study_id": "检查",
    "patient_name": "姓名",
    "rule_name": "关联依据",
    "finding_names": "提示",
}
_SERIES = {
    "series_uid": "Series UID",
    "modality": "类别",
    "series_number": "序号",
    "description": "描述",
    "body_part": "部位",
    "station_name": "设备",
    "instance_count": "影像",
    "image_expected": "应有",
}
_INSTANCES = {
    "sop_uid": "SOP Instance UID",
    "instance_number": "序号",
    "transfer_syntax_uid": "传输语法",
    "rows": "行",
    "columns": "列",
    "frames": "帧",
    "length": "字节",
    "received_at": "收到",
    "calling_aet": "发送方",
    "conflict": "内容冲突",
    "shown": "当前",
    "oddities": "异常",
}


@click.group()
def command() -> None:
    """影像：列表与详情"""


@command.command("list")
@filter_options(STUDY_WORDS, study_filter)
@shape_options
@data_options
def list_(
    wanted: StudyFilter, limit: int, offset: int, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """列出影像；--orphan true 为没有检查的影像"""
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_studies(connection, wanted, limit, offset, stable_after=settings.completeness.stable_ms)
    show_page(page, STUDY_HEADINGS, shape_of(as_json, as_csv))


@command.command("show")
@click.argument("study_uid", metavar="STUDYUID")
@click.option("--instances", is_flag=True, help="也逐幅列出影像")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出（逐幅）")
@data_options
def show_(study_uid: str, instances: bool, as_json: bool, settings: Settings) -> None:
    """查看一个 STUDYUID 的序列、影像与关联的检查"""
    with stores(settings) as opened, opened.database.read() as connection:
        found = show_study(connection, study_uid, stable_after=settings.completeness.stable_ms)
    if found is None:
        fail(f"没有影像 {study_uid}")
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    _show(found, instances)


def _show(found: StudyDetail, instances: bool) -> None:
    study = readable(found.study)
    pairs = {heading: study[name] for name, heading in STUDY_HEADINGS.items()}
    pairs |= {"声明字符集": found.study.declared_charset, "实际字符集": found.study.used_charset}
    show_pairs(pairs | {"内容冲突": found.conflict_count})
    click.echo()
    show_rows([readable(exam) for exam in found.exams], _EXAMS, Shape.TABLE, empty="没有关联的检查")
    click.echo()
    show_rows([readable(one) for one in found.series], _SERIES, Shape.TABLE)
    click.echo(f"\n{found.images.words}")
    show_images([found.images])
    if instances:
        for one in found.series:
            click.echo(f"\n{one.series_uid}")
            show_rows([readable(instance) for instance in one.instances], _INSTANCES, Shape.TABLE)
