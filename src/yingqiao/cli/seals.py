"""`yingqiao seals`: electronic seals of hospitals, from application to revocation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from yingqiao.cli.journal import record, recorded, who
from yingqiao.cli.office import ask_pin, office
from yingqiao.cli.options import data_options, shape_options
from yingqiao.cli.output import Exit, fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.cli.seal_forms import form_command, hand_in, read_rows, sample_command
from yingqiao.settings import Settings
from yingqiao.signing.seals.application import STAMP, UNIT
from yingqiao.signing.seals.making import Holders, Kind
from yingqiao.signing.seals.states import Act
from yingqiao.signing.trust import TrustError, read_bundle
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.seal_making import Making
from yingqiao.web.office.admin_people import REASON_NAMES
from yingqiao.web.office.files import xlsx_bytes
from yingqiao.web.office.seals_shown import (
    MAKER_COLUMNS,
    SEAL_COLUMNS,
    USE_COLUMNS,
    maker_shown,
    seal_shown,
    use_shown,
    whole_seal_shown,
)

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUT = click.Path(path_type=Path, dir_okay=False)
_KINDS: Final = {"official": Kind.OFFICIAL, "business": Kind.BUSINESS, "report": Kind.REPORT}
_FORMS: Final = {form.id: form for form in (UNIT, STAMP)}
_TIMES: Final = (
    *("validBefore", "validAfter", "madeAt", "at", "endedAt"),
    *("notBefore", "notAfter", "revokedAt"),
)


@click.group()
def command() -> None:
    """电子印章：申请、采样、制作、停用、挂失、更新、吊销、导出、使用记录；制章者证书"""


command.add_command(sample_command)
command.add_command(form_command)


@command.command()
@click.option("--hospital", metavar="CODE", required=True, help="医疗机构")
@click.option("--unit", type=_FILE, required=True, metavar="FILE", help="附件 5：.json、.csv 或 .xlsx，一份")
@click.option("--stamp", type=_FILE, required=True, metavar="FILE", help="附件 6：同上；图片列写文件名")
@click.option("--by", help="提交人；默认为操作系统账号")
@data_options
def apply(hospital: str, unit: Path, stamp: Path, by: str | None, settings: Settings) -> None:
    """提交一枚印章的申请表（附件 5）与采样表（附件 6）；有一处不对就都不提交"""
    with office(settings) as opened:
        given = [(UNIT, read_rows(UNIT, unit)), (STAMP, read_rows(STAMP, stamp))]
        for form, rows in given:
            if len(rows) != 1:
                fail(f"《{form.title}》应只有一份，表格里有 {len(rows)} 份；多份请用 seals import")
        numbers = [hand_in(settings, opened, form, hospital, rows, by or who())[0] for form, rows in given]
    click.echo(f"已提交：申请表 {numbers[0]}，采样表 {numbers[1]}")


@command.command("import")
@click.argument("file", type=_FILE)
@click.option("--form", type=click.Choice(list(_FORMS)), default="unit", show_default=True, help="表单")
@click.option("--hospital", metavar="CODE", required=True, help="医疗机构")
@click.option("--by", help="提交人；默认为操作系统账号")
@data_options
def import_(file: Path, form: str, hospital: str, by: str | None, settings: Settings) -> None:
    """从表格提交多份申请（unit 附件 5，stamp 附件 6），每行一份；有一行不对就一份也不提交"""
    chosen = _FORMS[form]
    with office(settings) as opened:
        numbers = hand_in(settings, opened, chosen, hospital, read_rows(chosen, file), by or who())
    click.echo(f"已提交 {len(numbers)} 份，编号 {'、'.join(map(str, numbers))}")


@command.command("list")
@click.option("--hospital", metavar="CODE", help="只列这家医疗机构")
@click.option("--ready", is_flag=True, help="改列可以制作印章的申请")
@shape_options
@data_options
def list_(hospital: str | None, ready: bool, as_json: bool, as_csv: bool, settings: Settings) -> None:
    """全部印章及其现在的状态，新的在前"""
    with office(settings) as opened:
        if ready:
            rows = [
                {"id": one.id, "form": one.form.id, "formTitle": one.form.title, "applicant": one.applicant}
                for one in opened.seal_making.ready(hospital)
            ]
        else:
            rows = [seal_shown(one, opened.now_ms()) for one in opened.seals.list(hospital)]
    columns = {"id": "编号", "formTitle": "表单", "applicant": "单位"} if ready else SEAL_COLUMNS
    shown = rows if as_json else [_timed(row) for row in rows]
    show_rows(shown, columns, shape_of(as_json, as_csv), empty="没有可制作的申请" if ready else "还没有印章")


@command.command()
@click.argument("seal")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(seal: str, as_json: bool, settings: Settings) -> None:
    """一枚印章：属性、证书、经过（SEAL 为编号、印章标识或名称）"""
    with office(settings) as opened:
        shown = whole_seal_shown(opened, opened.seals.get(seal))
    if as_json:
        show_json(shown)
        return
    timed = _timed(shown)
    pairs = {heading: timed[name] for name, heading in SEAL_COLUMNS.items()}
    certificate = shown["certificate"]
    lines = [f"{when(c['at'])} {c['actWords']} {c['who']} {c['reason']}".rstrip() for c in shown["changes"]]
    show_pairs(
        pairs
        | {
            "签章证书": certificate["subject"] if certificate else "私钥在别处",
            "证书序列号": certificate["serial"] if certificate else "",
            "申请": f"{shown['unitCase']}、{shown['stampCase']}",
            "经过": "\n".join(lines),
        }
    )


@command.command()
@click.argument("numbers", type=int, nargs=-1, required=True, metavar="CASE...")
@click.option("--by", help="审批人；默认为操作系统账号，须与提交人不同")
@data_options
def approve(numbers: tuple[int, ...], by: str | None, settings: Settings) -> None:
    """通过申请（附件 5、附件 6 的编号）；之后可以 seals make"""
    with office(settings) as opened:
        for number in numbers:
            case = opened.cases.get(number)
            if case.form.id not in _FORMS:
                fail(f"申请 {number} 是《{case.form.title}》，请用 cases approve")
            opened.cases.approve(number, by or who())
            record(settings, "case.approve", number, by=by, hospital=case.hospital_code)
            click.echo(f"已通过申请 {number}")


@command.command()
@click.option("--unit", type=int, required=True, metavar="CASE", help="已通过的申请表（附件 5）")
@click.option("--stamp", type=int, required=True, metavar="CASE", help="已通过的采样表（附件 6）")
@click.option("--name", default="", help="印章名称；默认为单位名称")
@click.option(
    "--kind",
    type=click.Choice(list(_KINDS)),
    default="official",
    show_default=True,
    help="official 单位公章 · business 业务专用章 · report 报告专用章",
)
@click.option("--digests", is_flag=True, help="印章里写签章证书的杂凑（certListType 2），默认写证书")
@click.option("--certificate", "files", type=_FILE, multiple=True, help="私钥在别处的签章证书，可多张")
@click.option("--by", help="制作人；默认为操作系统账号，须与提交人不同")
@data_options
def make(
    unit: int,
    stamp: int,
    name: str,
    kind: str,
    digests: bool,
    files: tuple[Path, ...],
    by: str | None,
    settings: Settings,
) -> None:
    """制作印章：签发医院的签章证书，由制章者证书签名"""
    wanted = Making(unit, stamp, name, _KINDS[kind], _holders(digests), _certificates(files))
    with office(settings) as opened:
        _make(settings, opened, wanted, by)


@command.command()
@click.argument("seal")
@click.option(
    "--unit", type=int, required=True, metavar="CASE", help="已通过的申请表，业务为更新、变更或补办"
)
@click.option("--stamp", type=int, metavar="CASE", help="已通过的采样表；默认沿用原印章的")
@click.option("--name", help="印章名称；默认沿用")
@click.option("--digests", is_flag=True, help="印章里写签章证书的杂凑（certListType 2）")
@click.option("--certificate", "files", type=_FILE, multiple=True, help="私钥在别处的签章证书，可多张")
@click.option("--by", help="制作人；默认为操作系统账号，须与提交人不同")
@data_options
def renew(
    seal: str,
    unit: int,
    stamp: int | None,
    name: str | None,
    digests: bool,
    files: tuple[Path, ...],
    by: str | None,
    settings: Settings,
) -> None:
    """更新印章：制作新的，原印章即告终止；此前盖的章仍然有效"""
    with office(settings) as opened:
        before = opened.seals.get(seal)
        wanted = Making(
            unit,
            before.stamp_case if stamp is None else stamp,
            before.name if name is None else name,
            before.kind,
            _holders(digests),
            _certificates(files),
            before.id,
        )
        _make(settings, opened, wanted, by)


@command.command()
@click.argument("seal")
@click.option("--reason", required=True, help="原因")
@click.option("--by", help="操作人；默认为操作系统账号")
@data_options
def suspend(seal: str, reason: str, by: str | None, settings: Settings) -> None:
    """停用，可恢复"""
    _change(settings, seal, Act.SUSPEND, by, reason)


@command.command()
@click.argument("seal")
@click.option("--reason", required=True, help="原因")
@click.option("--by", help="操作人；默认为操作系统账号，须与停用或挂失的人不同")
@data_options
def resume(seal: str, reason: str, by: str | None, settings: Settings) -> None:
    """停用或挂失之后恢复使用"""
    _change(settings, seal, Act.RESUME, by, reason)


@command.command()
@click.argument("seal")
@click.option("--reason", required=True, help="原因")
@click.option("--by", help="操作人；默认为操作系统账号")
@data_options
def lost(seal: str, reason: str, by: str | None, settings: Settings) -> None:
    """挂失；找回后可恢复，找不回请吊销，或以“丢失补办”更新"""
    _change(settings, seal, Act.LOSE, by, reason)


@command.command()
@click.argument("seal")
@click.option("--reason", required=True, help="原因")
@click.option("--by", help="操作人；默认为操作系统账号")
@data_options
def revoke(seal: str, reason: str, by: str | None, settings: Settings) -> None:
    """吊销印章及其签章证书，立即发布吊销列表；不能撤销"""
    _change(settings, seal, Act.REVOKE, by, reason)


@command.command()
@shape_options
@data_options
def makers(as_json: bool, as_csv: bool, settings: Settings) -> None:
    """本网关的制章者证书，新的在前"""
    with office(settings) as opened:
        rows = [maker_shown(one) for one in opened.units.makers()]
    shown = rows if as_json else [_timed(row) for row in rows]
    show_rows(shown, MAKER_COLUMNS, shape_of(as_json, as_csv), empty="还没有制作过印章")


@command.command("revoke-maker")
@click.argument("number", type=int)
@click.option("--reason", type=click.Choice(list(REASON_NAMES)), required=True, help="吊销原因")
@click.option("--by", help="操作人；默认为操作系统账号")
@data_options
def revoke_maker(number: int, reason: str, by: str | None, settings: Settings) -> None:
    """吊销制章者证书（NUMBER 见 seals makers），立即发布吊销列表；不能撤销，它制作的印章须更新"""
    with office(settings) as opened, recorded(settings, "seal-maker.revoke", number, by=by):
        revoked = opened.units.revoke_maker(number, REASON_NAMES[reason])
    click.echo(f"已吊销制章者证书 {number}（{REASON_NAMES[reason].words}），它制作过 {revoked.seals} 枚印章")
    if revoked.seals:
        click.echo("这些印章不能再盖章，请用 seals renew 更新（由新的制章者证书制作）")


@command.command()
@click.argument("seal")
@click.option("--out", type=_OUT, required=True, help="文件名")
@click.option("--public", is_flag=True, help="只导出印章本身（.esl），不含私钥")
@click.option("--by", help="操作人；默认为操作系统账号")
@data_options
def export(seal: str, out: Path, public: bool, by: str | None, settings: Settings) -> None:
    """导出给签章客户端：印章、证书与 PIN 保护的私钥；PIN 从标准输入读取或键入"""
    if out.exists():
        fail(f"{out} 已存在")
    with office(settings) as opened:
        found = opened.seals.get(seal)
        content = found.esl if public else opened.seals.export(found.id, ask_pin(), by or who())
        if not public:
            record(settings, "seal.export", found.id, by=by, hospital=found.hospital_code)
    out.touch(mode=0o600)
    out.write_bytes(content)
    click.echo(f"已写出 {out}，{len(content)} 字节")


@command.command()
@click.option("--seal", help="只列这枚印章的")
@click.option("--hospital", metavar="CODE", help="只列这家医疗机构")
@click.option("--document", metavar="SM3", help="只列这份文档的（SM3，64 位十六进制）")
@click.option("--xlsx", type=_OUT, help="写成 XLSX 文件")
@shape_options
@data_options
def uses(
    seal: str | None,
    hospital: str | None,
    document: str | None,
    xlsx: Path | None,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
) -> None:
    """使用记录：谁、何时、哪份文档、哪笔业务、结果；新的在前"""
    with office(settings) as opened:
        number = opened.seals.get(seal).id if seal is not None else None
        wanted = _digest(document) if document else None
        found = opened.seals.uses.list(seal_id=number, hospital_code=hospital, document=wanted, limit=100_000)
    rows = [use_shown(one) for one in found]
    if xlsx is not None:
        xlsx.write_bytes(xlsx_bytes(rows, USE_COLUMNS, "印章使用记录"))
        click.echo(f"已写出 {xlsx}，{len(rows)} 条")
        return
    shown = rows if as_json else [_timed(row) for row in rows]
    show_rows(shown, USE_COLUMNS, shape_of(as_json, as_csv), empty="没有使用记录")


def _change(settings: Settings, seal: str, act: Act, by: str | None, reason: str) -> None:
    with office(settings) as opened:
        found = opened.seals.get(seal)
        with recorded(settings, f"seal.{act}", found.id, by=by, hospital=found.hospital_code):
            opened.seals.change(found.id, act, by or who(), reason)
    click.echo(f"印章 {found.id} 已{act.words}")


def _make(settings: Settings, opened: Office, wanted: Making, by: str | None) -> None:
    made = opened.seal_making.make(wanted, by or who())
    record(settings, "seal.make", made.id, by=by, hospital=made.hospital_code)
    click.echo(f"已制作印章 {made.id}：{made.name}，标识 {made.es_id}，有效至 {when(made.valid_to)}")


def _holders(digests: bool) -> Holders:
    return Holders.DIGESTS if digests else Holders.CERTIFICATES


def _certificates(files: tuple[Path, ...]) -> tuple[bytes, ...]:
    try:
        return tuple(one.raw for file in files for one in read_bundle(file.read_bytes()).certificates)
    except TrustError as error:
        fail(str(error), Exit.USE)


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        fail("SM3 应为 64 位十六进制", Exit.USE)


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: when(row[name]) for name in _TIMES if name in row}
