"""`yingqiao cases`: applications for certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from yingqiao.cli.journal import record, who
from yingqiao.cli.office import office
from yingqiao.cli.options import data_options, shape_options
from yingqiao.cli.output import fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.settings import Settings
from yingqiao.signing.enrolment import pictures
from yingqiao.signing.enrolment.annexes import FORMS
from yingqiao.signing.enrolment.case import CaseState
from yingqiao.signing.enrolment.form import FieldKind, Form
from yingqiao.signing.enrolment.sheets import SheetRow, read_sheet, template
from yingqiao.signing.enrolment.sheets import shape_of as sheet_shape
from yingqiao.web.office.admin_cases import case_shown
from yingqiao.web.office.admin_cases import submit as hand_in

_FORM = click.Choice(list(FORMS))
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_COLUMNS = {
    "id": "编号",
    "formTitle": "表单",
    "hospitalName": "医疗机构",
    "applicant": "申请人",
    "stateWords": "状态",
    "submittedBy": "提交人",
    "submitted": "提交时间",
    "decidedBy": "处理人",
    "reason": "退回原因",
}


@click.group()
def command() -> None:
    """证书与印章申请（附件 2 至 6）：提交与审批；提交人与审批人须是两个人"""


@command.command()
@click.argument("form", type=_FORM)
@click.option("--hospital", metavar="CODE", required=True, help="医疗机构")
@click.option(
    "--from",
    "sheet",
    type=_FILE,
    required=True,
    help="表格：.xlsx、.csv 或 .json；图片列写图片文件名（相对于表格）",
)
@click.option("--by", help="提交人；默认为操作系统账号")
@data_options
def submit(form: str, hospital: str, sheet: Path, by: str | None, settings: Settings) -> None:
    """提交申请：表格每行一份；有一行不对就一份也不提交，并列出全部问题"""
    chosen = FORMS[form]
    with office(settings) as opened:
        rows = read_sheet(chosen, _content(sheet), sheet_shape(sheet.name))
        wrong = [row for row in rows if row.problems]
        for row in wrong:
            words = "；".join(f"{problem.label}：{problem.reason}" for problem in row.problems)
            click.echo(f"第 {row.line} 行：{words}", err=True)
        if wrong:
            fail(f"{len(wrong)} 行有问题，没有提交")
        given = [with_pictures(chosen, row, sheet.parent) for row in rows]
        numbers = [hand_in(opened, chosen, hospital, entries, by or who()) for entries in given]
    for number in numbers:
        record(settings, "case.submit", number, by=by, hospital=hospital)
    click.echo(f"已提交 {len(numbers)} 份，编号 {'、'.join(map(str, numbers))}")


@command.command("list")
@click.option("--state", type=click.Choice([str(state) for state in CaseState]), help="状态")
@click.option("--hospital", metavar="CODE", help="医疗机构")
@click.option("--form", type=_FORM, help="表单")
@shape_options
@data_options
def list_(
    state: str | None, hospital: str | None, form: str | None, as_json: bool, as_csv: bool, settings: Settings
) -> None:
    """申请，新的在前"""
    with office(settings) as opened:
        found = opened.cases.list(
            state=CaseState(state) if state else None, hospital_code=hospital, form=form
        )
    rows = [case_shown(one) | {"submitted": when(one.case.submitted_at)} for one in found]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="没有申请")


@command.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(number: int, as_json: bool, settings: Settings) -> None:
    """一份申请的全部内容（含个人信息）"""
    with office(settings) as opened:
        case = opened.cases.get(number)
    record(settings, "case.look", number, hospital=case.hospital_code)
    shown: dict[str, Any] = case_shown(case) | {"submitted": when(case.case.submitted_at)}
    if as_json:
        show_json(shown | {"entries": dict(case.entries)})
        return
    pairs = {heading: shown[name] for name, heading in _COLUMNS.items()}
    show_pairs(pairs | {field.label: case.entries.get(field.name, "") for field in case.form.fields})


@command.command()
@click.argument("number", type=int)
@click.option("--by", help="审批人；默认为操作系统账号，须与提交人不同")
@data_options
def approve(number: int, by: str | None, settings: Settings) -> None:
    """通过：附件 3 登记医师，附件 4 成为其手写签名"""
    with office(settings) as opened:
        case = opened.cases.approve(number, by or who())
    record(settings, "case.approve", number, by=by, hospital=case.hospital_code)
    click.echo(f"已通过申请 {number}" + (f"，医师编号 {case.doctor_id}" if case.doctor_id else ""))


@command.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="退回原因")
@click.option("--by", help="审批人；默认为操作系统账号，须与提交人不同")
@data_options
def reject(number: int, reason: str, by: str | None, settings: Settings) -> None:
    """退回"""
    with office(settings) as opened:
        case = opened.cases.reject(number, by or who(), reason)
    record(settings, "case.reject", number, by=by, hospital=case.hospital_code)
    click.echo(f"已退回申请 {number}")


@command.command()
@click.argument("number", type=int)
@click.option("--by", help="提交人；默认为操作系统账号")
@data_options
def withdraw(number: int, by: str | None, settings: Settings) -> None:
    """撤回：只有提交人可以，且在审批之前"""
    with office(settings) as opened:
        case = opened.cases.withdraw(number, by or who())
    record(settings, "case.withdraw", number, by=by, hospital=case.hospital_code)
    click.echo(f"已撤回申请 {number}")


@command.command("template")
@click.argument("form", type=_FORM)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="文件名；默认为表单标题")
def template_(form: str, out: Path | None) -> None:
    """空白表格（XLSX），填好后用 submit --from 提交"""
    chosen = FORMS[form]
    path = out or Path(f"{chosen.title}.xlsx")
    path.write_bytes(template(chosen))
    click.echo(f"已写出 {path}")


def _content(sheet: Path) -> bytes:
    with sheet.open("rb") as stream:
        return stream.read(8 * 1024 * 1024)


def with_pictures(form: Form, row: SheetRow, folder: Path) -> dict[str, Any]:
    """File names of pictures become their content."""
    entries: dict[str, Any] = dict(row.entries)
    for field in form.fields:
        if field.kind is FieldKind.PICTURE and entries.get(field.name):
            try:
                with (folder / entries[field.name]).open("rb") as stream:
                    entries[field.name] = stream.read(pictures.MAX_BYTES + 1)
            except OSError as error:
                fail(f"第 {row.line} 行：不能读取图片 {entries[field.name]}（{error.strerror}）")
    return entries
