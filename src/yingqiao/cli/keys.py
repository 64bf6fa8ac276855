"""`yingqiao keys`: the master key that seals every secret at rest: show, replace, retire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from yingqiao.app import key_rotation
from yingqiao.app.keyring import WORDS
from yingqiao.app.keys import key_place
from yingqiao.cli.journal import record
from yingqiao.cli.options import data_options, stores
from yingqiao.cli.output import Exit, Shape, fail, show_json, show_pairs, show_rows
from yingqiao.gm.keystore import new_master_key
from yingqiao.settings import Settings
from yingqiao.store import resealing
from yingqiao.store.resealing import Step

_SHOWN = 20


@click.group()
def command() -> None:
    """主密钥：查看、更换、停用"""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def show(as_json: bool, settings: Settings) -> None:
    """各主密钥的编号，各处有多少内容由它封存（不显示密钥）"""
    with stores(settings) as opened:
        place = key_place(settings, opened.folder)
        ring, found = place.ring(), resealing.held(opened.database)
    keys = [
        {"id": key.id, "use": WORDS[key.word], "sealed": sum(one.by_key.get(key.id, 0) for one in found)}
        for key in ring.keys
    ]
    known = {key.id for key in ring.keys}
    strangers = sorted({key for one in found for key in one.by_key} - known)
    keys += [
        {"id": key, "use": "没有这把密钥", "sealed": sum(one.by_key.get(key, 0) for one in found)}
        for key in strangers
    ]
    if as_json:
        columns = [{"place": one.place, "words": one.words, "byKey": one.by_key} for one in found]
        show_json({"place": place.words, "keys": keys, "columns": columns})
        return
    show_pairs({"主密钥": place.words})
    show_rows(keys, {"id": "编号", "use": "用途", "sealed": "封存的内容"}, Shape.TABLE)
    _show_columns([one for one in found if one.by_key])


@command.command()
@click.option("--dry-run", is_flag=True, help="只逐项试解，不改动任何内容")
@click.option("--prepare", is_flag=True, help="只生成备用的一把写入主密钥文件，尚不启用（多台网关时先做）")
@data_options
def rotate(dry_run: bool, prepare: bool, settings: Settings) -> None:
    """更换主密钥并重新封存全部内容；网关可以照常运行，中断后再次运行即继续"""
    if dry_run and prepare:
        fail("--dry-run 与 --prepare 只能选一个", Exit.USE)
    with stores(settings) as opened, key_rotation.one_at_a_time(opened.folder):
        place = key_place(settings, opened.folder)
        if dry_run:
            _conclude(key_rotation.rehearse(opened, place, _tell), "可以解开")
            return
        if prepare:
            made = key_rotation.prepare(place).next
            record(settings, "keys.prepare", made.id if made else "")
            click.echo(f"备用主密钥 {made.id if made else ''} 已写入 {place.words}；请复制到每一台网关")
            return
        done = key_rotation.rotate(opened, place, _tell)
    record(settings, "keys.rotate", done.key_id)
    what = "继续上次的更换" if done.resumed else "已启用新的主密钥"
    click.echo(f"{what} {done.key_id}；请立即备份它")
    _conclude(done.steps, "重新封存")
    click.echo("旧密钥仍可解封。确认备份后用 yingqiao keys retire 停用它")


@command.command()
@data_options
def retire(settings: Settings) -> None:
    """停用不再封存任何内容的旧主密钥：从主密钥文件中删去"""
    with stores(settings) as opened, key_rotation.one_at_a_time(opened.folder):
        gone, kept = key_rotation.retire(opened, key_place(settings, opened.folder))
    for key in gone:
        record(settings, "keys.retire", key)
        click.echo(f"已删去旧主密钥 {key}；以前的数据库备份仍需要它，请与那些备份一起另行保管或销毁")
    for one in kept:
        click.echo(f"保留旧主密钥 {one.key_id}：{one.why}", err=True)
    if not gone and not kept:
        click.echo("没有旧主密钥")
    if kept:
        raise SystemExit(Exit.NO)


@command.command()
def new() -> None:
    """生成一把新的主密钥并显示（只用于密钥管理系统或环境变量；用文件时不需要）"""
    click.echo(new_master_key().hex())


def _show_columns(found: list[resealing.Held]) -> None:
    rows: list[dict[str, Any]] = [
        {"words": one.words, "place": one.place, "key": key, "count": count}
        for one in found
        for key, count in one.by_key.items()
    ]
    columns = {"words": "内容", "place": "位置", "key": "主密钥", "count": "数量"}
    show_rows(rows, columns, Shape.TABLE, empty="还没有封存的内容")


def _tell(step: Step) -> None:
    click.echo(f"  {step.words} {step.done}/{step.total}", err=True)


def _conclude(steps: Sequence[Step], what: str) -> None:
    unreadable = [why for step in steps for why in step.unreadable]
    click.echo(f"{what} {sum(step.done for step in steps)} 项")
    for why in unreadable[:_SHOWN]:
        click.echo(f"  解不开：{why}", err=True)
    if unreadable:
        fail(f"{len(unreadable)} 项解不开，未改动：请找回封存它们的主密钥，写在主密钥文件的后面再运行")
