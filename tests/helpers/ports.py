"""Ports for programs that must be told theirs: nobody else is given them.

A port that the kernel picks lies where it also picks those of every outgoing connection, and of the next one who
asks: between the asking and the program's start it may be gone, and who knocks meanwhile may even be connected to
himself. These lie below, and each process has its own.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_FIRST, _BLOCK = 21_100, 128
"""Above what our own programs have by default."""
_lock = threading.Lock()
_held: list[int] = []
"""Open files whose locks say that a block of ports is this process's, until it ends."""


def free_port() -> int:
    """A port of loopback, for one program at a time from now on. Never the same twice."""
    with _lock:
        return next(_ports)


def _free_ports() -> Iterator[int]:
    for block in _blocks():
        for port in range(block, block + _BLOCK):
            if _can_be_bound(port):
                yield port
    raise AssertionError("no ports are left below those of outgoing connections")


def _blocks() -> Iterator[int]:
    """The first ports of blocks nobody else has, each process beginning somewhere else."""
    folder = Path(tempfile.gettempdir()) / f"yingqiao-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    blocks = list(range(_FIRST, _lowest_outgoing() - _BLOCK, _BLOCK))
    first = os.getpid() * 7 % len(blocks)
    for block in itertools.islice(itertools.cycle(blocks), first, first + len(blocks)):
        fd = os.open(folder / str(block), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        _held.append(fd)
        yield block


def _lowest_outgoing() -> int:
    """Of the ports the kernel picks."""
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    except OSError:
        return 32_768
    return max(int(text.split()[0]), _FIRST + 16 * _BLOCK)


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))  # on every address: some programs bind them all
        except OSError:
            return False
        return True


_ports = _free_ports()
