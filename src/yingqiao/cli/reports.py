"""`yingqiao reports`: reports received, parked ones among them; one report with its record and PDF."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from yingqiao.cli.exams import show_values
from yingqiao.cli.filters import filter_options, readable, show_page
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Shape, fail, shape_of, show_json, show_pairs, show_rows
from yingqiao.settings import Settings
from yingqiao.store.queries import ReportFilter, list_reports, show_report
from yingqiao.store.queries.headings import REPORT_HEADINGS
from yingqiao.store.queries.words import REPORT_WORDS, report_filter

_EXAMS = {"ris_study_id": "检查", "here": "已到", "patient_name": "姓名", "finding_names": "提示"}

_DOCUMENTS = {
    "url": "pdf_path",
    "state_name": "PDF",
    "byte_count": "字节",
    "updated_at": "时间",
    "reason": "原因",
    "mend": "办法",
}
_SIGNATURES = {"words": "电子签名", "step": "步骤", "reason": "原因", "verified_at": "时间"}


@click.group()
def command() -> None:
    """报告：列表与详情"""


@command.command("list")
@filter_options(REPORT_WORDS, report_filter)
@shape_options
@data_options
def list_(
    wanted: ReportFilter, limit: int, offset: int, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """列出报告；--parked true 为检查尚未到的报告"""
    with stores(settings) as opened, opened.database.read() as connection:
        page = list_reports(connection, wanted, limit, offset)
    show_page(page, REPORT_HEADINGS, shape_of(as_json, as_csv))


@command.command("show")
@click.argument("hospital")
@click.argument("record_num", metavar="RECORDNUM")
@click.option("--values", is_flag=True, help="也显示记录的全部字段（含患者信息）")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), help="把内嵌的 PDF 写到文件")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出（含全部字段）")
@data_options
def show_(
    hospital: str, record_num: str, values: bool, pdf: Path | None, as_json: bool, settings: Settings
) -> None:
    """查看医疗机构 HOSPITAL 的报告 RECORDNUM"""
    with stores(settings) as opened:
        with opened.database.read() as connection:
            found = show_report(connection, hospital, record_num)
        if found is None:
            fail(f"医疗机构 {hospital} 没有报告 {record_num}")
        if pdf is not None:
            if not found.report.pdf_object:
                fail(f"报告 {record_num} 没有内嵌的 PDF")
            with opened.objects.open(found.report.pdf_object) as content:
                pdf.write_bytes(content.read())
    if as_json:
        show_json(msgspec.to_builtins(found))
        return
    shown = readable(found.report)
    show_pairs({heading: shown[name] for name, heading in REPORT_HEADINGS.items()})
    show_rows([readable(exam) for exam in found.exams], _EXAMS, Shape.TABLE)
    if found.documents:
        show_rows([readable(one) for one in found.documents], _DOCUMENTS, Shape.TABLE)
    if found.signatures:
        show_rows([readable(one) for one in found.signatures], _SIGNATURES, Shape.TABLE)
    if values:
        show_values(found.values, settings.exchange.edition, "report")
