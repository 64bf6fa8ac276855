"""Addresses of host names, never waited for long: for tables that are asked on hot paths."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

FRESH_S = 60.0
FIRST_WAIT_S = 2.0
"""So long the first question about a name may take; later ones answer what is known and look anew meanwhile."""

_guard = threading.Lock()
_known: dict[str, tuple[str, ...]] = {}
_asked_at: dict[str, float] = {}


def addresses_of(host: str) -> tuple[str, ...]:
    """The host's addresses as last resolved; an address is its own. Empty when the name is not known (yet)."""
    if _is_address(host):
        return (host,)
    with _guard:
        fresh = time.monotonic() - _asked_at.get(host, float("-inf")) < FRESH_S
        if fresh:
            return _known.get(host, ())
        _asked_at[host] = time.monotonic()
    asking = threading.Thread(target=_ask, args=(host,), name="host-names", daemon=True)
    asking.start()
    if host not in _known:
        asking.join(FIRST_WAIT_S)
    return _known.get(host, ())


def _ask(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # what was known stays known
    _known[host] = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
