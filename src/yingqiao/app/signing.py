"""The signing services of one process: applications, the time stamping authority at work, its clock and journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from yingqiao.app.phone import phone_desk
from yingqiao.app.signing_office import phone_url
from yingqiao.app.stamping import NO_TIME, stamp_seal, tsa_of
from yingqiao.app.stores import Stores
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import State
from yingqiao.settings import CossSettings, Settings
from yingqiao.signing import tsa
from yingqiao.signing.clock import TrustedClock
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import DeviceError
from yingqiao.signing.trust import TIME_STAMPERS
from yingqiao.signing.tsa import Tsa
from yingqiao.spec.model import Edition
from yingqiao.store import tokens
from yingqiao.store.errors import StoreError, StoreUnavailable
from yingqiao.store.tokens import TokenJournal, TsaError
from yingqiao.web.coss import CossParts, services
from yingqiao.web.coss.door import Door, SignedByApplication
from yingqiao.web.coss.phone import Phone, PhoneParts
from yingqiao.web.coss.timestamps import Timestamps
from yingqiao.web.service import Service

FRESH_S = 1.0
_STAMP_S = 30.0
_WARNED = timedelta(days=60)
_log = structlog.get_logger(__name__)


def ensure_tsa(settings: Settings, stores: Stores) -> None:
    """A built-in time stamping authority is made at the first start; without the device its key shall be in, at the next.

    Raises StoreUnavailable.
    """
    name = settings.coss.tsa_name
    try:
        made = tokens.ensure_authority(
            stores.database, stores.master_key, lambda: tsa.make(name, datetime.now(UTC), stores.keys)
        )
    except DeviceError as error:
        _log.error("tsa.not_made", reason=error.code, hint="设备恢复后重启网关，或用 yingqiao tsa init")
        return
    if made:
        _log.info("tsa.made", name=name)


class SigningSide:
    """`start` and `close` on the event loop that serves."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        """Raises StoreUnavailable."""
        self._settings, self._stores = settings, stores
        self._journal = TokenJournal(stores.database)
        self._clock = TrustedClock(tokens.latest_gen_time(stores.database), settings.coss.clock_jump_seconds)
        self._authority = _AtWork(settings.coss, stores)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Raises StoreUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._authority.start()
        self._stores.apps.start()
        self._journal.start()

    def close(self) -> None:
        self._journal.close()
        self._authority.close()
        self._stores.apps.close()

    def services(self, edition: Edition) -> list[Service]:
        """coss and the phone API, as served. Raises StoreUnavailable."""
        stamps = Timestamps(self._authority, self._journal, self._clock, self._authority)
        coss = msgspec.structs.replace(self._settings.coss, public_url=phone_url(self._settings))
        parts = CossParts(self._stores.database, edition, self._stores.apps, stamps, coss)
        desk = phone_desk(self._settings, self._stores)
        phone = Phone(PhoneParts(desk, self._settings.phone, coss))
        return [*services(parts), *phone.services()]

    def stamp(self, value: bytes) -> bytes | None:
        """A time stamp over a seal's signature value, in the journal before it is given out; for other threads.

        None where no authority was ever made. Raises SigningRefused while there is no trustworthy time, DeviceError,
        StoreUnavailable.
        """
        found = self._authority.current()
        if found is None and not self._authority.was_made:
            return None
        if found is None or self._loop is None:
            raise SigningRefused(NO_TIME, "时间戳服务尚未就绪")
        number, at_work = found
        token, issued = stamp_seal(value, at_work, number, self._journal.serial(), self._clock)

        async def record() -> None:
            await self._journal.record(issued)

        try:
            asyncio.run_coroutine_threadsafe(record(), self._loop).result(_STAMP_S)
        except TimeoutError as error:
            raise StoreUnavailable("the journal of time stamps does not answer") from error
        return token

    def request_signature(self, edition: Edition) -> SignedByApplication:
        """What dsvs asks of requests."""
        door = Door(self._stores.apps, edition)
        return SignedByApplication(door, strangers=self._settings.coss.dsvs_strangers)


class _AtWork:
    """The newest authority, followed as commands change it; and, as a trust store, the gateway's own roots together
    with what an operator trusts for time stamps (roles ca and tsa).
    """

    def __init__(self, settings: CossSettings, stores: Stores) -> None:
        self._settings, self._stores = settings, stores
        self._current: tuple[int, Tsa] | None = None
        self._seen: int | None = None
        """The authority last looked at, usable or not: each is told about once."""
        self._roots: Sequence[Certificate] = ()
        self._known: Sequence[Certificate] = ()
        self._stop = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="tsa", daemon=True)

    def start(self) -> None:
        """An authority that cannot be used keeps nobody else from starting. Raises StoreUnavailable."""
        self._seen = tokens.newest_id(self._stores.database)
        try:
            self._load()
        except TsaError as error:
            _log.error("tsa.unreadable", error=str(error))
        self._follower.start()

    def close(self) -> None:
        self._stop.set()
        if self._follower.is_alive():
            self._follower.join()

    def current(self) -> tuple[int, Tsa] | None:
        return self._current

    @property
    def was_made(self) -> bool:
        """Whether there is one, usable or not."""
        return self._seen is not None

    def roots(self) -> Sequence[Certificate]:
        return (*self._roots, *self._stores.trust.current().anchors(TIME_STAMPERS))

    def known(self) -> Sequence[Certificate]:
        return (*self._known, *self._stores.trust.current().certificates)

    def revoked(self, certificate: Certificate, issuer: Certificate, at: datetime) -> bool:
        """By the lists at hand; the gateway's own roots publish none."""
        found = self._stores.trust.current().revocation(certificate, issuer, at, ())
        return found.state is State.REVOKED

    def _load(self) -> None:
        found = tokens.authority(self._stores.database, self._stores.master_key, self._stores.keys)
        if found is None:
            self._current = None
            return
        stamping = tsa_of(found, self._settings)
        self._roots = tokens.roots(self._stores.database)
        self._known = tokens.stamping_certificates(self._stores.database)
        self._current = found.id, stamping
        left = found.key.certificate.not_after - datetime.now(UTC)
        if left < _WARNED:
            _log.warning("tsa.expires", days=left.days, hint="用 yingqiao tsa import 换上新的时间戳证书")

    def _follow(self) -> None:
        while not self._stop.wait(FRESH_S):
            try:
                newest = tokens.newest_id(self._stores.database)
                if newest != self._seen:
                    self._seen = newest
                    self._load()
                    _log.info("tsa.changed", authority=newest)
            except StoreUnavailable:
                continue  # stamping stops with the journal; nothing to tell here
            except StoreError as error:
                _log.error("tsa.unreadable", error=str(error))
