"""`yingqiao doctors`: the doctors who sign."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from yingqiao.app.phone import phone_desk
from yingqiao.cli.journal import record
from yingqiao.cli.office import office
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.gm.errors import GmError
from yingqiao.settings import Settings
from yingqiao.signing import qr
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.signing.automatic import Automatic
from yingqiao.web.office.admin_people import doctor_shown
from yingqiao.web.office.self_service import activation_text, certificate_shown

_COLUMNS = {
    "id": "编号",
    "hospitalName": "医疗机构",
    "name": "姓名",
    "department": "科室",
    "userId": "工号",
    "idNumber": "身份证号",
    "mobile": "手机号",
    "sampled": "已采样",
    "disabled": "停用",
}


@contextmanager
def _automatic(settings: Settings) -> Iterator[Automatic]:
    """Refusals become Chinese lines and exit code 1."""
    try:
        with stores(settings) as opened:
            yield phone_desk(settings, opened).automatic
    except (SigningRefused, GmError) as error:
        fail(error.reason)


@click.group()
def command() -> None:
    """签名医师：名册、自助口令、激活码"""


@command.command("list")
@click.option("--hospital", metavar="CODE", help="只列这家医疗机构")
@shape_options
@data_options
def list_(hospital: str | None, as_json: bool, as_csv: bool, settings: Settings) -> None:
    """全部医师；证件号与手机号只显示头尾"""
    with office(settings) as opened:
        rows = [doctor_shown(one) for one in opened.doctors.list(hospital)]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="还没有医师")


@command.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(number: int, as_json: bool, settings: Settings) -> None:
    """一位医师及其证书"""
    with office(settings) as opened:
        doctor = doctor_shown(opened.doctors.get(number))
        held = [certificate_shown(one) for one in opened.authority.of_doctor(number)]
    if as_json:
        show_json(doctor | {"certificates": held})
        return
    lines = [f"{c['id']} {c['profileWords']} {c['stateWords']} {when(c['notAfter'])}" for c in held]
    show_pairs({heading: doctor[name] for name, heading in _COLUMNS.items()} | {"证书": "\n".join(lines)})


@command.command("reset-password")
@click.argument("number", type=int)
@data_options
def reset_password(number: int, settings: Settings) -> None:
    """自助口令恢复为身份证号后六位，下次登录须修改"""
    with office(settings) as opened:
        opened.doctors.reset_password(number)
    record(settings, "doctor.reset-password", number)
    click.echo("已恢复为身份证号后六位")


@command.command()
@click.argument("number", type=int)
@data_options
def disable(number: int, settings: Settings) -> None:
    """停用医师：不能登录自助服务；证书另行吊销"""
    with office(settings) as opened:
        opened.doctors.set_disabled(number, disabled=True)
    record(settings, "doctor.disable", number)
    click.echo("已停用")


@command.command()
@click.argument("number", type=int)
@data_options
def enable(number: int, settings: Settings) -> None:
    """重新启用医师"""
    with office(settings) as opened:
        opened.doctors.set_disabled(number, disabled=False)
    record(settings, "doctor.enable", number)
    click.echo("已启用")


@command.command()
@click.argument("number", type=int)
@click.option("--url", metavar="URL", help="写入二维码的网关地址；默认 coss.public_url 或 signing.public_url")
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="二维码图片另存为")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def activate(number: int, url: str | None, png: Path | None, as_json: bool, settings: Settings) -> None:
    """给医师一个新的激活码（此前的作废）与二维码"""
    with office(settings) as opened:
        base = url or opened.phone_url
        if not base:
            fail("不知道手机访问本网关的地址：请设置 signing.public_url 或加 --url")
        opened.doctors.get(number)
        code, until = opened.activations.give(number)
    record(settings, "doctor.activate", number)
    text = activation_text(base, code)
    if png is not None:
        png.write_bytes(base64.b64decode(qr.picture_of(text)))
    if as_json:
        show_json({"code": code, "expiresAt": until, "qrText": text})
    else:
        show_pairs({"激活码": code, "有效至": when(until), "二维码内容": text})


@command.command("auto-sign")
@click.argument("number", type=int)
@click.option("--on/--off", "enabled", required=True, help="开启（phone.auto_sign_by = office 时）或关闭")
@data_options
def auto_sign(number: int, enabled: bool, settings: Settings) -> None:
    """为一位医师开启或关闭自动签名；开启后由医师在手机上设 1–24 小时的截止时间"""
    with _automatic(settings) as automatic:
        automatic.switch(number, enabled=enabled)
    record(settings, f"doctor.auto-sign-{'on' if enabled else 'off'}", number)
    click.echo(f"已为医师 {number} {'开启' if enabled else '关闭'}自动签名")
