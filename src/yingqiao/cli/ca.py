"""`yingqiao ca`: the built-in CA."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click

from yingqiao.cli.journal import record, recorded
from yingqiao.cli.office import office
from yingqiao.cli.options import data_options, shape_options
from yingqiao.cli.output import Exit, fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.settings import Settings
from yingqiao.signing.trust import Bundle, TrustError, read_bundle
from yingqiao.web.office.admin_people import REASON_NAMES, authority_shown
from yingqiao.web.office.self_service import certificate_shown

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_COLUMNS = {
    "id": "编号",
    "hospitalName": "医疗机构",
    "doctor": "医师",
    "profileWords": "种类",
    "serial": "序列号",
    "until": "到期时间",
    "stateWords": "状态",
    "replaced": "已换新",
}


@click.group()
def command() -> None:
    """内置 CA：为没有 CA 的医院签发医师证书"""


@command.command()
@click.option("--name", default="影桥 CA", show_default=True, help="CA 的名称")
@click.option("--offline", type=_FILE, metavar="CERT", help="离线：由别处的 CA 签发，CERT 为它的证书")
@click.option("--renew", is_flag=True, help="已有时也另做一个：此后由新的签发")
@data_options
def init(name: str, offline: Path | None, renew: bool, settings: Settings) -> None:
    """建立 CA，发布第一份吊销列表"""
    with office(settings, create=True) as opened:
        if not renew and opened.authority.exists():
            fail("已有 CA；要另做一个请加 --renew")
        if offline is not None:
            current = opened.authority.start_offline(_certificates(offline)[0])
        else:
            current = opened.authority.start(name)
        told = opened.public_url
    record(settings, "ca.init", current.id)
    click.echo(f"已建立 CA {current.certificate.subject}，编号 {current.id}")
    if not told and offline is None:
        click.echo("提示：没有设置 signing.public_url，签发的证书将不带吊销列表地址", err=True)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@click.option("--pem", is_flag=True, help="只输出 CA 证书（PEM），供验证方导入信任")
@data_options
def show(as_json: bool, pem: bool, settings: Settings) -> None:
    """查看正在签发的 CA，以及以前的"""
    with office(settings) as opened:
        shown = authority_shown(opened)
        raw = opened.authority.current().certificate.raw
    if pem:
        click.echo(_pem("CERTIFICATE", raw), nl=False)
    elif as_json:
        show_json(shown | {"certificate": base64.b64encode(raw).decode()})
    else:
        show_pairs(
            {
                "编号": shown["id"],
                "方式": shown["modeWords"],
                "主体": shown["subject"],
                "序列号": shown["serial"],
                "有效期": f"{when(shown['notBefore'])} 至 {when(shown['notAfter'])}",
                "吊销列表地址": shown["crlUrl"],
                "吊销列表有效至": when(shown["crlNextUpdate"]),
                "等待导入": shown["waiting"],
            }
        )
        _show_earlier(shown["earlier"])


def _show_earlier(earlier: list[dict[str, Any]]) -> None:
    for one in earlier:
        click.echo()
        show_pairs(
            {
                "以前的 CA": one["id"],
                "主体": one["subject"],
                "信任": one["trustedWords"],
                "所发证书最晚到期": when(one["lastEnd"]),
                "吊销列表": one["lists"],
                "吊销列表地址": one["crlUrl"],
                "吊销列表有效至": when(one["crlNextUpdate"]),
            }
        )


@command.command()
@click.option("--ca", "number", type=int, metavar="CA", help="只发布这个 CA 的；默认各个 CA 的都发布")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="同时写入文件（DER）：--ca 的，没有写时是正在签发的 CA 的",
)
@data_options
def publish(number: int | None, out: Path | None, settings: Settings) -> None:
    """立即发布新的吊销列表"""
    with office(settings) as opened:
        current, lists = opened.authority.current(), opened.authority.lists
        if out is not None and number is None and current.authority is None:
            fail("正在签发的 CA 不在本机：要写入文件请用 --ca 指明哪个 CA", Exit.USE)
        wanted = [one.id for one in lists.standing() if one.publishes] if number is None else [number]
        made = {}
        for one in wanted:
            if (content := lists.publish(one)) is not None:
                made[one] = content
                record(settings, "ca.publish", one)
                click.echo(f"已发布 CA {one} 的吊销列表，{len(content)} 字节")
    if not made:
        fail("没有可发布的：离线方式下吊销列表由签发证书的 CA 发布")
    if out is not None:
        out.write_bytes(made[current.id if number is None else number])


@command.command()
@click.argument("number", type=int, metavar="CA")
@data_options
def distrust(number: int, settings: Settings) -> None:
    """不再信任以前的一个 CA（如私钥已泄露）：它签发的证书一律不再受信任；不能撤销"""
    with office(settings) as opened:
        opened.authority.distrust(number)
    record(settings, "ca.distrust", number)
    click.echo(f"CA {number} 不再受信任；别的验证方须另行通知")


@command.command()
@click.argument("number", type=int)
@click.option("--reason", type=click.Choice(list(REASON_NAMES)), required=True, help="吊销原因")
@data_options
def revoke(number: int, reason: str, settings: Settings) -> None:
    """吊销一张证书，本机的 CA 立即发布吊销列表；不能撤销。离线方式下还须请签发它的 CA 吊销"""
    with office(settings) as opened, recorded(settings, "certificate.revoke", number):
        opened.authority.revoke(number, REASON_NAMES[reason])
    click.echo(f"已吊销证书 {number}（{REASON_NAMES[reason].words}）")


@command.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="每份写成一个文件"
)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def requests(out: Path | None, as_json: bool, settings: Settings) -> None:
    """离线方式下等待签发的证书请求（PKCS#10）"""
    with office(settings) as opened:
        waiting = opened.authority.waiting_requests()
    record(settings, "certificate.requests", len(waiting))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for number, der in waiting:
            (out / f"request-{number}.csr").write_text(_pem("CERTIFICATE REQUEST", der))
        click.echo(f"写出 {len(waiting)} 份")
    elif as_json:
        show_json([{"id": n, "request": base64.b64encode(der).decode()} for n, der in waiting])
    else:
        click.echo("".join(_pem("CERTIFICATE REQUEST", der) for _, der in waiting) or "没有等待签发的请求")


@command.command("import")
@click.argument("file", type=_FILE)
@data_options
def import_(file: Path, settings: Settings) -> None:
    """导入别处签发的证书（DER、PEM、p7b，可为多张）与吊销列表，现在与以前的离线 CA 的都可以"""
    given = _bundle(file)
    with office(settings) as opened:
        for found in given.lists:
            number = opened.authority.lists.take(found.raw)
            record(settings, "ca.import-list", number)
            click.echo(f"已导入 CA {number} 的吊销列表，其中已吊销 {len(found.entries)} 张")
        for der in (one.raw for one in given.certificates):
            made = opened.authority.import_certificate(der)
            record(settings, "certificate.import", made.id)
            click.echo(f"已导入证书 {made.id}，序列号 {made.serial}")


@command.command("list")
@click.option("--doctor", type=int, metavar="ID", help="只列这位医师的")
@shape_options
@data_options
def list_(doctor: int | None, as_json: bool, as_csv: bool, settings: Settings) -> None:
    """签发与等待导入的证书，新的在前"""
    with office(settings) as opened:
        known = {one.id: one for one in opened.doctors.list()}
        issued = opened.authority.list() if doctor is None else opened.authority.of_doctor(doctor)
        rows: list[dict[str, Any]] = [
            certificate_shown(one)
            | {
                "doctor": known[one.doctor_id].name,
                "doctorId": one.doctor_id,
                "hospitalName": known[one.doctor_id].hospital_name,
                "until": when(one.not_after),
            }
            for one in issued
            if one.doctor_id in known
        ]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="还没有证书")


def _certificates(file: Path) -> list[bytes]:
    found = [one.raw for one in _bundle(file).certificates]
    if not found:
        fail("文件里没有证书", Exit.USE)
    return found


def _bundle(file: Path) -> Bundle:
    try:
        return read_bundle(file.read_bytes())
    except TrustError as error:
        fail(str(error), Exit.USE)


def _pem(kind: str, der: bytes) -> str:
    body = base64.b64encode(der).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"
