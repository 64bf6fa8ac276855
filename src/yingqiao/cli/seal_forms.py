"""Forms and samples of seals at the command line: sheets read, stamps turned into pictures, paper printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from yingqiao.cli.cases import with_pictures
from yingqiao.cli.journal import record
from yingqiao.cli.office import office
from yingqiao.cli.options import data_options
from yingqiao.cli.output import Exit, fail
from yingqiao.sandbox import Sandbox, SandboxError, SandboxLimits
from yingqiao.settings import Settings
from yingqiao.signing.enrolment.form import Form
from yingqiao.signing.enrolment.sheets import SheetRow, read_sheet, template
from yingqiao.signing.enrolment.sheets import shape_of as sheet_shape
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.application import STAMP, UNIT
from yingqiao.signing.seals.sampling import Ink, Wish, sample
from yingqiao.signing.seals.sampling.opening import MAX_BYTES
from yingqiao.store.signing.office import Office
from yingqiao.web.balance_files import NoFontError
from yingqiao.web.office.admin_cases import submit
from yingqiao.web.office.paper import blank
from yingqiao.web.office.seal_paper import seal_sheet
from yingqiao.web.office.seals_shown import whole_seal_shown

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUT = click.Path(path_type=Path, dir_okay=False)
_SHEET: Final = 8 * 1024 * 1024
_ONE: Final = SandboxLimits(workers=1)
_FORMS: Final = {form.id: form for form in (UNIT, STAMP)}


def read_rows(form: Form, sheet: Path) -> list[dict[str, Any]]:
    """The sheet's applications with their pictures; every problem is told, then it ends. Raises SigningRefused."""
    with sheet.open("rb") as stream:
        content = stream.read(_SHEET + 1)
    if len(content) > _SHEET:
        fail(f"{sheet.name} 超过 {_SHEET // 1024 // 1024} MiB")
    rows = read_sheet(form, content, sheet_shape(sheet.name))
    _refuse_wrong(form, rows)
    return [with_pictures(form, row, sheet.parent) for row in rows]


def hand_in(
    settings: Settings, opened: Office, form: Form, hospital: str, rows: Sequence[dict[str, Any]], by: str
) -> list[int]:
    """Their numbers, each in the journal. Raises SigningRefused."""
    numbers = []
    for entries in rows:
        numbers.append(submit(opened, form, hospital, entries, by))
        record(settings, "case.submit", numbers[-1], by=by, hospital=hospital)
    return numbers


def _refuse_wrong(form: Form, rows: Sequence[SheetRow]) -> None:
    wrong = [row for row in rows if row.problems]
    for row in wrong:
        words = "；".join(f"{problem.label}：{problem.reason}" for problem in row.problems)
        click.echo(f"《{form.title}》第 {row.line} 行：{words}", err=True)
    if wrong:
        fail(f"{len(wrong)} 行有问题，没有提交")


@click.command("sample")
@click.argument("photo", type=_FILE)
@click.argument("out", type=_OUT)
@click.option("--width", type=int, help="印章宽（毫米）")
@click.option("--height", type=int, help="印章高（毫米）")
@click.option("--dpi", type=float, help="扫描精度；文件里有时不必写")
@click.option(
    "--ink",
    type=click.Choice([str(ink) for ink in Ink]),
    default="auto",
    show_default=True,
    help="auto 自动 · colour 只取彩色印迹 · dark 全部深色",
)
@click.option("--clearing", type=click.IntRange(0, 100), default=50, show_default=True, help="去淡痕的力度")
@click.option("--before", type=_OUT, help="原照片的该处另存为（JPEG），供对比与提交")
def sample_command(
    photo: Path,
    out: Path,
    width: int | None,
    height: int | None,
    dpi: float | None,
    ink: str,
    clearing: int,
    before: Path | None,
) -> None:
    """从盖章的照片或扫描件取出印章图片（透明 PNG）；看过满意后写入采样表提交"""
    with photo.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    try:
        with Sandbox(_ONE) as sandbox:
            done = sandbox.call(sample, content, Wish(width, height, dpi, Ink(ink), clearing))
    except (SigningRefused, SandboxError) as refused:
        fail(refused.reason)
    out.write_bytes(done.png)
    if before is not None:
        before.write_bytes(done.before)
    click.echo(
        f"已写出 {out}：{done.width}×{done.height} 毫米，{done.pixels[0]}×{done.pixels[1]} 像素，颜色 {done.colour}"
    )
    for note in done.notes:
        click.echo(f"注意：{note}", err=True)


@click.command("form")
@click.argument("what")
@click.option("--out", type=_OUT, help="文件名；默认为表的名称")
@click.option("--sheet", is_flag=True, help="写成可填写并导入的空白表格（XLSX）")
@data_options
def form_command(what: str, out: Path | None, sheet: bool, settings: Settings) -> None:
    """打印（PDF）：unit 空白申请表（附件 5）、stamp 空白采样表（附件 6），或一枚印章的登记表"""
    try:
        if what in _FORMS:
            form = _FORMS[what]
            path = out or Path(f"{form.title}.{'xlsx' if sheet else 'pdf'}")
            content = template(form) if sheet else blank(form)
        elif sheet:
            fail("空白表格只有 unit 与 stamp", Exit.USE)
        else:
            with office(settings) as opened, Sandbox(_ONE) as sandbox:
                seal = opened.seals.get(what)
                content = sandbox.call(seal_sheet, whole_seal_shown(opened, seal), seal.picture)
            record(settings, "seal.print", seal.id, hospital=seal.hospital_code)
            path = out or Path(f"电子印章登记表-{seal.id}.pdf")
    except NoFontError as error:
        fail(str(error))
    except SandboxError as error:
        fail(error.reason)
    path.write_bytes(content)
    click.echo(f"已写出 {path}")
