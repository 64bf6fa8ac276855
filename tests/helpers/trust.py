"""Trust in the world of `pki`, for tests of verification."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta

from tests.helpers import pki
from yingqiao.gm import crl
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import Entry as Revoked
from yingqiao.gm.crl import RevocationList
from yingqiao.signing.trust import Entry, Role, Trust


def crl_of(
    issuer: pki.Entity, *revoked: Revoked, at: datetime = pki.NOW, days: float = 7, number: int = 1
) -> RevocationList:
    """A list made a day before `at`."""
    begin = at - timedelta(days=1)
    return crl.parse(crl.issue(issuer.authority, revoked, number, begin, begin + timedelta(days=days)))


def trust_in(
    given: Iterable[Certificate] | None = None, *lists: RevocationList, role: Role = Role.CA
) -> Trust:
    """The world's chain (or `given`) with the CA's empty list (or `lists`)."""
    world = pki.world()
    chosen = world.chain if given is None else list(given)
    return Trust((Entry(one, role) for one in chosen), lists or (crl_of(world.ca),))


def pem(*given: Certificate) -> bytes:
    blocks = (
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(one.raw) + b"-----END CERTIFICATE-----\n"
        for one in given
    )
    return b"".join(blocks)
