"""Which DICOM sender speaks for which hospital: by calling AE title and address.

A hospital's Q/R nodes (`pacs_nodes`) are senders of it too: what they are asked for, they send (T92). A node of
several hospitals speaks for none of them by itself: whose a study is, the exams and the pulls say.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, false, insert, select
from sqlalchemy.exc import IntegrityError

from yingqiao.store.arrivals import hospital_in
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.host_names import addresses_of
from yingqiao.store.schema import dicom_sources, pacs_nodes

ANY = "*"
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class DicomSource:
    id: int
    hospital_code: str
    ae_title: str
    """Calling AE title, or '*'."""
    network: str
    """CIDR, or '*'."""


class SourceTable:
    """The sources as one look at the table; the most specific matches decide."""

    def __init__(self, sources: Sequence[DicomSource], nodes: Sequence[DicomSource] = ()) -> None:
        """`nodes`: Q/R nodes as senders; they close no list that is empty."""
        self._empty = not sources
        self._sources = [
            (s, None if s.network == ANY else ipaddress.ip_network(s.network)) for s in (*sources, *nodes)
        ]
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    @property
    def empty(self) -> bool:
        """True: no list at all, everybody may send (the gateway warns)."""
        return self._empty

    def hospital_of(self, calling_aet: str, peer: str) -> str:
        """The code of the one hospital the sender speaks for; '' when there is none, or there are several."""
        found = self.hospitals_of(calling_aet, peer)
        return found[0] if len(found) == 1 else ""

    def admits(self, calling_aet: str, peer: str) -> bool:
        """Whether the sender is listed, for whomever; everybody is when there is no list."""
        return self._empty or bool(self.hospitals_of(calling_aet, peer))

    def hospitals_of(self, calling_aet: str, peer: str) -> tuple[str, ...]:
        """The codes of those the sender speaks for. `peer` is an address, with or without port."""
        if known := hospital_in(peer):  # fetched for it
            return (known,)
        key = (calling_aet.strip(), peer)
        if key not in self._known:
            self._known[key] = self._decide(*key)
        return self._known[key]

    def _decide(self, calling_aet: str, peer: str) -> tuple[str, ...]:
        address = _address(peer)
        best: set[str] = set()
        best_rank = (-1, -2)
        for source, network in self._sources:
            if source.ae_title not in (ANY, calling_aet) or not _contains(network, address):
                continue
            rank = (int(source.ae_title != ANY), -1 if network is None else network.prefixlen)
            if rank > best_rank:
                best, best_rank = set(), rank
            if rank == best_rank:
                best.add(source.hospital_code)
        return tuple(sorted(best))


def add_source(database: Database, hospital_code: str, ae_title: str, network: str) -> DicomSource:
    """Let `ae_title` ('*': any) from `network` (CIDR, address or '*') send for a hospital.

    Raises HospitalError (no such hospital, bad value, or the pair is given already), StoreUnavailable.
    """
    title, net = _title(ae_title), _network(network)
    row = {
        "hospital_code": hospital_code,
        "ae_title": title,
        "network": net,
        "created_at": time.time_ns() // 10**6,
    }
    try:
        with database.write() as connection:
            statement = insert(dicom_sources).values(row).returning(dicom_sources.c.id)
            number: int = connection.execute(statement).scalar_one()
    except IntegrityError as error:
        raise HospitalError(f"没有医疗机构 {hospital_code}，或来源 {title} {net} 已登记") from error
    return DicomSource(number, hospital_code, title, net)


def source_table(connection: Connection) -> SourceTable:
    """Everybody who sends for a hospital: the listed sources, and the Q/R nodes not disabled."""
    return SourceTable(list_sources(connection), list_nodes(connection))


def list_nodes(connection: Connection) -> list[DicomSource]:
    """The Q/R nodes as senders, one for each address of the host; without id."""
    c = pacs_nodes.c
    rows = connection.execute(select(c.hospital_code, c.ae_title, c.host).where(c.disabled == false()))
    return [
        DicomSource(0, hospital, title, address)
        for hospital, title, host in rows
        for address in addresses_of(host)
    ]


def list_sources(connection: Connection) -> list[DicomSource]:
    """All sources by hospital, title and network."""
    c = dicom_sources.c
    rows = connection.execute(select(c.id, c.hospital_code, c.ae_title, c.network))
    return sorted((DicomSource(*row) for row in rows), key=lambda s: (s.hospital_code, s.ae_title, s.network))


def remove_source(database: Database, source_id: int) -> bool:
    """True when there was one. Raises StoreUnavailable."""
    with database.write() as connection:
        return connection.execute(delete(dicom_sources).where(dicom_sources.c.id == source_id)).rowcount > 0


def _title(ae_title: str) -> str:
    title = ae_title.strip()
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise HospitalError("AE 标题应为 1–16 个 ASCII 字符，不含反斜线；* 表示任意")
    return title


def _network(network: str) -> str:
    text = network.strip()
    if text == ANY:
        return text
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise HospitalError("网段应为 CIDR（如 10.1.0.0/16）、地址或 *") from error


def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = peer.strip()
    for candidate in (text, text.rpartition(":")[0].strip("[]")):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        mapped = getattr(address, "ipv4_mapped", None)
        return mapped or address
    return None


def _contains(
    network: _Network | None, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    return network is None or (
        address is not None and address.version == network.version and address in network
    )
