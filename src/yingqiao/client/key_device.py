"""A cryptographic device behind a program of its own: `device.command`, which speaks one line for each of ours.

So a vendor's library (GM/T 0018 SDF, GM/T 0016 SKF, PKCS#11) is never loaded into the gateway: it may crash, leak and hang
on its own, and is attached without a change here. The protocol (docs/reference/key-device.md): words of ASCII with one
blank between them, binary values in hex; `ok …` or `no CODE words` comes back. One request at a time a process.

A process that ends, says something else or says nothing in time is ended and started again; the request is refused as
`device-away`, never sent twice by itself.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import shlex
import subprocess
import threading
import time
from collections.abc import Callable

import structlog

from yingqiao.signing.private_keys import (
    AWAY,
    LOCKED,
    NAME,
    NO_KEY,
    PIN,
    REFUSED,
    UNSUPPORTED,
    WRONG,
    DeviceError,
)

VERSION = "1"
MAX_LINE = 8192
_AGAIN_S, _AGAIN_MOST_S = 1.0, 30.0
"""How long after a failure the device is left alone, doubled with each further one: callers are answered at once then, and
hold no transaction open while a device hangs."""
_END_S = 2.0
_CODES = {
    "away": AWAY,
    "refused": REFUSED,
    "no-key": NO_KEY,
    "unsupported": UNSUPPORTED,
    "pin": PIN,
    "locked": LOCKED,
}
_log = structlog.get_logger(__name__)


class CommandDevice:
    """A signing.private_keys.KeyDevice. Safe from any thread; `places` processes at most, started when needed."""

    def __init__(
        self,
        command: str,
        *,
        seconds: float = 5.0,
        start_seconds: float = 15.0,
        places: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` bounds each request, waiting for a free process included, `start_seconds` the program's start.

        Raises ValueError for an empty command.
        """
        self._words = shlex.split(command)
        if not self._words:
            raise ValueError("empty command")
        self._seconds, self._start_seconds = seconds, start_seconds
        self._clock = clock
        self._not_before = float("-inf")
        self._failures = 0
        self._lock = threading.Lock()
        self._closed = False
        self._free: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(places):
            self._free.put(None)
        self._places = places

    def make(self, name: str) -> bytes:
        return self._bytes("make", name)

    def sign(self, name: str, e: bytes) -> bytes:
        return self._bytes("sign", name, e.hex())

    def share(self, name: str, point: bytes, session: str, user: str) -> bytes:
        return self._bytes("share", name, point.hex(), session.encode().hex(), user.encode().hex())

    def respond(self, name: str, point: bytes, e: bytes) -> bytes:
        return self._bytes("respond", name, point.hex(), e.hex())

    def erase(self, name: str) -> None:
        self._ask("erase", name)

    def unlock(self, name: str, pin: str) -> None:
        """A desk's device: its key may be used until `lock`. One process only (`places`): another one knows nothing of it.

        Raises DeviceError `device-pin`, whose detail has the tries left where the program says so; `device-locked`.
        """
        self._ask("unlock", name, pin.encode().hex())

    def lock(self, name: str) -> None:
        self._ask("lock", name)

    def look(self) -> str:
        """What the program says of itself. Raises DeviceError."""
        return self._ask("hello", VERSION)

    def close(self) -> None:
        """Every process is told to end, and ended when it does not."""
        self._closed = True
        for _ in range(self._places):
            try:
                process = self._free.get(timeout=self._seconds)
            except queue.Empty:
                return  # at work, in a thread that ends it
            if process is not None:
                process.end()

    def _bytes(self, *words: str) -> bytes:
        said = self._ask(*words)
        try:
            return bytes.fromhex(said.replace(" ", ""))
        except ValueError as error:
            raise DeviceError(WRONG, f"{words[0]}: not hex") from error

    def _ask(self, *words: str) -> str:
        if len(words) > 1 and words[0] != "hello" and not NAME.fullmatch(words[1]):
            raise DeviceError(WRONG, "a name that is none")
        end = self._clock() + self._seconds
        if self._clock() < self._not_before:
            raise DeviceError(AWAY, "it failed a moment ago")
        try:
            process = self._free.get(timeout=self._seconds)
        except queue.Empty:
            raise DeviceError(AWAY, "all processes are busy") from None
        kept: _Process | None = None
        running = process
        try:
            if running is not None and not running.is_alive:
                running.end()
                running = None
            if running is None:
                running = self._start()
                end = self._clock() + self._seconds
            said = running.ask(" ".join(words), end - self._clock())
            kept = running
            self._failures = 0
        except (OSError, _Broken) as error:
            if running is not None:
                running.end()
            self._leave_alone()
            detail = f"{words[0]}: {error or type(error).__name__}"
            _log.error("device.away", detail=detail)
            raise DeviceError(AWAY, detail) from error
        finally:
            if self._closed and kept is not None:
                kept.end()
                kept = None
            self._free.put(kept)
        return _answer(words[0], said)

    def _leave_alone(self) -> None:
        with self._lock:
            wait = min(_AGAIN_S * 2**self._failures, _AGAIN_MOST_S)
            self._failures = min(self._failures + 1, 10)
            self._not_before = self._clock() + wait

    def _start(self) -> _Process:
        """A process that has said hello. Raises _Broken, OSError."""
        if self._closed:
            raise _Broken("closed")
        process = _Process(self._words)
        try:
            said = process.ask(f"hello {VERSION}", self._start_seconds)
            if not said.startswith(f"ok {VERSION}"):
                raise _Broken(f"it does not speak version {VERSION}")
        except (OSError, _Broken):
            process.end()
            raise
        _log.info("device.started", says=said[3:80])
        return process


class _Broken(Exception):  # noqa: N818 for this module alone
    """The process cannot be talked to any more."""


class _Process:
    """One run of the command."""

    def __init__(self, words: list[str]) -> None:
        """Raises OSError."""
        self._process = subprocess.Popen(  # noqa: S603 the operator's own command, without a shell
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None  # noqa: S101 both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    @property
    def is_alive(self) -> bool:
        """One that ended while nobody asked is replaced without a word."""
        return self._process.poll() is None

    def ask(self, line: str, seconds: float) -> str:
        """The line that comes back. Raises _Broken, OSError."""
        end = time.monotonic() + seconds
        self._write(line.encode("ascii") + b"\n", end)
        said = b""
        while not said.endswith(b"\n"):
            self._wait(self._out, selectors.EVENT_READ, end)
            piece = os.read(self._out, MAX_LINE)
            if not piece:
                raise _Broken("it ended")
            said += piece
            if len(said) > MAX_LINE or b"\n" in said[:-1]:
                raise _Broken("it said more than one line")
        return said[:-1].rstrip(b"\r").decode("utf-8", "replace")

    def end(self) -> None:
        """Its input is closed; it is killed when that is not enough."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, raw: bytes, end: float) -> None:
        while raw:
            self._wait(self._in, selectors.EVENT_WRITE, end)
            raw = raw[os.write(self._in, raw) :]

    @staticmethod
    def _wait(pipe: int, event: int, end: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, end - time.monotonic())):
                raise _Broken("no answer in time")


def _answer(asked: str, said: str) -> str:
    """What follows `ok`. Raises DeviceError."""
    word, _, rest = said.partition(" ")
    if word == "ok":
        return rest
    code, _, words = rest.partition(" ")
    if word != "no":
        _log.error("device.wrong", detail=f"{asked}: neither ok nor no")
        raise DeviceError(WRONG, f"{asked}: neither ok nor no")
    _log.error("device.refused", code=code[:40], detail=f"{asked}: {words[:200]}")
    raise DeviceError(_CODES.get(code, REFUSED), f"{asked}: {words[:200]}")
