"""`yingqiao seal`: PDF files sealed without a browser. The file is taken apart in a bounded process, the key stays here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
import orjson

from yingqiao.cli.options import data_options
from yingqiao.cli.output import Exit, fail
from yingqiao.cli.seal_keys import Keys, opened
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Sandbox, SandboxError
from yingqiao.sandbox.pdf_reader import SandboxedPdfReader
from yingqiao.settings import Settings
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals import merging
from yingqiao.signing.seals.pdf import writing
from yingqiao.signing.seals.pdf.limits import DEFAULT, MIB
from yingqiao.signing.seals.pdf.placing import AtKeyword, AtPoint, Paging, Placement, Side, Which
from yingqiao.signing.seals.pdf.writing import Names, seal_pdf
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
    "--pages",
    "which",
    type=click.Choice([one.value for one in Which]),
    default="all",
    show_default=True,
    help="骑缝章盖哪些页：odd、even = 单、双数页，duplex = 双面打印的每张纸，facing = 翻开的左右两页（2 与 3、4 与 5……）",
)
@click.option(
    "--group",
    type=click.IntRange(min=2),
    help="骑缝章每几页（duplex 为几张）一枚；不写 = 每片不窄于 3 毫米的最多页数",
)
@click.option(
    "--stamp",
    metavar="own|地址",
    help="时间戳：own = 数据目录自己的，或网关的地址（应用标识与密钥取环境变量 YINGQIAO_STAMP_APP、YINGQIAO_STAMP_SECRET）；"
    "不写时 --seal 用自己的（如有），其余没有",
)
@click.option("--no-stamp", is_flag=True, help="不加时间戳")
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
    stamp: str | None,
    no_stamp: bool,
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
    if stamp and no_stamp:
        fail("--stamp 与 --no-stamp 只能写一个", Exit.USE)
    _check_size(source)
    data = source.read_bytes()
    keys = Keys(seal, matter, wallet, esl, certificate, key)
    with _told(), opened(keys, "" if no_stamp else stamp, settings, data) as sealer, _sandbox() as sandbox:
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
    stamped = "，带时间戳" if sealer.stamped else "，没有时间戳"
    click.echo(f"已加盖 {len(placements)} 处{stamped}：{target}")


@command.command("merge")
@click.argument("base", type=_FILE, metavar="BASE.pdf")
@click.argument("said", type=_FILE, metavar="DATA.json")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.pdf")
def merge(base: Path, said: Path, target: Path) -> None:
    """把并行签名（bParallelSign）的数据合并到底稿，另存为 OUT.pdf

    DATA.json 是 PACS 页面收到的 parallelSignData 消息，或其中的 contents。底稿已变、数据损坏、其中不是完好的签章都会拒绝。
    """
    for one in (base, said):
        _check_size(one)
    try:
        contents = orjson.loads(said.read_bytes())
    except orjson.JSONDecodeError:
        fail(f"{said.name} 不是 JSON", Exit.USE)
    with _told(), _sandbox() as sandbox:
        merged = merging.merge(
            base.read_bytes(), contents, SandboxedPdfReader(sandbox), datetime.now(BEIJING)
        )
    _write(target, merged)
    click.echo(f"已合并：{target}")


def _sandbox() -> Sandbox:
    return Sandbox(preload=PRELOAD)


def _check_size(file: Path) -> None:
    if file.stat().st_size > DEFAULT.bytes:
        fail(f"{file.name} 超过 {DEFAULT.bytes // MIB} MiB", Exit.USE)


@contextmanager
def _told() -> Iterator[None]:
    """Refusals as a line and an exit code."""
    try:
        yield
    except (GmError, SigningRefused, SandboxError) as error:
        fail(error.reason)


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
