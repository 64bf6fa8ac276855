"""Revocation lists of our CAs: published where the key is here, imported where another CA issues (离线).

A CA that issues no more goes on publishing until a list is out that was made after its last certificate ended: that one
answers for every moment before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, insert, select

from yingqiao.gm import certificates, crl
from yingqiao.gm.crl import RevocationList
from yingqiao.gm.issuing import Authority
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.private_keys import DeviceError
from yingqiao.store.database import Database
from yingqiao.store.schema import (
    authorities,
    personal_certificates,
    revocation_lists,
    unit_certificates,
)
from yingqiao.store.trust import tell_changed

CRL_VALID = timedelta(days=7)
_log = structlog.get_logger(__name__)
_a, _l = authorities.c, revocation_lists.c


@dataclass(frozen=True, slots=True)
class Standing:
    """A CA of ours and its newest list; times Unix ms."""

    id: int
    certificate: bytes
    current: bool
    here: bool
    """Whether we have its key, in a file or a device."""
    withdrawn_at: int | None
    this_update: int | None
    next_update: int | None
    """Of the newest list; None before the first."""
    last_end: int | None
    """When the last of its certificates ends; None where it issued none."""

    @property
    def publishes(self) -> bool:
        """Whether it owes the world new lists on schedule."""
        if self.current or not self.here:
            return self.here
        return self._asked_after

    @property
    def imported(self) -> bool:
        """Whether its lists come from elsewhere, one has, and the next is needed when that ends."""
        return not self.here and self.this_update is not None and (self.current or self._asked_after)

    @property
    def _asked_after(self) -> bool:
        """Whether something it issued ends after its newest list was made."""
        return self.last_end is not None and (self.this_update is None or self.this_update <= self.last_end)


class RevocationLists:
    """Safe from any thread. `signer` opens a CA's key: None where another CA issues."""

    def __init__(
        self,
        database: Database,
        signer: Callable[[Row[Any]], Authority | None],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._signer = signer
        self._now_ms = now_ms

    def standing(self) -> list[Standing]:
        """Every CA there was, in the order made."""
        with self._database.read() as connection:
            rows = connection.execute(select(authorities).order_by(_a.id)).all()
            return [_standing(connection, row) for row in rows]

    def publish(self, authority_id: int) -> bytes | None:
        """A new list of this CA; None where another CA publishes it. Raises what signing does: DeviceError, KeystoreError."""
        with self._database.write() as connection:
            row = connection.execute(_one(authority_id).with_for_update()).first()
            authority = self._signer(row) if row is not None else None
            if authority is None:
                return None
            now = moment(self._now_ms()).replace(microsecond=0).astimezone(UTC)
            entries, number = _revoked(connection, authority_id), _next_number(connection, authority_id)
            content = crl.issue(authority, entries, number, now, now + CRL_VALID)
            _keep(connection, authority_id, number, content, now, now + CRL_VALID)
        return content

    def publish_revoked(self, authority_id: int | None) -> None:
        """`publish` after a revocation that stands. Raises SigningRefused `crl-later` where `publish` raises DeviceError."""
        if authority_id is None:
            return
        try:
            self.publish(authority_id)
        except DeviceError as error:
            _log.error("crl.not_published", authority=authority_id, reason=error.code, detail=error.detail)
            words = "证书已吊销；密码设备暂不可用，吊销列表尚未发布，设备恢复后自动发布"
            raise SigningRefused("crl-later", words, stands=True) from error

    def owes(self, authority_id: int) -> bool:
        """Whether something is revoked that its newest list does not say: publishing it had failed."""
        with self._database.read() as connection:
            newest = _newest(connection, authority_id)
            revoked = {entry.serial for entry in _revoked(connection, authority_id)}
        listed = set() if newest is None else crl.parse(newest.content).entries.keys()
        return not revoked <= listed

    def newest(self, authority_id: int) -> tuple[bytes, int] | None:
        """The newest list of a CA and when the next is due, Unix ms."""
        with self._database.read() as connection:
            row = _newest(connection, authority_id)
        return (row.content, row.next_update) if row is not None else None

    def take(self, raw: bytes) -> int:
        """Keep a list that a CA elsewhere published, whether it issues for us now or did before; the CA's number.

        Raises SigningRefused; CrlError, DerError when it is no list.
        """
        found = crl.parse(raw)
        if found.unusable:
            raise SigningRefused("list-unusable", f"吊销列表无法使用：{'；'.join(found.unusable)}")
        if found.next_update is None:
            raise SigningRefused("list-unusable", "吊销列表没有下次更新时间，无法使用")
        with self._database.write() as connection:
            number = _publisher(connection, found)
            newest = _newest(connection, number)
            if newest is not None and milliseconds(found.this_update) < newest.this_update:
                raise SigningRefused("list-old", "吊销列表比已有的旧")
            place = _next_number(connection, number)
            _keep(connection, number, place, found.raw, found.this_update, found.next_update)
        return number


def _one(authority_id: int) -> Any:
    return select(authorities).where(_a.id == authority_id)


def _standing(connection: Connection, row: Row[Any]) -> Standing:
    newest = _newest(connection, row.id)
    ends = [
        connection.scalar(select(func.max(table.c.not_after)).where(table.c.authority_id == row.id))
        for table in (personal_certificates, unit_certificates)
    ]
    return Standing(
        id=row.id,
        certificate=row.certificate,
        current=row.current,
        here=row.sealed is not None,
        withdrawn_at=row.withdrawn_at,
        this_update=newest.this_update if newest is not None else None,
        next_update=newest.next_update if newest is not None else None,
        last_end=max((end for end in ends if end is not None), default=None),
    )


def _publisher(connection: Connection, found: RevocationList) -> int:
    """The CA elsewhere whose list this is."""
    for row in connection.execute(select(authorities).where(_a.sealed.is_(None)).order_by(_a.id.desc())):
        issuer = certificates.parse(row.certificate)
        if issuer.subject.raw == found.issuer.raw and found.signed_by(issuer.key).valid:
            return int(row.id)
    words = f"吊销列表（颁发者 {found.issuer}）不是本网关离线的 CA 发布的；别家 CA 的请用 yingqiao trust add --crl"
    raise SigningRefused("list-issuer", words)


def _newest(connection: Connection, authority_id: int) -> Row[Any] | None:
    query = select(revocation_lists).where(_l.authority_id == authority_id)
    return connection.execute(query.order_by(_l.number.desc()).limit(1)).first()


def _next_number(connection: Connection, authority_id: int) -> int:
    newest = connection.scalar(select(func.max(_l.number)).where(_l.authority_id == authority_id))
    return (newest or 0) + 1


def _keep(
    connection: Connection,
    authority_id: int,
    number: int,
    content: bytes,
    this_update: datetime,
    next_update: datetime,
) -> None:
    values = {
        "authority_id": authority_id,
        "number": number,
        "content": content,
        "this_update": milliseconds(this_update),
        "next_update": milliseconds(next_update),
    }
    connection.execute(insert(revocation_lists).values(values))
    tell_changed(connection)


def _revoked(connection: Connection, authority_id: int) -> list[crl.Entry]:
    """What a CA has revoked, of people and of units, the first first."""
    found: list[crl.Entry] = []
    for table in (personal_certificates, unit_certificates):
        c = table.c
        rows = connection.execute(
            select(c.serial, c.revoked_at, c.revocation).where(
                c.authority_id == authority_id, c.revoked_at.is_not(None), c.serial.is_not(None)
            )
        )
        found += [
            crl.Entry(int(row.serial, 16), moment(row.revoked_at), crl.Reason(row.revocation)) for row in rows
        ]
    return sorted(found, key=lambda entry: entry.date)
