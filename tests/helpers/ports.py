"""Ports for programs that cannot be told to choose one: theirs alone, though they bind them later."""

from __future__ import annotations

import os
import random
import re
import socket

_FIRST, _END = 21_100, 32_700
"""Below what Linux gives to connections and to who binds port 0, above what our own programs have by default."""
_PROCESSES = 16
_EACH = (_END - _FIRST) // _PROCESSES


def free_port() -> int:
    """A loopback port nobody else takes: of this test process's own range, and not one it gave away a moment ago."""
    for _ in range(_EACH):
        port = next(_given)
        if _is_free(port):
            return port
    raise AssertionError("no port is free")


def _ports():
    """Round and round; begun anywhere, for two runs on one machine share the ranges."""
    found = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    first = _FIRST + (int(found[1]) % _PROCESSES if found else _PROCESSES - 1) * _EACH
    at = random.SystemRandom().randrange(_EACH)
    while True:
        yield first + at
        at = (at + 1) % _EACH


_given = _ports()


def _is_free(port: int) -> bool:
    """On every address, for some programs bind them all; one that has just ended may still hold it."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
