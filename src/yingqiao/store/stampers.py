"""Certificates of the gateway's own time stamping authorities: those at work and those before."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from yingqiao.gm import certificates, der
from yingqiao.gm.certificates import Certificate
from yingqiao.store.schema import timestamp_authorities

_c = timestamp_authorities.c
BUILT_IN = "built-in"


def chain_of(raw: bytes) -> tuple[Certificate, ...]:
    """Certificates one after the other, as kept."""
    holder = der.parse(der.element(der.SEQUENCE, bytes(raw)))
    return tuple(certificates.parse(node.raw) for node in holder.walk(16))


def stampers(connection: Connection) -> list[Certificate]:
    """Every certificate the gateway ever stamped with."""
    return [certificates.parse(bytes(raw)) for raw in connection.scalars(select(_c.certificate))]


def roots(connection: Connection) -> list[Certificate]:
    """Of every authority there was, the top of its chain."""
    return [top for _, _, top in _authorities(connection)]


def trusted(connection: Connection) -> list[Certificate]:
    """Whom reports' time stamps are trusted by without being added: a built-in authority's certificate itself, as its root
    publishes no list; of an imported one the top of its chain, whose lists are asked for as any other's.
    """
    return [own if origin == BUILT_IN else top for origin, own, top in _authorities(connection)]


def _authorities(connection: Connection) -> Iterator[tuple[str, Certificate, Certificate]]:
    """Origin, certificate and top of the chain."""
    for row in connection.execute(select(_c.origin, _c.certificate, _c.chain).order_by(_c.id)):
        own = certificates.parse(bytes(row.certificate))
        yield row.origin, own, (chain_of(row.chain) or (own,))[-1]
