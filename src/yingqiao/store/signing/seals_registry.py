"""The registry of electronic seals: made from approved applications, used, stopped, renewed; each act is kept for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, insert, select

from yingqiao.gm import certificates, crl, seal_wallet, ses
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.seals.context import RegistrySilentError
from yingqiao.signing.seals.making import Holders, Kind
from yingqiao.signing.seals.states import Act, Change, Standing, Stop, change, state_of, stops_of
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.schema import hospitals, seal_changes, seals, unit_certificates
from yingqiao.store.signing.seal_uses import Result, SealUses
from yingqiao.store.signing.unit_certificates import UnitCertificates
from yingqiao.store.text import storable

_MOST_ID = 2**31
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptSeal:
    """A seal as registered. Times of the registry are Unix ms; `esl` is the SESeal in DER."""

    id: int
    es_id: str
    hospital_code: str
    hospital_name: str
    name: str
    kind: Kind
    width: int
    height: int
    esl: bytes = field(repr=False)
    holders: Holders
    certificate_id: int | None
    """None: its key is elsewhere, on a 智能密码钥匙."""
    unit_case: int
    stamp_case: int
    replaces: int | None
    valid_from: int
    valid_to: int
    made_by: str
    made_at: int
    changes: tuple[Change, ...]
    maker_revoked: bool = False
    """By whom it was made: what is sealed with it from then on could not be verified."""

    def standing(self, at: datetime) -> Standing:
        return state_of(moment(self.valid_from), moment(self.valid_to), self.changes, at)

    def usable(self, at: datetime) -> bool:
        """Whether one may seal with it."""
        return self.standing(at).state.is_usable and not self.maker_revoked

    @property
    def picture(self) -> bytes:
        """PNG."""
        return ses.parse_seal(self.esl).info.picture.data


@dataclass(frozen=True, slots=True)
class SealToUse:
    """A seal in force with its signer: `sign` gives the DER signature over SM3(Z ‖ message)."""

    id: int
    es_id: str
    name: str
    esl: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False)


class SealRegistry:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key."""

    def __init__(
        self,
        database: Database,
        units: UnitCertificates,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._units = units
        self._now_ms = now_ms
        self.uses = SealUses(database, now_ms)

    def list(self, hospital_code: str | None = None, *, limit: int = 10_000) -> Sequence[KeptSeal]:
        """Newest first."""
        query = _SEALS.order_by(seals.c.id.desc()).limit(limit)
        if hospital_code is not None:
            query = query.where(seals.c.hospital_code == hospital_code)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            return self._kept(connection, rows)

    def get(self, name_or_id: int | str) -> KeptSeal:
        """By number, esID or name; a name that several seals bear means the one in force."""
        with self._database.read() as connection:
            return self.find(connection, name_or_id)

    def find(self, connection: Connection, name_or_id: int | str) -> KeptSeal:
        """As `get`, in the caller's transaction."""
        found = self._kept(connection, connection.execute(_SEALS.where(_called(name_or_id)).limit(100)).all())
        if len(found) > 1:
            usable = [one for one in found if one.usable(self._now())]
            if len(usable) != 1:
                raise SigningRefused("seal-name", f"有 {len(found)} 枚印章叫这个名称，请用编号")
            found = usable
        if not found:
            raise SigningRefused("no-seal", f"没有印章 {str(name_or_id)[:64]}")
        return found[0]

    def stops(self, seal: ses.Seal) -> Sequence[Stop]:
        """For who judges a seal: the spans in which it was stopped (2.7, row 6); none of seals that are not ours. Its
        validity is judged by the seal itself. Raises RegistrySilentError while the database is away.
        """
        try:
            with self._database.read() as connection:
                rows = connection.execute(_SEALS.where(seals.c.es_id == storable(seal.info.es_id))).all()
                found = [one for one in self._kept(connection, rows) if one.esl == seal.raw]
        except StoreUnavailable as error:
            _log.warning("seal.registry_silent")
            raise RegistrySilentError from error
        return stops_of(found[0].changes) if found else ()

    def change(self, seal_id: int, act: Act, by: str, reason: str) -> KeptSeal:
        """Suspend, report lost, resume or revoke. A revocation revokes the certificate too, and is published at once."""
        with self._database.write() as connection:
            seal = self.find(connection, seal_id)
            self.append(connection, seal, act, by, reason)
            if act is Act.REVOKE and seal.certificate_id is not None:
                self._units.revoke(connection, seal.certificate_id, crl.Reason.CESSATION_OF_OPERATION)
        if act is Act.REVOKE and seal.certificate_id is not None:
            self._units.publish_revoked(seal.certificate_id)
        return self.get(seal_id)

    def append(self, connection: Connection, seal: KeptSeal, act: Act, by: str, reason: str) -> None:
        """One more act in a seal's history, when it may be done. Two at once: the second sees the first."""
        connection.execute(select(seals.c.id).where(seals.c.id == seal.id).with_for_update())
        seal = self.find(connection, seal.id)
        now = self._now()
        done = change(act, seal.standing(now), seal.changes, by, reason, now)
        connection.execute(insert(seal_changes).values(_change_row(seal.id, done)))

    def open_seal(self, name_or_id: int | str) -> SealToUse:
        """The seal with its key, when it is in force now and its key is here."""
        seal = self.get(name_or_id)
        standing = seal.standing(self._now())
        if not standing.state.is_usable:
            why = f"（{standing.reason}）" if standing.reason else ""
            raise SigningRefused("seal-state", f"印章 {seal.name} {standing.state.words}，不能盖章{why}")
        _refuse_revoked_maker(seal)
        if seal.certificate_id is None:
            raise SigningRefused("key-elsewhere", f"印章 {seal.name} 的私钥不在本系统，请用签章客户端")
        unit = self._units.get(seal.certificate_id)
        sign = unit.key.signer.sign
        return SealToUse(seal.id, seal.es_id, seal.name, seal.esl, unit.certificate.raw, sign)

    @contextmanager
    def use(
        self, name_or_id: int | str, who: str, document: bytes, matter: str, channel: str
    ) -> Iterator[SealToUse]:
        """A seal to be used once: the journal has it before, and how it ended after. `document` is its SM3."""
        opened = self.open_seal(name_or_id)
        number = self.uses.begin(opened.id, who, document, matter, channel)
        try:
            yield opened
        except BaseException as error:
            self.uses.end(number, Result.FAILED, type(error).__name__)
            raise
        self.uses.end(number, Result.SEALED)

    def journal_use(
        self,
        name_or_id: int | str,
        who: str,
        document: bytes,
        matter: str,
        result: Result,
        *,
        channel: str = "client",
        reason: str = "",
    ) -> int:
        """A use that took place elsewhere, as a client tells it; its number."""
        number = self.uses.begin(self.get(name_or_id).id, who, document, matter, channel)
        self.uses.end(number, result, reason)
        return number

    def export(self, seal_id: int, pin: str, by: str) -> bytes:
        """The seal as a wallet under a PIN, for a client (gm/seal_wallet); its history says who took it."""
        seal = self.get(seal_id)
        if seal.certificate_id is None:
            raise SigningRefused("key-elsewhere", f"印章 {seal.name} 的私钥不在本系统，不能导出")
        _refuse_revoked_maker(seal)
        unit = self._units.get(seal.certificate_id)
        private = unit.key.exported()
        made = seal_wallet.make_wallet(seal.name, seal.esl, unit.certificate.raw, private, pin)
        with self._database.write() as connection:
            self.append(connection, seal, Act.EXPORT, by, "")
        return made

    def certificate(self, seal: KeptSeal) -> certificates.Certificate | None:
        """The signer's certificate; None when the key is elsewhere."""
        return self._units.get(seal.certificate_id).certificate if seal.certificate_id is not None else None

    def _kept(self, connection: Connection, rows: Sequence[Row[Any]]) -> Sequence[KeptSeal]:
        changes = _changes(connection, [row.id for row in rows])
        return [_seal(row, changes.get(row.id, [])) for row in rows]

    def _now(self) -> datetime:
        return moment(self._now_ms())


_SEALS = (
    select(
        seals,
        hospitals.c.name.label("hospital_name"),
        unit_certificates.c.revoked_at.is_not(None).label("maker_revoked"),
    )
    .join(hospitals, hospitals.c.code == seals.c.hospital_code)
    .join(unit_certificates, unit_certificates.c.id == seals.c.maker_id)
)


def _refuse_revoked_maker(seal: KeptSeal) -> None:
    if seal.maker_revoked:
        words = f"印章 {seal.name} 的制章者证书已吊销，盖的章无法通过验证，请更新印章"
        raise SigningRefused("maker-revoked", words)


def record_made(connection: Connection, values: Mapping[str, Any], made: Change) -> int:
    """A new seal and the first line of its history; its number."""
    inserted = connection.execute(insert(seals).values(values)).inserted_primary_key
    number = int(inserted[0]) if inserted else 0
    connection.execute(insert(seal_changes).values(_change_row(number, made)))
    return number


def _called(name_or_id: int | str) -> ColumnElement[bool]:
    text = str(name_or_id)
    if text.isascii() and text.isdigit() and int(text) < _MOST_ID:
        return seals.c.id == int(text)
    return (seals.c.es_id == text) | (seals.c.name == text)


def _changes(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Change]]:
    found: dict[int, list[Change]] = {}
    for at in range(0, len(numbers), 500):
        some = seal_changes.c.seal_id.in_(numbers[at : at + 500])
        for row in connection.execute(select(seal_changes).where(some).order_by(seal_changes.c.id)):
            made = Change(Act(row.act), row.who, moment(row.at), row.reason)
            found.setdefault(row.seal_id, []).append(made)
    return found


def _change_row(seal_id: int, done: Change) -> dict[str, Any]:
    return {
        "seal_id": seal_id,
        "act": str(done.act),
        "who": done.who,
        "at": milliseconds(done.at),
        "reason": done.reason,
    }


def _seal(row: Row[Any], changes: Sequence[Change]) -> KeptSeal:
    return KeptSeal(
        id=row.id,
        es_id=row.es_id,
        hospital_code=row.hospital_code,
        hospital_name=row.hospital_name,
        name=row.name,
        kind=Kind(row.kind),
        width=row.width,
        height=row.height,
        esl=row.esl,
        holders=Holders(row.holders),
        certificate_id=row.certificate_id,
        unit_case=row.unit_case,
        stamp_case=row.stamp_case,
        replaces=row.replaces,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        made_by=row.made_by,
        made_at=row.made_at,
        changes=tuple(changes),
        maker_revoked=bool(row.maker_revoked),
    )
