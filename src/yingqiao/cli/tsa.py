"""`yingqiao tsa`: the time stamping authority the gateway stamps with."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from yingqiao.cli.journal import record
from yingqiao.cli.options import data_options, stores
from yingqiao.cli.output import BEIJING, Exit, fail, show_json, show_pairs, when
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.settings import Settings
from yingqiao.signing import tsa
from yingqiao.store import tokens
from yingqiao.store.tokens import Authority

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_ORIGINS = {"built-in": "内置", "imported": "导入"}


@click.group()
def command() -> None:
    """时间戳证书与密钥"""


@command.command()
@click.option("--name", default="影桥", show_default=True, help="证书名称的前缀")
@click.option("--renew", is_flag=True, help="已有时也另做一套：新的根、新的证书")
@data_options
def init(name: str, renew: bool, settings: Settings) -> None:
    """生成内置的时间戳根与证书（网关首次启动时也会自动生成）"""
    with stores(settings, create=True) as opened:
        if tokens.newest_id(opened.database) is not None and not renew:
            fail("已有时间戳证书；要另做一套请加 --renew")
        key = tsa.make(name, datetime.now(UTC), opened.keys)
        tokens.keep_authority(opened.database, opened.master_key, key, "built-in")
    record(settings, "tsa.init", key.certificate.serial_hex)
    click.echo(f"已生成时间戳证书 {key.certificate.subject}")


@command.command("import")
@click.option("--key", type=_FILE, required=True, help="SM2 私钥，PKCS#8，DER、PEM 或 Base64，未加密")
@click.option("--certificate", type=_FILE, required=True, help="时间戳证书")
@click.option("--chain", type=_FILE, multiple=True, help="上级证书，可多次，根在最后")
@data_options
def import_(key: Path, certificate: Path, chain: tuple[Path, ...], settings: Settings) -> None:
    """导入 CA 签发的时间戳证书与私钥，此后用它签发"""
    try:
        found = tsa.imported(
            key.read_bytes(), certificate.read_bytes(), [path.read_bytes() for path in chain]
        )
    except GmError as error:
        fail(error.reason, Exit.USE)
    with stores(settings, create=True) as opened:
        tokens.keep_authority(opened.database, opened.master_key, found, "imported")
    record(settings, "tsa.import", found.certificate.serial_hex)
    click.echo(f"已导入时间戳证书 {found.certificate.subject}，序列号 {found.certificate.serial_hex}")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出，含证书")
@click.option("--pem", is_flag=True, help="只输出证书链（PEM），供验证方导入信任")
@data_options
def show(as_json: bool, pem: bool, settings: Settings) -> None:
    """查看正在使用的时间戳证书"""
    with stores(settings) as opened:
        found = tokens.authority(opened.database, opened.master_key, opened.keys)
        latest = tokens.latest_gen_time(opened.database)
    if found is None:
        fail("还没有时间戳证书；请用 yingqiao tsa init，或启动网关")
    certificate = found.key.certificate
    if pem:
        click.echo("".join(_pem(one) for one in (certificate, *found.key.chain)), nl=False)
    elif as_json:
        show_json(_plain(found, latest))
    else:
        show_pairs(
            {
                "来源": _ORIGINS[found.origin],
                "主体": certificate.subject,
                "签发者": certificate.issuer,
                "序列号": certificate.serial_hex,
                "有效期": f"{_day(certificate.not_before)} 至 {_day(certificate.not_after)}",
                "启用时间": when(found.created_at),
                "最近签发": when(latest or None),
            }
        )


def _plain(found: Authority, latest: int) -> dict[str, Any]:
    certificate = found.key.certificate
    return {
        "id": found.id,
        "origin": found.origin,
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "serial": certificate.serial_hex,
        "notBefore": certificate.not_before.isoformat(),
        "notAfter": certificate.not_after.isoformat(),
        "certificate": base64.b64encode(certificate.raw).decode(),
        "chain": [base64.b64encode(one.raw).decode() for one in found.key.chain],
        "createdAt": found.created_at,
        "latestGenTime": latest or None,
    }


def _day(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _pem(certificate: Certificate) -> str:
    body = base64.encodebytes(certificate.raw).decode().replace("\n", "")
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
