"""Before a desk is handed over: wallets, hosts and folders as the configuration says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from yingqiao.client.key_device import CommandDevice
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.desk import why_not
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.held import held_by, program_of
from yingqiao.signing.private_keys import DeviceError


@dataclass(frozen=True, slots=True)
class Checked:
    """One line, Chinese."""

    what: str
    good: bool
    detail: str


def check(loaded: Loaded) -> Iterator[Checked]:
    """Needs neither network nor PIN; a device's program is started and greeted."""
    if sys.platform != "linux":
        yield Checked("系统", False, "解析 PDF 的限定进程需要 Linux，本系统上不能打开文件")
    yield Checked(
        "网页来源", bool(loaded.origins), "、".join(loaded.origins) or "没有登记，任何网页都不能嵌入"
    )
    program = program_of(loaded)
    yield from _seals(loaded, program)
    if program is not None:
        yield _greeted(program)
    places = [host.display for host in loaded.open_hosts] + [str(folder) for folder in loaded.open_folders]
    yield Checked("可打开", bool(places), "、".join(places) or "没有登记 open.hosts 与 open.folders")
    for folder in dict.fromkeys((*loaded.open_folders, *loaded.save_folders)):
        yield Checked("目录", folder.is_dir(), str(folder) if folder.is_dir() else f"{folder} 不存在")

    stamp, verifier = loaded.stamp, loaded.verifier
    yield Checked(
        "时间戳", True, f"{stamp.url}，应用 {stamp.app_id}" if stamp else "没有配置，盖章不带时间戳"
    )
    yield Checked("已有签章的可信", True, verifier.url if verifier else "没有配置，只判断签章是否完好")


def _greeted(program: CommandDevice) -> Checked:
    try:
        return Checked("密码设备", True, program.look())
    except DeviceError as error:
        return Checked("密码设备", False, f"{error.reason}（{error.detail}）")
    finally:
        program.close()


def _seals(loaded: Loaded, program: CommandDevice | None) -> Iterator[Checked]:
    try:
        held = held_by(loaded, program).seals()
    except Refused as error:
        yield Checked("印章", False, error.reason)
        return
    if not held:
        places = f"{loaded.wallets}、{loaded.device_seals}" if program else loaded.wallets
        yield Checked("印章", False, f"{places} 里没有可读的印章")
    now = datetime.now(UTC)
    for one in held:
        why = why_not(one, now)
        yield Checked("印章", not why, f"{one.seal.info.name}：{why or '可用'}")
