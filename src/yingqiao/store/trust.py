"""Trusted certificates and revocation lists of an installation: kept, listed, and given out as one `Trust`.

Every process holds the newest within a second or so of a change (`trust_changes`). A change makes verdicts on
reports that were unknown due again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.gm import certificates, crl
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import RevocationList
from yingqiao.gm.errors import GmError
from yingqiao.gm.issuing import Profile
from yingqiao.signing.moments import moment
from yingqiao.signing.trust import MAX_LIST, Entry, Role, Trust, TrustError
from yingqiao.store import stampers
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.report_seals import unknown_are_due
from yingqiao.store.schema import (
    authorities,
    report_signatures,
    revocation_lists,
    trust_certificates,
    trust_changes,
    trust_lists,
    unit_certificates,
)
from yingqiao.store.text import storable

FRESH_S = 1.0
_log = structlog.get_logger(__name__)
_c, _l = trust_certificates.c, trust_lists.c


@dataclass(frozen=True, slots=True)
class ListShown:
    """A revocation list as lists of them show it; times Unix ms."""

    id: int
    url: str
    issuer: str
    this_update: int | None
    next_update: int | None
    fetched_at: int | None
    count: int | None
    """Revoked certificates in it."""
    error: str
    stale: bool


@dataclass(frozen=True, slots=True)
class TrustShown:
    """A trusted certificate as lists show it."""

    id: int
    role: str
    subject: str
    issuer: str
    serial: str
    not_before: int
    not_after: int
    key: str
    sha256: str
    added_at: int
    lists: tuple[ListShown, ...]


class TrustStore:
    """The registry; safe from any thread. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: Trust | None = None
        self._count, self._looked_at = -1, 0.0

    def current(self) -> Trust:
        """Everything trusted now; at most FRESH_S old. The last known while the database is away."""
        with self._lock:
            now = time.monotonic()
            if self._held is None or now - self._looked_at >= FRESH_S:
                self._look(now)
            assert self._held is not None  # noqa: S101 -- _look raises otherwise
            return self._held

    def _look(self, now: float) -> None:
        try:
            with self._database.read() as connection:
                count = connection.scalar(select(trust_changes.c.count)) or 0
                if self._held is None or count != self._count:
                    self._held, self._count = _read(connection), count
        except StoreUnavailable:
            if self._held is None:
                raise
        self._looked_at = now

    def add(self, given: Sequence[Certificate], role: Role) -> list[int]:
        """Trust these for `role`; ids in the order given, of those known already the old ones."""
        now = _now_ms()
        with self._database.write() as connection:
            ids = [_add(connection, one, role, now) for one in given]
            tell_changed(connection)
        return ids

    def add_list(self, certificate_id: int, raw: bytes) -> RevocationList:
        """Keep a revocation list given as a file, in place of an older one. Raises TrustError, GmError."""
        with self._database.write() as connection:
            found = _usable(connection, certificate_id, raw)
            number = _source(connection, certificate_id, "", None)
            _keep(connection, number, found)
            connection.execute(update(trust_lists).where(_l.id == number).values(due_at=None))
            tell_changed(connection)
        return found

    def add_url(self, certificate_id: int, url: str) -> int:
        """Fetch the certificate's list from `url` from now on; the source's id."""
        with self._database.write() as connection:
            return _source(connection, certificate_id, url, _now_ms())

    def shown(self) -> list[TrustShown]:
        """All that is trusted, in the order added."""
        with self._database.read() as connection:
            rows = connection.execute(select(trust_certificates).order_by(_c.id)).all()
            sources = connection.execute(select(trust_lists).order_by(_l.id)).all()
        found = []
        for row in rows:
            certificate = certificates.parse(row.raw)
            own = [_list_shown(source) for source in sources if source.certificate_id == row.id]
            found.append(_shown(row.id, row.role, row.added_at, certificate, own))
        return found

    def certificate(self, certificate_id: int) -> Certificate | None:
        with self._database.read() as connection:
            raw = connection.scalar(select(_c.raw).where(_c.id == certificate_id))
        return None if raw is None else certificates.parse(raw)

    def remove(self, certificate_id: int) -> bool:
        """Trust it no more; its lists go with it. True when it was there."""
        with self._database.write() as connection:
            connection.execute(delete(trust_lists).where(_l.certificate_id == certificate_id))
            gone = connection.execute(delete(trust_certificates).where(_c.id == certificate_id)).rowcount > 0
            tell_changed(connection)
        return gone

    def due_lists(self, now_ms: int) -> list[tuple[int, str]]:
        """(id, url) of lists to be fetched now."""
        wanted = select(_l.id, _l.url).where(_l.due_at.is_not(None), _l.due_at <= now_ms)
        with self._database.read() as connection:
            return [(row.id, row.url) for row in connection.execute(wanted.order_by(_l.due_at).limit(100))]

    def url_of(self, list_id: int) -> str | None:
        with self._database.read() as connection:
            url: str | None = connection.scalar(select(_l.url).where(_l.id == list_id))
        return url

    def postpone(self, list_ids: Sequence[int], until_ms: int) -> None:
        """Work was made for them: look again then."""
        with self._database.write() as connection:
            connection.execute(update(trust_lists).where(_l.id.in_(list_ids)).values(due_at=until_ms))

    def came(self, list_id: int, raw: bytes, due_ms: int) -> RevocationList:
        """A list was fetched: kept when it is usable. Raises TrustError, GmError."""
        with self._database.write() as connection:
            owner = connection.scalar(select(_l.certificate_id).where(_l.id == list_id))
            if owner is None:
                raise TrustError("这份吊销列表已不再需要")
            found = _usable(connection, owner, raw)
            _keep(connection, list_id, found)
            connection.execute(update(trust_lists).where(_l.id == list_id).values(due_at=due_ms))
            tell_changed(connection)
        return found

    def failed(self, list_id: int, why: str, due_ms: int) -> None:
        """It did not come, or is of no use; the one before stays."""
        with self._database.write() as connection:
            values = {"error": storable(why), "due_at": due_ms}
            connection.execute(update(trust_lists).where(_l.id == list_id).values(values))


def _read(connection: Connection) -> Trust:
    rows = connection.execute(select(_c.raw, _c.role).order_by(_c.id)).all()
    entries = [Entry(certificates.parse(row.raw), Role(row.role)) for row in rows]
    own, own_lists = _own(connection)
    lists = []
    kept = connection.scalars(select(_l.raw).where(_l.raw.is_not(None)).order_by(_l.id)).all()
    for raw in (*kept, *own_lists):
        try:
            lists.append(crl.parse(raw))
        except GmError as error:  # kept by another edition of the program
            _log.error("trust.list_unreadable", error=error.code)
    return Trust([*entries, *own], lists)


def _own(connection: Connection) -> tuple[list[Entry], list[bytes]]:
    """The CAs that issue or issued here are trusted without being added, but for those withdrawn, each with its newest
    list; so are our seal makers, each by itself (that a certificate is of this CA makes nobody a maker), and whom
    `stampers.trusted` names.
    """
    own = _makers(connection) + [Entry(one, Role.TSA) for one in stampers.trusted(connection)]
    a, c = authorities.c, revocation_lists.c
    lists: list[bytes] = []
    kept = select(a.id, a.certificate).where(a.withdrawn_at.is_(None))
    rows = connection.execute(kept.order_by(a.id.desc())).all()
    for row in rows:
        newest = select(c.content).where(c.authority_id == row.id).order_by(c.number.desc()).limit(1)
        lists += connection.scalars(newest)
    return [*(Entry(certificates.parse(row.certificate), Role.CA) for row in rows), *own], lists


def _makers(connection: Connection) -> list[Entry]:
    """A revoked one too: what it made before stays good. That it is revoked needs no list, which may be late."""
    u = unit_certificates.c
    made = select(u.certificate, u.revoked_at, u.revocation).where(u.profile == str(Profile.SEAL_MAKER))
    found = []
    for row in connection.execute(made.order_by(u.id)):
        gone = row.revoked_at is not None
        withdrawn = crl.revoked(moment(row.revoked_at), crl.Reason(row.revocation)) if gone else None
        found.append(Entry(certificates.parse(row.certificate), Role.SEAL_MAKER, withdrawn))
    return found


def _add(connection: Connection, one: Certificate, role: Role, now: int) -> int:
    digest = hashlib.sha256(one.raw).digest()
    same = (_c.role == str(role)) & (_c.digest == digest)
    known: int | None = connection.scalar(select(_c.id).where(same))
    if known is not None:
        return known
    row = {
        "role": str(role),
        "digest": digest,
        "raw": one.raw,
        "subject": storable(str(one.subject)),
        "added_at": now,
    }
    number: int = connection.execute(insert(trust_certificates).values(row).returning(_c.id)).scalar_one()
    return number


def _source(connection: Connection, certificate_id: int, url: str, due: int | None) -> int:
    same = (_l.certificate_id == certificate_id) & (_l.url == url)
    known: int | None = connection.scalar(select(_l.id).where(same))
    if known is not None:
        connection.execute(update(trust_lists).where(_l.id == known).values(due_at=due))
        return known
    row = {"certificate_id": certificate_id, "url": url, "due_at": due, "error": ""}
    number: int = connection.execute(insert(trust_lists).values(row).returning(_l.id)).scalar_one()
    return number


def _usable(connection: Connection, certificate_id: int, raw: bytes) -> RevocationList:
    """The list, when the certificate's key signed it. Raises TrustError, GmError."""
    owner = connection.scalar(select(_c.raw).where(_c.id == certificate_id))
    if owner is None:
        raise TrustError("没有这张信任的证书")
    if len(raw) > MAX_LIST:
        raise TrustError(f"吊销列表超过 {MAX_LIST // 1024 // 1024} MiB")
    issuer, found = certificates.parse(owner), crl.parse(raw)
    if found.issuer.raw != issuer.subject.raw:
        raise TrustError(f"吊销列表的颁发者是 {found.issuer}，不是 {issuer.subject}")
    if not found.signed_by(issuer.key).valid:
        raise TrustError("吊销列表的签名不是该 CA 的")
    if found.unusable:
        raise TrustError(f"吊销列表无法使用：{'；'.join(found.unusable)}")
    return found


def _keep(connection: Connection, list_id: int, found: RevocationList) -> None:
    """An older one never takes the place of a newer. Raises TrustError."""
    this_update = _ms(found.this_update)
    before = connection.scalar(select(_l.this_update).where(_l.id == list_id))
    if before is not None and this_update is not None and this_update < before:
        raise TrustError("吊销列表比已有的旧")
    values = {
        "raw": found.raw,
        "this_update": this_update,
        "next_update": _ms(found.next_update),
        "fetched_at": _now_ms(),
        "error": "",
    }
    connection.execute(update(trust_lists).where(_l.id == list_id).values(values))


def tell_changed(connection: Connection) -> None:
    """Readers look again, and reports whose signature could not be judged are judged anew."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(trust_changes).values(id=1, count=1)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={"count": trust_changes.c.count + statement.excluded.count}
        )
    )
    unknown = report_signatures.c.indication == "unknown"
    connection.execute(update(report_signatures).where(unknown).values(state="due"))
    unknown_are_due(connection)


def _list_shown(row: Row[Any]) -> ListShown:
    raw: bytes | None = row.raw
    found = None if raw is None else crl.parse(raw)
    next_update: int | None = row.next_update
    return ListShown(
        row.id,
        row.url,
        "" if found is None else str(found.issuer),
        row.this_update,
        next_update,
        row.fetched_at,
        None if found is None else len(found.entries),
        row.error,
        found is None or next_update is None or next_update < _now_ms(),
    )


def _shown(number: int, role: str, added_at: int, one: Certificate, lists: Sequence[ListShown]) -> TrustShown:
    return TrustShown(
        number,
        role,
        str(one.subject),
        str(one.issuer),
        one.serial_hex,
        _ms(one.not_before) or 0,
        _ms(one.not_after) or 0,
        str(one.key.kind),
        hashlib.sha256(one.raw).hexdigest(),
        added_at,
        tuple(lists),
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.astimezone(UTC).timestamp() * 1000)


def _now_ms() -> int:
    return time.time_ns() // 10**6
