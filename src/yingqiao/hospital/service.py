"""The connector: sources are read into the spool, the spool is sent to the gateway; beside it queries, backfill,
reconciliation and images. One process a hospital.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import httpx
import structlog

from yingqiao.client import AsyncGateway, Limits
from yingqiao.hospital.backfill import Backfiller
from yingqiao.hospital.calls import Platform
from yingqiao.hospital.config import Config, Loaded
from yingqiao.hospital.errors import ConfigError, ConnectorError, SpoolError
from yingqiao.hospital.images.side import ImageSide, open_images
from yingqiao.hospital.mapping import ConfigError as MappingError
from yingqiao.hospital.queries import Desk
from yingqiao.hospital.reading import Poller, keeper
from yingqiao.hospital.reconcile import Daily, Reconciler
from yingqiao.hospital.secrets import sm4_key
from yingqiao.hospital.sender import Pace, Sender
from yingqiao.hospital.source import Listener, Source, Table
from yingqiao.hospital.spool.catalogue import let_go
from yingqiao.hospital.spool.store import Bounds, Pressure, Spool, now_ms, open_spool
from yingqiao.store.errors import StoreError

log = structlog.get_logger(__name__)
OpenSource = Callable[[Mapping[str, Any], Path], Source | Listener]
"""One `[[source]]` table and the folder of hospital.toml; raises ConfigError."""
if TYPE_CHECKING:
    from yingqiao.hospital.serving import QueryServer

_LOOK_SECONDS = 2.0
_LET_GO_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a configuration opens, for the service and for single commands."""

    loaded: Loaded
    key: bytes
    spool: Spool
    sources: tuple[Source, ...]
    listeners: tuple[Listener, ...]

    @property
    def config(self) -> Config:
        return self.loaded.config

    def reconciler(self) -> Reconciler:
        config = self.config
        url = config.reconcile.url or config.gateway.url
        platform = Platform(
            url, config.hospital.code, self.key, name_hospital=config.reconcile.send_hospital_code
        )
        forwards = config.images.mode == "forward"
        return Reconciler(self.spool, self.sources, platform, config.reconcile, counts_images=forwards)


class _Part(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...

    def join(self) -> None: ...


def bounds_of(config: Config) -> Bounds:
    spool = config.spool
    return Bounds(spool.max_bytes, spool.warn_ratio, spool.reserve_bytes)


def open_parts(loaded: Loaded, open_source: OpenSource) -> Parts:
    """Raises ConfigError, SpoolError."""
    config = loaded.config
    key = sm4_key(config.gateway.key, loaded.folder)
    try:
        opened = [open_source(table, loaded.folder) for table in config.source]
    except MappingError as error:
        raise ConfigError(str(error)) from error
    names = [one.name for one in opened]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"[[source]] 的 name 重复：{'、'.join(sorted(doubled))}")
    spool = open_spool(loaded.spool_folder, bounds_of(config))
    asked = tuple(cast("Source", one) for one in opened if hasattr(one, "ask"))
    told = tuple(one for one in opened if not hasattr(one, "ask"))
    return Parts(loaded, key, spool, asked, told)


class Connector:
    """`start`, then `stop`; or `run` until an event."""

    def __init__(self, loaded: Loaded, open_source: OpenSource) -> None:
        """Raises ConfigError, SpoolError; SpoolError too when another process has the spool."""
        self._running = ExitStack()
        """Undoes what was opened and started, in reverse."""
        self._running.callback(os.close, _lock(loaded.spool_folder))
        self.parts = parts = open_parts(loaded, open_source)
        self._running.callback(parts.spool.close)
        config = parts.config
        self.sender = Sender(parts.spool, self._client, _pace(config))
        self._pollers = [
            Poller(
                parts.spool,
                source,
                table,
                self.sender.wake,
                settings=config.reading,
            )
            for source in parts.sources
            for table in Table
        ]
        self._backfiller = Backfiller(parts.spool, parts.sources, config.backfill, self.sender.wake)
        self._daily = Daily(parts.reconciler(), self.sender.wake) if config.reconcile.enabled else None
        self._images: ImageSide = open_images(parts.loaded, parts.spool, self.sender.wake)
        self._server = self._query_server() if config.serve.port else None
        self._trust = httpx.create_ssl_context(trust_env=False)
        """One for all clients: reading the roots takes 20 ms."""
        self._alarms: tuple[str, ...] = ()
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._run_watch, name="watch", daemon=True)
        self._started_at = now_ms()
        self.query_port = 0

    def start(self) -> None:
        """Raises ConnectorError when an address cannot be had, SourceUnavailableError; `stop` then undoes the rest."""
        running = self._running
        running.callback(self.sender.close)
        self.sender.start()
        self._images.start()
        running.callback(self._images.close)
        for listener in self.parts.listeners:
            listener.start(keeper(self.parts.spool, listener, self.sender.wake))
            running.callback(listener.close)
        if self._server is not None:
            self.query_port = self._server.start()
            running.callback(self._server.close)
        readers: list[_Part] = [*self._pollers, self._backfiller, *([self._daily] if self._daily else [])]
        for part in readers:
            part.start()
            running.callback(part.join)
        for part in readers:
            running.callback(part.stop)  # all are told before the first is awaited
        self._watch.start()
        running.callback(self._watch.join, 10)
        running.callback(self._stopping.set)
        log.info("connector.started", sources=len(self.parts.sources), listeners=len(self.parts.listeners))

    def stop(self) -> None:
        """Takes nothing more, commits what is under way, closes. What was not started is left alone."""
        self._running.close()
        log.info("connector.stopped")

    def alarms(self) -> list[str]:
        """What a person should look at now, in Chinese."""
        found = []
        pressure = self.parts.spool.pressure()
        if pressure is Pressure.FULL:
            found.append("本地暂存已满：已停止读取来源和接收影像")
        elif pressure is Pressure.WARNING:
            found.append("本地暂存将满")
        if self.sender.health.reason:
            found.append(f"网关：{self.sender.health.reason}")
        found += [
            f"来源 {p.health.source}（{p.health.kind}）：{p.health.reason}"
            for p in self._pollers
            if p.health.reason
        ]
        if self._daily is not None and self._daily.reason:
            found.append(f"对账：{self._daily.reason}")
        return found + self._images.alarms()

    def _client(self) -> AsyncGateway:
        gateway = self.parts.config.gateway
        limits = Limits(
            silence=gateway.timeout_seconds,
            whole=4 * gateway.timeout_seconds,
            tries=1,
            connections=1,
        )
        return AsyncGateway(
            gateway.url, self.parts.config.hospital.code, self.parts.key, limits=limits, verify=self._trust
        )

    def _query_server(self) -> QueryServer:
        from yingqiao.hospital.serving import QueryServer  # an HTTP server, which most do without

        config, parts = self.parts.config, self.parts
        desk = Desk(
            parts.spool,
            parts.sources,
            [listener.name for listener in parts.listeners],
            self._images.series_source,
            page_size_at_most=config.serve.page_size_at_most,
        )
        return QueryServer(desk, config.serve, config.hospital.code, parts.key)

    def _run_watch(self) -> None:
        let_go_in = 0.0
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._look()
                let_go_in -= _LOOK_SECONDS
                if let_go_in <= 0:
                    while let_go(self.parts.spool, self.parts.config.spool.keep_days):
                        pass
                    let_go_in = _LET_GO_SECONDS
            except StoreError as error:
                log.warning("connector.spool_unavailable", error=str(error))

    def _look(self) -> None:
        alarms = tuple(self.alarms())
        for reason in alarms:
            if reason not in self._alarms:
                log.warning("connector.alarm", reason=reason)
        for reason in self._alarms:
            if reason not in alarms:
                log.info("connector.alarm_over", reason=reason)
        self._alarms = alarms
        self.parts.spool.say(
            "service",
            {
                "pid": os.getpid(),
                "started_at": self._started_at,
                "alarms": alarms,
                "gateway": asdict(self.sender.health),
                "sources": [asdict(poller.health) for poller in self._pollers],
                "backfill": self._backfiller.reason,
            },
        )


def _pace(config: Config) -> Pace:
    gateway = config.gateway
    return Pace(
        gateway.parallel,
        min(gateway.backfill_parallel, gateway.parallel),
        gateway.rest_seconds,
        gateway.rest_at_most_seconds,
    )


def _lock(folder: Path) -> int:
    """Raises SpoolError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SpoolError(f"用不了暂存目录 {folder}：{error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise SpoolError(f"另一个连接器正在使用暂存目录 {folder}") from None
    return fd


__all__ = ["Connector", "ConnectorError", "OpenSource", "Parts", "open_parts"]
