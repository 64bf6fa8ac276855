"""`yingqiao hospital simulate --ris DIR`: a whole simulated hospital in a folder, for a connector to be run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from yingqiao.hospital.simulate.dicom_sender import DicomNode
from yingqiao.hospital.simulate.life import Life
from yingqiao.hospital.simulate.ris import KEY, RIS, TOML, TRUTH, write_config
from yingqiao.hospital.simulate.site import FAULT_NAMES, Fault, SitePlan, plan_site
from yingqiao.hospital.simulate.visits import Place

_DAY_SECONDS = 86_400.0


def live(
    folder: Path,
    plan: SitePlan,
    *,
    seconds: float,
    images_to: DicomNode | None,
    gateway: str | None,
    key: str | None,
    dicom: DicomNode | None,
) -> None:
    """Writes RIS, truth and (with `gateway` and `key`) hospital.toml, then lives the day in `seconds`."""
    if (folder / RIS).exists():
        raise click.UsageError(f"{folder} 里已经有一家模拟医院；请换一个目录")
    cases = plan_site(plan)
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    if gateway and key:
        write_secret(folder / KEY, key)
        write_config(folder, sections(plan.place, gateway, dicom, images_to))
        console.print(f"连接器配置：{folder / TOML}", soft_wrap=True)
    console.print(f"RIS 视图 v_exam、v_report：{folder / RIS}；应当到达的：{folder / TRUTH}", soft_wrap=True)
    counted = Counter(case.fault for case in cases)
    told = "；".join(f"{FAULT_NAMES[one]} {counted[one]} 例" for one in Fault if counted[one])
    console.print(f"{plan.day} 检查 {len(cases)} 人次：{told}", soft_wrap=True)
    life = Life(folder, cases, images_to, faster=_DAY_SECONDS / seconds if seconds else float("inf"))
    life.start()
    try:
        while not life.join(1.0):
            console.print(f"已写入 {life.rows} 行，已发送影像 {life.instances} 个", end="\r")
    except KeyboardInterrupt:
        life.stop()
        life.join(30)
    console.print(f"已写入 {life.rows} 行，已发送影像 {life.instances} 个")


def write_secret(file: Path, key: str) -> None:
    """Only for its owner."""
    file.touch(0o600)
    file.write_text(key, "ascii")


def sections(
    place: Place, gateway: str, dicom: DicomNode | None, images_to: DicomNode | None
) -> Mapping[str, Mapping[str, Any]]:
    """Of hospital.toml; with both nodes the connector listens where modalities send, and forwards to the gateway."""
    said: dict[str, dict[str, Any]] = {
        "hospital": {"code": place.code, "name": place.name},
        "gateway": {"url": gateway, "key": f"file:{KEY}"},
        "spool": {"folder": "spool"},
        "reading": {"poll_seconds": 2},
    }
    if dicom and images_to:
        said["images"] = {
            "mode": "forward",
            "aet": images_to.ae_title,
            "host": images_to.host,
            "port": images_to.port,
            "gateway_aet": dicom.ae_title,
            "gateway_host": dicom.host,
            "gateway_port": dicom.port,
        }
    return said
