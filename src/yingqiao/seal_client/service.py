"""The service on the loopback interface: http://localhost:21051, IPv4 and IPv6, nothing beyond this machine."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog
import uvicorn

from yingqiao.seal_client.api import Api
from yingqiao.seal_client.errors import StartError

_READY_SECONDS = 60.0
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Closes(Protocol):
    """What has processes of its own."""

    def close(self) -> None: ...


class Service:
    """HTTP in a thread of its own, for the API given; `parts` are closed with it."""

    def __init__(self, api: Api, port: int, parts: Sequence[Closes]) -> None:
        self._api, self._port, self._parts = api, port, parts
        self._thread: threading.Thread | None = None
        self._server: _Server | None = None

    def start(self) -> int:
        """The port it listens at. Raises StartError when it cannot be had."""
        sockets = _listen(self._port)
        port = int(sockets[0].getsockname()[1])
        config = uvicorn.Config(
            self._api.app(port),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=64,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=(sockets,), name="seal-client", daemon=True
        )
        self._thread.start()
        until = time.monotonic() + _READY_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._server.started:
            raise StartError(f"端口 {port} 上的服务没有启动")
        _log.info("sealclient.listening", port=port, addresses=len(sockets))
        return port

    def close(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(15)
        for part in self._parts:
            part.close()


def _listen(port: int) -> list[socket.socket]:
    """Both loopback addresses at one port; IPv6 may be switched off. Raises StartError."""
    found: list[socket.socket] = []
    for family, address in _LOOPBACK:
        try:
            found.append(_bound(family, address, found[0].getsockname()[1] if found else port))
        except OSError as error:
            if not found or _taken(error):
                for one in found:
                    one.close()
                raise StartError(
                    f"不能监听 {address} 端口 {port}：{error.strerror}（是否已在运行？）"
                ) from error
    return found


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(128)
    except BaseException:
        made.close()
        raise
    return made


def _taken(error: OSError) -> bool:
    """Somebody else has the port; other errors mean that there is no IPv6."""
    return error.errno in (errno.EADDRINUSE, errno.EACCES)
