"""`yingqiao staff`: the accounts of the administration page."""

from __future__ import annotations

import click

from yingqiao.cli.journal import record
from yingqiao.cli.office import ask_password, office
from yingqiao.cli.options import data_options, shape_options
from yingqiao.cli.output import shape_of, show_rows, when
from yingqiao.settings import Settings
from yingqiao.store.signing.staff import Role

_COLUMNS = {
    "name": "账号",
    "role_words": "角色",
    "hospital": "医疗机构",
    "must_change": "须改口令",
    "disabled": "停用",
    "created": "建立时间",
}


@click.group()
def command() -> None:
    """证书管理网页 /admin/ 的账号：管理员、经办人、审批人"""


@command.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    required=True,
    help="admin 管理员 · operator 经办人 · approver 审批人",
)
@click.option("--hospital", metavar="CODE", help="只限这家医疗机构；不写 = 全部")
@data_options
def add(name: str, role: str, hospital: str | None, settings: Settings) -> None:
    """增加账号；首个口令从标准输入读取或键入，首次登录须修改"""
    password = ask_password()
    with office(settings, create=True) as opened:
        opened.staff.add(name, Role(role), password, hospital)
    record(settings, "staff.add", name, hospital=hospital or "")
    click.echo(f"已增加账号 {name}（{Role(role).words}）")


@command.command("list")
@shape_options
@data_options
def list_(as_json: bool, as_csv: bool, settings: Settings) -> None:
    """全部账号"""
    with office(settings) as opened:
        rows = [
            {
                "name": one.name,
                "role": str(one.role),
                "role_words": one.role.words,
                "hospital": one.hospital_code or "",
                "must_change": one.must_change,
                "disabled": one.disabled,
                "created": when(one.created_at),
            }
            for one in opened.staff.list()
        ]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="还没有账号")


@command.command()
@click.argument("name")
@data_options
def disable(name: str, settings: Settings) -> None:
    """停用账号，其登录立即失效"""
    with office(settings) as opened:
        opened.staff.set_disabled(name, disabled=True)
    record(settings, "staff.disable", name)
    click.echo(f"已停用 {name}")


@command.command()
@click.argument("name")
@data_options
def enable(name: str, settings: Settings) -> None:
    """重新启用账号"""
    with office(settings) as opened:
        opened.staff.set_disabled(name, disabled=False)
    record(settings, "staff.enable", name)
    click.echo(f"已启用 {name}")


@command.command()
@click.argument("name")
@data_options
def password(name: str, settings: Settings) -> None:
    """重设口令（从标准输入读取或键入），下次登录须修改"""
    chosen = ask_password()
    with office(settings) as opened:
        opened.staff.set_password(name, chosen, by_themselves=False)
    record(settings, "staff.password", name)
    click.echo(f"已重设 {name} 的口令")
