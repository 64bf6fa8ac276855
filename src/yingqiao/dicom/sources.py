"""Who may send images: calling AE title and network, each for one hospital."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the allow-list. `ae_title` and `network` (CIDR) may be `*`."""

    ae_title: str
    network: str
    hospital_code: str


class AllowList:
    """Decides by the first entry that fits. Empty means everybody may send: the start warns of it."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        """Raises ValueError on a network that is none."""
        self._entries = [
            (s, None if s.network == ANY else ipaddress.ip_network(s.network, strict=False)) for s in sources
        ]

    @property
    def is_open(self) -> bool:
        return not self._entries

    def hospital_of(self, calling_aet: str, address: str) -> str | None:
        """The hospital's code; '' when everybody may send; None when this sender may not. `address` is an
        IP address.
        """
        if self.is_open:
            return ""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        for source, network in self._entries:
            if source.ae_title in (ANY, calling_aet) and (network is None or ip in network):
                return source.hospital_code
        return None

    def __call__(self, calling_aet: str, address: str) -> bool:
        return self.hospital_of(calling_aet, address) is not None
