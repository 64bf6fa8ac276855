"""Receives by C-STORE and sends on by C-STORE (四(二)2(1)). Acknowledged means durable here: an instance lies in the
landing area, and the spool knows it, before its sender hears 0000; it leaves when the gateway has said 0000.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.dicom.sources import ANY, AllowList, Source
from yingqiao.dicom.storage_scp import ScpConfig, StorageScp
from yingqiao.exchange.model import LandedInstance
from yingqiao.hospital.config import Config
from yingqiao.hospital.errors import ConnectorError
from yingqiao.hospital.images.forwarder import Forwarder
from yingqiao.hospital.spool import images
from yingqiao.hospital.spool.store import Pressure, Spool
from yingqiao.store.errors import StoreError
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea, segment_number

log = structlog.get_logger(__name__)
_SEGMENT_BYTES = 64 << 20
_TIDY_SECONDS = 30.0
_SETTLED_SECONDS = 60.0
"""Nothing is written to a landing file that was not touched for so long and is not the newest."""


class Forwarding:
    """Receiver, landing area, spool, senders."""

    def __init__(self, config: Config, spool: Spool) -> None:
        """Raises ConnectorError when the landing area cannot be had."""
        self._config, self._spool = config.images, spool
        try:
            self._landing = LandingArea(
                spool.landing, segment_bytes=_SEGMENT_BYTES, reserve_bytes=spool.bounds.reserve
            )
        except OSError as error:
            raise ConnectorError(f"影像暂存 {spool.landing} 不可用：{error}") from error
        self._landing.begin_after(max(map(segment_number, images.indexed_so_far(spool)), default=0))
        self._forwarder = Forwarder(spool, self._landing, gateway_node(config), self._config.parallel)
        self._indexer = Indexer(
            self._landing,
            self._index,
            read_facts,
            lambda: images.indexed_so_far(spool),
            read_head=read_head,
            quiet_seconds=0.05,
        )
        allow = AllowList([Source(aet, ANY, config.hospital.code) for aet in self._config.allow])
        self._scp = StorageScp(
            ScpConfig(
                aet=self._config.aet, host=self._config.host, port=self._config.port, max_associations=64
            ),
            self._landing,
            self._indexer.submit,
            admits=allow,
            is_behind=self._is_full,
        )
        self._stopping = threading.Event()
        self._tidy = threading.Thread(target=self._run_tidy, name="images-tidy", daemon=True)
        self.port = 0

    def start(self) -> None:
        """Raises ConnectorError when the port cannot be had."""
        self._indexer.start()
        self._forwarder.start()
        try:
            self.port = self._scp.start()
        except OSError as error:
            self._indexer.stop()
            self._forwarder.close()
            self._landing.close()
            raise ConnectorError(
                f"不能监听 {self._config.host}:{self._config.port}（[images]）：{error.strerror}"
            ) from error
        self._tidy.start()

    def close(self) -> None:
        self._stopping.set()
        self._scp.stop()
        self._indexer.stop()
        self._forwarder.close()
        if self._tidy.is_alive():
            self._tidy.join(10)
        self._landing.close()

    def alarms(self) -> list[str]:
        reason = self._forwarder.reason
        return [f"影像转发：{reason}"] if reason else []

    def _index(self, batch: Sequence[LandedInstance], progress: Mapping[str, int]) -> None:
        images.landed(self._spool, batch, progress)
        self._forwarder.wake()

    def _is_full(self) -> bool:
        return self._spool.pressure() is Pressure.FULL or self._indexer.is_behind

    def _run_tidy(self) -> None:
        while not self._stopping.wait(_TIDY_SECONDS):
            try:
                self.tidy()
            except (StoreError, OSError) as error:
                log.warning("forward.tidy_failed", error=str(error))

    def tidy(self) -> int:
        """Deletes the oldest landing files whose instances are all sent, beyond what is kept to be sent again;
        how many. Raises StoreError, OSError.
        """
        if not self._indexer.is_caught_up:
            return 0
        files = self._landing.segments()
        newest = max((name for name in files if name.startswith("seg-")), default="")
        excess = sum(files.values()) - self._config.keep_bytes
        deleted = 0
        for name, size in files.items():
            if excess <= 0:
                break
            path = self._spool.landing / name
            if name != newest and _is_settled(path) and images.let_go_of(self._spool, name):
                path.unlink()
                deleted += 1
                excess -= size
        return deleted


def _is_settled(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > _SETTLED_SECONDS
    return False


def gateway_node(config: Config) -> Node:
    """The gateway's storage service; its host is that of gateway.url unless said."""
    told = config.images
    host = told.gateway_host or urlsplit(config.gateway.url).hostname or ""
    return Node(host, told.gateway_port, told.gateway_aet, told.aet)
