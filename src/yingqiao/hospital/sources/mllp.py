"""MLLP, the way HL7 v2 travels by TCP: <VT> message <FS><CR>. A server with bounds on size, time and connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)
START, END, CARRIAGE = b"\x0b", b"\x1c", b"\r"
_PIECE = 1 << 16
_MAX_NOISE = 1024
"""Bytes outside any frame a sender may leave; more is no MLLP."""


class FramingError(Exception):
    """The stream is no MLLP any more, or too much of it; the text is Chinese."""


@dataclass(frozen=True)
class Limits:
    """What one sender may take."""

    message_bytes: int = 32 << 20
    message_seconds: float = 60
    """From a message's first byte to its last."""
    idle_seconds: float = 3600
    connections: int = 64


class Framer:
    """Bytes in, messages out, whatever the pieces. Holds at most one message."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._held = bytearray()
        self._inside = False
        self._noise = 0
        self._searched = 0

    @property
    def inside(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._inside

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The messages `piece` completes. Raises FramingError."""
        self._held += piece
        while True:
            if not self._inside and not self._begin():
                return
            end = self._held.find(END, self._searched)
            if end < 0:
                self._searched = len(self._held)
                if len(self._held) > self._max:
                    raise FramingError(f"消息超过 {self._max} 字节")
                return
            message = bytes(self._held[:end])
            del self._held[: end + 1]
            self._inside, self._searched = False, 0
            # a start within: the message before it was cut off, what follows is whole
            yield message.rpartition(START)[2]

    def _begin(self) -> bool:
        start = self._held.find(START)
        noise = bytes(self._held if start < 0 else self._held[:start])
        self._noise += len(noise.strip(b"\r\n"))
        del self._held[: len(noise) + (start >= 0)]
        if self._noise > _MAX_NOISE:
            raise FramingError("收到的不是 MLLP（没有 0x0B 开头）")
        if start >= 0:
            self._inside, self._searched, self._noise = True, 0, 0
        return self._inside


def frame(message: bytes) -> bytes:
    return START + message + END + CARRIAGE


Answer = Callable[[bytes], bytes]
"""A message's bytes -> the acknowledgement's. Must not raise."""
Refuse = Callable[[str], bytes]


class MllpServer:
    """Accepts connections and answers each message in turn, a thread a connection."""

    def __init__(self, host: str, port: int, limits: Limits, answer: Answer, refuse: Refuse) -> None:
        self._limits, self._answer, self._refuse = limits, answer, refuse
        self._places = threading.BoundedSemaphore(limits.connections)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self._listening = socket.create_server((host, port), family=_family(host), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name=f"mllp-{self.port}", daemon=True)
        self._accepting.start()

    def close(self, seconds: float = 10) -> None:
        """No message is begun any more; what is being answered is answered, at most `seconds` long."""
        self._closing = True
        # a thread in accept() is woken by a connection, everywhere
        with socket.socket(self._listening.family) as knock:
            knock.settimeout(1)
            knock.connect_ex(self._listening.getsockname()[:2])
        self._accepting.join(seconds)
        self._listening.close()
        with self._lock:
            for one in self._open:
                _shut(one, socket.SHUT_RD)
            threads = list(self._threads)
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, peer = self._listening.accept()
            except OSError:
                continue  # a peer that went away while waiting; too many files: the next one waits
            if self._closing or not self._places.acquire(blocking=False):
                log.warning(
                    "mllp.refused", peer=str(peer[0]), reason="closing" if self._closing else "connections"
                )
                connection.close()
                continue
            thread = threading.Thread(target=self._serve, args=(connection, str(peer[0])), daemon=True)
            with self._lock:
                self._open.add(connection)
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            with connection:
                self._talk(connection)
        except FramingError as error:
            log.warning("mllp.framing", peer=peer, reason=str(error))
        except OSError as error:
            log.info("mllp.connection_lost", peer=peer, reason=str(error))
        finally:
            with self._lock:
                self._open.discard(connection)
                self._threads.discard(threading.current_thread())
            self._places.release()

    def _talk(self, connection: socket.socket) -> None:
        framer = Framer(self._limits.message_bytes)
        deadline = 0.0
        while not self._closing:
            if not framer.inside:
                deadline = time.monotonic() + self._limits.message_seconds
            connection.settimeout(self._patience(deadline, inside=framer.inside))
            piece = connection.recv(_PIECE)
            if not piece:
                return
            try:
                for message in framer.feed(piece):
                    connection.settimeout(self._limits.message_seconds)
                    connection.sendall(frame(self._answer(message)))
            except FramingError as error:
                connection.sendall(frame(self._refuse(str(error))))
                raise

    def _patience(self, deadline: float, *, inside: bool) -> float:
        if not inside:
            return self._limits.idle_seconds
        left = deadline - time.monotonic()
        if left <= 0:
            raise FramingError(f"消息在 {self._limits.message_seconds:g} 秒内没有发完")
        return left


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _shut(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        return  # gone already
