"""A gateway from start to stop.

Start: lock the folder, bind the ports, migrate, open the stores, landing area and indexer (recovery),
linker, DICOM; HTTP last, so that `ready` means everything. Stop in reverse: what was accepted is
finished. SIGKILL at any moment is safe: what was acknowledged is durable, the indexer and the linker go
on from there.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import structlog

from yingqiao import logging
from yingqiao.app.background import Background
from yingqiao.app.descriptors import raise_limit
from yingqiao.app.folder import (
    StartError,
    database_of,
    lock_folder,
    open_folder,
    remember_database,
    remember_dicom,
)
from yingqiao.app.http_side import Gauges, Listening, run_http, store_checks
from yingqiao.app.keys import api_token
from yingqiao.app.pulse import STATE_FILE, Pulse
from yingqiao.app.signing import ensure_tsa
from yingqiao.app.stores import Stores, open_stores
from yingqiao.app.supervisor import Supervisor
from yingqiao.gm import sm2
from yingqiao.gm.errors import GmError
from yingqiao.settings import HttpSettings, Settings
from yingqiao.web.metrics import Metrics
from yingqiao.web.server import AddressError, bind

_LET_GO_S = 5.0
_log = structlog.get_logger(__name__)
Announce = Callable[[str, str], None]
"""Told (HTTP address, DICOM address or '') once the gateway is ready."""


def run_gateway(settings: Settings, announce: Announce) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError (Chinese) when it cannot start."""
    logging.configure(settings.log.level)
    check_cryptography(sm2.self_test)
    raise_limit(settings)
    folder = open_folder(settings, create=True)
    lock = lock_folder(folder)
    try:
        remember_database(settings, folder)
        _check_workers(settings, database_of(settings, folder))
        listening = _bind_patiently(settings.http)
        with open_stores(settings) as stores:
            _run(settings, stores, listening, announce)
    finally:
        os.close(lock)


def check_cryptography(self_test: Callable[[], str]) -> None:
    """SM2 and SM3 give the standard's own results. Raises StartError: what they cannot do rightly is not begun."""
    try:
        version = self_test()
    except GmError as error:
        raise StartError(f"国密自检没有通过，网关不启动：{error.reason}") from error
    _log.info("gateway.cryptography", libcrypto=version)


def _run(settings: Settings, stores: Stores, listening: list[Listening], announce: Announce) -> None:
    stores.hospitals.start()
    api_token(settings, stores.folder)
    ensure_tsa(settings, stores)
    background = Background(settings, stores)
    try:
        background.start()
        dicom = _dicom_address(settings, background)
        remember_dicom(stores.folder, dicom)
        http = _address(listening[0].main)

        def ready() -> None:
            _log.info(
                "gateway.ready", http=http, dicom=dicom, data=str(stores.folder.root), workers=len(listening)
            )
            announce(http, dicom)

        if len(listening) == 1:
            _run_alone(settings, stores, listening[0], background, ready)
        else:
            _run_workers(settings, stores, listening, background, ready)
    finally:
        _log.info("gateway.stopping")
        background.stop()
        stores.hospitals.close()
        _log.info("gateway.stopped")


def _run_alone(
    settings: Settings,
    stores: Stores,
    listening: Listening,
    background: Background,
    ready: Callable[[], None],
) -> None:
    metrics, gauges = Metrics(), Gauges()
    pulse = Pulse(metrics, [background.gauges, stores.gauges, gauges.read], {})
    pulse.start()
    checks = store_checks(stores) | background.checks()
    try:
        run_http(settings, stores, listening, metrics, checks, gauges, ready, lambda _: None)
    finally:
        pulse.close()


def _run_workers(
    settings: Settings,
    stores: Stores,
    listening: list[Listening],
    background: Background,
    ready: Callable[[], None],
) -> None:
    pulse = Pulse(
        Metrics(), [background.gauges, stores.gauges], background.checks(), stores.folder.run / STATE_FILE
    )
    pulse.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    supervisor = Supervisor(settings, listening)
    try:
        supervisor.start()
        ready()
        stop.wait()
    except TimeoutError as error:
        raise StartError("HTTP 进程没有在一分钟内启动，请看日志") from error
    finally:
        supervisor.close()
        pulse.close()


def _check_workers(settings: Settings, database: str) -> None:
    if settings.http.workers > 1 and not database.startswith("postgres"):
        raise StartError(
            "多个 HTTP 进程（http.workers 大于 1）须用 PostgreSQL：请设置 --database postgresql://…"
        )


def _bind_patiently(http: HttpSettings) -> list[Listening]:
    """After the main process was killed, its workers let go of the port within a moment."""
    deadline = time.monotonic() + (_LET_GO_S if http.workers > 1 else 0.0)
    while True:
        try:
            return _bind(http)
        except StartError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)


def _bind(http: HttpSettings) -> list[Listening]:
    try:
        main = bind(http.listen, http.backlog, http.workers)
        admin: list[socket.socket] | list[None] = [None] * http.workers
        if http.admin_listen:
            admin = bind(http.admin_listen, http.backlog, http.workers)
    except AddressError as error:
        raise StartError(f"HTTP：{error}") from error
    return [Listening(*pair) for pair in zip(main, admin, strict=True)]


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _dicom_address(settings: Settings, background: Background) -> str:
    if not settings.dicom.listen:
        return ""
    return f"{settings.dicom.listen.rpartition(':')[0]}:{background.dicom_port}"
