"""Proves before going live that everything hospital.toml names can be reached: each matter one line, in Chinese."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from yingqiao.client import (
    BadKey,
    ClientError,
    Gateway,
    Limits,
    NotAdmitted,
    Refused,
    Unreachable,
    WrongClock,
)
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.errors import NodeError
from yingqiao.dicom.query_retrieve.node import Limits as NodeLimits
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.hospital.config import Config
from yingqiao.hospital.images.forwarding import gateway_node
from yingqiao.hospital.images.pacs import node_of
from yingqiao.hospital.service import Parts
from yingqiao.hospital.source import Source, SourceUnavailableError, Table, Trouble

_LIMITS = Limits(connect=5.0, silence=10.0, whole=20.0, tries=1)
_NODE_LIMITS = NodeLimits(connect=5.0, association=10.0, response=20.0)
_SKEW_SECONDS = 120.0
_NOBODY = "1.2.3.4.5.6.7.8.9.0"
"""A study nobody listed: the gateway opens the question, and that is all that is wanted."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One matter and how it stands."""

    what: str
    good: bool
    detail: str


def check(parts: Parts) -> Iterator[Checked]:
    """Every matter in turn; never raises for what the other side does."""
    config = parts.config
    yield _disk(parts)
    yield from _gateway(parts)
    for source in parts.sources:
        for table in Table:
            yield _source(source, table)
    for listener in parts.listeners:
        yield Checked(f"来源 {listener.name}", True, "监听类来源，运行时由对方发来")
    if not (parts.sources or parts.listeners):
        yield Checked("来源", False, "没有 [[source]]")
    if config.pacs.host:
        yield _node("PACS 查询", node_of(config.pacs))
    if config.images.mode == "forward":
        yield _node("网关影像接收", gateway_node(config))
    if config.images.mode == "folder":
        yield _folder(parts)


def _disk(parts: Parts) -> Checked:
    stat = os.statvfs(parts.spool.folder)
    free = stat.f_bavail * stat.f_frsize
    wanted = parts.config.spool.reserve_bytes + max(
        0, parts.config.spool.max_bytes - parts.spool.used_bytes()
    )
    detail = f"剩余 {free / 2**30:.1f} GiB，暂存上限加保留共需 {wanted / 2**30:.1f} GiB"
    return Checked("磁盘", free >= wanted, detail)


def _gateway(parts: Parts) -> Iterator[Checked]:
    """A question that changes nothing proves address, hospital code, key and clock at once."""
    config: Config = parts.config
    yield _clock(config.gateway.url)
    with Gateway(
        config.gateway.url, config.hospital.code, parts.key, limits=_LIMITS, follow_clock=False
    ) as gateway:
        try:
            gateway.list_status(study_uid=_NOBODY)
        except WrongClock as error:
            yield Checked("网关", False, f"时钟与网关相差过大：{error}")
        except BadKey as error:
            yield Checked("网关", False, f"SM4 密钥与网关登记的不同：{error}")
        except NotAdmitted as error:
            yield Checked("网关", False, f"网关没有登记本院或已停用：{error}")
        except Unreachable as error:
            yield Checked("网关", False, f"连不上 {config.gateway.url}：{error}")
        except Refused:
            yield Checked(
                "网关", True, "地址、机构代码、密钥都对"
            )  # it knows no such list: opened and understood
        except ClientError as error:
            yield Checked("网关", False, str(error))
        else:
            yield Checked("网关", True, "地址、机构代码、密钥都对")


def _clock(url: str) -> Checked:
    """By the Date header of any answer."""
    try:
        began = time.time()
        answer = httpx.get(f"{url.rstrip('/')}/health/live", timeout=5, trust_env=False)
        told = httpx.Headers(answer.headers).get("date", "")
    except httpx.HTTPError as error:
        return Checked("时钟", False, f"问不到网关的时间（{type(error).__name__}）")
    stamp = _http_date(told)
    if stamp is None:
        return Checked("时钟", True, "网关的应答没有带时间，未比较")
    apart = abs(stamp - (began + time.time()) / 2)
    return Checked("时钟", apart < _SKEW_SECONDS, f"与网关相差约 {apart:.0f} 秒")


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _source(source: Source, table: Table) -> Checked:
    what = f"来源 {source.name}（{table.value}）"
    try:
        rows = list(source.changes(table, None, 20))
    except SourceUnavailableError as error:
        return Checked(what, False, str(error))
    troubles = [row for row in rows if isinstance(row, Trouble)]
    if troubles:
        return Checked(
            what, False, f"{len(rows)} 行中有 {len(troubles)} 行不能成为记录：{troubles[0].reason}"
        )
    return Checked(what, True, f"读到 {len(rows)} 条" if rows else "能读，目前没有记录")


def _node(what: str, node: Node) -> Checked:
    try:
        with Requestor(node, _NODE_LIMITS) as peer:
            seconds = peer.echo()
    except NodeError as error:
        return Checked(what, False, error.words)
    return Checked(what, True, f"{node.called_aet}@{node.host}:{node.port} 应答 {seconds * 1000:.0f} 毫秒")


def _folder(parts: Parts) -> Checked:
    folder = parts.loaded.folder / parts.config.images.folder
    good = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    return Checked("影像目录", good, str(folder) if good else f"读不了 {folder}")
