"""Opens the spool: its file, its version, how much of the disk it has."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.dialects.sqlite import insert as upsert

from yingqiao.hospital.errors import SpoolError
from yingqiao.hospital.spool import schema as s
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import StoreError

FILE = "spool.sqlite"
LANDING = "landing"
_MEASURED_SECONDS = 2.0


class Pressure(StrEnum):
    """How full the spool is."""

    FINE = "fine"
    WARNING = "warning"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes, and the share of `most` from which it is a warning."""

    most: int = 20 << 30
    warn_ratio: float = 0.8
    reserve: int = 0
    """Left free on the disk."""


class Spool:
    """One folder: the SQLite file, and the landing area of images beside it."""

    def __init__(self, folder: Path, database: Database, bounds: Bounds) -> None:
        self.folder = folder
        self.database = database
        self.bounds = bounds
        self._measured = (-1e9, 0)

    @property
    def landing(self) -> Path:
        return self.folder / LANDING

    def used_bytes(self) -> int:
        """What records and images occupy; pages the file has free count as free. Measured every few seconds."""
        at, used = self._measured
        if time.monotonic() - at > _MEASURED_SECONDS:
            used = self._measure()
            self._measured = (time.monotonic(), used)
        return used

    def pressure(self) -> Pressure:
        used, bounds = self.used_bytes(), self.bounds
        stat = os.statvfs(self.folder)
        if used >= bounds.most or stat.f_bavail * stat.f_frsize < bounds.reserve:
            return Pressure.FULL
        return Pressure.WARNING if used >= bounds.most * bounds.warn_ratio else Pressure.FINE

    def say(self, key: str, value: object) -> None:
        """Keeps what the service says of itself, for `status`."""
        row = {"value": orjson.dumps(value).decode(), "at": now_ms()}
        with self.database.write() as c:
            c.execute(
                upsert(s.said).values(key=key, **row).on_conflict_do_update(index_elements=["key"], set_=row)
            )

    def heard(self) -> dict[str, tuple[object, int]]:
        """Key → what was said, and when (Unix ms)."""
        with self.database.read() as c:
            return {row.key: (orjson.loads(row.value), row.at) for row in c.execute(select(s.said))}

    def close(self) -> None:
        self.database.close()

    def _measure(self) -> int:
        with self.database.read() as c:
            pages, free, size = (
                int(c.exec_driver_sql(f"PRAGMA {name}").scalar_one())
                for name in ("page_count", "freelist_count", "page_size")
            )
        files = [self.folder / f"{FILE}-wal", *self.landing.glob("*")]
        return (pages - free) * size + sum(map(_size, files))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # a segment let go meanwhile


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def open_spool(folder: Path, bounds: Bounds | None = None, *, create: bool = True) -> Spool:
    """The spool in `folder`, made when there is none and `create`. Raises SpoolError."""
    file = folder / FILE
    if not create and not file.exists():
        raise SpoolError(f"{folder} 里没有暂存：连接器还没有运行过，或配置的目录不对")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        database = open_database(f"sqlite:///{file}")
        _bring_up_to_date(database, file)
    except (OSError, StoreError) as error:
        raise SpoolError(f"打不开暂存 {file}：{error}") from error
    return Spool(folder, database, bounds or Bounds())


def _bring_up_to_date(database: Database, file: Path) -> None:
    """Makes or upgrades the tables. Raises SpoolError for a file that is not ours or newer than this program."""
    with database.write() as c:
        names = set(inspect(c).get_table_names())
        if not names:
            s.metadata.create_all(c)
            c.execute(insert(s.about).values(key="version", value=str(s.VERSION)))
            return
        if "about" not in names:
            raise SpoolError(f"{file} 不是暂存文件")
        version = c.execute(text("SELECT value FROM about WHERE key = 'version'")).scalar_one()
    if int(version) > s.VERSION:
        raise SpoolError(f"{file} 是更新版本的程序写的（版本 {version}，本程序认识到 {s.VERSION}）")
