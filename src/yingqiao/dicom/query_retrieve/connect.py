"""The way to a node: a TCP connection, TLS if wanted, or a typed error that says what stands in the way."""

from __future__ import annotations

import errno
import socket
import ssl

from yingqiao.dicom.query_retrieve.errors import Unreachable
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.upper_layer.wire import PeerGone, PlainWire, TlsWire, Wire

_NO_ROUTE = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL))


def connect(node: Node, limits: Limits, tls: ssl.SSLContext | None) -> tuple[Wire, str]:
    """The connection and the address it leads to. Raises Unreachable."""
    connection = _connected(node, limits.connect)
    address = str(connection.getpeername()[0])
    _keep_alive(connection)
    if tls is None:
        return PlainWire(connection, limits.write), address
    try:
        return TlsWire(connection, tls, limits.write, node.tls_name or node.host), address
    except PeerGone as error:
        cause = error.__cause__
        detail = cause.reason if isinstance(cause, ssl.SSLError) else cause
        raise Unreachable(
            "tls",
            f"TCP 连得上，但 TLS 握手失败（{detail}）。请核对：对方端口是否启用 TLS，证书是否由登记的 CA 签发、"
            "名称是否相符、是否过期，对方是否要求客户端证书",
        ) from error


def _connected(node: Node, seconds: float) -> socket.socket:
    where = f"{node.host}:{node.port}"
    try:
        return socket.create_connection((node.host, node.port), seconds)
    except (socket.gaierror, UnicodeError) as error:
        raise Unreachable(
            "name", f"主机名 {node.host} 解析不到地址。请核对主机名与本机的 DNS 设置"
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            "refused",
            f"{where} 拒绝连接：主机在，但该端口没有程序在听。请核对端口，或请对方启动 PACS 的 DICOM 服务",
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            "timeout",
            f"连接 {where} 超时（{seconds:g} 秒）：多半被防火墙丢弃，或主机不在线。请核对 IP、路由与防火墙",
        ) from error
    except OSError as error:
        if error.errno in _NO_ROUTE:
            raise Unreachable("no-route", f"到 {where} 没有路由。请核对 IP 与本机网络设置") from error
        raise Unreachable("closed", f"连接 {where} 失败（{error.strerror or error}）") from error


def _keep_alive(connection: socket.socket) -> None:
    """A peer that vanished while it owes us an answer is noticed within two minutes, not after ten."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
