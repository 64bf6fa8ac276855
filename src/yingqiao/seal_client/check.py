"""Before a desk is handed over: wallets, hosts and folders as the configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.desk import why_not
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.wallets import WalletFolder


@dataclass(frozen=True, slots=True)
class Checked:
    """One line, Chinese."""

    what: str
    good: bool
    detail: str


def check(loaded: Loaded) -> Iterator[Checked]:
    """Needs neither network nor PIN."""
    yield Checked(
        "网页来源", bool(loaded.origins), "、".join(loaded.origins) or "没有登记，任何网页都不能嵌入"
    )
    yield from _wallets(loaded)
    places = [host.display for host in loaded.open_hosts] + [str(folder) for folder in loaded.open_folders]
    yield Checked("可打开", bool(places), "、".join(places) or "没有登记 open.hosts 与 open.folders")
    for folder in dict.fromkeys((*loaded.open_folders, *loaded.save_folders)):
        yield Checked("目录", folder.is_dir(), str(folder) if folder.is_dir() else f"{folder} 不存在")


def _wallets(loaded: Loaded) -> Iterator[Checked]:
    try:
        held = WalletFolder(loaded.wallets).seals()
    except Refused as error:
        yield Checked("印章钱包", False, error.reason)
        return
    if not held:
        yield Checked("印章钱包", False, f"{loaded.wallets} 里没有可读的印章钱包")
    now = datetime.now(UTC)
    for one in held:
        why = why_not(one, now)
        yield Checked("印章", not why, f"{one.seal.info.name}：{why or '可用'}")
