"""`yingqiao seal`: PDF files sealed without a browser. The file is taken apart in a bounded process, the key stays here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from yingqiao.cli.journal import who
from yingqiao.cli.office import office
from yingqiao.cli.options import data_options
from yingqiao.cli.output import Exit, fail
from yingqiao.client.seal_wallet import WalletFile
from yingqiao.gm import armor, pkcs8, sm2, sm3
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Sandbox, SandboxError
from yingqiao.settings import Settings
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals.pdf import writing
from yingqiao.signing.seals.pdf.limits import DEFAULT, MIB
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Placement, Side, Which
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf
from yingqiao.signing.seals.sealing import Sealer
from yingqiao.signing.verification.report import BEIJING

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MOST_PAGES = 200
PRELOAD = ("yingqiao.signing.seals.pdf.reading", "yingqiao.signing.seals.pdf.writing")


@click.group()
def command() -> None:
    """给 PDF 文件加盖电子印章"""


@command.command("sign")
@click.argument("source", type=_FILE, metavar="IN.pdf")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.pdf")
@click.option("--seal", metavar="SEAL", help="本系统的印章：编号、印章标识或名称；使用会记录")
@click.option("--matter", default="", help="业务标识，记入使用记录（--seal）")
@click.option("--wallet", type=_FILE, help="导出的印章文件；PIN 取环境变量 YINGQIAO_PIN，没有则询问")
@click.option("--esl", type=_FILE, help="印章（SESeal）")
@click.option("--certificate", type=_FILE, help="签章者证书")
@click.option("--key", type=_FILE, help="签章者私钥，PKCS#8；有口令的取环境变量 YINGQIAO_PIN，没有则询问")
@click.option(
    "--at",
    "points",
    multiple=True,
    metavar="页,X,Y",
    help="中心所在：页（如 1、1-3、1/3/5），距左、距上毫米，可多次",
)
@click.option("--keyword", "keywords", multiple=True, metavar="文字", help="盖在这几个字上，可多次")
@click.option(
    "--nth", default="1", show_default=True, metavar="N|all", help="--keyword 的第几处，all = 每一处"
)
@click.option("--offset", default="0,0", metavar="DX,DY", help="相对关键字向右、向下移动的毫米")
@click.option("--paging", is_flag=True, help="骑缝章")
@click.option("--side", type=click.Choice([one.value for one in Side]), default="right", show_default=True)
@click.option(
    "--pages", "which", type=click.Choice([one.value for one in Which]), default="all", show_default=True
)
@click.option(
    "--group", type=click.IntRange(min=2), help="骑缝章每几页一枚；不写 = 每片不窄于 3 毫米的最多页数"
)
@click.option("--name", default="", help="签名字典的 Name；不写 = 签章者证书的名称")
@click.option("--reason", default="", help="签名字典的 Reason，如 审核通过")
@click.option("--filter", "filter_", default="Adobe.PPKLite", show_default=True)
@click.option("--sub-filter", default="GM.sm2seal", show_default=True)
@data_options
def sign(
    source: Path,
    target: Path,
    seal: str | None,
    matter: str,
    wallet: Path | None,
    esl: Path | None,
    certificate: Path | None,
    key: Path | None,
    points: tuple[str, ...],
    keywords: tuple[str, ...],
    nth: str,
    offset: str,
    paging: bool,
    side: str,
    which: str,
    group: int | None,
    name: str,
    reason: str,
    filter_: str,
    sub_filter: str,
    settings: Settings,
) -> None:
    """加盖印章，另存为 OUT.pdf；几处要求按先后各盖一次，先盖的仍有效"""
    placements = [_point(text) for text in points]
    placements += [AtKeyword(text, _nth(nth), *_pair(offset, "--offset")) for text in keywords]
    if paging:
        placements.append(Paging(Side(side), Which(which), group))
    if not placements:
        fail("请说明盖在哪里：--at、--keyword 或 --paging", Exit.USE)
    if source.stat().st_size > DEFAULT.bytes:
        fail(f"{source.name} 超过 {DEFAULT.bytes // MIB} MiB", Exit.USE)
    data = source.read_bytes()
    if seal is not None:
        opening = _registered(settings, seal, matter, data)
    else:
        opening = _from_wallet(wallet) if wallet is not None else _from_files(esl, certificate, key)
    with _told(), opening as sealer, Sandbox(preload=PRELOAD) as sandbox:
        names = Names(filter_, sub_filter, name or sealer.signer_name, reason)
        made = seal_pdf(
            data,
            placements,
            sealer.picture,
            sealer,
            reserve=sealer.reserve,
            at=datetime.now(BEIJING),
            names=names,
            preparing=writing.prepared_by(sandbox.call),
        )
    _write(target, made)
    click.echo(f"已加盖 {len(placements)} 处：{target}")


@contextmanager
def _registered(settings: Settings, seal: str, matter: str, data: bytes) -> Iterator[Sealer]:
    """By the registry: journaled before and after. Raises GmError, SigningRefused."""
    with (
        office(settings) as opened,
        opened.seals.use(seal, who(), sm3.digest(data), matter, "cli") as used,
    ):
        yield Sealer(used.esl, used.certificate, used.sign)


@contextmanager
def _from_wallet(file: Path) -> Iterator[Sealer]:
    """Every PIN tried is counted in the file. Raises GmError, SigningRefused."""
    held = WalletFile(file)
    shown = held.look()
    try:
        private = held.open(_pin("印章 PIN"))
    except OSError as error:
        fail(f"写不了 {file}：{error.strerror}", Exit.USE)
    yield Sealer(shown.esl, shown.certificate, lambda message: sm2.sign(private, message))


@contextmanager
def _from_files(esl: Path | None, certificate: Path | None, key: Path | None) -> Iterator[Sealer]:
    """Raises GmError, SigningRefused."""
    if esl is None or certificate is None or key is None:
        fail("请给出 --seal，或 --wallet，或 --esl、--certificate 与 --key", Exit.USE)
    private = _private(key)
    holder = armor.unwrap_one(certificate.read_bytes())
    yield Sealer(armor.unwrap_one(esl.read_bytes()), holder, lambda message: sm2.sign(private, message))


@contextmanager
def _told() -> Iterator[None]:
    """Refusals as a line and an exit code."""
    try:
        yield
    except (GmError, SigningRefused, SandboxError) as error:
        fail(error.reason)


def _private(file: Path) -> sm2.PrivateKey:
    """Raises GmError."""
    raw = armor.unwrap_one(file.read_bytes())
    if pkcs8.is_encrypted(raw):
        raw = pkcs8.decrypt(raw, _pin().encode())
    return sm2.PrivateKey.from_pkcs8(raw)


def _pin(what: str = "私钥口令") -> str:
    """Never an argument: those show in the list of processes."""
    if "YINGQIAO_PIN" in os.environ:
        return os.environ["YINGQIAO_PIN"]
    if not sys.stdin.isatty():
        fail(f"需要{what}：请设环境变量 YINGQIAO_PIN", Exit.USE)
    return str(click.prompt(what, hide_input=True))


def _write(target: Path, made: bytes) -> None:
    """Whole or not at all."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(made)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        fail(f"写不了 {target}：{error.strerror}", Exit.USE)


def _point(text: str) -> Placement:
    pages, _, place = text.partition(",")
    return AtPoint(_pages(pages), *_pair(place, "--at"))


def _pages(text: str) -> tuple[int, ...]:
    """`1`, `1-3`, `1/3/5`."""
    listed: list[int] = []
    for part in text.split("/"):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or len(first) > 5 or len(last) > 5:
            fail(f"--at 的页 {text!r} 应如 1、1-3 或 1/3/5", Exit.USE)
        listed += range(int(first), int(last or first) + 1)
    if not 0 < len(listed) <= _MOST_PAGES:
        fail(f"--at 的页 {text!r} 应为 1 至 {_MOST_PAGES} 页", Exit.USE)
    return tuple(dict.fromkeys(listed))


def _pair(text: str, option: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        x, y = (float(part) for part in parts)
    except ValueError:
        fail(f"{option} 的 {text!r} 应为两个以逗号隔开的毫米数", Exit.USE)
    if not (abs(x) < 1e5 and abs(y) < 1e5):
        fail(f"{option} 的 {text!r} 超出范围", Exit.USE)
    return x, y


def _nth(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or not 0 < int(text) <= 10_000:
        fail(f"--nth 的 {text!r} 应为从 1 起的数或 all", Exit.USE)
    return int(text)
