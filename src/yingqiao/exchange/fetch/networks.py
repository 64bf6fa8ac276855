"""Which network addresses a name may lead to. Pure; asked about every socket before it connects."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IP = IPv4Address | IPv6Address
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))
)
"""Where clouds hand out credentials to who asks from inside."""
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


@lru_cache(maxsize=4096)
def why_forbidden(address: str, *, private: bool, registered: str = "") -> str:
    """Why a connection to this address is refused, in Chinese; '' when it may be made.

    `private`: the hospital's host is registered as inside (内网). `registered`: the host as registered; the
    metadata address of a cloud must be written there itself. IPv4 inside IPv6 counts as what is inside.
    """
    try:
        ip = _innermost(ip_address(address.partition("%")[0]))
    except ValueError:
        return "不是 IP 地址"
    if ip.is_unspecified or ip.is_multicast or ip == IPv4Address("255.255.255.255") or _is_this_net(ip):
        return f"{ip} 不是一台主机的地址"
    if ip in _METADATA and registered != str(ip):
        return f"{ip} 是云平台的元数据地址"
    if not private and (not ip.is_global or ip.is_reserved):
        return f"{ip} 是{_kind(ip)}，而该主机登记时没有允许内网地址"
    return ""


def contains(registered: str, address: str) -> bool:
    """Whether a registered address or CIDR holds a literal address."""
    network = _network(registered)
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return network is not None and ip.version == network.version and ip in network


def is_literal(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _network(registered: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(registered, strict=False)
    except ValueError:
        return None


def _innermost(ip: IP) -> IP:
    if isinstance(ip, IPv4Address):
        return ip
    inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
    if inside is None and (ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1)):
        inside = IPv4Address(int(ip) & 0xFFFF_FFFF)
    return inside or ip


def _is_this_net(ip: IP) -> bool:
    return isinstance(ip, IPv4Address) and int(ip) >> 24 == 0


def _kind(ip: IP) -> str:
    if ip.is_loopback:
        return "本机地址"
    if ip.is_link_local:
        return "链路本地地址"
    return "内网地址" if ip.is_private else "保留地址"
