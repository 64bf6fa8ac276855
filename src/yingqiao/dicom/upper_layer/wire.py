"""The socket edge: fills the views the machine wants, sends what it says. Blocking, one thread per
connection.

Small pieces are read ahead together and handed out from memory. For large ones the kernel waits, not Python: a
receive returns when every wanted byte is there or a tick has passed. Stopping and timeouts are noticed within a
tick.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Protocol

TICK_SECONDS = 0.5
_AHEAD = 32 * 1024
"""Bytes read ahead at most; what is larger goes straight to its place."""
_AHEAD_AFTER_LARGE = 4096
"""After a large piece another is likely: little of it should be copied."""


class PeerGone(Exception):  # noqa: N818 an event, not a fault
    """The connection ended: closed, reset, or it takes no more bytes."""


class Wire(Protocol):
    """A connection as the association sees it."""

    def fill(self, views: list[memoryview], on_tick: Callable[[], None]) -> None:
        """Return when every view is full. `on_tick` is called each tick of waiting and may raise to give
        up. Raises PeerGone.
        """
        ...

    def send(self, data: bytes) -> None:
        """All of `data`, in one call to the kernel when it takes it. Raises PeerGone, also after the write
        timeout.
        """
        ...

    def is_readable(self) -> bool:
        """Whether bytes are waiting."""
        ...

    def finish(self, seconds: float) -> None:
        """Tell the peer no more will be sent, wait so long for it to close, then close."""
        ...

    def shut(self) -> None:
        """From another thread: end it now."""
        ...


class PlainWire:
    """TCP. Nagle is off, and delayed acknowledgements too: peers that leave Nagle on would wait 40 ms for
    them.
    """

    def __init__(self, connection: socket.socket, write_timeout: float) -> None:
        self._socket = connection
        self._ahead = memoryview(bytearray(_AHEAD))
        self._from = self._to = 0
        """What is read ahead and not taken yet."""
        self._next_ahead = _AHEAD
        connection.setblocking(True)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(TICK_SECONDS))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(write_timeout))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._acknowledge_soon()

    def fill(self, views: list[memoryview], on_tick: Callable[[], None]) -> None:
        start = self._from
        for view in views:
            end = start + len(view)
            if end > self._to:
                self._fill_from_socket(views, on_tick)
                return
            view[:] = self._ahead[start:end]
            start = end
        self._from = start

    def _fill_from_socket(self, views: list[memoryview], on_tick: Callable[[], None]) -> None:
        """What is read ahead does not suffice."""
        while views := self._take(views):
            wanted = sum(map(len, views))
            if wanted > _AHEAD:
                received = self._receive_straight(views)
                views = _after(views, received)
            else:
                received = self._receive_ahead()
            if received < wanted:
                on_tick()
                self._acknowledge_soon()

    def _take(self, views: list[memoryview]) -> list[memoryview]:
        """Hand out what was read ahead; what is still to be filled."""
        rest = []
        start, end = self._from, self._to
        for view in views:
            size = min(len(view), end - start)
            view[:size] = self._ahead[start : start + size]
            start += size
            if size < len(view):
                rest.append(view[size:])
        self._from = start
        return rest

    def _receive_straight(self, views: list[memoryview]) -> int:
        self._next_ahead = _AHEAD_AFTER_LARGE
        return self._received(lambda: self._socket.recvmsg_into(views, 0, socket.MSG_WAITALL)[0])

    def _receive_ahead(self) -> int:
        """Whatever is there, so that a small message costs one system call or two, not one a piece."""
        self._from = self._to = 0
        size, self._next_ahead = self._next_ahead, _AHEAD
        self._to = self._received(lambda: self._socket.recv_into(self._ahead, size))
        return self._to

    def _received(self, receive: Callable[[], int]) -> int:
        """Bytes received, 0 after a tick of silence. Raises PeerGone."""
        try:
            got = receive()
        except BlockingIOError:
            return 0
        except OSError as error:
            raise PeerGone from error
        if got == 0:
            raise PeerGone
        return got

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise PeerGone from error
        self._acknowledge_soon()

    def _acknowledge_soon(self) -> None:
        """Sending is what makes the kernel delay acknowledgements again, so once after each is enough."""
        with contextlib.suppress(OSError):  # the next receive says so
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def is_readable(self) -> bool:
        if self._to > self._from:
            return True
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(0))

    def finish(self, seconds: float) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
            for _ in range(max(1, round(seconds / TICK_SECONDS))):
                if not self._drain():
                    break
        except OSError:
            pass
        finally:
            self._socket.close()

    def _drain(self) -> bool:
        """Whether the peer is still there after at most a tick."""
        try:
            return bool(self._socket.recv(1 << 16))
        except BlockingIOError:
            return True

    def shut(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class TlsWire:
    """TLS over TCP; the handshake is made here, in the association's own thread. Raises PeerGone when it
    fails.
    """

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext,
        timeout: float,
        server_name: str | None = None,
    ) -> None:
        """With `server_name` we are the client, and the peer's certificate has to bear it."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(timeout)
        try:
            self._socket = context.wrap_socket(
                connection, server_side=server_name is None, server_hostname=server_name
            )
        except OSError as error:
            connection.close()
            raise PeerGone from error
        self._write_timeout = timeout

    def fill(self, views: list[memoryview], on_tick: Callable[[], None]) -> None:
        self._socket.settimeout(TICK_SECONDS)
        for view in views:
            self._fill_one(view, on_tick)

    def _fill_one(self, view: memoryview, on_tick: Callable[[], None]) -> None:
        while view:
            try:
                got = self._socket.recv_into(view)
            except TimeoutError:
                on_tick()
                continue
            except OSError as error:
                raise PeerGone from error
            if not got:
                raise PeerGone
            view = view[got:]

    def send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._write_timeout)
            self._socket.sendall(data)
        except OSError as error:
            raise PeerGone from error

    def is_readable(self) -> bool:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return self._socket.pending() > 0 or bool(poller.poll(0))

    def finish(self, seconds: float) -> None:
        try:
            self._socket.settimeout(seconds)
            self._socket.unwrap().close()
        except OSError:
            pass
        finally:
            self._socket.close()

    def shut(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _after(views: list[memoryview], count: int) -> list[memoryview]:
    """What of `views` is still to be filled after `count` bytes."""
    rest = []
    for view in views:
        taken = min(count, len(view))
        count -= taken
        if taken < len(view):
            rest.append(view[taken:])
    return rest


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
