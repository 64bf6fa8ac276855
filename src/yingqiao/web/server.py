"""The HTTP server: uvicorn with uvloop and httptools, our limits, our signals, sockets bound beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import uvicorn

from yingqiao.settings import HttpSettings
from yingqiao.web.answers import App, Handler
from yingqiao.web.protocol import BoundedProtocol, bounded

_ACCEPTED_AT_ONCE = 16


class AddressError(Exception):
    """An address cannot be used; the message is Chinese and says why."""


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[V6]:PORT` or `:PORT` (all addresses). Raises AddressError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise AddressError(f"地址 {text!r} 应写作 HOST:PORT，如 0.0.0.0:8080")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 what `:PORT` means


def bind(address: str, backlog: int, count: int = 1) -> list[socket.socket]:
    """`count` listening sockets on `HOST:PORT`, one per process; the kernel shares connections out.

    Port 0 picks a free one, the same for all. Raises AddressError: in use, not ours, not resolvable.
    """
    host, port = parse_address(address)
    try:
        family, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        with _open(
            family, target, shared=False
        ) as probe:  # a port someone else shares is in use all the same
            target = (target[0], probe.getsockname()[1], *target[2:])
        sockets = [_open(family, target, shared=count > 1) for _ in range(count)]
    except OSError as error:
        raise AddressError(why_not(address, error)) from error
    for listening in sockets:
        listening.listen(backlog)
    return sockets


def _open(family: int, target: tuple[object, ...], *, shared: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind(target)
    except OSError:
        opened.close()
        raise
    opened.set_inheritable(True)
    return opened


def why_not(address: str, error: OSError) -> str:
    """Why listening on `address` failed, in Chinese."""
    if error.errno == errno.EADDRINUSE:
        return f"端口已被占用：{address}。请停止占用它的程序，或换一个端口"
    if error.errno == errno.EACCES:
        return f"没有权限监听 {address}（小于 1024 的端口需要特权）"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"本机没有这个地址：{address}"
    return f"不能监听 {address}：{error.strerror or error}"


class GatewayServer(uvicorn.Server):
    """Leaves signals to the program and throws out clients that are too slow, once a second."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in [c for c in self._bounded() if c.overdue(now)]:
                connection.abort()
        return await super().on_tick(counter)

    def _bounded(self) -> list[BoundedProtocol]:
        return cast("list[BoundedProtocol]", list(self.server_state.connections))

    @property
    def connections(self) -> int:
        return len(self.server_state.connections)


def make_server(
    app: App, settings: HttpSettings, direct: Mapping[bytes, Handler] | None = None
) -> GatewayServer:
    """A server for `app`; small POSTs go past it where `direct` has a handler of their path.

    `serve(sockets=…)` runs it until `should_exit`, then finishes accepted requests.
    """
    config = uvicorn.Config(
        cast("Callable[..., object]", app),
        http=bounded(settings, direct),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=settings.backlog,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.stop_seconds,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )
    return GatewayServer(config)


def _repeated(listening: socket.socket) -> list[socket.socket]:
    """libuv accepts one connection a turn of the loop and socket; a turn under load takes tens of ms."""
    return [listening, *(listening.dup() for _ in range(_ACCEPTED_AT_ONCE - 1))]


async def serve_until(
    stopping: asyncio.Event,
    servers: Sequence[tuple[GatewayServer, list[socket.socket]]],
    ready: Callable[[], None],
) -> None:
    """Run the servers until `stopping` is set and what was accepted is answered; `ready` once all listen."""
    running = [
        asyncio.ensure_future(server.serve(sockets=[again for s in sockets for again in _repeated(s)]))
        for server, sockets in servers
    ]
    stop = asyncio.ensure_future(stopping.wait())
    while not all(  # noqa: ASYNC110 uvicorn tells by a flag only
        server.started for server, _ in servers
    ) and not any(task.done() for task in running):
        await asyncio.sleep(0.01)
    ready()
    await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*running)
    stop.cancel()
