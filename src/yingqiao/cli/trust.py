"""`yingqiao trust`: whose certificates signatures are trusted by, their revocation lists, the material they hand over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from yingqiao.cli.journal import record
from yingqiao.cli.options import data_options, shape_options, stores
from yingqiao.cli.output import Exit, camel_case, fail, shape_of, show_json, show_pairs, show_rows, when
from yingqiao.exchange.fetch import FetchError, parse_address
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Sandbox, SandboxLimits
from yingqiao.sandbox.pdf_reader import PRELOAD, SandboxedPdfReader
from yingqiao.settings import Settings
from yingqiao.signing.material import Situation, check_material
from yingqiao.signing.trust import MAX_LIST, Bundle, Role, look_at, read_bundle
from yingqiao.signing.verification.report import Indication
from yingqiao.store.trust import TrustShown, TrustStore

_COLUMNS = {
    "id": "编号",
    "role": "用途",
    "subject": "主体",
    "serial": "序列号",
    "until": "有效期止",
    "crl": "吊销列表",
}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MOST_FILES, _LARGEST_FILE = 500, 64 * 1024 * 1024


@click.group()
def command() -> None:
    """信任的 CA 证书与吊销列表，接入材料检查"""


@command.command("add")
@click.argument("file", type=_FILE)
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default="ca",
    show_default=True,
    help="ca 签发者 · tsa 时间戳机构 · seal-maker 制章者",
)
@click.option("--crl", "lists", multiple=True, metavar="FILE|URL", help="吊销列表文件或其发布地址，可多次")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def add(file: Path, role: str, lists: tuple[str, ...], as_json: bool, settings: Settings) -> None:
    """信任 FILE 中的证书（DER、PEM、Base64、p7b；可为整条证书链）"""
    try:
        bundle = read_bundle(_bounded(file))
        if not bundle.certificates:
            fail(f"{file.name} 中没有证书")
        known = look_at(bundle, Role(role), datetime.now(UTC))
        given = [_list_file(text) for text in lists]
        with stores(settings, create=True) as opened:
            store = opened.trust
            ids = store.add(bundle.certificates, Role(role))
            _add_lists(store, bundle, ids, [one for one in given if isinstance(one, Bundle)])
            for url in (one for one in given if isinstance(one, str)):
                store.add_url(_lowest(bundle.certificates, ids), url)
    except (GmError, FetchError) as error:
        fail(error.reason)
    for number in ids:
        record(settings, "trust.add", number)
    if as_json:
        show_json({"ids": ids, "oddities": list(known.oddities)})
        return
    for number, one in zip(ids, bundle.certificates, strict=True):
        click.echo(f"已信任 #{number}（{Role(role).words}）：{one.subject}")
    for text in known.oddities:
        click.echo(f"请注意：{text}")
    if not lists and not bundle.lists:
        click.echo("没有吊销列表：其签发的证书将“无法判定”是否被吊销；可用 --crl 给出文件或地址")


def _list_file(text: str) -> Bundle | str:
    """A file with lists, or an address. Raises GmError, FetchError."""
    if "://" in text:
        parse_address(text)
        return text
    path = Path(text)
    if not path.is_file():
        fail(f"没有文件 {text}，也不是地址", Exit.USE)
    bundle = read_bundle(_bounded(path))
    if not bundle.lists:
        fail(f"{text} 不是吊销列表")
    return bundle


def _add_lists(store: TrustStore, bundle: Bundle, ids: list[int], given: list[Bundle]) -> None:
    """Each list with the certificate whose name it has. Raises TrustError."""
    by_name = {one.subject.raw: number for number, one in zip(ids, bundle.certificates, strict=True)}
    for one in (*bundle.lists, *(inside for other in given for inside in other.lists)):
        owner = by_name.get(one.issuer.raw)
        if owner is None:
            fail(f"吊销列表的颁发者 {one.issuer} 不在所给证书之中")
        store.add_list(owner, one.raw)


def _lowest(given: tuple[Certificate, ...], ids: list[int]) -> int:
    """The one that issues signers: the CA that issued none of the others."""
    issuers = {one.issuer.raw for one in given if not one.self_issued}
    found = [number for number, one in zip(ids, given, strict=True) if one.subject.raw not in issuers]
    return found[0] if found else ids[0]


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > MAX_LIST:
        fail(f"{path.name} 超过 {MAX_LIST // 1024 // 1024} MiB", Exit.USE)
    return path.read_bytes()


@command.command("list")
@shape_options
@data_options
def list_(as_json: bool, as_csv: bool, settings: Settings) -> None:
    """列出信任的证书及其吊销列表"""
    with stores(settings) as opened:
        found = opened.trust.shown()
    rows = [camel_case(asdict(one)) | _summary(one) for one in found]
    show_rows(rows, _COLUMNS, shape_of(as_json, as_csv), empty="没有信任任何证书")


def _summary(one: TrustShown) -> dict[str, object]:
    lists = [
        f"{'过期，' if x.stale else ''}至 {when(x.next_update)}" if x.count is not None else "未取得"
        for x in one.lists
    ]
    return {"until": when(one.not_after), "crl": "；".join(lists) or "无"}


@command.command("show")
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show_(number: int, as_json: bool, settings: Settings) -> None:
    """显示编号为 NUMBER 的证书及其吊销列表"""
    with stores(settings) as opened:
        found = next((one for one in opened.trust.shown() if one.id == number), None)
    if found is None:
        fail(f"没有编号为 {number} 的证书")
    if as_json:
        show_json(camel_case(asdict(found)))
        return
    show_pairs(
        {
            "编号": found.id,
            "用途": Role(found.role).words,
            "主体": found.subject,
            "颁发者": found.issuer,
            "序列号": found.serial,
            "有效期": f"{when(found.not_before)} 至 {when(found.not_after)}",
            "公钥": found.key,
            "SHA-256": found.sha256,
            "信任于": when(found.added_at),
        }
    )
    for one in found.lists:
        show_pairs(
            {
                "地址": one.url or "（文件）",
                "本次更新": when(one.this_update),
                "下次更新": when(one.next_update) + ("（已过期）" if one.stale and one.next_update else ""),
                "吊销的证书": one.count,
                "取得于": when(one.fetched_at),
                "问题": one.error,
            },
            title="\n吊销列表",
        )


@command.command("remove")
@click.argument("number", type=int)
@data_options
def remove(number: int, settings: Settings) -> None:
    """不再信任编号为 NUMBER 的证书"""
    with stores(settings) as opened:
        if not opened.trust.remove(number):
            fail(f"没有编号为 {number} 的证书")
    record(settings, "trust.remove", number)
    click.echo(f"不再信任 #{number}")


@command.group("material")
def material() -> None:
    """接入申请材料（接入申请材料清单）"""


@material.command("check")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--situation",
    type=click.Choice([str(one) for one in Situation]),
    default="signature",
    show_default=True,
    help="signature-and-seal 签名签章都有 · signature 有签名无签章 · neither 均无",
)
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
def check(folder: Path, situation: str, as_json: bool) -> None:
    """逐项检查 FOLDER 中的材料，并验证三组测试数据"""
    with Sandbox(SandboxLimits(workers=1), preload=PRELOAD) as sandbox:
        reader = SandboxedPdfReader(sandbox)
        checks = check_material(dict(_files(folder)), Situation(situation), datetime.now(UTC), reader)
    if as_json:
        show_json([asdict(one) for one in checks])
    else:
        rows = [{"item": one.item, "result": _MARKS[one.indication], "words": one.words} for one in checks]
        show_rows(
            rows, {"item": "材料", "result": "结果", "words": "说明"}, shape_of(as_json=False, as_csv=False)
        )
    if any(one.indication is Indication.FAILED for one in checks):
        raise SystemExit(Exit.NO)


_MARKS = {Indication.PASSED: "齐备", Indication.FAILED: "不合格", Indication.UNKNOWN: "待人工核对"}


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Path in the folder and content of at most so many files, so large."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    for path in found[:_MOST_FILES]:
        if path.stat().st_size <= _LARGEST_FILE:
            yield path.relative_to(folder).as_posix(), path.read_bytes()
