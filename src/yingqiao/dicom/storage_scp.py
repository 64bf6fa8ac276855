"""The storage SCP: listens, gives each association a thread, stops gracefully."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import structlog

from yingqiao.dicom.commitment.scp import Commitments
from yingqiao.dicom.negotiation import LOCAL_LIMIT
from yingqiao.dicom.sources import AllowList
from yingqiao.dicom.storage_service import (
    Landing,
    Observer,
    ScpConfig,
    SilentObserver,
    StoreService,
)
from yingqiao.dicom.store_association import StoreAssociation
from yingqiao.dicom.upper_layer.wire import PeerGone, PlainWire, TlsWire, Wire
from yingqiao.exchange.model import Landed

__all__ = ["Landing", "Observer", "ScpConfig", "StorageScp"]
log = structlog.get_logger(__name__)
_REJECTING = 64
"""So many connections over the limit are still told so; more are closed."""


class StorageScp:
    """C-ECHO and C-STORE for any storage SOP class. `start` returns at once, `stop` waits."""

    def __init__(
        self,
        config: ScpConfig,
        landing: Landing,
        on_landed: Callable[[Landed], None],
        *,
        admits: Callable[[str, str], bool] | None = None,
        is_behind: Callable[[], bool] = lambda: False,
        observer: Observer | None = None,
        commitments: Commitments | None = None,
    ) -> None:
        """`admits(calling AE title, IP address)` decides who may send; without it everybody may. Without
        `commitments` storage commitment is not offered.
        """
        self._stopping = threading.Event()
        self._service = StoreService(
            config=config,
            landing=landing,
            on_landed=on_landed,
            admits=admits or AllowList(),
            is_behind=is_behind,
            observer=observer or SilentObserver(),
            is_stopping=self._stopping.is_set,
            commitments=commitments,
        )
        self._guard = threading.Lock()
        self._wires: dict[threading.Thread, Wire | None] = {}
        self._listener: socket.socket | None = None
        self._acceptor = threading.Thread(target=self._accept, name="dicom-listener", daemon=True)

    def start(self) -> int:
        """Listen; the port. Raises OSError when the address cannot be had."""
        config = self._service.config
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        self._listener = socket.create_server((config.host, config.port), family=family, backlog=512)
        port = int(self._listener.getsockname()[1])
        if isinstance(self._service.admits, AllowList) and self._service.admits.is_open:
            log.warning(
                "dicom.open_to_everybody", hint="no DICOM source is listed: any AE title and address may send"
            )
        self._acceptor.start()
        log.info("dicom.listening", aet=config.aet, host=config.host, port=port, tls=config.tls is not None)
        return port

    def stop(self, grace: float = 10.0) -> None:
        """No new associations; those at work may finish the message they are in, for so many seconds."""
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join()
            self._listener.close()
        deadline = time.monotonic() + grace
        for thread in self._threads():
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._guard:
            wires = list(self._wires.values())
        for wire in wires:
            if wire is not None:
                wire.shut()
        for thread in self._threads():
            thread.join(5.0)

    @property
    def associations(self) -> int:
        """Connections being served now."""
        return len(self._wires)

    def _threads(self) -> list[threading.Thread]:
        with self._guard:
            return list(self._wires)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._stopping.is_set():
            try:
                connection, address = listener.accept()
            except OSError as error:
                if not self._stopping.is_set():
                    log.warning(
                        "dicom.accept_failed", error=str(error)
                    )  # out of descriptors, or already gone
                    time.sleep(0.1)
                continue
            self._admit(connection, str(address[0]))

    def _admit(self, connection: socket.socket, address: str) -> None:
        over = len(self._wires) - self._service.config.max_associations
        if over >= _REJECTING:
            self._service.observer.association_rejected("limit")
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection, address, over >= 0), name=f"dicom-{address}", daemon=True
        )
        with self._guard:
            self._wires[thread] = None
        try:
            thread.start()
        except RuntimeError:  # no more threads on this machine
            self._forget(thread)
            connection.close()

    def _serve(self, connection: socket.socket, address: str, over_limit: bool) -> None:
        thread = threading.current_thread()
        try:
            wire = self._wire(connection)
            with self._guard:
                self._wires[thread] = wire
            StoreAssociation(self._service, wire, address, LOCAL_LIMIT if over_limit else None).serve()
        except PeerGone:
            log.info("dicom.handshake_failed", peer=address)
        except Exception:  # one association's fault must not end the receiver
            log.exception("dicom.association_failed", peer=address)
            connection.close()
        finally:
            self._forget(thread)

    def _wire(self, connection: socket.socket) -> Wire:
        config = self._service.config
        if config.tls is None:
            return PlainWire(connection, config.write_timeout)
        return TlsWire(connection, config.tls, config.write_timeout)

    def _forget(self, thread: threading.Thread) -> None:
        with self._guard:
            self._wires.pop(thread, None)
