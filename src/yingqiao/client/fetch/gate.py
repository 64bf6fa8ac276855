"""Which sockets may be opened: asked about each address a name really led to, on every connection.

libcurl resolves once and opens what it resolved, so a name that changes its answer between check and use gains
nothing; a connection that is used again is asked about again. FTP data connections pass here too.
"""

from __future__ import annotations

import socket
from typing import Any

import pycurl

from yingqiao.exchange.fetch import AllowedHost, FetchError, FileState, why_forbidden
from yingqiao.exchange.work import ErrorClass


class _Lent(socket.socket):
    """pycurl makes a duplicate of the descriptor; ours goes when it lets go of us."""

    def __del__(self) -> None:
        self.close()


class Gate:
    """For one request to one host. `refusal` says what was refused, if anything."""

    def __init__(self, host: AllowedHost, registered: str) -> None:
        self._host = host
        self._registered = registered
        self.refusal: FetchError | None = None

    def guard(self, curl: Any) -> None:
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self.open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self.before_request)

    def open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        """A socket, or none: libcurl then tries the name's next address."""
        if address.family not in (socket.AF_INET, socket.AF_INET6) or not self._allows(
            _text(address.addr[0])
        ):
            return int(pycurl.SOCKET_BAD)
        try:
            return _Lent(address.family, address.socktype, address.protocol)
        except OSError:
            return int(pycurl.SOCKET_BAD)

    def before_request(self, remote: Any, *_: Any) -> int:
        return int(pycurl.PREREQFUNC_OK if self._allows(_text(remote)) else pycurl.PREREQFUNC_ABORT)

    def _allows(self, address: str) -> bool:
        why = why_forbidden(address, private=self._host.private, registered=self._registered)
        if why:
            self.refusal = FetchError(ErrorClass.THEIRS, f"主机解析到的{why}", state=FileState.REFUSED)
        return not why


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value
